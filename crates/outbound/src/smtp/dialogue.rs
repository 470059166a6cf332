//! The dialogue with a mail server, from connecting to its word on each recipient.
//!
//! lettre's connection rather than its transport: the transport bounds the connecting alone, takes all recipients or none,
//! and does not say whether a silence came before the mail was handed over or after.

use std::time::Duration;

use lettre::{
    message::Mailbox,
    transport::smtp::{
        Error,
        authentication::DEFAULT_MECHANISMS,
        client::{AsyncSmtpConnection, AsyncTokioStream},
        commands,
    },
};
use pipeline::destination::{LeftOut, Verdict};
use tokio::net::TcpStream;

use super::{
    connect::{self, Limits, Replies},
    settings::{SmtpSettings, Tls},
    start_tls::{self, Started},
    verdicts::{self, Step, failed, is_goodbye, no_connection, said},
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
    /// From there to its confirmation of the content.
    pub(super) confirm: Duration,
}

impl Patience {
    /// That for so many recipients, of whom some servers think for seconds each.
    pub(super) fn for_recipients(count: usize) -> Self {
        let others = u64::try_from(count.saturating_sub(1)).unwrap_or(u64::MAX);
        Self {
            address: Duration::from_secs(4),
            connect: Duration::from_secs(16),
            ready: Duration::from_secs(15 + others.min(9) * 5),
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
    /// It went away over this recipient, and may take the others.
    Over(LeftOut),
}

impl Unreached {
    /// What it means for a mail that has nobody else to go to.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::For(verdict) => verdict,
            Self::Over(one) => verdicts::nobody(&[one]),
        }
    }
}

/// Says whom a mail is for to the server that the settings name.
pub(super) async fn reach(
    settings: &SmtpSettings,
    recipients: &[&Mailbox],
    patience: &Patience,
) -> Result<Reached, Unreached> {
    let host = settings.host.trim_matches(['[', ']']);
    let is_greeted = !matches!(settings.tls, Tls::FromTheStart(_));
    let limits = Limits { address: patience.address, all: patience.connect, is_greeted };
    let connecting = connect::connect(host, settings.port, limits);
    let stream = match tokio::time::timeout(patience.connect, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Unreached::For(no_connection(&error.to_string()))),
        Err(_) => return Err(Unreached::For(no_connection("it does not answer"))),
    };
    let dialogue = async {
        let mut connection = introduce(settings, host, stream).await.map_err(Unreached::For)?;
        if let Some(credentials) = &settings.credentials {
            let login = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            login.map_err(|error| Unreached::For(failed(Step::Login, settings, &error)))?;
        }
        name(connection, settings, recipients).await
    };
    let slow = || Err(Unreached::For(verdicts::slow(settings)));
    tokio::time::timeout(patience.ready, dialogue).await.unwrap_or_else(|_| slow())
}

/// The greeting and TLS, in the order that the settings want.
async fn introduce(
    settings: &SmtpSettings,
    host: &str,
    stream: TcpStream,
) -> Result<AsyncSmtpConnection, Verdict> {
    let lost = |error: std::io::Error| verdicts::unavailable(&error.to_string());
    let peer = stream.peer_addr().map_err(lost)?;
    let no_tls = |error| verdicts::no_tls(settings, &error);
    let stream: Box<dyn AsyncTokioStream> = match &settings.tls {
        Tls::None => Box::new(Replies::of(stream, peer, false)),
        Tls::FromTheStart(config) => {
            let stream = connect::encrypt(host, stream, config).await.map_err(no_tls)?;
            Box::new(Replies::of(stream, peer, false))
        }
        Tls::Required(config) | Tls::Opportunistic(config) => {
            let started = start_tls::start(stream, host, &settings.hello, config).await;
            match started.map_err(|failure| verdicts::not_started(settings, failure))? {
                Started::Encrypted(stream) => Box::new(Replies::of(*stream, peer, true)),
                Started::NotOffered(_) if matches!(settings.tls, Tls::Required(_)) => {
                    return Err(verdicts::not_offered());
                }
                Started::NotOffered(stream) => Box::new(Replies::of(stream, peer, true)),
            }
        }
    };
    let connection = AsyncSmtpConnection::connect_with_transport(stream, &settings.hello).await;
    connection.map_err(|error| failed(Step::Greeting, settings, &error))
}

/// Sender and recipients, of whom each may be refused by itself.
async fn name(
    mut connection: AsyncSmtpConnection,
    settings: &SmtpSettings,
    recipients: &[&Mailbox],
) -> Result<Reached, Unreached> {
    let envelope = |error: &Error| Unreached::For(failed(Step::Envelope, settings, error));
    let from = settings.from.email.clone();
    connection
        .command(commands::Mail::new(Some(from), Vec::new()))
        .await
        .map_err(|error| envelope(&error))?;
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    for to in recipients {
        let Err(error) = connection.command(commands::Rcpt::new(to.email.clone(), Vec::new())).await else {
            taken.push((*to).clone());
            continue;
        };
        // Too many at once, which once stood for good: <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10>.
        let is_too_many = error.status().is_some_and(|status| status.to_string() == "552");
        let is_over = is_goodbye(&error);
        let again = error.is_transient() || is_too_many || is_over;
        let one = LeftOut { recipient: to.email.to_string(), reason: said(settings, &error), again };
        if is_over {
            return Err(Unreached::Over(one));
        }
        left_out.push(one);
    }
    Ok(Reached { connection, taken, left_out })
}
