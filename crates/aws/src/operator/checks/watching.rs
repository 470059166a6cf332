//! Monitoring: log groups and metrics.

use futures_util::future::join_all;
use pipeline::Fault;

use super::{Session, Stack};
use crate::{fault::fault, metrics::NAMESPACE};

/// Whether the functions' log groups exist and may be read.
pub(super) async fn log_groups(session: &Session, stack: &Stack) -> Result<String, Fault> {
    let groups = stack.log_groups();
    let reads = groups.iter().map(|(_, group)| async move {
        let read = session.logs.filter_log_events().log_group_name(group).limit(1).send().await;
        read.map(drop).map_err(|error| fault(&format!("reading the log group {group}"), &error))
    });
    join_all(reads).await.into_iter().collect::<Result<(), Fault>>()?;
    Ok(format!("all {} can be read", groups.len()))
}

/// Whether the metrics may be read. Before the first lead there are none.
pub(super) async fn metrics(session: &Session) -> Result<String, Fault> {
    let listed = session.cloudwatch.list_metrics().namespace(NAMESPACE).send().await;
    let found = listed.map_err(|error| fault("listing the metrics of leadops", &error))?;
    let is_new = found.metrics().is_empty();
    Ok(if is_new { "none yet: they begin with the first lead" } else { "they can be read" }.to_owned())
}
