use async_trait::async_trait;
use lead::email::Mail;

/// A way to send alerts by e-mail: an SMTP server, or an SNS topic.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one mail to the configured recipients. Returns once the server has taken it.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The server refuses it for good.
    #[error("refused: {0}")]
    Refused(String),
    /// The server could not be reached or asks to try later. The mail was not sent.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// No confirmation came: the mail may have been sent.
    #[error("no confirmation: {0}")]
    Unknown(String),
}
