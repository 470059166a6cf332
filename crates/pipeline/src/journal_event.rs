//! What can happen to a lead: one type, from which the journal entry, the log line and the story on
//! the screen are made.

use close::CreatedLead;
use lead::{AlertKind, EnrichedLead, LeadId, OwnerStatus, Timestamp, keys::JournalKey};
use outside::text;
use serde::{Deserialize, Serialize};
use strum::{EnumDiscriminants, IntoStaticStr};

use crate::{
    Code, Fault, Function,
    destination::{DestinationId, LeftOut},
    ports::{Level, Queue},
};

/// One journal entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// To which lead, where it is about one.
    pub lead_id: Option<LeadId>,
    /// Tells entries of the same moment apart.
    pub nonce: u32,
    /// What.
    #[serde(flatten)]
    pub event: JournalEvent,
}

/// What happened. Texts in it are clean lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EnumDiscriminants)]
#[serde(tag = "stage", rename_all = "snake_case")]
#[strum_discriminants(
    name(Stage),
    doc = "The kinds of [`JournalEvent`], by the name on the wire.",
    derive(Hash, Serialize, Deserialize, IntoStaticStr),
    serde(rename_all = "snake_case"),
    strum(serialize_all = "snake_case")
)]
pub enum JournalEvent {
    /// A webhook was accepted.
    Received {
        /// The lead's name.
        name: String,
        /// Close's identity of the event.
        event_id: Option<String>,
        /// When the lead is processed.
        due_at: Timestamp,
    },
    /// A webhook about a lead that is known already was answered with success and left alone.
    ///
    /// At most once a minute for a lead, by each process that takes webhooks in.
    Duplicate {
        /// Close's identity of the event.
        event_id: Option<String>,
        /// How many more there were since the last such entry, and have none of their own.
        #[serde(default)]
        more: u64,
    },
    /// The enriched lead was written.
    Enriched {
        /// The lead's name.
        name: String,
        /// Its owner.
        owner: String,
        /// How the search for the owner ended.
        owner_status: OwnerStatus,
        /// Why there is no owner, or none that is newer.
        code: Option<Code>,
        /// The same in words, where the code does not say it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whether the source of owners knows the lead, and says that nobody owns it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lead_is_known: bool,
    },
    /// A lead that was announced without its owner has one now.
    OwnerFound {
        /// The lead's name.
        name: String,
        /// Its owner.
        owner: String,
    },
    /// An attempt failed and will be made again.
    Retrying {
        /// Where.
        queue: Queue,
        /// At which destination.
        #[serde(rename = "channel")]
        destination: Option<DestinationId>,
        /// The kind of failure.
        code: Code,
        /// What failed.
        reason: String,
        /// The number of the attempt that failed, from 1.
        attempt: u32,
        /// When it is made again.
        again_at: Timestamp,
    },
    /// A destination took the alert.
    Notified {
        /// At which destination.
        #[serde(rename = "channel")]
        destination: DestinationId,
        /// Which alert.
        kind: AlertKind,
        /// From due to sent, in milliseconds, for a lead's first alert.
        after_ms: Option<u64>,
        /// How many leads were in the message.
        together: usize,
        /// Whether it was labelled as a possible repeat.
        repeat: bool,
        /// How many attempts it took.
        attempts: u32,
        /// Whom it did not reach.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<LeftOut>,
        /// Whom it reached then, of an alert that was not for everybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reached: Option<Vec<String>>,
    },
    /// An alert that had been sent before was not sent again.
    AlreadyNotified {
        /// At which destination.
        #[serde(rename = "channel")]
        destination: DestinationId,
    },
    /// A message became a dead letter.
    Dead {
        /// Of which queue.
        queue: Queue,
        /// At which destination.
        #[serde(rename = "channel")]
        destination: Option<DestinationId>,
        /// Which alert, where it was one.
        #[serde(default)]
        alert: Option<AlertKind>,
        /// The kind of failure.
        code: Code,
        /// What happened.
        reason: String,
        /// After how many attempts.
        attempts: u32,
    },
    /// An operator put a dead letter back into its queue.
    Redriven {
        /// Which queue.
        queue: Queue,
        /// Who.
        by: String,
        /// The dead letter's id.
        dead_letter: String,
        /// Whether its body was edited.
        edited: bool,
    },
    /// An operator deleted a dead letter.
    Deleted {
        /// Of which queue.
        queue: Queue,
        /// Who.
        by: String,
        /// The key of the copy.
        kept: String,
    },
    /// An operator exported dead letters.
    Exported {
        /// Who.
        by: String,
        /// How many.
        count: usize,
    },
    /// An operator asked for a new alert.
    Resent {
        /// At which destination.
        #[serde(rename = "channel")]
        destination: DestinationId,
        /// Who.
        by: String,
        /// For whom, where that is not everybody.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<String>,
    },
    /// An operator had the lead processed again.
    Requeued {
        /// Who.
        by: String,
    },
}

impl Stage {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl JournalEvent {
    /// This enriched lead was written, and where its owner was not found as it should be, why.
    pub fn enriched(
        lead: &EnrichedLead,
        code: Option<Code>,
        reason: Option<String>,
        lead_is_known: bool,
    ) -> Self {
        Self::Enriched {
            name: text::shorten(&lead.display_name, 200),
            owner: text::shorten(&lead.owner_label(), 200),
            owner_status: lead.owner_status,
            code,
            reason,
            lead_is_known,
        }
    }

    /// A message of this queue, or the alert in it, is given up after so many attempts.
    pub fn dead(
        queue: Queue,
        alert: Option<(DestinationId, AlertKind)>,
        fault: &Fault,
        attempts: u32,
    ) -> Self {
        let (destination, alert) = alert.unzip();
        Self::Dead { queue, destination, alert, code: fault.code, reason: fault.reason(), attempts }
    }

    /// Whether it says what became of an alert, so that its lead has been enriched.
    pub fn is_of_an_alert(&self) -> bool {
        match self {
            Self::Notified { .. } | Self::AlreadyNotified { .. } => true,
            Self::Retrying { queue, .. } | Self::Dead { queue, .. } => *queue == Queue::Notification,
            _ => false,
        }
    }

    /// Its kind.
    pub fn stage(&self) -> Stage {
        self.into()
    }

    /// The kind of failure, where it is one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Enriched { code, .. } => *code,
            Self::Retrying { code, .. } | Self::Dead { code, .. } => Some(*code),
            Self::Notified { left_out, .. } if !left_out.is_empty() => Some(Code::PartlySent),
            _ => None,
        }
    }

    /// Whether it is a look-up of an owner, and whether that found something: an owner, whoever they are by now, or a
    /// source that knows the lead. None where it is no look-up.
    pub fn found_an_owner(&self) -> Option<bool> {
        use Code::{OwnerAmbiguous, OwnerDeparted, OwnerUnknown};
        match self {
            Self::OwnerFound { .. } => Some(true),
            // One that found nothing newer has a code, though the lead has an owner.
            Self::Enriched { code: None | Some(OwnerAmbiguous | OwnerDeparted | OwnerUnknown), .. } => {
                Some(true)
            }
            Self::Enriched { lead_is_known, .. } => Some(*lead_is_known),
            _ => None,
        }
    }

    /// How serious its log line is.
    pub fn level(&self) -> Level {
        match self {
            Self::Dead { .. } => Level::Error,
            Self::Retrying { .. } => Level::Warn,
            Self::Notified { left_out, .. } if !left_out.is_empty() => Level::Warn,
            Self::Enriched { code: Some(code), .. } if *code != Code::OwnerMissing => Level::Warn,
            _ => Level::Info,
        }
    }

    /// The function in whose log it stands.
    pub fn function(&self) -> Function {
        match self {
            Self::Received { .. } | Self::Duplicate { .. } => Function::WebhookIngestion,
            Self::Enriched { .. } | Self::OwnerFound { .. } => Function::LeadProcessor,
            Self::Notified { .. } | Self::AlreadyNotified { .. } => Function::Notification,
            Self::Retrying { queue, .. } | Self::Dead { queue, .. } => Function::of_queue(*queue),
            Self::Redriven { .. }
            | Self::Deleted { .. }
            | Self::Exported { .. }
            | Self::Resent { .. }
            | Self::Requeued { .. } => Function::Operator,
        }
    }

    /// The same, of what happened at this time.
    fn detail(&self, at: Timestamp) -> String {
        match self {
            Self::Received { name, due_at, .. } => format!("{name}, due at {}", clock_time(*due_at, at)),
            Self::Duplicate { event_id, more } => {
                let id = event_id.as_ref().map(|id| format!(" ({})", text::shorten(id, 40)));
                let times = match more {
                    0 => String::new(),
                    1 => ", as once more since the last such entry".to_owned(),
                    _ => format!(", as {more} times more since the last such entry"),
                };
                format!("delivered again{}{times}, left alone", id.unwrap_or_default())
            }
            Self::Enriched { name, owner, owner_status, code, reason, .. } => {
                let status = owner_status.as_str().replace('_', " ");
                let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
                match (code, owner_status) {
                    (None, _) => format!("{name}, owner {owner}"),
                    (Some(code), OwnerStatus::Departed) => format!("{name}, owner {owner} ({code})"),
                    (Some(code), OwnerStatus::Assigned) => {
                        format!("{name}, owner {owner} as before{reason} ({code})")
                    }
                    (Some(code), _) => format!("{name}, owner {status}{reason} ({code})"),
                }
            }
            Self::OwnerFound { owner, .. } => format!("owner {owner} found since the alert"),
            Self::Retrying { code, reason, attempt, again_at, .. } => {
                format!("{reason} ({code}), attempt {attempt}, again at {}", clock_time(*again_at, at))
            }
            Self::Notified { destination, kind, after_ms, together, repeat, attempts, left_out, reached } => {
                let (place, what) = (destination.label(), kind_label(*kind));
                let mut detail = match reached.as_deref() {
                    None => format!("{place} took the {what}"),
                    Some([]) if left_out.is_empty() => {
                        return format!("none of the recipients is left out on {place}, nothing was sent");
                    }
                    Some([]) => format!("{place} took the {what} for nobody else"),
                    Some(reached) => format!("{place} took the {what} for {}", reached.join(", ")),
                };
                if *together > 1 {
                    detail += &format!(" in a digest of {together}");
                }
                if let Some(ms) = after_ms {
                    detail += &format!(", {} after due", duration(*ms));
                }
                if *attempts > 1 {
                    detail += &format!(", attempt {attempts}");
                }
                if *repeat {
                    detail += ", labelled a possible repeat";
                }
                if !left_out.is_empty() {
                    let is_new = reached.as_ref().is_none_or(|reached| !reached.is_empty());
                    let but = if is_new { "but not for" } else { "left out:" };
                    detail += &format!(", {but} {} ({})", LeftOut::line(left_out), Code::PartlySent);
                }
                detail
            }
            Self::AlreadyNotified { destination } => {
                format!("{} has it already, not sent again", destination.label())
            }
            Self::Dead { code, reason, attempts, .. } => {
                let times =
                    if *attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
                format!("{reason} ({code}), after {times}")
            }
            Self::Redriven { by, edited, .. } => {
                format!("back to its queue{} by {by}", if *edited { ", edited," } else { "" })
            }
            Self::Deleted { by, kept, .. } => format!("dead letter deleted by {by}, copy in {kept}"),
            Self::Exported { by, count } => format!("{count} dead letters exported by {by}"),
            Self::Resent { destination, by, only } => {
                let whom = if only.is_empty() { String::new() } else { format!(" {}", LeftOut::rest(only)) };
                format!("new alert on {}{whom} asked for by {by}", destination.label())
            }
            Self::Requeued { by } => format!("to be processed again, asked for by {by}"),
        }
    }
}

impl Entry {
    /// That the event of a new lead was received at `at`.
    pub fn received(created: &CreatedLead, at: Timestamp, due_at: Timestamp, nonce: u32) -> Self {
        let name = text::shorten(&created.name(), 200);
        let event_id = created.event_id.as_ref().map(|id| text::shorten(id, 80));
        let event = JournalEvent::Received { name, event_id, due_at };
        Self { at, lead_id: Some(created.lead_id.clone()), nonce, event }
    }

    /// That a lead was enriched, as the enriched lead itself says: made again from that it is the same entry. Only of one
    /// that was found as it should be.
    pub fn enriched(lead: &EnrichedLead) -> Self {
        let event = JournalEvent::enriched(lead, None, None, false);
        Self { at: lead.enriched_at, lead_id: Some(lead.lead_id.clone()), nonce: 0, event }
    }

    /// One line that tells it to a person.
    pub fn detail(&self) -> String {
        self.event.detail(self.at)
    }

    /// The entry's key, in which the newest sorts first.
    pub fn key(&self) -> String {
        let stage = self.event.stage().as_str().to_owned();
        JournalKey { at: self.at, stage, lead: self.lead_id.clone(), nonce: self.nonce }.to_key()
    }
}

fn kind_label(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::New => "alert",
        AlertKind::FollowUp => "follow-up",
        AlertKind::Resend => "alert again",
        AlertKind::Trial => "trial",
    }
}

/// `HH:MM:SS UTC`, the day in front of it where it is another than that of the entry, which was `then`.
fn clock_time(at: Timestamp, then: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let time = at.strftime("%H:%M:%S UTC");
    if day(at) == day(then) { time.to_string() } else { format!("{} {time}", day(at)) }
}

/// A short duration: `850 ms`, `1.2 s`, `4 min`.
fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min", ms / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_that_found_something_is_told_from_one_that_found_nothing() {
        use Code::{
            CloseUnavailable, OwnerAmbiguous, OwnerDeparted, OwnerLookupFailed, OwnerMissing, OwnerUnknown,
        };
        use OwnerStatus::{Assigned, Departed, LookupFailed, Missing};
        let look_up = |owner_status, code, lead_is_known| JournalEvent::Enriched {
            name: "A".to_owned(),
            owner: "B".to_owned(),
            owner_status,
            code,
            reason: None,
            lead_is_known,
        };
        for (event, found) in [
            (look_up(Assigned, None, false), Some(true)),
            // Whoever they are, the source was asked and named them.
            (look_up(Departed, Some(OwnerDeparted), false), Some(true)),
            (look_up(LookupFailed, Some(OwnerUnknown), false), Some(true)),
            (look_up(LookupFailed, Some(OwnerAmbiguous), false), Some(true)),
            (look_up(Missing, Some(OwnerMissing), true), Some(true)),
            (look_up(Missing, Some(OwnerMissing), false), Some(false)),
            (look_up(LookupFailed, Some(CloseUnavailable), false), Some(false)),
            // As before, and not found now.
            (look_up(Assigned, Some(OwnerLookupFailed), false), Some(false)),
            (JournalEvent::OwnerFound { name: "A".to_owned(), owner: "B".to_owned() }, Some(true)),
            (JournalEvent::Requeued { by: "B".to_owned() }, None),
        ] {
            assert_eq!(event.found_an_owner(), found, "{event:?}");
        }
        let of_before =
            r#"{"stage":"enriched","name":"A","owner":"B","owner_status":"missing","code":"LO121"}"#;
        assert_eq!(serde_json::from_str::<JournalEvent>(of_before).unwrap().found_an_owner(), Some(false));
        let written = serde_json::to_string(&look_up(Missing, Some(OwnerMissing), false)).unwrap();
        assert_eq!(written, of_before, "as the version before writes it");
    }

    #[test]
    fn an_entry_survives_a_round_trip_and_its_stage_is_on_the_wire() {
        let entry = Entry {
            at: Timestamp::from_millisecond(1_789_398_131_000).unwrap(),
            lead_id: Some("lead_a".parse().unwrap()),
            nonce: 7,
            event: JournalEvent::Dead {
                queue: Queue::Notification,
                destination: Some("slack".parse().unwrap()),
                alert: Some(AlertKind::New),
                code: Code::SlackWebhookGone,
                reason: "404 no_service".to_owned(),
                attempts: 1,
            },
        };
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!(json["stage"], entry.event.stage().as_str());
        assert_eq!(json["code"], "LO204");
        assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry);
        assert_eq!(JournalKey::parse(&entry.key()).unwrap().at, entry.at);
        assert_eq!(entry.detail(), "404 no_service (LO204), after 1 attempt");
    }

    #[test]
    fn a_time_of_another_day_is_said_with_its_day() {
        for (again_at, said) in [
            ("2026-09-14T23:59:59Z", "503 (LO232), attempt 1, again at 23:59:59 UTC"),
            ("2026-09-15T08:59:11Z", "503 (LO232), attempt 1, again at 2026-09-15 08:59:11 UTC"),
        ] {
            let event = JournalEvent::Retrying {
                queue: Queue::Notification,
                destination: Some("webhook".parse().unwrap()),
                code: Code::DestinationUnavailable,
                reason: "503".to_owned(),
                attempt: 1,
                again_at: again_at.parse().unwrap(),
            };
            let at = "2026-09-14T08:59:11Z".parse().unwrap();
            assert_eq!(Entry { at, lead_id: None, nonce: 0, event }.detail(), said);
        }
    }
}
