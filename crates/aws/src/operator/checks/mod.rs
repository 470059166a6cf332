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
    Code, Fault,
    ports::{Clock, Queue, Random},
};

use super::{Session, SignedRequest, Stack};

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// The result.
    pub grade: Grade,
    /// What was found, as a line for people.
    pub detail: String,
    /// The code, where it is not as it should be.
    pub code: Option<Code>,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Not as it should be, but it works.
    Doubtful,
    /// Something does not work.
    Bad,
}

impl Finding {
    fn good(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, grade: Grade::Good, detail: detail.into(), code: None }
    }

    fn doubtful(check: &'static str, fault: Fault) -> Self {
        Self { check, grade: Grade::Doubtful, detail: fault.what, code: Some(fault.code) }
    }

    fn bad(check: &'static str, fault: Fault) -> Self {
        Self { check, grade: Grade::Bad, detail: fault.what, code: Some(fault.code) }
    }

    /// Good, or bad where `result` is an error.
    fn of(check: &'static str, result: Result<String, Fault>) -> Self {
        match result {
            Ok(detail) => Self::good(check, detail),
            Err(fault) => Self::bad(check, fault),
        }
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
        identity(session),
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
    let mut found = vec![identity, deployed(stack), bucket, notification, access];
    found.extend(prefixes(stack));
    found.extend(delay);
    found.extend(alerts);
    found.extend([schedule, recursion, keys, logs, metrics]);
    found
}

/// The operator's identity.
async fn identity(session: &Session) -> Finding {
    let identity = session.identity().await;
    Finding::of(
        "identity",
        identity
            .map(|identity| format!("{} in account {}, {}", identity.arn, identity.account, identity.region)),
    )
}

/// What is wrong with the prefixes, if anything: the functions of this version would not start with them.
fn prefixes(stack: &Stack) -> Option<Finding> {
    stack.settings.check_prefixes().err().map(|fault| Finding::bad("prefixes", fault))
}

/// Whether the last deployment went through.
fn deployed(stack: &Stack) -> Finding {
    let detail = format!("{} is {}", stack.name, stack.status);
    let fault = |why: &str| Fault::new(Code::StackUnusable, format!("{detail}: {why}"));
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Finding::good("stack", detail),
        status if status.contains("DELETE") => Finding::bad("stack", fault("it is being deleted")),
        status if status.ends_with("_IN_PROGRESS") => {
            Finding::doubtful("stack", fault("it is being changed"))
        }
        _ => Finding::doubtful("stack", fault("the last deployment did not go through")),
    }
}
