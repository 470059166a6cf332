//! Why Close did not do what it was asked for.

use std::error::Error as StdError;

/// Why Close could not be asked, or did not do what it was asked for. No text of it holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the API is none that a key may be sent to.
    #[error("{0}")]
    Address(String),
    /// There is no API key, or what is set as one is none.
    #[error("{0}")]
    Key(String),
    /// Whoever holds the keys could not hand them out.
    #[error("the API key cannot be read")]
    Holder(#[source] Box<dyn StdError + Send + Sync>),
    /// There was no answer, or none that could be read.
    #[error("{0}")]
    Unavailable(String),
    /// The key is refused, or has no right to this.
    #[error("{0}")]
    Denied(String),
    /// Close asks to wait for longer than anybody did.
    #[error("{0}")]
    Throttled(String),
    /// Close refuses the request itself.
    #[error("{what}")]
    Refused {
        /// In Close's words.
        what: String,
        /// The subscription that is in the way, where it is refused as a second one for one address.
        duplicate: Option<String>,
    },
    /// It failed in another way, or somebody else answered.
    #[error("{0}")]
    Failed(String),
}

#[cfg(all(test, feature = "client"))]
impl Error {
    /// Which kind it is.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Key(_) => "key",
            Self::Holder(_) => "holder",
            Self::Unavailable(_) => "unavailable",
            Self::Denied(_) => "denied",
            Self::Throttled(_) => "throttled",
            Self::Refused { .. } => "refused",
            Self::Failed(_) => "failed",
        }
    }
}
