//! Where alerts go.
//!
//! A destination is a value: the stages, the commands and the console know those that they are given, by their ids, and
//! none by name. What it is to send an alert somewhere stands in one file for each kind, beside the protocol that is spoken
//! there; that there is such a kind, in one row of [`KINDS`].

mod id;
mod kinds;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use lead::Alert;
use outside::text;
use serde::{Deserialize, Serialize};

pub use id::{DestinationId, NoDestination};
pub use kinds::{KINDS, Kind};

use crate::{CheckOutcome, Code, Fault};

/// A way to notify the team.
#[async_trait]
pub trait Destination: Send + Sync {
    /// What it can take. Always the same.
    fn limits(&self) -> Limits;

    /// Whether alerts can be sent there at all just now. Asked before they are claimed, once for a batch.
    async fn ready(&self) -> Result<(), NotReady> {
        Ok(())
    }

    /// What tells where it sends to now from where it sent before, without being a secret: a wait that was asked for at one
    /// address says nothing of another. None where that cannot change, or is not known.
    async fn place(&self) -> Option<String> {
        None
    }

    /// Sends one message with these alerts, at least one and at most [`Limits::together`], and returns once it is taken
    /// or not. Never longer than [`Limits::longest_send`], and never again by itself. No reason holds a secret.
    async fn send(&self, alerts: &[Outgoing<'_>], form: MessageFormat) -> Verdict;

    /// What can be known of it without sending an alert, for `leadops doctor`. `in_use` where new leads go there.
    async fn check(&self, in_use: bool) -> CheckOutcome;
}

/// An alert that is being sent.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// What it says.
    pub alert: Alert<'a>,
    /// The key of its receipt: the same at each attempt.
    pub receipt: String,
    /// Those whom it is not for, though it is for everybody else: they have it, or are not to be tried again. As the
    /// destination has named them in [`Verdict::PartlySent`].
    pub done: Vec<&'a str>,
}

/// How many of those who were left out a line names.
const NAMED: usize = 3;

/// A recipient whom a message has not reached, while it has reached others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Who, as the destination names them: an e-mail address.
    pub recipient: String,
    /// Why, one clean line.
    pub reason: String,
    /// Whether it is sent to them once more by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

impl LeftOut {
    /// Whom an alert is for that is for those alone whom an earlier one did not reach, of whom it left these out: who they
    /// are by now the destination knows, as an address may have been corrected.
    pub fn rest(recipients: &[String]) -> String {
        let named = text::first_few(recipients, NAMED, String::clone);
        format!("to those recipients whom it has not reached (left out were: {named})")
    }

    /// Some of them in one line: the first few, and how many more.
    pub fn line(some: &[Self]) -> String {
        text::first_few(some, NAMED, |one| format!("{} ({})", one.recipient, one.reason))
    }
}

/// What a destination can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest that [`Destination::send`] takes. How long a claim lasts follows from it.
    pub longest_send: Duration,
    /// How many messages a second, where that is limited.
    pub pace: Option<RateLimit>,
    /// How many alerts one message carries at most.
    pub together: usize,
    /// How many messages may be under way at once.
    pub at_once: usize,
    /// Whether there is a plainer form for an alert of which the usual one is refused.
    pub has_plain_form: bool,
    /// The code of its asking to wait.
    pub busy: Code,
    /// Whether it shows all that is known of a lead, its custom fields included, which can be a megabyte.
    pub shows_all: bool,
}

impl Limits {
    /// The longest that sending an alert takes, in both of its forms where there are two.
    pub fn longest(&self) -> Duration {
        self.longest_send * if self.has_plain_form { 2 } else { 1 }
    }
}

/// A number of messages a second, and how many at once after a silence. Both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Messages a second.
    pub rate: u32,
    /// Messages at once.
    pub burst: u32,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageFormat {
    /// With all that the destination can show.
    Rich,
    /// As plain as it can be.
    Plain,
}

/// Why no alert can be sent to a destination now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// It is not set up as it should be: its alerts become dead letters.
    NotConfigured(Fault),
    /// What it needs cannot be read just now: its alerts wait for so long.
    Later(Fault, Duration),
}

/// What a destination's answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Taken.
    Sent,
    /// Accepted for some of its recipients; or an answer to an alert that was not for everybody, as
    /// [`Outgoing::done`] says.
    PartlySent {
        /// Those. None only where others have it.
        reached: Vec<String>,
        /// The others. If both are empty, the alert has no recipient left.
        left_out: Vec<LeftOut>,
    },
    /// Not taken: it asks to wait.
    Wait {
        /// For how long.
        pause: Duration,
        /// The kind of answer.
        code: Code,
        /// The answer in words, one clean line.
        reason: String,
    },
    /// Not taken, or nobody knows: to be tried again.
    Retry {
        /// The kind of failure.
        code: Code,
        /// What failed, one clean line.
        reason: String,
        /// The shortest pause before that.
        pause: RetryDelay,
        /// Whether the message may have arrived all the same.
        may_have_arrived: bool,
    },
    /// Refused, and will be again.
    Refused {
        /// The kind of refusal.
        code: Code,
        /// The answer in words, one clean line.
        reason: String,
        /// Whether it is the message that is refused, and not its sender.
        payload: bool,
    },
}

/// How long it takes at the least before a message is tried again. Pauses grow by themselves with each attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDelay {
    /// As long as they do.
    Backoff,
    /// So long, for this message alone.
    Message(Duration),
    /// So long, and nothing else is sent to the destination meanwhile.
    Destination(Duration),
}

impl RetryDelay {
    /// The least that it takes.
    pub fn least(self) -> Duration {
        match self {
            Self::Backoff => Duration::ZERO,
            Self::Message(pause) | Self::Destination(pause) => pause,
        }
    }

    /// What the destination has asked for, if it has.
    pub fn asked(pause: Option<Duration>) -> Self {
        pause.filter(|pause| !pause.is_zero()).map_or(Self::Backoff, Self::Destination)
    }
}

/// The destinations that a pipeline has, by their ids.
#[derive(Clone, Default)]
pub struct Destinations(BTreeMap<DestinationId, Arc<dyn Destination>>);

impl Destinations {
    /// The destination of this id.
    pub fn get(&self, id: &DestinationId) -> Option<&Arc<dyn Destination>> {
        self.0.get(id)
    }

    /// All of them, in the order of their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (&DestinationId, &Arc<dyn Destination>)> {
        self.0.iter()
    }
}

impl FromIterator<(DestinationId, Arc<dyn Destination>)> for Destinations {
    fn from_iter<I: IntoIterator<Item = (DestinationId, Arc<dyn Destination>)>>(destinations: I) -> Self {
        Self(destinations.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_first_few_who_were_left_out() {
        let left_out = |name: &&str| LeftOut {
            recipient: (*name).to_owned(),
            reason: "550 no".to_owned(),
            again: false,
        };
        let line = |names: &[&str]| LeftOut::line(&names.iter().map(left_out).collect::<Vec<_>>());
        assert_eq!(line(&["a"]), "a (550 no)");
        assert_eq!(line(&["a", "b", "c"]), "a (550 no), b (550 no), c (550 no)");
        assert_eq!(line(&["a", "b", "c", "d", "e"]), "a (550 no), b (550 no), c (550 no) and 2 more");
    }
}
