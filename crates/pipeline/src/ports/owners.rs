use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lead::{CreatedLead, LeadId, OwnerFacts, OwnerStatus};

use crate::{Code, Fault};

/// A source of owners. No stage knows which one it is.
#[async_trait]
pub trait Owners: Send + Sync {
    /// Looks for a lead's owner.
    ///
    /// Whatever the source answers, or does not answer, comes to an outcome: the alert goes out with it.
    async fn find(&self, lead: &CreatedLead, look: Look) -> Found;

    /// Reads what all leads share, so that the first need not wait for it.
    async fn warm_up(&self) {}
}

/// How an owner is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether what the event says of the owner may be out of date.
    pub fresh: bool,
    /// How long it may take at most.
    pub within: Option<Duration>,
}

/// The outcome of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is known now.
    pub facts: OwnerFacts,
    /// Why there is no owner, where there is none.
    pub why: Option<Fault>,
    /// Whether another look-up is worth it.
    pub then: Then,
    /// Whether it is no younger than the event: nobody was asked for the lead itself.
    pub of_event: bool,
}

/// What a source says of the next look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It would say the same soon.
    Settled,
    /// It may well say something else, and this one was an attempt.
    Again,
    /// It asks to be left alone for so long. This was no attempt.
    Wait(Duration),
}

impl Found {
    /// An owner, or whatever else is known for good.
    pub fn of(facts: OwnerFacts, why: Option<Fault>) -> Self {
        Self { facts, why, then: Then::Settled, of_event: false }
    }

    /// The look-up failed.
    pub fn failed(code: Code, what: impl Into<String>, then: Then) -> Self {
        let facts = OwnerFacts::none(OwnerStatus::LookupFailed);
        Self { facts, why: Some(Fault::new(code, what)), then, of_event: false }
    }
}

/// The owner directory: one document a lead, behind plain HTTP GET.
#[async_trait]
pub trait OwnerDirectory: Send + Sync {
    /// Asks for `{base}/{lead_id}.json` and returns whatever was answered; what it means is decided
    /// in [`crate::owners::Documents`]. Bounded in time and in size.
    async fn fetch(&self, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable>;
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerAnswer {
    /// The status.
    pub status: u16,
    /// The body, at most the adapter's limit long.
    pub body: Bytes,
}

/// No answer: refused, timed out, too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OwnerUnreachable(pub String);
