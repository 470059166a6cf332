//! URLs that are credentials.

use std::{fmt, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use outside::plain_name;
use reqwest::Client;
use url::{ParseError, Url};

/// A shorter path segment is not a secret and may be an everyday word; query values are often keys.
const LEAST_OF_PATH: usize = 8;
const LEAST_OF_QUERY: usize = 4;

/// `text` without these secrets, the longest replaced first, so that no part of a longer one is left over.
pub(crate) fn redacted<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut secrets: Vec<&str> =
        secrets.into_iter().filter(|secret| secret.len() >= LEAST_OF_QUERY).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
}

/// The address in a setting, as people paste it.
///
/// # Errors
/// What is wrong with it, as the rest of a line for the operator that begins with the setting's name. It shows nothing
/// of the text.
pub(crate) fn pasted_url(text: &str, setting: &str) -> Result<Url, String> {
    let plain = |name: &str| plain_name(name.trim_start_matches("export "));
    if text.split_once('=').is_some_and(|(name, _)| plain(name) == plain(setting)) {
        return Err(format!("begins with {setting}=, which is the setting's name and not part of its value"));
    }
    if text.contains(char::is_whitespace) || text.contains(",http") {
        return Err("has white space in it, or is a list: set one address".to_owned());
    }
    if text.starts_with('<') {
        return Err("is in < and >, which are not part of it".to_owned());
    }
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => "does not begin with https://".to_owned(),
        ParseError::InvalidPort => "has no port number after its host's colon".to_owned(),
        error => format!("is not a valid URL: {error}"),
    })?;
    match url.fragment() {
        // It is for browsers: <https://www.rfc-editor.org/rfc/rfc3986#section-3.5>.
        Some(_) => Err("has something after a #, which is never sent: write a literal # as %23".to_owned()),
        None => Ok(url),
    }
}

/// A URL that is a credential. Prints only its host.
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
    /// A client for messages to it, each of which takes 3 s to connect and `total` in all, at most, and has a connection
    /// of its own. A server may close a reused connection just as a message is sent on it, and then it is not known
    /// whether the message arrived.
    ///
    /// # Errors
    /// A line for the operator where the machine cannot do TLS.
    pub(crate) fn client(&self, total: Duration) -> Result<Client, String> {
        web::builder(&self.0)
            .pool_max_idle_per_host(0)
            .connect_timeout(Duration::from_secs(3))
            .timeout(total)
            .build()
            .map_err(web::error_text)
    }

    /// A fingerprint that distinguishes it from others and reveals nothing else.
    pub(crate) fn fingerprint(&self) -> String {
        digest(&SHA256, self.0.as_str().as_bytes())
            .as_ref()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// User and password as they are sent, where there is either: <https://www.rfc-editor.org/rfc/rfc7617#section-2>.
    fn basic(&self) -> Option<String> {
        let (user, password) = (self.0.username(), self.0.password());
        let is_none = user.is_empty() && password.is_none();
        let pair = || format!("{}:{}", unescaped(user), unescaped(password.unwrap_or_default()));
        (!is_none).then(|| BASE64.encode(pair()))
    }

    /// `text` without the secret parts, should a server or a library have put them there.
    pub(crate) fn redact(&self, text: &str) -> String {
        let path = self.0.path().trim_matches('/');
        let of_path = path.split('/').filter(|piece| *piece != "services" && piece.len() >= LEAST_OF_PATH);
        let query = self.0.query().unwrap_or_default();
        let of_query = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
        let decoded = self.0.query_pairs().map(|(_, value)| value.into_owned());
        let wholes = [self.0.as_str(), path, query, self.0.username(), self.0.password().unwrap_or_default()];
        let mut secrets: Vec<String> = wholes.into_iter().chain(of_path).map(str::to_owned).collect();
        secrets
            .extend(of_query.map(str::to_owned).chain(decoded).filter(|value| value.len() >= LEAST_OF_QUERY));
        let plain: Vec<String> = secrets.iter().map(|secret| unescaped(secret)).collect();
        secrets.extend(plain);
        secrets.extend(self.basic());
        redacted(text, secrets.iter().map(String::as_str))
    }
}

/// A part of a URL without its escapes. The url crate decodes queries only, in which + and & mean something.
pub(crate) fn unescaped(part: &str) -> String {
    let query = format!("x={}", part.replace('+', "%2B").replace('&', "%26"));
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.next().map(|(_, value)| value.into_owned()).unwrap_or_default()
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
            "you sent authorization: Basic dXNlcjpwYXNzK3dvcmQ=",
        ] {
            let shown = url.redact(said);
            for secret in ["Qx7Z", "abcd", "verysecret", "user ", "pass", "dXNl"] {
                assert!(!shown.contains(secret), "{said} → {shown}");
            }
        }
        assert_eq!(url.redact("403 api lead v 1"), "403 api lead v 1");
    }

    #[test]
    fn a_fingerprint_distinguishes_addresses_and_reveals_nothing_of_them() {
        let of = |url: &str| SecretUrl(Url::parse(url).unwrap()).fingerprint();
        let own = of("https://h.example/services/secret");
        assert_eq!((own.len(), &own), (16, &of("https://h.example/services/secret")));
        assert_ne!(own, of("https://h.example/services/other"));
    }

    #[test]
    fn escapes_are_read_and_nothing_else() {
        for (part, plain) in [("a%2Fb", "a/b"), ("a+b", "a+b"), ("a&b=c", "a&b=c"), ("%C3%A9", "é"), ("", "")]
        {
            assert_eq!(unescaped(part), plain);
        }
    }

    #[test]
    fn what_is_wrong_with_a_pasted_address_is_said() {
        for (text, part) in [
            ("n8n.example.com/webhook/abc", "does not begin with https://"),
            ("WEBHOOK_URL=https://h.example/x", "is the setting's name"),
            ("export WEBHOOK_URL=https://h.example/x", "is the setting's name"),
            ("<https://h.example/x>", "< and >"),
            ("https://h.example/x https://h.example/y", "set one address"),
            ("https://h.example/x,https://h.example/y", "set one address"),
            ("https://h.example:https/x", "port number"),
            ("https://", "is not a valid URL"),
            ("https://h.example/x#hunter2", "after a #"),
        ] {
            let why = pasted_url(text, "WEBHOOK_URL").unwrap_err();
            assert!(why.contains(part) && !why.contains("hunter2"), "{text}: {why}");
        }
        assert!(pasted_url("https://h.example/x?WEBHOOK_URL=1", "WEBHOOK_URL").is_ok());
    }
}
