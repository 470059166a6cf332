use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use lead::email::{Mail, mail};
use pipeline::{
    CheckOutcome, Code,
    destination::{Destination, Limits, MessageFormat, Outgoing, RetryDelay, Verdict},
};

/// A mail server that takes every mail unless scripted otherwise.
#[derive(Default)]
pub struct ScriptedMailer {
    next: Mutex<VecDeque<Verdict>>,
    tried: Mutex<Vec<(Mail, Verdict)>>,
}

impl ScriptedMailer {
    /// A server that takes every mail.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Answers the next mails like this, in this order.
    pub fn answer(&self, answers: impl IntoIterator<Item = Verdict>) {
        self.next.lock().unwrap().extend(answers);
    }

    /// All mails that it received, and what was answered.
    pub fn tried(&self) -> Vec<(Mail, Verdict)> {
        self.tried.lock().unwrap().clone()
    }

    /// The mails that were taken.
    pub fn taken(&self) -> Vec<Mail> {
        let taken = self.tried().into_iter().filter(|(_, answer)| *answer == Verdict::Sent);
        taken.map(|(mail, _)| mail).collect()
    }

    /// It refuses a mail for good.
    pub fn refused(reason: &str) -> Verdict {
        Verdict::Refused { code: Code::MailRefused, reason: outside::text::clean(reason), payload: false }
    }

    /// It cannot be reached.
    pub fn unavailable() -> Verdict {
        let reason = "mail server: 451 later".to_owned();
        Verdict::Retry {
            code: Code::MailUnavailable,
            reason,
            pause: RetryDelay::Backoff,
            may_have_arrived: false,
        }
    }

    /// It does not confirm a mail.
    pub fn unknown() -> Verdict {
        let reason = "mail server: connection lost".to_owned();
        Verdict::Retry { code: Code::MailUnknown, reason, pause: RetryDelay::Backoff, may_have_arrived: true }
    }
}

#[async_trait]
impl Destination for ScriptedMailer {
    fn limits(&self) -> Limits {
        let longest_send = Duration::from_secs(20);
        Limits {
            longest_send,
            pace: None,
            together: 1,
            at_once: 4,
            has_plain_form: false,
            busy: Code::MailUnavailable,
            shows_all: false,
        }
    }

    async fn send(&self, alerts: &[Outgoing<'_>], _: MessageFormat) -> Verdict {
        let [one] = alerts else { panic!("{} alerts in one mail", alerts.len()) };
        let verdict = self.next.lock().unwrap().pop_front().unwrap_or(Verdict::Sent);
        self.tried.lock().unwrap().push((mail(&one.alert), verdict.clone()));
        verdict
    }

    async fn check(&self, _: bool) -> CheckOutcome {
        CheckOutcome::Ok("scripted".to_owned())
    }
}
