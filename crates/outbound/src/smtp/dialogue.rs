//! The dialogue with a mail server, from connecting to its word on each recipient.
//!
//! lettre's connection rather than its transport: the transport bounds the connecting alone, takes all recipients or none,
//! and does not say whether a silence came before the mail was handed over or after.

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
    answers::{NotDone, carried_out},
    greeting::{self, Offers},
    open::{self, Opened},
    replies::Replies,
    settings::{SmtpSettings, Tls},
    start_tls,
    verdicts::{self, Step, is_goodbye, said},
};

/// How long the server may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For one of its addresses to answer.
    pub(super) address: Duration,
    /// From its name to a connection with one of its addresses.
    pub(super) connect: Duration,
    /// From there to its word on the last recipient.
    pub(super) ready: Duration,
    /// For its word on one of several recipients.
    pub(super) recipient: Duration,
    /// For all of this, and again without those over whom it goes away.
    pub(super) reach: Duration,
    /// From there to its confirmation of the content.
    pub(super) confirm: Duration,
}

impl Patience {
    /// That for so many recipients, of whom some servers think for seconds each.
    pub(super) fn for_recipients(count: usize) -> Self {
        let others = u64::try_from(count.saturating_sub(1)).unwrap_or(u64::MAX);
        let (connect, ready) = (Duration::from_secs(16), Duration::from_secs(15 + others.min(9) * 5));
        Self {
            address: Duration::from_secs(4),
            connect,
            ready,
            recipient: Duration::from_secs(15),
            reach: (connect + ready) * if others > 0 { 2 } else { 1 },
            confirm: Duration::from_secs(15),
        }
    }
}

/// A server that has heard whom a mail is for. Nothing is sent unless the content follows.
pub(super) struct Reached {
    pub(super) connection: AsyncSmtpConnection,
    /// Whom it takes mail for.
    pub(super) taken: Vec<Mailbox>,
    /// Whom it does not.
    pub(super) left_out: Vec<LeftOut>,
}

/// Why a server has not heard whom a mail is for.
pub(super) enum Unreached {
    /// For this reason.
    For(Verdict),
    /// It went away over this recipient, or thinks and thinks, and may take the others.
    Over(LeftOut),
}

/// Says whom a mail is for to the server that the settings name.
pub(super) async fn reach(
    settings: &SmtpSettings,
    recipients: &[&Mailbox],
    patience: &Patience,
) -> Result<Reached, Unreached> {
    let (opened, until) = open::open(settings, patience).await.map_err(Unreached::For)?;
    let ready = timeout_at(until, async {
        let mut connection = introduce(settings, opened).await?;
        if let Some(credentials) = &settings.credentials {
            let login = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            carried_out(login, settings).map_err(|failure| failure.verdict(Step::Login, settings))?;
        }
        let from = commands::Mail::new(Some(settings.from.email.clone()), Vec::new());
        let named = connection.command(from).await;
        carried_out(named, settings).map_err(|failure| failure.verdict(Step::Envelope, settings))?;
        Ok(connection)
    });
    let connection = ready.await.unwrap_or_else(|_| Err(verdicts::slow(settings, false)));
    let connection = connection.map_err(Unreached::For)?;
    // One over whom the server thinks is not to use up the time of the others.
    let each = if recipients.len() == 1 { patience.ready } else { patience.recipient };
    name(connection, settings, recipients, each, until).await
}

/// Our greeting, and TLS, in the order that the settings want.
async fn introduce(settings: &SmtpSettings, opened: Opened) -> Result<AsyncSmtpConnection, Verdict> {
    let not_ready = |failure| verdicts::not_ready(settings, failure);
    let mut plain = match opened {
        Opened::Plain(replies) => replies,
        Opened::Encrypted(mut replies) => {
            let offers = greeting::greet(&mut *replies, &settings.hello).await.map_err(not_ready)?;
            return hand_over(settings, *replies, &offers).await;
        }
    };
    let offers = greeting::greet(&mut plain, &settings.hello).await.map_err(not_ready)?;
    let config = match &settings.tls {
        Tls::Required(config) | Tls::Opportunistic(config) if offers.is_tls_offered() => config,
        Tls::Required(_) => return Err(verdicts::not_offered(&offers)),
        _ => return hand_over(settings, plain, &offers).await,
    };
    let mut encrypted = start_tls::start(plain, settings.bare_host(), config).await.map_err(not_ready)?;
    let offers = greeting::greet(&mut encrypted, &settings.hello).await.map_err(not_ready)?;
    hand_over(settings, encrypted, &offers).await
}

/// Leaves the rest of the dialogue to lettre.
async fn hand_over<S>(
    settings: &SmtpSettings,
    replies: Replies<S>,
    offers: &Offers,
) -> Result<AsyncSmtpConnection, Verdict>
where
    S: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin + 'static,
{
    if settings.credentials.is_some() && !offers.is_login_offered() {
        return Err(verdicts::no_login(settings, offers));
    }
    let replies = Box::new(replies.introduced(&offers.for_lettre()));
    let connection = AsyncSmtpConnection::connect_with_transport(replies, &settings.hello).await;
    connection.map_err(|error| verdicts::unavailable(&said(settings, &error)))
}

/// Recipients, of whom each may be refused by itself, and has its own time.
async fn name(
    mut connection: AsyncSmtpConnection,
    settings: &SmtpSettings,
    recipients: &[&Mailbox],
    each: Duration,
    until: Instant,
) -> Result<Reached, Unreached> {
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    for to in recipients {
        let recipient = to.email.to_string();
        let asked = connection.command(commands::Rcpt::new(to.email.clone(), Vec::new()));
        let Ok(said) = timeout_at(until.min(Instant::now() + each), asked).await else {
            let reason = "the server does not say in time whether it takes mail for it".to_owned();
            return Err(Unreached::Over(LeftOut { recipient, reason, again: true }));
        };
        match carried_out(said, settings) {
            Ok(()) => taken.push((*to).clone()),
            Err(failure @ (NotDone::Unasked(_) | NotDone::OutOfStep(_))) => {
                return Err(Unreached::For(failure.verdict(Step::Envelope, settings)));
            }
            Err(NotDone::Failed(error)) => {
                // Too many at once, which once stood for good:
                // <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10>.
                let is_too_many = error.status().is_some_and(|status| status.to_string() == "552");
                let is_over = is_goodbye(&error);
                let again = error.is_transient() || is_too_many || is_over;
                let one = LeftOut { recipient, reason: verdicts::said(settings, &error), again };
                if is_over {
                    return Err(Unreached::Over(one));
                }
                left_out.push(one);
            }
        }
    }
    Ok(Reached { connection, taken, left_out })
}
