//! The time from when a lead is due until Slack has its alert, in the file that holds all the others.

use std::{
    net::SocketAddr,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use axum::{Router, routing::post};
use lead::Timestamp;
use serde_json::Value;
use tokio::{net::TcpListener, runtime};

use crate::{
    leadops::{self, Up},
    load::{Pace, load},
    plan::Plan,
    report::{Limit, Report, Row},
    spread::{Spread, percentile},
    webhooks::Webhooks,
};

/// How long the leads wait, in seconds.
const DELAY: u32 = 1;
/// Pause between the last webhook and the first look at the journal, so that looking does not slow the alerts
/// down.
const QUIET: Duration = Duration::from_secs(DELAY as u64 + 1);
/// How long an alert may still be missing after that.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it takes until Slack's pace allows 30 alerts at once again.
const RECOVERY: Duration = Duration::from_secs(30);

/// How many leads come at once, for what takes so many messages a second without being Slack.
const AT_ONCE: usize = 500;
const UNTHROTTLED: u32 = 1_000;

/// Starts a `leadops up` that sends alerts soon, to a Slack that takes them at once.
pub(crate) fn up(folder: &Path) -> Up {
    Up::start(folder, DELAY, slack(), 1)
}

/// Measures, on a folder that nobody works on, how long it takes until all leads are announced that come at once.
pub(crate) fn measure_at_once(folder: &Path, webhooks: &Webhooks, report: &mut Report<'_>) {
    let up = Up::start(folder, DELAY, slack(), UNTHROTTLED);
    report.measure(|report| {
        let batch = webhooks.batch(AT_ONCE);
        let requests: Vec<&[u8]> = batch.iter().map(|webhook| webhook.request.as_slice()).collect();
        load(up.address, &requests, Pace::FullLoad);
        thread::sleep(QUIET);
        let taken: Vec<f64> = batch.iter().map(|webhook| due_to_notified(folder, &webhook.lead)).collect();
        let one = |percent| Spread::of(&[percentile(&taken, percent)]);
        vec![
            Row::new(format!("due to notified, p50 of {AT_ONCE} at once, ms"), one(50.0)),
            Row::new(format!("due to notified, p99 of {AT_ONCE} at once, ms"), one(99.0))
                .promised(Limit::AtMost(report.a_time_of(1_000.0))),
        ]
    });
}

/// Measures such an `up` on its folder, one lead after the other.
pub(crate) fn measure(plan: &Plan, up: &Up, folder: &Path, webhooks: &Webhooks, report: &mut Report<'_>) {
    let mut last = None::<Instant>;
    report.measure(|report| {
        if let Some(last) = last {
            thread::sleep(RECOVERY.saturating_sub(last.elapsed()));
        }
        let batch = webhooks.batch(plan.alerts);
        let requests: Vec<&[u8]> = batch.iter().map(|webhook| webhook.request.as_slice()).collect();
        load(up.address, &requests, Pace::PerSecond(plan.alert_rate));
        last = Some(Instant::now());
        thread::sleep(QUIET);
        let taken: Vec<f64> = batch.iter().map(|webhook| due_to_notified(folder, &webhook.lead)).collect();
        let one = |percent| Spread::of(&[percentile(&taken, percent)]);
        vec![
            Row::new(format!("due to notified, p50 of {}, ms", taken.len()), one(50.0)),
            Row::new(format!("due to notified, p99 of {}, ms", taken.len()), one(99.0))
                .promised(Limit::AtMost(report.a_time_of(100.0))),
        ]
    });
}

/// How long a lead took from due to notified according to the journal, in milliseconds.
fn due_to_notified(folder: &Path, lead: &str) -> f64 {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let story = leadops::json(folder, &["lead", lead]);
        let alert = &story["notifications"][0];
        if alert["state"] == "sent" {
            return time(&alert["at"]).duration_since(time(&story["due_at"])).as_secs_f64() * 1e3;
        }
        assert!(Instant::now() < give_up, "no alert within {PATIENCE:?}: {story}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Starts a Slack that takes everything at once, for as long as the benchmark lives. Its address.
fn slack() -> SocketAddr {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/slack", post(|| async { "ok" }));
    thread::spawn(move || runtime.block_on(async { axum::serve(listener, router).await }));
    address
}
