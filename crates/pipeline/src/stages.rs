//! Putting the stages together, in the one place where that is done.

use std::sync::Arc;

use crate::{
    Recorder, Settings,
    alert_queue::AlertQueue,
    destination::Destinations,
    ingest::{Ingest, LogThrottles, Trust},
    notify::Notify,
    ports::{Clock, Intake, Journal, Objects, Outbox, Owners, Random},
    process::{AttemptCounter, Process},
    receipt::Receipts,
};

/// Where a pipeline stores what it knows.
#[derive(Clone)]
pub struct Ports {
    /// Objects.
    pub objects: Arc<dyn Objects>,
    /// The journal.
    pub journal: Arc<dyn Journal>,
}

/// What the stages have of the machine: its time and its chance.
#[derive(Clone)]
pub struct System {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

/// What stages are made of. Each asks for the neighbours that it alone has.
#[derive(Clone)]
pub struct Stages {
    /// Figures and names.
    pub settings: Arc<Settings>,
    /// Where things are stored.
    pub ports: Ports,
    /// Time and chance.
    pub system: System,
}

impl Stages {
    /// The stages of a pipeline with these ports and settings.
    pub fn new(ports: Ports, system: System, settings: Arc<Settings>) -> Self {
        Self { settings, ports, system }
    }

    /// The first: takes webhooks in.
    pub fn ingest(&self, intake: Arc<dyn Intake>, trust: Trust, repeats: LogThrottles) -> Ingest {
        Ingest { settings: Arc::clone(&self.settings), trust, intake, recorder: self.recorder(), repeats }
    }

    /// The second: looks owners up and enriches leads.
    pub fn process(
        &self,
        outbox: Arc<dyn Outbox>,
        owners: Arc<dyn Owners>,
        counted: AttemptCounter,
    ) -> Process {
        Process {
            settings: Arc::clone(&self.settings),
            objects: Arc::clone(&self.ports.objects),
            owners,
            alerting: self.alerting(Arc::clone(&outbox)),
            outbox,
            recorder: self.recorder(),
            counted,
            past: None,
        }
    }

    /// The third: alerts the team.
    pub fn notify(&self, destinations: Destinations) -> Notify {
        Notify {
            settings: Arc::clone(&self.settings),
            objects: Arc::clone(&self.ports.objects),
            receipts: self.receipts(),
            recorder: self.recorder(),
            destinations,
            limiters: Arc::default(),
        }
    }

    /// Queueing alerts.
    pub fn alerting(&self, outbox: Arc<dyn Outbox>) -> AlertQueue {
        AlertQueue { receipts: self.receipts(), outbox }
    }

    /// The proof of what was sent.
    pub fn receipts(&self) -> Receipts {
        Receipts { objects: Arc::clone(&self.ports.objects), clock: Arc::clone(&self.system.clock) }
    }

    /// Journal and log.
    pub fn recorder(&self) -> Recorder {
        Recorder {
            clock: Arc::clone(&self.system.clock),
            random: Arc::clone(&self.system.random),
            journal: Arc::clone(&self.ports.journal),
        }
    }
}
