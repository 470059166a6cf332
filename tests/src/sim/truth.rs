//! What truly happened, as nobody in the pipeline can know it, and what of it breaks a promise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use bytes::Bytes;
use lead::{LeadId, OwnerStatus, Timestamp, UNASSIGNED};
use pipeline::destination::DestinationId;

use super::shown::ShownAlert;

/// The promises, in the order of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// What is accepted is stored.
    Stored,
    /// Nothing early.
    NotEarly,
    /// Every lead ends.
    Ends,
    /// One alert.
    Once,
    /// An alert even without an owner.
    Owner,
    /// Operators lose nothing.
    Operator,
    /// Nobody in.
    NobodyIn,
    /// Whatever strangers repeat is written down once a minute.
    Quiet,
    /// A trial stands in no listing and no count.
    Trial,
    /// Whom an alert has not reached its receipt names.
    LeftOut,
    /// A slow destination holds up no other.
    Beside,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// Whose.
    pub lead: Option<LeadId>,
    /// When, since the run's start.
    pub at: Duration,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lead = super::process::about(self.lead.as_ref());
        write!(f, "{:?} is broken for {lead} after {} s: {}", self.promise, self.at.as_secs(), self.what)
    }
}

/// What truly happened.
#[derive(Debug, Default)]
pub struct Truth {
    /// The leads of genuine webhooks.
    pub leads: BTreeMap<LeadId, LeadTruth>,
    /// The leads of forged ones.
    pub forged: Vec<LeadId>,
    /// The faults that were injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// By how much the wall clock was set forward, in all.
    pub forward: Duration,
    /// How often the wall clock was set.
    pub clock_sets: u64,
    /// When each process wrote down last that a lead's webhook had come again, with how often the wall clock
    /// had been set by then.
    pub repeated: BTreeMap<(LeadId, String), (Timestamp, u64)>,
    /// What operators did, by kind.
    pub acts: BTreeMap<&'static str, u64>,
    /// The members of the organisation in Close, each time that the pipeline read them.
    pub members: Vec<Members>,
    /// The trials that operators asked for, and those that were taken without a label, by their destinations.
    pub trials: BTreeMap<DestinationId, (u64, u64)>,
    /// Whom mails have reached, by the keys of their receipts.
    pub reached: BTreeMap<String, Reached>,
    /// Alerts that were taken and are labelled as possible repeats: all, and those that were repeats.
    pub labelled: (u64, u64),
}

/// Whom a mail has reached.
#[derive(Debug, Default)]
pub struct Reached {
    /// Those whom it was for at first.
    pub meant: BTreeSet<String>,
    /// Those who got it, and how often without a label.
    pub got: BTreeMap<String, u64>,
}

/// Members by their ids: their names, and whether they are there.
pub type Members = BTreeMap<String, (String, bool)>;

/// What truly happened to one lead.
#[derive(Debug, Default)]
pub struct LeadTruth {
    /// The bytes that Close sends.
    pub body: Bytes,
    /// When it was answered 2xx first, and how far the wall clock had been set forward by then.
    pub accepted: Option<(Duration, Duration)>,
    /// When its raw event was first passed to the pipeline: nothing is due before that and the delay.
    pub offered: Option<(Duration, Duration)>,
    /// What was said of its owner, in the order of the questions.
    pub answers: Vec<Answer>,
    /// The users whom its owner field named in Close, each time that the pipeline read it.
    pub read: Vec<Vec<String>>,
    /// When it was enriched first.
    pub enriched: Option<Duration>,
    /// The owners that its enriched lead has named, one after the other.
    pub owners: Vec<String>,
    /// The alerts that destinations have taken.
    pub alerts: Vec<SentAlert>,
    /// How often an operator asked for a new alert at a destination.
    pub resends: BTreeMap<DestinationId, u64>,
    /// Whether an operator had it processed again.
    pub requeued: bool,
    /// Whether an operator deleted a dead letter of it.
    pub deleted: bool,
}

/// What an alert may say of the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How the search for the owner ended.
    pub status: OwnerStatus,
    /// How the owner is named.
    pub owner: String,
    /// How a digest names them.
    pub short: String,
}

impl Answer {
    /// This one.
    pub fn owner(owner: String) -> Self {
        Self { status: OwnerStatus::Assigned, short: owner.clone(), owner }
    }

    /// None, and why.
    pub fn none(status: OwnerStatus) -> Self {
        Self { status, owner: UNASSIGNED.to_owned(), short: UNASSIGNED.to_owned() }
    }
}

/// Whether a lead has an owner in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Early enough to be found.
    Owned,
    /// It had one for a time, who has left since.
    Left,
    /// Never.
    Unowned,
}

/// An alert that a destination has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentAlert {
    /// When.
    pub at: Duration,
    /// Where.
    pub destination: DestinationId,
    /// What it says.
    pub shown: ShownAlert,
    /// Whether its worker had claimed it, and not stood still until others could.
    pub claimed: bool,
    /// Whether it was for those alone whom it had not reached before.
    pub is_rest: bool,
}

impl Truth {
    /// Notes a broken promise. The first one counts: what follows may follow from it.
    pub fn broken(&mut self, promise: Promise, lead: Option<&LeadId>, at: Duration, what: String) {
        self.violation.get_or_insert(Violation { promise, lead: lead.cloned(), at, what });
    }

    /// Counts what an operator did.
    pub fn acted(&mut self, kind: &'static str) {
        *self.acts.entry(kind).or_default() += 1;
    }
}

impl LeadTruth {
    /// Whether people at this destination have seen its first alert.
    pub fn is_notified(&self, destination: &DestinationId) -> bool {
        self.alerts
            .iter()
            .any(|alert| alert.destination == *destination && alert.shown.kind == lead::AlertKind::New)
    }
}
