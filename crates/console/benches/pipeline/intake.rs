//! How many webhooks leadops accepts and how fast, beside the null server.

use std::{fs, net::SocketAddr, path::Path, thread, time::Duration};

use crate::{
    leadops::{self, Up},
    load::{Pace, Served, load},
    null_server::NullServer,
    plan::Plan,
    report::{Limit, Report, Row, number},
    spread::{Spread, percentile},
    webhooks::{Webhook, Webhooks},
};

/// How long the leads wait, in seconds: none becomes due during the measurement.
const DELAY: u32 = 900;
/// Webhooks that are made and sent at a time while the file is filled.
const CHUNK: usize = 10_000;
/// How often the null server gets the webhooks of a round at full load: once would be over too soon.
const NULL_ROUNDS: usize = 3;
/// Pause before each measurement, so that what the one before left to be written does not slow it down.
const PAUSE: Duration = Duration::from_millis(200);
/// The promise about the resident memory of `up`, in MB.
const MEMORY: Limit = Limit::AtMost(60.0);

/// Both servers at work.
pub(crate) struct Intake<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    webhooks: &'a Webhooks,
    up: Up,
    null_server: NullServer,
    /// Leads that leadops has accepted.
    accepted: usize,
}

impl<'a> Intake<'a> {
    /// Starts both servers on one folder.
    pub(crate) fn new(plan: &'a Plan, folder: &'a Path, webhooks: &'a Webhooks) -> Self {
        // Nothing listens there: no alert becomes due.
        let slack = SocketAddr::from(([127, 0, 0, 1], 9));
        let (up, null_server) = (Up::start(folder, DELAY, slack, 1), NullServer::start(folder));
        Self { plan, folder, webhooks, up, null_server, accepted: 0 }
    }

    /// Fills the file, then measures.
    pub(crate) fn measure(mut self, report: &mut Report<'_>) {
        let filling = self.fill();
        report.measure(|_| {
            let memory = Spread::of(&[self.up.memory()]);
            let held = number(self.plan.held as f64);
            let size = fs::metadata(self.folder.join("leadops.db")).unwrap().len() as f64;
            let per_lead = Spread::of(&[size / self.accepted as f64]);
            vec![
                Row::new(format!("while filling to {held} leads, /s"), filling),
                Row::new(format!("memory with {held} leads, MB"), memory).promised(MEMORY),
                Row::new("file, bytes per lead", per_lead).promised(Limit::AtMost(2_600.0)),
            ]
        });
        report.measure(|report| self.full_load(report));
        for (rate, most) in self.plan.rates {
            report.measure(|report| self.at_rate(report.a_second(*rate).round(), *most));
        }
        report.measure(|_| {
            let memory = Spread::of(&[self.up.memory()]);
            let held = number(self.accepted as f64);
            vec![Row::new(format!("memory with {held} leads, MB"), memory).promised(MEMORY)]
        });
        self.check_what_is_held();
    }

    /// Fills the file. Webhooks per second, over the chunks.
    fn fill(&mut self) -> Spread {
        let mut rates = Vec::new();
        while self.accepted < self.plan.held {
            let batch = self.webhooks.batch(CHUNK.min(self.plan.held - self.accepted));
            rates.push(self.load(&batch, Pace::FullLoad).rate);
        }
        Spread::of(&rates)
    }

    fn full_load(&mut self, report: &mut Report<'_>) -> Vec<Row> {
        let before = (self.up.written(), self.accepted);
        let rounds = self.rounds(self.plan.at_full_load, Pace::FullLoad, NULL_ROUNDS);
        let written = (self.up.written() - before.0) / (self.accepted - before.1) as f64;
        let rate = rounds.row("durable signed webhooks, /s", |served| served.rate);
        report.calibrate(&rate);
        vec![
            rate.promised(Limit::AtLeast(report.a_second(10_000.0))),
            rounds.row("  p50 at full load, ms", |served| percentile(&served.latencies, 50.0)),
            rounds.row("  p99 at full load, ms", |served| percentile(&served.latencies, 99.0)),
            rounds.row("  CPU of the client, µs per webhook", |served| served.client_cpu),
            Row::new("  written, bytes per webhook", Spread::of(&[written]))
                .promised(Limit::AtMost(18_000.0)),
        ]
    }

    /// `most` is the 99th percentile that is promised, in milliseconds.
    fn at_rate(&mut self, rate: f64, most: f64) -> Vec<Row> {
        let rounds = self.rounds(rate as usize * self.plan.seconds, Pace::PerSecond(rate), 1);
        let words = number(rate);
        vec![
            rounds.row(&format!("p50 at {words}/s, ms"), |served| percentile(&served.latencies, 50.0)),
            rounds
                .row(&format!("p99 at {words}/s, ms"), |served| percentile(&served.latencies, 99.0))
                .promised(Limit::AtMost(most)),
        ]
    }

    /// Measures the null server and leadops in turn, with the same webhooks.
    fn rounds(&mut self, count: usize, pace: Pace, null_rounds: usize) -> Rounds {
        let mut rounds = Rounds { leadops: Vec::new(), null_server: Vec::new() };
        for _ in 0..self.plan.rounds {
            let batch = self.webhooks.batch(count);
            let repeated = requests(&batch).repeat(null_rounds);
            thread::sleep(PAUSE);
            rounds.null_server.push(load(self.null_server.address, &repeated, pace));
            thread::sleep(PAUSE);
            rounds.leadops.push(self.load(&batch, pace));
        }
        rounds
    }

    /// Sends webhooks to leadops.
    fn load(&mut self, batch: &[Webhook], pace: Pace) -> Served {
        self.accepted += batch.len();
        load(self.up.address, &requests(batch), pace)
    }

    /// Checks that every accepted lead is in the file, and that none became due.
    fn check_what_is_held(&self) {
        let status = leadops::json(self.folder, &["status"]);
        assert_eq!(status["pending"], self.accepted, "other leads than were accepted: {status}");
    }
}

fn requests(batch: &[Webhook]) -> Vec<&[u8]> {
    batch.iter().map(|webhook| webhook.request.as_slice()).collect()
}

/// The results of all rounds.
struct Rounds {
    leadops: Vec<Served>,
    null_server: Vec<Served>,
}

impl Rounds {
    /// A figure of both servers.
    fn row(&self, what: &str, figure: impl Fn(&Served) -> f64) -> Row {
        let spread = |served: &[Served]| Spread::of(&served.iter().map(&figure).collect::<Vec<f64>>());
        Row::new(what, spread(&self.leadops)).beside(spread(&self.null_server))
    }
}
