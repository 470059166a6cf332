//! URLs that are credentials.

use std::fmt;

use url::Url;

/// A URL that is a credential. Prints its host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(pub(crate) Url);

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str("/…")
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SecretUrl {
    /// `told` with the secret parts taken out of it, should a server or a library have put them there.
    pub(crate) fn hide_in(&self, told: &str) -> String {
        let path = self.0.path().trim_matches('/');
        // From the longest to the shortest, so that the pieces of a whole are not left over.
        let wholes = [Some(self.0.as_str()), Some(path), self.0.query(), self.0.password()];
        let pieces = path.split('/').filter(|piece| *piece != "services");
        wholes
            .into_iter()
            .flatten()
            .chain(pieces)
            // What is shorter is no secret of Slack's, and may be an everyday word.
            .filter(|secret| secret.len() >= 8)
            .fold(told.to_owned(), |told, secret| told.replace(secret, "…"))
    }
}
