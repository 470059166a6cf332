//! The stage that takes webhooks in: checks the signature over the raw bytes, stores the event, queues
//! the lead. A 2xx means that the exact bytes are durable.
//!
//! Close repeats whatever is not answered 2xx for three days, so an event that is genuine but not ours
//! to handle is answered with success, and only junk with 400.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use close::{CreatedLead, Incoming};
use futures_util::future::join_all;
use lead::{LeadId, Timestamp, keys};
use outside::text;
use serde_json::{Value, json};

use crate::{
    Code, Entry, Fault, Function, JournalEvent, Recorder, Settings, Throttle,
    job::{Cause, ProcessJob},
    ports::{Accepted, Intake, Level, NewEvent},
    recorder,
    unsigned::Head,
};
use close::signature::{Keys, SignatureHeaders};

/// The largest body, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Who may send webhooks.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Whoever signs with one of these keys.
    Signed(Keys),
    /// Any program on this machine, without a signature ([`Head::is_of_this_machine`]). For loopback only.
    Anyone,
}

/// The stage.
pub struct Ingest {
    /// Figures and names.
    pub settings: Arc<Settings>,
    /// Who may send webhooks.
    pub trust: Trust,
    /// Where accepted events go.
    pub intake: Arc<dyn Intake>,
    /// Journal and log.
    pub recorder: Recorder,
    /// Stops strangers from filling log and journal.
    pub repeats: LogThrottles,
}

/// What strangers can have happen any number of times, and what is written down of it: a refusal once a second
/// for each code and kind, a genuine event that comes again once a minute for each lead, one that is not ours once a
/// minute for each kind. Clones share what they know.
#[derive(Debug, Clone)]
pub struct LogThrottles {
    refused: Throttle<(Code, &'static str)>,
    duplicate: Throttle<LeadId>,
    ignored: Throttle<String>,
}

impl Default for LogThrottles {
    fn default() -> Self {
        Self {
            refused: Throttle::new(Duration::from_secs(1)),
            duplicate: Throttle::new(MINUTE),
            ignored: Throttle::new(MINUTE),
        }
    }
}

impl LogThrottles {
    /// What [`Ingest::log_refusal`] does, where there is no stage.
    pub fn log_refusal(&self, now: Timestamp, level: Level, fault: &Fault, kind: &'static str) {
        let Some(unsaid) = self.refused.note((fault.code, kind), now) else { return };
        let message = format!("refused: {}{}", fault.what, more(unsaid));
        recorder::line(Function::WebhookIngestion, level, &message, None, Some(fault.code.as_str()));
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// The kind of a refusal, for the log, of what is Close's by all that shows.
pub const GENUINE: &str = "genuine";

/// How much of a body is looked at to see whether it is an event that somebody forgot to sign. Close's have a few
/// kilobytes.
const LOOKED_AT: usize = 64 * 1024;

/// A request to the webhook.
#[derive(Debug, Clone)]
pub struct Webhook<'a> {
    /// Its signature headers.
    pub presented: SignatureHeaders<'a>,
    /// What it says of where it comes from. It counts where nothing has to be signed, and for [`Webhook::is_probe`].
    pub head: Head<'a>,
    /// Its body, the exact bytes.
    pub body: Bytes,
}

impl Webhook<'_> {
    /// Whether it is Close's by all that shows without a key: it has one of the signature headers, or its body is
    /// an event, whose headers a proxy may have dropped. What scanners send is neither, nor is that with which `leadops`
    /// itself tries addresses.
    pub fn seems_genuine(&self) -> bool {
        let is_event = || {
            self.body.len() <= LOOKED_AT
                && !matches!(Incoming::parse(&self.body), Err(close::Malformed::NotAnEvent(_)))
        };
        !self.is_probe() && (self.presented.is_any() || is_event())
    }

    /// Whether it says of itself that `leadops doctor` or `subscribe` tries an address with it. Whoever else says so
    /// gains nothing: `{}` is no event.
    pub fn is_probe(&self) -> bool {
        let is_ours = |(name, value): &(&str, &[u8])| *name == "user-agent" && value.starts_with(b"leadops/");
        self.body.trim_ascii() == b"{}" && self.head.headers.iter().any(is_ours)
    }
}

/// Whether the trial of a healthy webhook is refused for this reason: of that nothing is said or counted.
pub fn is_expected_by_a_probe(code: Code) -> bool {
    matches!(code, Code::SignatureMissing | Code::EventMalformed)
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored and queued.
    Accepted(LeadId),
    /// Known already.
    Duplicate(LeadId),
    /// Genuine, and not about a new lead.
    Ignored {
        /// Its kind, such as `lead.updated`.
        kind: String,
    },
    /// Not accepted.
    Refused(Fault),
}

impl Outcome {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        let Self::Refused(fault) = self else { return 200 };
        match fault.code {
            Code::SignatureMissing
            | Code::SignatureWrong
            | Code::SignatureOfAnother
            | Code::SignatureStale
            | Code::UnsignedExposed => 401,
            Code::EventMalformed | Code::LeadIdUnusable | Code::NotHttp => 400,
            Code::NotTheWebhook => 404,
            Code::BodyTooLarge => 413,
            _ => 503,
        }
    }

    /// The body of the answer.
    pub fn json(&self) -> Value {
        match self {
            Self::Accepted(lead) => json!({"status": "accepted", "lead_id": lead}),
            Self::Duplicate(lead) => json!({"status": "duplicate", "lead_id": lead}),
            Self::Ignored { kind } => json!({"status": "ignored", "event": kind}),
            // What failed inside is for the log, not for the caller.
            Self::Refused(fault) if self.status() == 503 => {
                json!({"status": "refused", "code": fault.code, "error": fault.code.cause()})
            }
            Self::Refused(fault) => json!({"status": "refused", "code": fault.code, "error": fault.what}),
        }
    }
}

impl Ingest {
    /// Whether somebody with one of the keys has signed this, now.
    pub fn is_signed(&self, presented: SignatureHeaders<'_>, body: &[u8]) -> bool {
        let Trust::Signed(keys) = &self.trust else { return false };
        let now = self.recorder.clock.now();
        keys.verify(presented, body, now, self.settings.signature_max_age).is_ok()
    }

    /// Handles one request.
    pub async fn handle(&self, webhook: Webhook<'_>) -> Outcome {
        let outcome = match self.take(&webhook).await {
            Ok(outcome) => outcome,
            Err(fault) => Outcome::Refused(fault),
        };
        if let Outcome::Refused(fault) = &outcome
            && !(webhook.is_probe() && is_expected_by_a_probe(fault.code))
        {
            // Storage that fails needs a person; what strangers send does not.
            let level = if outcome.status() == 503 { Level::Error } else { Level::Warn };
            self.log_refusal(level, fault, if webhook.seems_genuine() { GENUINE } else { "" });
        }
        outcome
    }

    /// Says in the log why somebody was refused, once a second for each code and `kind`: so that nobody's noise
    /// silences what is said of another kind, such as [`GENUINE`].
    pub fn log_refusal(&self, level: Level, fault: &Fault, kind: &'static str) {
        self.repeats.log_refusal(self.recorder.clock.now(), level, fault, kind);
    }

    async fn take(&self, webhook: &Webhook<'_>) -> Result<Outcome, Fault> {
        if webhook.body.len() > BODY_LIMIT {
            return Err(Fault::new(Code::BodyTooLarge, format!("the body has {} bytes", webhook.body.len())));
        }
        let now = self.recorder.clock.now();
        let verified = match &self.trust {
            Trust::Anyone => {
                webhook.head.is_of_this_machine().map_err(|why| {
                    let what = "without a signature only programs on this machine are trusted";
                    Fault::new(Code::UnsignedExposed, format!("{what}: {why}"))
                })?;
                None
            }
            Trust::Signed(keys) => {
                let age = self.settings.signature_max_age;
                let verified = keys.verify(webhook.presented, &webhook.body, now, age);
                Some(verified.map_err(Fault::from)?)
            }
        };
        let incoming = Incoming::parse(&webhook.body).map_err(|malformed| {
            let code = match malformed {
                close::Malformed::NotAnEvent(_) => Code::EventMalformed,
                close::Malformed::LeadId(_) => Code::LeadIdUnusable,
            };
            Fault::new(code, malformed.to_string())
        })?;
        let subscription = match &incoming {
            Incoming::Created(created) => created.subscription_id.as_deref(),
            Incoming::Other { subscription_id, .. } => subscription_id.as_deref(),
        };
        if verified.is_some_and(|verified| !verified.is_good_for(subscription)) {
            let what = "the signing key belongs to another subscription than the event names";
            return Err(Fault::new(Code::SignatureOfAnother, what));
        }
        match incoming {
            Incoming::Other { kind, .. } => {
                if let Some(unsaid) = self.repeats.ignored.note(kind.clone(), now) {
                    let message = format!("ignored: {kind}{}", more(unsaid));
                    recorder::line(Function::WebhookIngestion, Level::Info, &message, None, None);
                }
                Ok(Outcome::Ignored { kind })
            }
            Incoming::Created(created) if created.lead_id == LeadId::of_trial() => {
                let what = format!(
                    "{} stands for the lead in trial alerts, and is no lead of Close's",
                    created.lead_id
                );
                Err(Fault::new(Code::LeadIdUnusable, what))
            }
            Incoming::Created(created) => self.store(*created, webhook.body.clone(), now).await,
        }
    }

    async fn store(&self, created: CreatedLead, body: Bytes, now: Timestamp) -> Result<Outcome, Fault> {
        let lead = created.lead_id.clone();
        let key = keys::raw(&self.settings.source_prefix, &lead);
        let due_at = now + self.settings.delay;
        let job = ProcessJob::new(lead.clone(), key.clone(), due_at, Cause::Arrival);
        // The due time and the entry are of one moment. A lead is received once, so nothing needs to be told
        // apart, and whoever has to write the entry once more writes the same one.
        let entry = Entry::received(&created, now, due_at, 0);
        let event = NewEvent {
            lead: lead.clone(),
            key,
            body,
            delay: self.settings.delay,
            job: job.message(now).body,
            entry: entry.clone(),
            repeated: self.repeats.duplicate.was_said(&lead, now),
        };
        match self.intake.accept(event).await {
            Ok(Accepted::New) => {
                recorder::log(&entry);
                Ok(Outcome::Accepted(lead))
            }
            Ok(Accepted::Duplicate) => {
                // By the time at which it is written, as the store may have taken its own.
                let now = self.recorder.clock.now();
                if let Some(more) = self.repeats.duplicate.note(lead.clone(), now) {
                    let event_id = created.event_id.map(|id| text::shorten(&id, 80));
                    self.record_duplicate(&lead, JournalEvent::Duplicate { event_id, more }).await;
                }
                Ok(Outcome::Duplicate(lead))
            }
            Err(fault) => Err(Fault::new(Code::NotStored, format!("{lead} was not stored: {fault}"))),
        }
    }

    async fn record_duplicate(&self, lead: &LeadId, duplicate: JournalEvent) {
        // The event is stored whether or not this can be recorded, so the answer is success.
        if let Err(fault) = self.recorder.record(Some(lead.clone()), duplicate).await {
            let context = "the duplicate is not in the journal";
            recorder::fault(Function::WebhookIngestion, Level::Warn, context, Some(lead), &fault);
        }
    }

    /// Writes down what came again and is in no entry yet. For an orderly stop.
    pub async fn finish(&self) {
        let unsaid = self.repeats.duplicate.take_suppressed();
        // One of them is the entry's own.
        let entries = unsaid.iter().map(|(lead, unsaid)| {
            self.record_duplicate(
                lead,
                JournalEvent::Duplicate { event_id: None, more: unsaid.saturating_sub(1) },
            )
        });
        join_all(entries).await;
    }
}

/// How many more there were of what a line says.
fn more(unsaid: u64) -> String {
    if unsaid > 0 { format!(" (and {unsaid} more since the last line)") } else { String::new() }
}
