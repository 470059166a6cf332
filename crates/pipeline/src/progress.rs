//! How far a lead is, folded from its journal entries.

use std::time::Duration;

use lead::{AlertKind, Timestamp};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::{Entry, JournalEvent, ports::Queue};

/// What the journal says of one lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Its name.
    pub name: String,
    /// When its webhook was accepted.
    pub received_at: Timestamp,
    /// When it is, or was last, to be processed.
    pub due_at: Timestamp,
    /// Whether it has been enriched.
    pub enriched: bool,
    /// Whether a destination has accepted an alert about it.
    #[serde(rename = "told")]
    pub notified: bool,
    /// Whether it has ended dead before, however it fared since.
    pub failed: bool,
    /// How and when it ended.
    pub ended: Option<(Ended, Timestamp)>,
}

/// How a lead ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// A destination has accepted an alert.
    Notified,
    /// No alert was accepted, and no retry is left: a dead letter says why.
    Dead,
}

/// Where a lead stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// It waits for its due time.
    Pending,
    /// It is due and being worked on.
    Processing,
    /// It is due for longer than it should be.
    Overdue,
    /// It ended well.
    Notified,
    /// It ended as a dead letter.
    Dead,
}

/// What was due before this is overdue. Never out of range, whatever a stored figure says.
pub fn overdue_before(now: Timestamp, overdue_after: Duration) -> Timestamp {
    now.saturating_sub(overdue_after).unwrap_or(Timestamp::MIN)
}

impl State {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The state at `now` of a lead that had this one: until it ends, that goes by its due time.
    pub fn at(self, due_at: Timestamp, now: Timestamp, overdue_after: Duration) -> Self {
        match self {
            Self::Notified | Self::Dead => self,
            _ => Self::of_open(due_at, now, overdue_after),
        }
    }

    /// Where a lead stands at `now` that is due at `due_at` and has not ended.
    pub fn of_open(due_at: Timestamp, now: Timestamp, overdue_after: Duration) -> Self {
        Self::of_open_before(due_at, now, overdue_before(now, overdue_after))
    }

    /// The same, where leads are overdue that were due before `overdue_before`.
    pub fn of_open_before(due_at: Timestamp, now: Timestamp, overdue_before: Timestamp) -> Self {
        match due_at {
            due_at if due_at > now => Self::Pending,
            due_at if due_at < overdue_before => Self::Overdue,
            _ => Self::Processing,
        }
    }
}

/// What is counted, each at most once a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeadMetric {
    /// A lead was accepted.
    Accepted,
    /// It was enriched for the first time.
    Enriched,
    /// An alert was accepted for the first time.
    Notified,
    /// It ended dead.
    Failed,
}

impl Progress {
    /// The lead's progress after `entry`, and what is to be counted. `None` where the lead is not
    /// known and the entry does not make it known.
    pub fn after(before: Option<Self>, entry: &Entry) -> (Option<Self>, Option<LeadMetric>) {
        let Some(mut progress) = before else {
            return match &entry.event {
                JournalEvent::Received { name, due_at, .. } => {
                    let progress = Self {
                        name: name.clone(),
                        received_at: entry.at,
                        due_at: *due_at,
                        enriched: false,
                        notified: false,
                        failed: false,
                        ended: None,
                    };
                    (Some(progress), Some(LeadMetric::Accepted))
                }
                _ => (None, None),
            };
        };
        let mut counted = None;
        match &entry.event {
            JournalEvent::Enriched { .. } => {
                counted = (!progress.enriched).then_some(LeadMetric::Enriched);
                progress.enriched = true;
            }
            JournalEvent::Notified { .. } | JournalEvent::AlreadyNotified { .. } => {
                counted = (!progress.notified).then_some(LeadMetric::Notified);
                progress.notified = true;
                progress.ended = Some((Ended::Notified, entry.at));
            }
            // A second destination's failure, or a follow-up's, does not undo an alert that was sent.
            JournalEvent::Dead { .. } if progress.notified => {
                progress.ended = progress.ended.or(Some((Ended::Notified, entry.at)));
            }
            // One that an operator asked for, or a follow-up, leaves the first alert to its own fate.
            JournalEvent::Dead { alert: Some(AlertKind::Resend | AlertKind::FollowUp), .. }
                if !progress.failed => {}
            JournalEvent::Dead { .. } => {
                counted = (!progress.failed).then_some(LeadMetric::Failed);
                progress.failed = true;
                progress.ended = Some((Ended::Dead, entry.at));
            }
            // Nothing that is tried again is dead: its worker stopped before the dead letter was made, or the
            // other destination's alert died.
            JournalEvent::Retrying { queue: Queue::Notification, .. } => {
                if let Some((Ended::Dead, _)) = progress.ended {
                    progress.ended = None;
                }
            }
            // A quick worker's end can be written before the operator's entry, whose time is that of
            // the decision: then the lead has ended since.
            // A lead that was announced stays so, whatever else about it is sent again.
            JournalEvent::Redriven { .. } if progress.notified => {}
            JournalEvent::Redriven { .. } | JournalEvent::Requeued { .. }
                if !progress.has_ended_since(entry.at) =>
            {
                progress.due_at = entry.at;
                progress.ended = None;
            }
            _ => {}
        }
        (Some(progress), counted)
    }

    fn has_ended_since(&self, decision: Timestamp) -> bool {
        match self.ended {
            None => false,
            Some((Ended::Notified, at)) => at >= decision,
            Some((Ended::Dead, at)) => at > decision,
        }
    }

    /// Where the lead stands at `now`.
    pub fn state(&self, now: Timestamp, overdue_after: Duration) -> State {
        match self.ended {
            Some((Ended::Notified, _)) => State::Notified,
            Some((Ended::Dead, _)) => State::Dead,
            None => State::of_open(self.due_at, now, overdue_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use lead::OwnerStatus;

    use super::*;
    use crate::Code;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn fold(event: Vec<JournalEvent>) -> (Progress, Vec<LeadMetric>) {
        let mut counted = Vec::new();
        let mut progress = None;
        for (second, event) in (0..).zip(event) {
            let entry = Entry { at: at(second), lead_id: Some("lead_a".parse().unwrap()), nonce: 0, event };
            let (after, count) = Progress::after(progress, &entry);
            progress = after;
            counted.extend(count);
        }
        (progress.unwrap(), counted)
    }

    fn received() -> JournalEvent {
        JournalEvent::Received { name: "A".to_owned(), event_id: None, due_at: at(10) }
    }

    fn enriched() -> JournalEvent {
        let owner_status = OwnerStatus::Assigned;
        JournalEvent::Enriched {
            name: "A".to_owned(),
            owner: "B".to_owned(),
            owner_status,
            code: None,
            reason: None,
            lead_is_known: false,
        }
    }

    fn notified() -> JournalEvent {
        let (destination, kind) = ("slack".parse().unwrap(), AlertKind::New);
        JournalEvent::Notified {
            destination,
            kind,
            after_ms: None,
            together: 1,
            repeat: false,
            attempts: 1,
            left_out: Vec::new(),
            reached: None,
        }
    }

    fn dead() -> JournalEvent {
        let (queue, code) = (Queue::Notification, Code::SlackWebhookGone);
        JournalEvent::Dead { queue, destination: None, alert: None, code, reason: String::new(), attempts: 1 }
    }

    #[test]
    fn a_lead_waits_is_worked_on_gets_late_and_ends() {
        let (progress, counted) = fold(vec![received(), enriched(), enriched()]);
        let state = |second| progress.state(at(second), Duration::from_secs(5));
        assert_eq!(
            [state(9), state(10), state(15), state(16)],
            [State::Pending, State::Processing, State::Processing, State::Overdue]
        );
        assert_eq!(counted, [LeadMetric::Accepted, LeadMetric::Enriched]);
        let (progress, counted) = fold(vec![received(), enriched(), notified(), notified()]);
        assert_eq!(progress.ended, Some((Ended::Notified, at(3))));
        assert_eq!(counted, [LeadMetric::Accepted, LeadMetric::Enriched, LeadMetric::Notified]);
    }

    #[test]
    fn a_second_destinations_failure_does_not_undo_the_first_ones_success() {
        let (progress, _) = fold(vec![received(), notified(), dead()]);
        assert!(matches!(progress.ended, Some((Ended::Notified, _))));
        let (progress, _) = fold(vec![received(), dead(), notified()]);
        assert!(matches!(progress.ended, Some((Ended::Notified, _))));
    }

    #[test]
    fn a_failed_resend_ends_no_lead_whose_first_alert_still_waits() {
        let failed = |kind| match dead() {
            JournalEvent::Dead { queue, code, reason, attempts, .. } => {
                let destination = Some("slack".parse().unwrap());
                JournalEvent::Dead { queue, destination, alert: Some(kind), code, reason, attempts }
            }
            other => other,
        };
        let (progress, counted) = fold(vec![received(), enriched(), failed(AlertKind::Resend)]);
        assert_eq!((progress.ended, counted.len()), (None, 2));
        let (progress, _) = fold(vec![received(), failed(AlertKind::New), failed(AlertKind::Resend)]);
        assert!(matches!(progress.ended, Some((Ended::Dead, _))));
    }

    #[test]
    fn what_is_tried_again_is_not_dead() {
        let retrying = |queue| JournalEvent::Retrying {
            queue,
            destination: None,
            code: Code::SlackUnavailable,
            reason: String::new(),
            attempt: 1,
            again_at: at(9),
        };
        let (progress, counted) = fold(vec![received(), dead(), retrying(Queue::Notification), dead()]);
        assert!(matches!(progress.ended, Some((Ended::Dead, _))));
        assert_eq!(counted, [LeadMetric::Accepted, LeadMetric::Failed]);
        let (progress, _) = fold(vec![received(), dead(), retrying(Queue::Notification)]);
        assert_eq!(progress.ended, None);
        let (progress, _) = fold(vec![received(), notified(), retrying(Queue::Notification)]);
        assert!(matches!(progress.ended, Some((Ended::Notified, _))));
        // A look-up for the owner of a lead whose alert is dead brings no alert back.
        let (progress, _) = fold(vec![received(), dead(), retrying(Queue::Delay)]);
        assert!(matches!(progress.ended, Some((Ended::Dead, _))));
    }

    #[test]
    fn a_redriven_lead_is_open_again() {
        let redriven = JournalEvent::Redriven {
            queue: Queue::Notification,
            by: "x".to_owned(),
            dead_letter: "1".to_owned(),
            edited: false,
        };
        let (progress, counted) = fold(vec![received(), dead(), redriven]);
        assert_eq!((progress.ended, progress.due_at), (None, at(2)));
        assert_eq!(counted, [LeadMetric::Accepted, LeadMetric::Failed]);
    }

    #[test]
    fn what_is_redriven_about_a_told_lead_opens_it_no_more() {
        let redriven = || JournalEvent::Redriven {
            queue: Queue::Delay,
            by: "x".to_owned(),
            dead_letter: "1".to_owned(),
            edited: false,
        };
        let (progress, counted) = fold(vec![received(), notified(), dead(), redriven(), dead()]);
        assert!(matches!(progress.ended, Some((Ended::Notified, _))));
        assert_eq!(counted, [LeadMetric::Accepted, LeadMetric::Notified]);
    }

    #[test]
    fn an_end_since_the_operators_decision_holds() {
        let redriven = JournalEvent::Redriven {
            queue: Queue::Notification,
            by: "x".to_owned(),
            dead_letter: "1".to_owned(),
            edited: false,
        };
        let (progress, _) = fold(vec![received(), dead(), notified()]);
        let entry = Entry { at: at(1), lead_id: None, nonce: 0, event: redriven };
        let (progress, _) = Progress::after(Some(progress), &entry);
        assert!(matches!(progress.unwrap().ended, Some((Ended::Notified, _))));
    }

    #[test]
    fn what_is_said_of_an_unknown_lead_makes_none() {
        let entry = Entry { at: at(0), lead_id: None, nonce: 0, event: dead() };
        assert_eq!(Progress::after(None, &entry), (None, None));
    }
}
