//! Monitoring: log groups and metrics.

use futures_util::future::join_all;

use super::{Finding, Session, Stack};
use crate::fault::fault;

/// Whether the functions' log groups exist and may be read.
pub(super) async fn log_groups(session: &Session, stack: &Stack) -> Finding {
    let name = "log groups";
    let groups = stack.log_groups();
    let reads = groups.iter().map(|(_, group)| async move {
        let read = session.logs_client().filter_log_events().log_group_name(group).limit(1).send().await;
        read.map(|_| ()).map_err(|error| fault(&format!("reading the log group {group}"), &error))
    });
    for read in join_all(reads).await {
        if let Err(fault) = read {
            return Finding::bad(name, fault);
        }
    }
    Finding::good(name, format!("all {} can be read", groups.len()))
}

/// Whether the metrics may be read. Before the first lead there are none.
pub(super) async fn metrics(session: &Session) -> Finding {
    let listed = session.cloudwatch.list_metrics().namespace("leadops").send().await;
    match listed {
        Ok(found) if found.metrics().is_empty() => {
            Finding::good("metrics", "none yet: they begin with the first lead")
        }
        Ok(_) => Finding::good("metrics", "they can be read"),
        Err(error) => Finding::bad("metrics", fault("listing the metrics of leadops", &error)),
    }
}
