//! Secrets of Close's.

use std::fmt;

use crate::Error;

use outside::{plain_name, unpasted};

/// A secret of Close's: an API key or a subscription's signature key. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct CloseSecret(String);

impl CloseSecret {
    pub(super) fn new(secret: &str) -> Self {
        Self(secret.to_owned())
    }

    /// The secret itself, for where it is used.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the secret, should a server have put it there.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "…")
    }
}

impl fmt::Debug for CloseSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CloseSecret(…)")
    }
}

/// Longer than any key, in bytes.
const LONGEST: usize = 200;

/// An API key, or two while one is being replaced. Does not print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeys(Vec<CloseSecret>);

impl ApiKeys {
    /// Reads one key, or two separated by commas or lines: the first is used as long as Close accepts it. An AWS secret may
    /// hold them as `{"api_key": …}` or `{"CLOSE_API_KEY": …}`, a text or a list.
    ///
    /// # Errors
    /// [`Error::Key`] for a text without a key, with more than two, or with something that is not a key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |what: &str| Err(Error::Key(what.to_owned()));
        let text = match unpasted(text) {
            json if json.starts_with('{') => match in_json(json) {
                Some(text) => text,
                None => return bad("it starts like JSON and has no api_key"),
            },
            text => text.to_owned(),
        };
        let mut keys: Vec<CloseSecret> = Vec::new();
        for key in text.split([',', '\n', '\r']).map(unpasted).filter(|key| !key.is_empty()) {
            let is_key = key.bytes().all(|b| b.is_ascii_graphic() && !b":=\"'{}".contains(&b));
            if !is_key || key.len() > LONGEST {
                return bad(
                    "it holds no API key of Close's: such a key is api_…, printable ASCII without a colon or quotes",
                );
            }
            if keys.iter().all(|known| known.expose() != key) {
                keys.push(CloseSecret::new(key));
            }
        }
        match keys.len() {
            0 => bad("it holds no API key of Close's"),
            1 | 2 => Ok(Self(keys)),
            _ => bad(
                "it holds more than two API keys of Close's: one, and the former one while it is being replaced",
            ),
        }
    }

    /// Each of the keys on its own.
    pub fn singly(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.iter().map(|key| Self(vec![key.clone()]))
    }

    /// The keys, in the order in which they are tried.
    pub(super) fn all(&self) -> &[CloseSecret] {
        &self.0
    }
}

/// The keys in a JSON object, separated by commas.
fn in_json(json: &str) -> Option<String> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).ok()?;
    let is_named = |name: &str| ["apikey", "closeapikey", "key"].contains(&plain_name(name).as_str());
    match fields.iter().find(|(name, _)| is_named(name))?.1 {
        serde_json::Value::String(key) => Some(key.clone()),
        serde_json::Value::Array(keys) => {
            Some(keys.iter().filter_map(|key| key.as_str()).collect::<Vec<_>>().join(","))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_or_two_while_one_replaces_the_other() {
        let keys = |text: &str| {
            let keys = ApiKeys::parse(text).unwrap();
            keys.all().iter().map(|key| key.expose().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(keys(" api_a.b\n"), ["api_a.b"]);
        assert_eq!(keys("api_new.b, api_old.b"), ["api_new.b", "api_old.b"]);
        assert_eq!(keys("api_new.b\r\napi_old.b\n"), ["api_new.b", "api_old.b"]);
        assert_eq!(keys("api_a.b,api_a.b"), ["api_a.b"]);
        assert_eq!(keys("\u{feff}\"api_a.b\"\r\n"), ["api_a.b"]);
        assert_eq!(keys("{\"api_key\": \"api_a.b\"}"), ["api_a.b"]);
        assert_eq!(keys("{\"CLOSE_API_KEY\": \"api_a.b\"}"), ["api_a.b"]);
        assert_eq!(keys("{\"api_key\": [\"api_new.b\", \"api_old.b\"]}"), ["api_new.b", "api_old.b"]);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for text in [
            "",
            " ,\n",
            "api_geheim:x",
            "\"api_geheim",
            "api geheim",
            "CLOSE_API_KEY=geheim",
            "geheim,geheim\tgeheim",
            "{\"k\":\"geheim\"}",
            "geheim1,geheim2,geheim3",
        ] {
            let fault = ApiKeys::parse(text).unwrap_err();
            assert_eq!(fault.kind(), "key", "{text}");
            assert!(!fault.to_string().contains("geheim"), "{fault}");
        }
        assert!(!format!("{:?}", ApiKeys::parse("api_geheim.x").unwrap()).contains("geheim"));
    }
}
