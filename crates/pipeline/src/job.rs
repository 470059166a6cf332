//! The messages of the two queues.

use std::time::Duration;

use lead::{AlertKind, LeadId, Timestamp, keys};
use outside::{text, time_left};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{destination::DestinationId, ports::NewMessage};

/// A message of the delay queue: process this lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessJob {
    /// The lead.
    pub lead_id: LeadId,
    /// The key of its raw event.
    pub key: String,
    /// Not to be processed before.
    pub not_before: Timestamp,
    /// How often the owner was looked up in vain already, for this cause. Whatever else brings a message
    /// back does not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// How often the source of owners has asked to wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waits: u32,
    /// Why it is processed.
    #[serde(flatten)]
    pub cause: Cause,
}

// As serde wants it.
pub(crate) fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why a lead is processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// Its webhook was accepted.
    Arrival,
    /// An operator asked for it.
    Requeue,
    /// It was announced without an owner, who may have been assigned since.
    Recheck {
        /// The number of the look-up, from 1.
        number: u32,
    },
}

/// A message of the notification queue: announce this lead at this destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertJob {
    /// The lead.
    pub lead_id: LeadId,
    /// Where.
    #[serde(rename = "channel")]
    pub destination: DestinationId,
    /// The alert's identity among the lead's alerts there: letters, digits, hyphens.
    pub alert: AlertId,
    /// Why it is sent.
    pub kind: AlertKind,
    /// When the lead was due, for the measure of speed; when a trial was asked for.
    pub due_at: Option<Timestamp>,
    /// The owner whom the lead named when the alert was queued, for its claim. Where it is not said, or was another
    /// one since, the claim is written once more.
    #[serde(rename = "owner_digest", default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerDigest>,
}

/// The identity of an alert among a lead's alerts at one destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlertId(String);

impl AlertId {
    /// A lead's first alert.
    pub fn new_lead() -> Self {
        Self("new".to_owned())
    }

    /// A follow-up about this owner, `number` counting from 1 how often the lead has come to them. The same
    /// owner and number give the same id; the first is what the only one was before they had numbers.
    pub fn follow_up(owner: &str, number: u32) -> Self {
        let OwnerDigest(owner) = OwnerDigest::of(owner);
        Self(if number <= 1 { format!("owner-{owner}") } else { format!("owner-{owner}-{number}") })
    }

    /// A further alert that an operator asked for.
    pub fn resend(bits: u64) -> Self {
        Self(format!("resend-{bits:016x}"))
    }

    /// A trial alert.
    pub fn trial(bits: u64) -> Self {
        Self(format!("trial-{bits:016x}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Stands for an owner's name where only whether it is the same matters: messages carry no names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerDigest(String);

impl OwnerDigest {
    /// That of this owner.
    pub fn of(owner: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, owner.as_bytes());
        Self(hex::encode(digest.as_ref().get(..8).unwrap_or_default()))
    }
}

impl TryFrom<String> for AlertId {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        let valid =
            (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if valid { Ok(Self(id)) } else { Err(format!("not an alert id: {:?}", text::shorten(&id, 80))) }
    }
}

impl From<AlertId> for String {
    fn from(id: AlertId) -> String {
        id.0
    }
}

impl ProcessJob {
    /// A job of which nothing has been done yet.
    pub fn new(lead_id: LeadId, key: String, not_before: Timestamp, cause: Cause) -> Self {
        Self { lead_id, key, not_before, attempts: 0, waits: 0, cause }
    }

    /// Reads a message's body.
    ///
    /// # Errors
    /// What is wrong with it, one clean line.
    pub fn parse(body: &str) -> Result<Self, String> {
        parse(body)
    }

    /// The message, out of sight until the job may be done.
    pub fn message(&self, now: Timestamp) -> NewMessage {
        NewMessage { body: write(self), lead: Some(self.lead_id.clone()), delay: self.wait(now) }
    }

    /// How long the job must wait still.
    pub fn wait(&self, now: Timestamp) -> Duration {
        time_left(self.not_before, now)
    }
}

impl AlertJob {
    /// Reads a message's body.
    ///
    /// # Errors
    /// What is wrong with it, one clean line.
    pub fn parse(body: &str) -> Result<Self, String> {
        parse(body)
    }

    /// The key of its receipt.
    pub(crate) fn receipt_key(&self) -> String {
        keys::receipt(&self.lead_id, self.destination.as_str(), self.alert.as_str())
    }

    /// Whether it is about no lead.
    pub fn is_trial(&self) -> bool {
        self.kind == AlertKind::Trial
    }

    /// Whether somebody has asked for it, who may be waiting for what comes of it.
    pub fn is_asked_for(&self) -> bool {
        matches!(self.kind, AlertKind::Resend | AlertKind::Trial)
    }

    /// The message, to be sent at once.
    pub fn message(&self) -> NewMessage {
        NewMessage { body: write(self), lead: Some(self.lead_id.clone()), delay: Duration::ZERO }
    }
}

/// The lead that a message names, however unreadable the rest of it is.
pub fn lead_in(body: &str) -> Option<LeadId> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    value.get("lead_id")?.as_str()?.parse().ok()
}

fn parse<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|e| text::shorten(&e.to_string(), 200))
}

fn write<T: Serialize>(job: &T) -> String {
    // Structs of strings, numbers and times always have a JSON form.
    serde_json::to_string(job).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_survive_a_round_trip() {
        for cause in [Cause::Arrival, Cause::Requeue, Cause::Recheck { number: 3 }] {
            let due_at = Timestamp::from_second(1_000).unwrap();
            let key = "source/crm_event_lead_a.json".to_owned();
            let mut job = ProcessJob::new("lead_a".parse().unwrap(), key, due_at, cause);
            let message = job.message(Timestamp::UNIX_EPOCH);
            assert_eq!(ProcessJob::parse(&message.body), Ok(job.clone()));
            assert!(!message.body.contains("attempts"), "as it was before they were counted here");
            job.attempts = 2;
            assert_eq!(ProcessJob::parse(&job.message(due_at).body), Ok(job));
            assert_eq!(message.delay, Duration::from_secs(1_000));
            assert_eq!(lead_in(&message.body), message.lead);
        }
    }

    #[test]
    fn follow_ups_about_one_owner_are_numbered_and_the_first_is_what_it_always_was() {
        let ids = [1, 2, 10].map(|number| String::from(AlertId::follow_up("Sales North", number)));
        assert_eq!(ids, ["owner-0e6c24266e346d80", "owner-0e6c24266e346d80-2", "owner-0e6c24266e346d80-10"]);
    }

    #[test]
    fn an_alert_id_cannot_leave_its_folder() {
        for id in ["", "../x", "a/b", "a b", "é", &"a".repeat(65)] {
            assert!(AlertId::try_from(id.to_owned()).is_err(), "{id:?}");
        }
        assert_ne!(AlertId::follow_up("Sales North", 1), AlertId::follow_up("Sales South", 1));
        for id in [AlertId::new_lead(), AlertId::follow_up("株", u32::MAX), AlertId::resend(u64::MAX)] {
            assert_eq!(AlertId::try_from(String::from(id.clone())), Ok(id));
        }
    }
}
