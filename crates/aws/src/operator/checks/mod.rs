//! Checks of a stack, part by part.
//!
//! Each check reports what it found and changes nothing, except that the dead letters it looks at are hidden from others
//! for a moment.

mod again;
mod objects;
mod queues;
mod trust;
mod watching;

use std::sync::Arc;

use futures_util::join;
use pipeline::{
    CheckOutcome, Code, Fault,
    ports::{Clock, Queue, Random},
};

use super::{Session, SignedRequest, Stack};

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// What was found.
    pub outcome: CheckOutcome,
}

/// What a check finds: that all is good, as a line for people, or what is not.
type Checked = Result<String, CheckOutcome>;

impl Finding {
    fn of(check: &'static str, checked: Result<String, impl Into<CheckOutcome>>) -> Self {
        Self { check, outcome: checked.map_or_else(Into::into, CheckOutcome::Ok) }
    }
}

/// All checks of a stack but those of its destinations. `fetch` sends a request and gives the answer's status and body.
pub async fn all(
    session: &Session,
    stack: &Stack,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    fetch: impl AsyncFn(SignedRequest) -> Result<(u16, String), String>,
) -> Vec<Finding> {
    let letters = session.queues(stack, Arc::clone(&clock));
    let secrets = session.secrets(Arc::clone(&clock));
    let store = session.store(stack, Arc::clone(&clock), random);
    let (identity, bucket, notification, access, delay, alerts, schedule, recursion) = join!(
        session.identity(),
        objects::bucket(session, stack),
        objects::notification(session, stack),
        objects::public_access(session, stack),
        queues::queue(&letters, stack, Queue::Delay),
        queues::queue(&letters, stack, Queue::Notification),
        again::schedule(stack, &store, clock.now()),
        again::recursion(session, stack, fetch),
    );
    let (keys, logs, metrics) = join!(
        trust::signature(&secrets, stack),
        watching::log_groups(session, stack),
        watching::metrics(session),
    );
    let identity =
        identity.map(|found| format!("{} in account {}, {}", found.arn, found.account, found.region));
    let mut found = vec![
        Finding::of("identity", identity),
        Finding::of("stack", deployed(stack)),
        Finding::of("bucket", bucket),
        Finding::of("bucket notification", notification),
        Finding::of("bucket privacy", access),
    ];
    // The functions of this version would not start with them.
    found.extend(stack.settings.check_prefixes().err().map(|fault| Finding::of("prefixes", Err(fault))));
    found.extend(delay);
    found.extend(alerts);
    found.extend([
        Finding::of("schedule", schedule),
        Finding::of("loop detection", recursion),
        Finding::of("signature", keys),
        Finding::of("log groups", logs),
        Finding::of("metrics", metrics),
    ]);
    found
}

/// Whether the last deployment went through.
fn deployed(stack: &Stack) -> Checked {
    let detail = format!("{} is {}", stack.name, stack.status);
    let what = |why: &str| format!("{detail}: {why}");
    let doubtful = |why| Err(CheckOutcome::warning(Code::StackUnusable, what(why)));
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Ok(detail),
        status if status.contains("DELETE") => {
            Err(Fault::new(Code::StackUnusable, what("it is being deleted")).into())
        }
        status if status.ends_with("_IN_PROGRESS") => doubtful("it is being changed"),
        _ => doubtful("the last deployment did not go through"),
    }
}
