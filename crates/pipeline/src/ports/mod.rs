//! What the stages and the operator need from the world: small traits, each with its contract.
//!
//! Every adapter passes the same conformance suite (`tests/conformance/src`).

mod clock;
mod dead_letters;
mod history;
mod intake;
mod journal;
mod logs;
mod objects;
mod owners;
mod queue;
mod secret;
mod upkeep;
mod watch;

pub(crate) use clock::within;
pub use clock::{Clock, Random};
pub use dead_letters::{Body, DeadLetter, DeadLetters};
pub use history::{History, Minute, OTHER, OpenCounts, OpenLead};
pub use intake::{Accepted, Intake, NewEvent};
pub use journal::Journal;
pub use logs::{Level, LogLine, LogQuery, LogSink, Logs};
pub use objects::{Object, Objects, PutError, Version, WriteCondition};
pub use owners::{
    LookupOptions, LookupOutcome, NextLookup, OtherRegion, OwnerAnswer, OwnerDirectory, OwnerUnreachable,
    Owners,
};
pub use queue::{
    DeadLetterCause, Delivery, Depth, Disposition, Inbox, MAX_DELAY, NewMessage, Outbox, Queue, WorkQueues,
};
pub use secret::Secret;
pub use upkeep::{Pruned, Retention, Upkeep};
pub use watch::{Seen, Unwatched, Watch};
