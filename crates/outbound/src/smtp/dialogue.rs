//! The dialogue with a mail server, from connecting to its word on each recipient.
//!
//! lettre's connection rather than its transport: the transport bounds the connecting alone, takes all recipients or none,
//! and does not say whether a silence came before the mail was handed over or after.

use std::time::Duration;

use lettre::{
    message::Mailbox,
    transport::smtp::{Error, authentication::DEFAULT_MECHANISMS, client::AsyncSmtpConnection, commands},
};
use pipeline::destination::{LeftOut, Verdict};

use super::{
    connect,
    settings::{SmtpSettings, Tls},
    verdicts::{Step, failed, no_connection, no_tls, said, slow},
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

pub(super) const PATIENCE: Patience = Patience {
    address: Duration::from_secs(4),
    connect: Duration::from_secs(16),
    ready: Duration::from_secs(15),
    confirm: Duration::from_secs(15),
};

/// A server that has heard whom a mail is for. Nothing is sent unless the content follows.
pub(super) struct Reached {
    pub(super) connection: AsyncSmtpConnection,
    /// Whom it takes mail for.
    pub(super) taken: Vec<Mailbox>,
    /// Whom it does not.
    pub(super) left_out: Vec<LeftOut>,
}

/// Says whom a mail is for to the server that the settings name.
pub(super) async fn reach(
    settings: &SmtpSettings,
    recipients: &[&Mailbox],
    patience: &Patience,
) -> Result<Reached, Verdict> {
    let host = settings.host.trim_matches(['[', ']']);
    let connecting = connect::connect(host, settings.port, patience.address);
    let stream = match tokio::time::timeout(patience.connect, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(no_connection(&error.to_string())),
        Err(_) => return Err(no_connection("it does not answer")),
    };
    let dialogue = async {
        let stream = match &settings.tls {
            Tls::FromTheStart(config) => {
                connect::encrypt(host, stream, config).await.map_err(|error| no_tls(settings, &error))?
            }
            Tls::Required(_) | Tls::Opportunistic(_) | Tls::None => Box::new(stream),
        };
        let connection = AsyncSmtpConnection::connect_with_transport(stream, &settings.hello).await;
        let mut connection = connection.map_err(|error| failed(Step::Greeting, settings, &error))?;
        introduce(&mut connection, settings).await?;
        name(connection, settings, recipients).await
    };
    tokio::time::timeout(patience.ready, dialogue).await.unwrap_or_else(|_| Err(slow(settings)))
}

/// TLS where that comes after the greeting, and the login.
async fn introduce(connection: &mut AsyncSmtpConnection, settings: &SmtpSettings) -> Result<(), Verdict> {
    let start_tls = match &settings.tls {
        Tls::Required(parameters) => Some(parameters),
        Tls::Opportunistic(parameters) if connection.can_starttls() => Some(parameters),
        Tls::Opportunistic(_) | Tls::FromTheStart(_) | Tls::None => None,
    };
    if let Some(parameters) = start_tls {
        let started = connection.starttls(parameters.clone(), &settings.hello).await;
        started.map_err(|error| failed(Step::StartTls, settings, &error))?;
    }
    if let Some(credentials) = &settings.credentials {
        let login = connection.auth(DEFAULT_MECHANISMS, credentials).await;
        login.map_err(|error| failed(Step::Login, settings, &error))?;
    }
    Ok(())
}

/// Sender and recipients, of whom each may be refused by itself.
async fn name(
    mut connection: AsyncSmtpConnection,
    settings: &SmtpSettings,
    recipients: &[&Mailbox],
) -> Result<Reached, Verdict> {
    let envelope = |error: &Error| failed(Step::Envelope, settings, error);
    let from = settings.from.email.clone();
    connection
        .command(commands::Mail::new(Some(from), Vec::new()))
        .await
        .map_err(|error| envelope(&error))?;
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    for to in recipients {
        match connection.command(commands::Rcpt::new(to.email.clone(), Vec::new())).await {
            Ok(_) => taken.push((*to).clone()),
            Err(error) if is_about_the_recipient(&error) => left_out.push(LeftOut {
                recipient: to.email.to_string(),
                reason: said(&error),
                again: error.is_transient(),
            }),
            Err(error) => return Err(envelope(&error)),
        }
    }
    Ok(Reached { connection, taken, left_out })
}

/// Whether an answer to a recipient leaves room for the next: 421 is the server's goodbye, whatever it was asked,
/// <https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>.
fn is_about_the_recipient(error: &Error) -> bool {
    error.status().is_some_and(|status| status.to_string() != "421")
}
