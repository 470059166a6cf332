//! Whether alerts would get where they are to go.

use futures_util::future::join_all;
use pipeline::destination::{Checked, DestinationId, Destinations, KINDS};

use super::Check;
use crate::config::Doubt;

/// Checks all destinations: those in use, those that are set up, and those that cannot be made, for the reasons in `doubts`.
pub(super) async fn checks(
    in_use: &[DestinationId],
    destinations: &Destinations,
    doubts: &[Doubt],
) -> Vec<Check> {
    let mut ids: Vec<DestinationId> = KINDS.iter().map(DestinationId::of_kind).collect();
    ids.extend(in_use.iter().chain(destinations.iter().map(|(id, _)| id)).cloned());
    ids.sort();
    ids.dedup();
    let checks = ids.into_iter().map(|id| async move {
        let name = id.label().to_lowercase();
        let doubts: Vec<Check> =
            doubts.iter().filter(|doubt| doubt.what == id.as_str()).map(doubtful).collect();
        if !doubts.is_empty() {
            return doubts;
        }
        let checked = match destinations.get(&id) {
            Some(destination) => destination.check(in_use.contains(&id)).await,
            None => Checked::Well("switched off".to_owned()),
        };
        vec![match checked {
            Checked::Well(detail) => Check::ok(name, detail),
            Checked::Doubtful(fault) => Check::bad(name, "warning", &fault),
            Checked::Failed(fault) => Check::bad(name, "failed", &fault),
        }]
    });
    join_all(checks).await.into_iter().flatten().collect()
}

/// What is wrong with the settings of a destination, or of something else.
pub(super) fn doubtful(Doubt { what, fault }: &Doubt) -> Check {
    let destination = what.parse::<DestinationId>().ok().filter(|id| id.kind().is_some());
    let name = destination.map_or_else(|| what.clone(), |id| id.label().to_lowercase());
    Check::bad(name, "failed", fault)
}
