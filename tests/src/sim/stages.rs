//! The stages, put together as the functions and `up` do it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use close::CreatedLead;
use close::signature::Keys;
use lead::LeadId;
use outbound::{IncomingWebhook, SlackDestination};
use pipeline::{
    Entry, Fault, Settings,
    destination::Destination,
    ingest::{Ingest, LogThrottles, Trust},
    notify::Notify,
    owners::{CloseOwners, Documents},
    ports::{Intake, Journal, LookupOptions, LookupOutcome, Objects, Outbox, Owners},
    process::{AttemptCounter, Process},
    receipt::Receipts,
    stages::{Stages, System},
};

use super::{
    Model,
    dice::Dice,
    oracle,
    organization::{CloseOf, SimOrganization},
    others::{OtherOf, PAGER},
    owners::{OwnersOf, SimOwners},
    process::ProcessFaults,
    slack::{SimSlack, SlackOf},
    truth::End,
};
use crate::destinations::{EMAIL, SLACK};

/// The key that Close signs with.
pub const KEY: &str = "6b1f0d9c5e2a48b7930c1d7e4f5a6b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6";
/// How many Slack messages may follow each other at once: few, so that digests are made.
const BURST: u32 = 2;

/// The pipeline's figures in a run.
pub fn settings(dice: &Dice) -> Settings {
    let destinations = match dice.below(10) {
        0 => vec![EMAIL],
        1 | 2 => vec![SLACK, EMAIL],
        3 | 4 => vec![SLACK, EMAIL, PAGER],
        5 => vec![PAGER],
        _ => vec![SLACK],
    };
    Settings { destinations, delay: Duration::from_secs(600), ..Settings::default() }
}

/// The neighbours of a run.
#[derive(Clone)]
pub struct Neighbours {
    /// The team's channel.
    pub slack: Arc<SimSlack>,
    /// Where owners are.
    pub owners: Source,
}

/// Where owners are in a run.
#[derive(Clone)]
pub enum Source {
    /// In a bucket.
    Bucket(Arc<SimOwners>),
    /// In Close.
    Close(Arc<SimOrganization>),
}

/// What there will be of a new lead.
#[derive(Debug, Default)]
pub struct Expected {
    /// The owners that its webhook carries.
    pub carried: Option<Vec<String>>,
    /// When its owner changes, so that an operator has it processed again.
    pub changes: Vec<Duration>,
}

impl Neighbours {
    /// The neighbours of a run.
    pub fn new(model: &Arc<Model>) -> Self {
        let owners = if model.fault_profile.owners_in_close {
            Source::Close(SimOrganization::new(model.clone()))
        } else {
            Source::Bucket(SimOwners::new(model.clone()))
        };
        Self { slack: SimSlack::new(model.clone()), owners }
    }

    /// Decides what there will be of a new lead.
    pub fn expect(&self, lead: &LeadId) -> Expected {
        match &self.owners {
            Source::Bucket(owners) => Expected { carried: None, changes: owners.expect(lead) },
            Source::Close(organization) => organization.expect(lead),
        }
    }

    /// The leads whose owners change.
    pub fn changing(&self) -> Vec<LeadId> {
        match &self.owners {
            Source::Bucket(owners) => owners.changing(),
            Source::Close(organization) => organization.changing(),
        }
    }

    /// Whether a lead has an owner in the end.
    pub fn end(&self, lead: &LeadId) -> End {
        match &self.owners {
            Source::Bucket(owners) => owners.end(lead),
            Source::Close(organization) => organization.end(lead),
        }
    }
}

/// A source of owners under the oracle's eyes.
struct WatchedOwners {
    model: Arc<Model>,
    owners: Arc<dyn Owners>,
    organization: Option<Arc<SimOrganization>>,
}

#[async_trait]
impl Owners for WatchedOwners {
    async fn find(&self, lead: &CreatedLead, look: LookupOptions) -> LookupOutcome {
        oracle::looked_up(&self.model, &lead.lead_id);
        if let Some(organization) = self.organization.as_ref().filter(|_| !look.fresh) {
            organization.carries(&lead.lead_id);
        }
        self.owners.find(lead, look).await
    }
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
    pub repeats: LogThrottles,
}

impl Instance {
    /// One that has just been started.
    pub fn new(name: String) -> Self {
        Self { name, repeats: LogThrottles::default() }
    }
}

/// A journal under the oracle's eyes.
struct WatchedJournal {
    model: Arc<Model>,
    name: String,
    journal: Arc<dyn Journal>,
}

#[async_trait]
impl Journal for WatchedJournal {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        oracle::journals(&self.model, &self.name, &entry);
        self.journal.append(entry).await
    }

    async fn append_before_alert(&self, entry: Entry) -> Result<(), Fault> {
        oracle::journals(&self.model, &self.name, &entry);
        self.journal.append_before_alert(entry).await
    }

    async fn catch_up(&self, lead: &LeadId) -> Result<(), Fault> {
        self.journal.catch_up(lead).await
    }
}

/// The stages of a process.
pub struct AtWork {
    /// The first.
    pub ingest: Ingest,
    /// The second.
    pub process: Process,
    /// The third.
    pub notify: Notify,
    /// The proof of what was sent.
    pub receipts: Receipts,
}

impl AtWork {
    /// The stages of the process with these faults.
    pub fn new(
        faults: &Arc<ProcessFaults>,
        neighbours: &Neighbours,
        mut ports: Ports,
        instance: &Instance,
    ) -> Self {
        let model = &faults.model;
        ports.journal = Arc::new(WatchedJournal {
            model: model.clone(),
            name: instance.name.clone(),
            journal: ports.journal,
        });
        let Ports { objects, intake, journal, outbox } = match model.mutation {
            Some(mutation) => mutation.of_ports(ports),
            None => ports,
        };
        let settings = &model.settings;
        let system = System { clock: model.clock.clone(), random: model.dice.random() };
        let ports = pipeline::stages::Ports { objects: objects.clone(), journal };
        let stages = Stages::new(ports, system, settings.clone());
        let slack: Arc<dyn IncomingWebhook> =
            Arc::new(SlackOf { slack: neighbours.slack.clone(), faults: faults.clone() });
        let slack = match model.mutation {
            Some(mutation) => mutation.of_slack(slack),
            None => slack,
        };
        let slack: Arc<dyn Destination> = Arc::new(SlackDestination::new(slack, BURST));
        let others = [EMAIL, PAGER].map(|id| {
            let other: Arc<dyn Destination> = Arc::new(OtherOf { id: id.clone(), faults: faults.clone() });
            let other = match model.mutation {
                Some(mutation) => mutation.of_destination(other),
                None => other,
            };
            (id, other)
        });
        let destinations = others.into_iter().chain([(SLACK, slack)]).collect();
        let (faults, clock) = (faults.clone(), model.clock.clone());
        let (owners, organization): (Arc<dyn Owners>, _) = match &neighbours.owners {
            Source::Bucket(owners) => {
                let directory = Arc::new(OwnersOf { owners: owners.clone(), faults });
                (Arc::new(Documents { directory, clock }), None)
            }
            Source::Close(organization) => {
                let api = Arc::new(CloseOf { organization: organization.clone(), faults });
                let fields = organization.fields();
                let owners = CloseOwners::new(api, objects.clone(), clock, fields, Duration::from_secs(5));
                (Arc::new(owners), Some(organization.clone()))
            }
        };
        let owners = match model.mutation {
            Some(mutation) => mutation.of_owners(owners),
            None => owners,
        };
        let owners = Arc::new(WatchedOwners { model: model.clone(), owners, organization });
        let trust = Trust::Signed(Keys::parse(KEY).unwrap());
        Self {
            ingest: stages.ingest(intake, trust, instance.repeats.clone()),
            process: stages.process(outbox, owners, AttemptCounter::InJob),
            notify: stages.notify(destinations),
            receipts: stages.receipts(),
        }
    }
}
