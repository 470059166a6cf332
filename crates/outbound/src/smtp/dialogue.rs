//! The dialogue with a mail server, from connecting to its answer on each recipient.
//!
//! It uses lettre's connection rather than its transport: the transport has only a timeout for connecting, accepts all
//! recipients or none, and does not say whether a timeout came before the mail was handed over or after.

use std::{fmt, time::Duration};

use lettre::{
    message::Mailbox,
    transport::smtp::{authentication::DEFAULT_MECHANISMS, client::AsyncSmtpConnection, commands},
};
use pipeline::destination::{LeftOut, Verdict};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use super::{
    answers::{CommandError, DONE, expect},
    greeting::{self, Capabilities},
    open::{self, SmtpConnection},
    reply_stream::ReplyStream,
    settings::{SmtpSettings, Tls},
    start_tls,
    verdicts::{self, Step, is_goodbye, said},
};

/// How long each step may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For one of its addresses to answer.
    pub(super) address: Duration,
    /// To resolve its name and connect to one of its addresses.
    pub(super) connect: Duration,
    /// From there to its answer on the last recipient.
    pub(super) ready: Duration,
    /// For its answer on one of several recipients.
    pub(super) recipient: Duration,
    /// For all of this, and once more without recipients over which it hangs up.
    pub(super) envelope: Duration,
    /// From there to its confirmation of the content.
    pub(super) confirm: Duration,
}

impl Timeouts {
    /// The timeouts for a number of recipients: some servers take seconds over each.
    pub(super) fn for_recipients(count: usize) -> Self {
        let others = u64::try_from(count.saturating_sub(1)).unwrap_or(u64::MAX);
        let (connect, ready) = (Duration::from_secs(16), Duration::from_secs(15 + others.min(9) * 5));
        Self {
            address: Duration::from_secs(4),
            connect,
            ready,
            recipient: Duration::from_secs(15),
            envelope: (connect + ready) * if others > 0 { 2 } else { 1 },
            confirm: Duration::from_secs(15),
        }
    }
}

/// The envelope of a mail, accepted by the server. Nothing is sent unless the content follows.
pub(super) struct EnvelopeAccepted {
    pub(super) connection: AsyncSmtpConnection,
    /// The recipients that it accepts.
    pub(super) taken: Vec<Mailbox>,
    /// The recipients that it refuses.
    pub(super) left_out: Vec<LeftOut>,
}

/// Why the server has not accepted an envelope.
pub(super) enum EnvelopeError {
    /// For a reason that concerns the whole mail.
    Failed(Verdict),
    /// It hung up or did not answer over this recipient, and may accept the others.
    Recipient(LeftOut),
}

/// Connects to the server that the settings name, and sends a mail's sender and recipients.
pub(super) async fn send_envelope(
    settings: &SmtpSettings,
    recipients: &[&Mailbox],
    timeouts: &Timeouts,
) -> Result<EnvelopeAccepted, EnvelopeError> {
    let (connection, until) = open::open(settings, timeouts).await.map_err(EnvelopeError::Failed)?;
    let ready = timeout_at(until, async {
        let mut connection = handshake(settings, connection).await?;
        if let Some(credentials) = &settings.credentials {
            let login = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            expect(DONE, login, settings).map_err(|failure| failure.verdict(Step::Login, settings))?;
        }
        let from = commands::Mail::new(Some(settings.from.email.clone()), Vec::new());
        let named = connection.command(from).await;
        expect(DONE, named, settings).map_err(|failure| failure.verdict(Step::Envelope, settings))?;
        Ok(connection)
    });
    let connection = ready.await.unwrap_or_else(|_| Err(verdicts::slow(settings, false)));
    let connection = connection.map_err(EnvelopeError::Failed)?;
    // A recipient over which the server takes long must not use up the time of the others.
    let each = if recipients.len() == 1 { timeouts.ready } else { timeouts.recipient };
    name(connection, settings, recipients, each, until).await
}

/// EHLO and TLS, in the order that the settings ask for.
async fn handshake(
    settings: &SmtpSettings,
    connection: SmtpConnection,
) -> Result<AsyncSmtpConnection, Verdict> {
    let not_ready = |failure| verdicts::not_ready(settings, failure);
    let mut plain = match connection {
        SmtpConnection::Plain(replies) => replies,
        SmtpConnection::Encrypted(mut replies) => {
            let capabilities = greeting::greet(&mut *replies, &settings.hello).await.map_err(not_ready)?;
            return hand_over(settings, *replies, &capabilities).await;
        }
    };
    let capabilities = greeting::greet(&mut plain, &settings.hello).await.map_err(not_ready)?;
    let config = match &settings.tls {
        Tls::Required(config) | Tls::Opportunistic(config) if capabilities.is_tls_offered() => config,
        Tls::Required(_) => return Err(verdicts::not_offered(&capabilities)),
        _ => return hand_over(settings, plain, &capabilities).await,
    };
    let mut encrypted = start_tls::start(plain, settings.bare_host(), config).await.map_err(not_ready)?;
    let capabilities = greeting::greet(&mut encrypted, &settings.hello).await.map_err(not_ready)?;
    hand_over(settings, encrypted, &capabilities).await
}

/// Hands the rest of the dialogue over to lettre.
async fn hand_over<S>(
    settings: &SmtpSettings,
    replies: ReplyStream<S>,
    capabilities: &Capabilities,
) -> Result<AsyncSmtpConnection, Verdict>
where
    S: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin + 'static,
{
    if settings.credentials.is_some() && !capabilities.is_login_offered() {
        return Err(verdicts::no_login(settings, capabilities));
    }
    let replies = Box::new(replies.introduced(&capabilities.for_lettre()));
    let connection = AsyncSmtpConnection::connect_with_transport(replies, &settings.hello).await;
    connection.map_err(|error| verdicts::unavailable(&said(settings, &error)))
}

/// Sends the recipients, each of which may be refused by itself and has its own timeout.
async fn name(
    mut connection: AsyncSmtpConnection,
    settings: &SmtpSettings,
    recipients: &[&Mailbox],
    each: Duration,
    until: Instant,
) -> Result<EnvelopeAccepted, EnvelopeError> {
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    for to in recipients {
        let recipient = to.email.to_string();
        let asked = connection.command(commands::Rcpt::new(to.email.clone(), Vec::new()));
        let Ok(said) = timeout_at(until.min(Instant::now() + each), asked).await else {
            let reason = "the server does not say in time whether it takes mail for it".to_owned();
            return Err(EnvelopeError::Recipient(LeftOut { recipient, reason, again: true }));
        };
        match expect(DONE, said, settings) {
            Ok(()) => taken.push((*to).clone()),
            Err(failure @ (CommandError::Unsolicited(_) | CommandError::OutOfSync(_))) => {
                return Err(EnvelopeError::Failed(failure.verdict(Step::Envelope, settings)));
            }
            Err(CommandError::Failed(error)) => {
                // Too many recipients at once, which once counted as permanent:
                // <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10>.
                let is_too_many = error.status().is_some_and(|status| status.to_string() == "552");
                let is_over = is_goodbye(&error);
                let again = error.is_transient() || is_too_many || is_over;
                let one = LeftOut { recipient, reason: verdicts::said(settings, &error), again };
                if is_over {
                    return Err(EnvelopeError::Recipient(one));
                }
                left_out.push(one);
            }
        }
    }
    Ok(EnvelopeAccepted { connection, taken, left_out })
}
