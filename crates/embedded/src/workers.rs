//! The workers of a process: the driver on both queues, and letting go of what is old.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use pipeline::{
    Code, Function,
    driver::{Spawn, Workers},
    notify::Notify,
    ports::{Level, Retention, Upkeep, WorkQueues},
    process::Process,
    recorder,
};
use tokio_util::sync::CancellationToken;

use crate::Storage;

/// How often what is old is let go of.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Works until `shutdown`; then takes nothing more, gives what is in hand ten seconds to finish, and
/// puts the rest back into its queue.
pub(crate) async fn run(
    storage: Arc<dyn Storage>,
    process: Arc<Process>,
    notify: Arc<Notify>,
    retention: Retention,
    shutdown: CancellationToken,
) {
    let spawn: Spawn = Arc::new(|work| tokio::spawn(work).map(drop).boxed());
    let clock = Arc::clone(&notify.recorder.clock);
    let queues: Arc<dyn WorkQueues> = storage.clone();
    let [processing, notifying] = Workers::of_process(process, notify, &queues, &clock, &spawn);
    let pruning = async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = prune(&*storage, &retention) => {}
        }
    };
    tokio::join!(processing.run(shutdown.clone()), notifying.run(shutdown.clone()), pruning);
}

async fn prune(store: &(impl Upkeep + ?Sized), retention: &Retention) {
    loop {
        match store.prune(retention).await {
            Ok(_) => {}
            // The store has said so itself.
            Err(fault) if fault.code == Code::StorageGone => {}
            Err(fault) => {
                let what = "letting go of what is old failed";
                recorder::fault(Function::Operator, Level::Error, what, None, &fault);
            }
        }
        tokio::time::sleep(PRUNE_EVERY).await;
    }
}
