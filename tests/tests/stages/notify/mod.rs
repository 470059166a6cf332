//! Alerting the team: once, at the channel's pace, and whatever the channel answers.

mod awaited;
mod destinations;
mod digests;
mod jobs;
mod left_out;
mod mail;
mod once;
mod slack;
mod trials;

use std::time::Duration;

use futures_util::future::join;
use lead::{AlertKind, LeadId};
use pipeline::{
    Code, Ended, Fault, JournalEvent, Settings,
    job::{AlertId, AlertJob},
    ports::{Clock, Delivery, Disposition},
};
use tests::{destinations::SLACK, faulty::InjectedFault, harness::Harness};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const REPEAT: &str = "Possible repeat";

fn storage_failed() -> InjectedFault {
    InjectedFault::Fail(Fault::new(Code::StorageFailed, "the disk is broken"))
}

/// Does not look for owners again, so that nothing but the alert is in the queues.
fn plain() -> Settings {
    Settings { rechecks: 0, ..Settings::default() }
}

/// A harness in which an alert about one lead is ready to be sent.
async fn with_alert() -> (Harness, LeadId) {
    let harness = Harness::with(plain());
    let lead = harness.enrich("a").await;
    (harness, lead)
}

/// The `Notified` entries of a lead: kind, how many together, whether labelled, attempts.
async fn notified(harness: &Harness, lead: &LeadId) -> Vec<(AlertKind, usize, bool, u32)> {
    let story = harness.story(lead).await;
    let notified = story.into_iter().filter_map(|entry| match entry.event {
        JournalEvent::Notified { kind, together, repeat, attempts, .. } => {
            Some((kind, together, repeat, attempts))
        }
        _ => None,
    });
    notified.collect()
}

async fn ended(harness: &Harness, lead: &LeadId) -> Option<Ended> {
    Some(harness.progress(lead).await.unwrap().ended?.0)
}

/// A lead's first alert on Slack.
fn first_alert(lead: &LeadId) -> AlertJob {
    AlertJob {
        lead_id: lead.clone(),
        destination: SLACK,
        alert: AlertId::new_lead(),
        kind: AlertKind::New,
        due_at: None,
        owner: None,
    }
}

/// Two workers handle the same messages, the second a minute after the first: what the first and the second make
/// of them.
async fn overtaken(harness: &Harness, deliveries: &[Delivery]) -> (Vec<Disposition>, Vec<Disposition>) {
    let second = async {
        harness.clock.sleep(MINUTE).await;
        harness.notify.handle(deliveries).await
    };
    harness.clock.run(join(harness.notify.handle(deliveries), second)).await
}
