//! What a run needs of a wiring.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use lead::LeadId;
use ops::Ops;
use pipeline::{Progress, ports::DeadLetter};
use tokio::sync::oneshot;

use super::{close::Request, process::ProcessFaults};

/// A pipeline, put together one way.
pub trait Deployment {
    /// Starts whatever work there is to start now. Whether a queue gave a message up meanwhile, for which nobody
    /// has to be at work.
    fn pump(&mut self) -> bool;

    /// How long it is until there may be more.
    fn next_change(&self) -> Option<Duration>;

    /// The webhook, which Close calls.
    fn endpoint(&self) -> Arc<dyn WebhookEndpoint>;

    /// The operator's end, as the process with these faults has it.
    fn ops(&self, faults: &Arc<ProcessFaults>) -> Ops;

    /// Puts a message into the delay queue by hand.
    fn put_by_hand(&self, body: &str);

    /// The fault phase is over: whatever is down comes up again.
    fn end_faults(&mut self);

    /// Every message there is, and where.
    fn bodies(&self, each: &mut dyn FnMut(Place, &str));

    /// The leads that an operator sees waiting, being worked on or overdue.
    fn open_leads(&self) -> BTreeSet<LeadId>;

    /// How far a lead is, as an operator sees it.
    fn progress(&self, lead: &LeadId) -> Option<Progress>;

    /// The dead letters.
    fn dead_letters(&self) -> Vec<DeadLetter>;

    /// Whether anything in the store or the queues mentions this text.
    fn mentions(&self, text: &str) -> bool;
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a queue, or on its way to one.
    Queue,
    /// Among the dead letters.
    Dead,
    /// A copy of one that was deleted.
    DeletedCopy,
}

/// The webhook's address.
pub trait WebhookEndpoint: Send + Sync {
    /// Sends a request. The answer's status; none where there is no answer.
    fn post(&self, request: Request) -> oneshot::Receiver<u16>;
}

/// What a call of a port gives into which no fault can be injected.
pub fn at_once<T>(call: impl Future<Output = T>) -> T {
    call.now_or_never().expect("no call of a port waits for anything but an injected fault")
}

/// The body in a copy of a deleted dead letter.
pub fn stored_body(copy: &[u8]) -> Option<String> {
    let copy: serde_json::Value = serde_json::from_slice(copy).ok()?;
    Some(copy.get("body")?.as_str()?.to_owned())
}
