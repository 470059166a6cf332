//! What a whole pipeline needs of a store.

use std::sync::Arc;

use ops::{Access, Ops};
use pipeline::{
    Settings,
    ports::{DeadLetters, History, Intake, Journal, Logs, Objects, Outbox, Upkeep, Watch, WorkQueues},
    stages::{Ports, Stages, System},
};
use system::{SystemClock, SystemRandom};

use crate::running::OfRunning;

/// A store that a pipeline runs on in one process: the ports of all stages and of the operator.
///
/// Whatever implements them, and passes the conformance suites of each, is one.
pub trait Storage:
    Objects + Intake + Journal + History + WorkQueues + Outbox + DeadLetters + Logs + Upkeep + Watch
{
}

impl<T: Objects + Intake + Journal + History + WorkQueues + Outbox + DeadLetters + Logs + Upkeep + Watch>
    Storage for T
{
}

/// What the stages on a store are made of, on this machine's clock.
pub fn stages(storage: Arc<dyn Storage>, settings: Arc<Settings>) -> Stages {
    let system = System { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    Stages::new(Ports { objects: storage.clone(), journal: storage }, system, settings)
}

/// The operator's view of a store, for this person.
pub fn view(storage: Arc<dyn Storage>, settings: Arc<Settings>, operator: String, access: Access) -> Ops {
    let stages = stages(storage.clone(), Arc::clone(&settings));
    Ops {
        settings,
        objects: storage.clone(),
        history: storage.clone(),
        inbox: storage.clone(),
        dead_letters: storage.clone(),
        logs: storage.clone(),
        outbox: storage.clone(),
        alerting: stages.alerting(storage.clone()),
        recorder: stages.recorder(),
        set_up: Arc::new(OfRunning(storage)),
        operator,
        access,
    }
}
