//! How the values of settings are shown.

use pipeline::Fault;
use serde::Serialize;
use url::Url;

use super::{Config, SETTINGS, Setting};

/// A value as `leadops config` shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The setting.
    pub name: &'static str,
    /// Its value; for a secret, only whether it is set and can be read.
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

/// How the shown value of an unusable secret begins.
const UNUSABLE: &str = "(unusable: ";

impl Config {
    /// All settings.
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

/// The value of a setting that is not a secret, without the password or the query that an address may contain.
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

/// An address without the parts that may be secret.
pub(super) fn address(text: &str) -> String {
    Url::parse(text).map_or_else(|_| NO_URL.to_owned(), |url| web::shown(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
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
