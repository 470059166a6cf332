//! Errors of Close's API.

use std::error::Error as StdError;

/// Why a request to Close failed. No text in it contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API's URL is not one to which a key may be sent.
    #[error("{0}")]
    Address(String),
    /// The API key is not set or not valid.
    #[error("{0}")]
    Key(String),
    /// The keys could not be read from where they are stored.
    #[error("the API key cannot be read")]
    Holder(#[source] Box<dyn StdError + Send + Sync>),
    /// There was no answer, or an unreadable one.
    #[error("{0}")]
    Unavailable(String),
    /// The key is refused, or lacks permission.
    #[error("{0}")]
    Denied(String),
    /// Close asks to wait for longer than was waited.
    #[error("{0}")]
    Throttled(String),
    /// Close refuses the request itself.
    #[error("{what}")]
    Refused {
        /// Close's error text.
        what: String,
        /// The existing subscription, where a second one for the same address is refused.
        duplicate: Option<String>,
    },
    /// It failed in another way, or an intermediary answered.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "client")]
    impl super::Error {
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
}
