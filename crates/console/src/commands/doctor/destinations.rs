//! Whether alerts would reach their destinations.

use futures_util::future::join_all;
use ops::Ops;
use pipeline::{
    CheckOutcome, Code, Fault,
    destination::{DestinationId, Destinations, KINDS},
};

use super::{Check, Grade};
use crate::config::SettingProblem;

/// Checks all destinations: those in use, those that are set up, and those that cannot be created, for the reasons in
/// `problems`. One that is fine may still have asked to wait.
pub(super) async fn checks(
    in_use: &[DestinationId],
    destinations: &Destinations,
    problems: &[SettingProblem],
    ops: Option<&Ops>,
) -> Vec<Check> {
    let mut ids: Vec<DestinationId> = KINDS.iter().map(DestinationId::of_kind).collect();
    ids.extend(in_use.iter().chain(destinations.iter().map(|(id, _)| id)).cloned());
    ids.sort();
    ids.dedup();
    let checks = ids.into_iter().map(|id| async move {
        let name = id.label().to_lowercase();
        let problems: Vec<Check> =
            problems.iter().filter(|problem| problem.what == id.as_str()).map(problem_check).collect();
        if !problems.is_empty() {
            return problems;
        }
        let checked = match destinations.get(&id) {
            Some(destination) => destination.check(in_use.contains(&id)).await,
            None => CheckOutcome::Ok("switched off".to_owned()),
        };
        let waits = match (&checked, ops, destinations.get(&id)) {
            (CheckOutcome::Ok(_), Some(ops), Some(destination)) if in_use.contains(&id) => {
                let asked = ops.destination_pause(&id, ops.recorder.clock.now()).await.unwrap_or_default();
                let place = destination.place().await;
                asked.filter(|pause| pause.is_of(place.as_deref()))
            }
            _ => None,
        };
        vec![match (checked, waits) {
            (CheckOutcome::Ok(detail), Some(pause)) => {
                let code = pause.code.unwrap_or(Code::DestinationBusy);
                Check::bad(name, Grade::Warning, &Fault::new(code, format!("{detail}; {pause}")))
            }
            (outcome, _) => Check::of(name, outcome),
        }]
    });
    join_all(checks).await.into_iter().flatten().collect()
}

/// The check for a problem in the settings of a destination, or of something else.
pub(super) fn problem_check(SettingProblem { what, fault }: &SettingProblem) -> Check {
    let destination = what.parse::<DestinationId>().ok().filter(|id| id.kind().is_some());
    let name = destination.map_or_else(|| what.clone(), |id| id.label().to_lowercase());
    Check::bad(name, Grade::Failed, fault)
}
