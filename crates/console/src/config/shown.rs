//! How values are shown, wherever they come from.

use pipeline::Fault;
use serde::Serialize;
use url::Url;

use super::{Config, SETTINGS, Setting};

/// A value as `leadops config` shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The setting.
    pub name: &'static str,
    /// Its value; of a secret, only whether there is one and can be read.
    pub value: Option<String>,
    /// Where it came from.
    pub source: String,
    /// What it is for.
    pub about: &'static str,
}

impl Shown {
    /// Why a secret that is set cannot be used.
    pub fn unusable(&self) -> Option<&str> {
        self.value.as_deref()?.strip_prefix(UNUSABLE)?.strip_suffix(')')
    }
}

/// How the value of a secret begins that cannot be used.
const UNUSABLE: &str = "(unusable: ";

impl Config {
    /// Every setting as it is.
    pub fn shown(&self) -> Vec<Shown> {
        SETTINGS.iter().map(|setting| self.shown_one(setting)).collect()
    }

    fn shown_one(&self, setting: &Setting) -> Shown {
        let (value, source) = if setting.secret {
            let value = match self.secret(setting.name) {
                Ok(secret) => secret.map(|_| "(set)".to_owned()),
                Err(Fault { what, .. }) => Some(format!("{UNUSABLE}{what})")),
            };
            (value, self.secret_source(setting.name))
        } else {
            let value = self.get(setting.name).map(|value| without_secrets(setting.name, value));
            (value, self.source(setting.name))
        };
        let source = source.map_or_else(|| "unset".to_owned(), ToString::to_string);
        Shown { name: setting.name, value, source, about: setting.about }
    }
}

/// The value of a setting that is no secret, without the password or the query that an address may have in it.
pub fn without_secrets(name: &str, value: &str) -> String {
    let address = match name {
        "LOOKUP_BASE_URL" => outbound::OwnersBase::parse(value).ok().map(|base| base.to_string()),
        "CLOSE_API_URL" => close::client::CloseBase::parse(value).ok().map(|base| base.to_string()),
        _ if value.contains("://") => return address(value),
        _ => return value.to_owned(),
    };
    address.unwrap_or_else(|| NO_URL.to_owned())
}

const NO_URL: &str = "(no valid URL)";

/// An address without what may be a secret in it.
pub(super) fn address(text: &str) -> String {
    Url::parse(text).map_or_else(|_| NO_URL.to_owned(), |url| web::shown(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_shows_what_is_secret_in_it() {
        for (name, value, shown) in [
            ("LOOKUP_BASE_URL", "https://u:hunter2@h/owners/", "https://h/owners"),
            ("LOOKUP_BASE_URL", "u:hunter2@h", NO_URL),
            ("CLOSE_API_URL", "https://u:hunter2@api.close.com", NO_URL),
            ("LOOKUP_BUCKET", "https://u:hunter2@h/?k=hunter2#hunter2", "https://…@h/?…"),
            ("LOOKUP_BUCKET", "http://[hunter2", NO_URL),
            ("EMAIL_FROM", "Leads <a@example.com>", "Leads <a@example.com>"),
            ("DELAY_SECONDS", "600", "600"),
        ] {
            assert_eq!(without_secrets(name, value), shown, "{value}");
        }
    }
}
