//! The stages, put together as the functions and `up` do it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pipeline::{
    Channel, Entry, Fault, Recorder, Settings,
    alerting::Alerting,
    ingest::{Ingest, Repeats, Trust},
    notify::{Notify, Pace},
    owners::Documents,
    ports::{Intake, Journal, Mailer, Objects, Outbox, Owners, Slack},
    process::{Counted, Process},
    receipt::Receipts,
    signature::Keys,
};

use super::{
    Model,
    dice::Dice,
    mail::MailOf,
    oracle,
    owners::{OwnersOf, SimOwners},
    process::ProcessWeather,
    slack::{SimSlack, SlackOf},
};

/// The key that Close signs with.
pub const KEY: &str = "6b1f0d9c5e2a48b7930c1d7e4f5a6b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6";
/// How many Slack messages may follow each other at once: few, so that digests are made.
const BURST: u32 = 2;

/// The pipeline's figures in a run.
pub fn settings(dice: &Dice) -> Settings {
    let channels = match dice.below(10) {
        0 => vec![Channel::Email],
        1..=4 => vec![Channel::Slack, Channel::Email],
        _ => vec![Channel::Slack],
    };
    Settings { channels, delay: Duration::from_secs(600), ..Settings::default() }
}

/// The neighbours of a run.
#[derive(Clone)]
pub struct Neighbours {
    /// The team's channel.
    pub slack: Arc<SimSlack>,
    /// The owner bucket.
    pub owners: Arc<SimOwners>,
}

/// The ports of a process.
pub struct Ports {
    /// Objects.
    pub objects: Arc<dyn Objects>,
    /// The way in.
    pub intake: Arc<dyn Intake>,
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// The queues.
    pub outbox: Arc<dyn Outbox>,
}

/// What handles one request after another and remembers something between them: a life of `up`, or an instance
/// of a function.
#[derive(Clone)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// What it remembers.
    pub repeats: Repeats,
}

impl Instance {
    /// One that has just been started.
    pub fn new(name: String) -> Self {
        Self { name, repeats: Repeats::default() }
    }
}

/// A journal under the oracle's eyes.
struct Witnessed {
    model: Arc<Model>,
    name: String,
    journal: Arc<dyn Journal>,
}

#[async_trait]
impl Journal for Witnessed {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        oracle::journals(&self.model, &self.name, &entry);
        self.journal.append(entry).await
    }
}

/// The stages of a process.
pub struct Stages {
    /// The first.
    pub ingest: Ingest,
    /// The second.
    pub process: Process,
    /// The third.
    pub notify: Notify,
}

impl Stages {
    /// The stages of the process behind `weather`.
    pub fn new(
        weather: &Arc<ProcessWeather>,
        neighbours: &Neighbours,
        mut ports: Ports,
        instance: &Instance,
    ) -> Self {
        let model = &weather.model;
        ports.journal =
            Arc::new(Witnessed { model: model.clone(), name: instance.name.clone(), journal: ports.journal });
        let Ports { objects, intake, journal, outbox } = match model.mutation {
            Some(mutation) => mutation.of_ports(ports),
            None => ports,
        };
        let settings = &model.settings;
        let recorder = Recorder { clock: model.clock.clone(), random: model.dice.random(), journal };
        let receipts = Receipts { objects: objects.clone(), clock: model.clock.clone() };
        let slack: Arc<dyn Slack> =
            Arc::new(SlackOf { slack: neighbours.slack.clone(), weather: weather.clone() });
        let slack = match model.mutation {
            Some(mutation) => mutation.of_slack(slack),
            None => slack,
        };
        let mailer: Arc<dyn Mailer> = Arc::new(MailOf { weather: weather.clone() });
        let directory = Arc::new(OwnersOf { owners: neighbours.owners.clone(), weather: weather.clone() });
        let owners: Arc<dyn Owners> = Arc::new(Documents { directory, clock: model.clock.clone() });
        let pace = Pace::of_slack(objects.clone(), model.clock.clone(), BURST);
        Self {
            ingest: Ingest {
                settings: settings.clone(),
                trust: Trust::Signed(Keys::parse(KEY).unwrap()),
                intake,
                recorder: recorder.clone(),
                repeats: instance.repeats.clone(),
            },
            process: Process {
                settings: settings.clone(),
                objects: objects.clone(),
                owners,
                outbox: outbox.clone(),
                alerting: Alerting { receipts: receipts.clone(), outbox },
                recorder: recorder.clone(),
                counted: Counted::InTheJob,
            },
            notify: Notify {
                settings: settings.clone(),
                objects,
                receipts,
                recorder,
                slack: Some((slack, pace)),
                mailer: Some(mailer),
            },
        }
    }
}
