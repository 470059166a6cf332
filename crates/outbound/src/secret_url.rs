//! URLs that are credentials.

use std::fmt;

use url::Url;

/// What is shorter in a path is no secret of anybody's, and may be an everyday word; values of a query are often keys.
const LEAST_OF_PATH: usize = 8;
const LEAST_OF_QUERY: usize = 4;

/// `told` with these secrets taken out of it, the longest first, so that the pieces of a whole are not left over.
pub(crate) fn hidden<'a>(told: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut secrets: Vec<&str> =
        secrets.into_iter().filter(|secret| secret.len() >= LEAST_OF_QUERY).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(told.to_owned(), |told, secret| told.replace(secret, "…"))
}

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
        let of_path = path.split('/').filter(|piece| *piece != "services" && piece.len() >= LEAST_OF_PATH);
        let query = self.0.query().unwrap_or_default();
        let of_query = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
        let decoded = self.0.query_pairs().map(|(_, value)| value.into_owned());
        let wholes = [self.0.as_str(), path, query, self.0.username(), self.0.password().unwrap_or_default()];
        let mut secrets: Vec<String> = wholes.into_iter().chain(of_path).map(str::to_owned).collect();
        secrets
            .extend(of_query.map(str::to_owned).chain(decoded).filter(|value| value.len() >= LEAST_OF_QUERY));
        let unescaped = |secret: &String| {
            let query = format!("x={}", secret.replace('+', "%2B"));
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.next().map(|(_, value)| value.into_owned())
        };
        let plain: Vec<String> = secrets.iter().filter_map(unescaped).collect();
        secrets.extend(plain);
        hidden(told, secrets.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_may_be_a_secret_is_hidden_however_it_is_written() {
        let url =
            "https://user:pass%2Bword@h.example/api/lead/verysecretpath?code=Qx7Z%2Blong%3D%3D&v=1&sig=abcd";
        let url = SecretUrl(Url::parse(url).unwrap());
        for said in [
            "invalid key Qx7Z+long==",
            "invalid key Qx7Z%2Blong%3D%3D",
            "signature abcd is wrong",
            "no such path verysecretpath",
            "user is unknown",
            "pass+word or pass%2Bword",
        ] {
            let shown = url.hide_in(said);
            for secret in ["Qx7Z", "abcd", "verysecret", "user ", "pass"] {
                assert!(!shown.contains(secret), "{said} → {shown}");
            }
        }
        assert_eq!(url.hide_in("403 api lead v 1"), "403 api lead v 1");
    }
}
