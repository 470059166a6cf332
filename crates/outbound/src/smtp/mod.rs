//! Mail through an SMTP server.

mod addresses;
mod answers;
mod connect;
mod dialogue;
mod greeting;
mod open;
mod reply;
mod reply_stream;
mod settings;
mod start_tls;
mod verdicts;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lead::email::{Mail, mail};
use lettre::{
    Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue, MessageId},
    },
    transport::smtp::commands,
};
use pipeline::{
    CheckOutcome, Code, Fault,
    destination::{Destination, LeftOut, Limits, MessageFormat, Outgoing, Verdict},
};
use tokio::time::{Instant, timeout, timeout_at};

pub use settings::SmtpSettings;

use crate::destinations::{BuildContext, BuildResult, SMTP_URL};
use answers::{AWAITS_CONTENT, CommandError, DONE, expect};
use dialogue::{EnvelopeAccepted, EnvelopeError, Timeouts, send_envelope};
use verdicts::{Step, nobody, refused, unavailable, unknown};

/// How long the server may take to end the connection, on which nothing depends.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a check of the server may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// Mail through an SMTP server, one connection per mail.
#[derive(Debug, Clone)]
pub struct SmtpMailer {
    settings: SmtpSettings,
    timeouts: Timeouts,
}

impl SmtpMailer {
    /// A mailer with these timeouts: 16 s to connect, 4 s for each of the server's addresses, 15 s until it is ready for
    /// the content and 5 s more for each further recipient, and 15 s to confirm it.
    pub fn new(settings: SmtpSettings) -> Self {
        let timeouts = Timeouts::for_recipients(settings.to.iter().count());
        Self { settings, timeouts }
    }

    /// The recipients of an alert: all but those who are `done`.
    fn recipients(&self, done: &[&str]) -> Vec<&Mailbox> {
        let is_done = |to: &&Mailbox| done.iter().any(|one| one.eq_ignore_ascii_case(to.email.as_ref()));
        self.settings.to.iter().filter(|to| !is_done(to)).collect()
    }

    fn message(&self, mail: &Mail, to: &[Mailbox]) -> Result<Message, Verdict> {
        let settings = &self.settings;
        let mut builder = Message::builder().from(settings.from.clone());
        for to in to {
            builder = builder.to(to.clone());
        }
        builder
            .subject(&mail.subject)
            .date_now()
            .header(MessageId::from(message_id(settings.from.email.domain())))
            // RFC 3834: prevents automatic replies.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())
            .map_err(|error| refused(&format!("the mail cannot be written: {error}")))
    }

    /// Sends the envelope, and again without each recipient over which the server hung up or did not answer.
    async fn send_envelope(
        &self,
        recipients: &[&Mailbox],
        limit: Duration,
    ) -> Result<EnvelopeAccepted, Verdict> {
        let until = Instant::now() + limit;
        let mut others = recipients.to_vec();
        let mut culprits = Vec::new();
        loop {
            let one = match timeout_at(until, send_envelope(&self.settings, &others, &self.timeouts)).await {
                Ok(Ok(mut accepted)) => {
                    accepted.left_out.splice(0..0, culprits);
                    return Ok(accepted);
                }
                Ok(Err(EnvelopeError::Recipient(one))) => one,
                Ok(Err(EnvelopeError::Failed(verdict)))
                    if culprits.is_empty() || matches!(verdict, Verdict::Refused { .. }) =>
                {
                    return Err(verdict);
                }
                Err(_) if culprits.is_empty() => return Err(verdicts::slow(&self.settings, false)),
                Ok(Err(EnvelopeError::Failed(_))) | Err(_) => return Err(nobody(&culprits)),
            };
            others.retain(|to| to.email.to_string() != one.recipient);
            culprits.push(one);
            if others.is_empty() {
                return Err(nobody(&culprits));
            }
        }
    }

    /// Sends a mail to the recipients that the server accepts. Returns them, and those it was not sent to.
    async fn send_mail(&self, mail: &Mail, done: &[&str]) -> Result<(Vec<Mailbox>, Vec<LeftOut>), Verdict> {
        let recipients = self.recipients(done);
        if recipients.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        // Dropping a connection before the content is sent sends nothing.
        let accepted = self.send_envelope(&recipients, self.timeouts.envelope).await?;
        let EnvelopeAccepted { mut connection, taken, left_out } = accepted;
        if taken.is_empty() {
            let _ = timeout(GOODBYE, connection.abort()).await;
            return if done.is_empty() { Err(nobody(&left_out)) } else { Ok((taken, left_out)) };
        }
        let message = self.message(mail, &taken)?.formatted();
        let settings = &self.settings;
        let until = Instant::now() + self.timeouts.confirm;
        let Ok(said) = timeout_at(until, connection.command(commands::Data)).await else {
            return Err(unavailable("the server did not get ready in time"));
        };
        expect(AWAITS_CONTENT, said, settings)
            .map_err(|failure| failure.verdict(Step::Envelope, settings))?;
        let Ok(said) = timeout_at(until, connection.message(&message)).await else {
            return Err(unknown("the server did not confirm the mail in time"));
        };
        expect(DONE, said, settings).map_err(|failure| match failure {
            CommandError::Failed(error) => {
                let words = verdicts::said(settings, &error);
                match (error.is_permanent(), error.is_transient()) {
                    (true, _) => refused(&words),
                    (false, true) => unavailable(&words),
                    (false, false) => unknown(&words),
                }
            }
            CommandError::Unsolicited(words) => unavailable(&words),
            CommandError::OutOfSync(words) => unknown(&words),
        })?;
        let _ = timeout(GOODBYE, connection.abort()).await;
        Ok((taken, left_out))
    }

    /// Goes through the dialogue up to the recipients, and resets it.
    async fn probe(&self) -> CheckOutcome {
        let server = self.settings.server();
        let recipients = self.recipients(&[]);
        let limit = CHECK_TIMEOUT.min(self.timeouts.envelope);
        let EnvelopeAccepted { mut connection, taken, left_out } =
            match self.send_envelope(&recipients, limit).await {
                Ok(accepted) => accepted,
                Err(verdict) => return CheckOutcome::Failed(fault(&server, &verdict)),
            };
        let goodbye = async {
            // So that the server does not report a mail that never came.
            let _ = connection.command(commands::Rset).await;
            connection.abort().await;
        };
        let _ = timeout(GOODBYE, goodbye).await;
        match (taken.len(), left_out.len()) {
            (_, 0) => {
                let login = if self.settings.credentials.is_some() { "takes the login and " } else { "" };
                let who = taken.iter().map(|to| to.email.to_string()).collect::<Vec<_>>().join(", ");
                CheckOutcome::Ok(format!("{server} {login}takes mail for {who}"))
            }
            // Greylisting is not a refusal: many servers defer an unknown sender the first time.
            (0, _) if left_out.iter().all(|one| one.again) => {
                CheckOutcome::Warning(fault(&server, &nobody(&left_out)))
            }
            (0, _) => CheckOutcome::Failed(fault(&server, &nobody(&left_out))),
            _ => {
                let what = format!("{server} does not take mail for {}", LeftOut::line(&left_out));
                CheckOutcome::warning(Code::PartlySent, what)
            }
        }
    }
}

/// A verdict as a fault of the server.
fn fault(server: &str, verdict: &Verdict) -> Fault {
    match verdict {
        Verdict::Retry { code, reason, .. }
        | Verdict::Refused { code, reason, .. }
        | Verdict::Wait { code, reason, .. } => Fault::new(*code, format!("{server}: {reason}")),
        Verdict::Sent | Verdict::PartlySent { .. } => Fault::new(Code::MailUnknown, server),
    }
}

#[async_trait]
impl Destination for SmtpMailer {
    fn limits(&self) -> Limits {
        Limits {
            longest_send: self.timeouts.envelope + self.timeouts.confirm + GOODBYE,
            pace: None,
            together: 1,
            at_once: 4,
            has_plain_form: false,
            busy: Code::MailUnavailable,
            shows_all: false,
        }
    }

    async fn send(&self, alerts: &[Outgoing<'_>], _: MessageFormat) -> Verdict {
        let [one] = alerts else { return refused("a mail is about one lead") };
        match self.send_mail(&mail(&one.alert), &one.done).await {
            Ok((_, left_out)) if left_out.is_empty() && one.done.is_empty() => Verdict::Sent,
            Ok((taken, left_out)) => {
                let reached = taken.iter().map(|to| to.email.to_string()).collect();
                Verdict::PartlySent { left_out, reached }
            }
            Err(verdict) => verdict,
        }
    }

    async fn check(&self, in_use: bool) -> CheckOutcome {
        if in_use { self.probe().await } else { CheckOutcome::Ok("switched off".to_owned()) }
    }
}

/// Reads `SMTP_URL`, `EMAIL_FROM` and `EMAIL_TO`.
pub(crate) fn make(context: &mut BuildContext<'_>) -> BuildResult {
    let missing = |name: &str| context.not_set(name);
    let variables = context.variables();
    let Some(url) = context.source.secret(&SMTP_URL)? else {
        return missing(context.source.name_of(&SMTP_URL));
    };
    let Some(url) = url.constant() else { return missing(SMTP_URL.value) };
    let Some(from) = variables.get("EMAIL_FROM") else { return missing("EMAIL_FROM") };
    let Some(to) = variables.get("EMAIL_TO") else { return missing("EMAIL_TO") };
    let settings = SmtpSettings::parse(url.expose(), &from, &to);
    let settings = settings.map_err(|what| Fault::new(Code::SettingBad, what))?;
    Ok(Some(Arc::new(SmtpMailer::new(settings))))
}

/// A message id in the sender's domain; lettre would use the machine's.
fn message_id(domain: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Keyed with fresh randomness by the standard library.
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), now);
    format!("<{:x}.{random:016x}@{domain}>", now.as_nanos())
}

#[cfg(test)]
mod tests;
