//! Variables that look like settings but are not: a misspelt one would otherwise be ignored silently.

use outside::text;
use pipeline::{Code, Fault};
use serde::Serialize;

use super::SETTINGS;

/// An environment variable that looks like a setting but is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// Its name.
    pub name: String,
    /// The setting that may be meant.
    pub meant: Option<&'static str>,
}

impl Unknown {
    /// The same for people.
    pub fn fault(&self) -> Fault {
        let meant = self.meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        Fault::new(Code::SettingUnknown, format!("{} is not a setting{meant}", text::shorten(&self.name, 60)))
    }

    /// Adds this name to a fault about the setting that is meant, so that one line has both.
    pub fn hint(&self, fault: Fault) -> Fault {
        let begin = self.name.split_inclusive('_').next().unwrap_or_default().to_ascii_uppercase();
        let is_about = match self.meant {
            Some(meant) => fault.what.contains(meant),
            None => fault.what.contains(&begin),
        };
        if !is_about {
            return fault;
        }
        let name = text::shorten(&self.name, 60);
        Fault::new(fault.code, format!("{}; {name} is set, but is not a setting", fault.what))
    }
}

/// Variables outside [`SETTINGS`] that are read, here or by `infrastructure/deploy`.
const OTHER_VARIABLES: [&str; 5] =
    ["CREDENTIALS_DIRECTORY", "LEADOPS_ARTEFACTS", "LEADOPS_CONFIG", "LEADOPS_LOG", "LEADOPS_THEME"];
/// Prefixes that only our variables have.
const OUR_PREFIXES: [&str; 3] = ["LEADOPS_", "CLOSE_", "LOOKUP_"];
/// How many letters of a name may be wrong, and how long it has to be for that to count.
const MAX_TYPOS: (usize, usize) = (2, 8);

/// The unknown ones among these names.
pub(super) fn find<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Unknown> {
    let mut unknown: Vec<Unknown> = names.filter_map(suspect).collect();
    unknown.sort_by(|a, b| a.name.cmp(&b.name));
    unknown
}

fn suspect(name: &str) -> Option<Unknown> {
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name || is_known(name) || is_of_kubernetes(name) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let meant = meant(&upper);
    let is_ours = OUR_PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
    (is_ours || meant.is_some()).then(|| Unknown { name: name.to_owned(), meant })
}

/// Whether a variable of this name is read.
pub(super) fn is_known(name: &str) -> bool {
    let of = |name: &str| SETTINGS.iter().find(|setting| setting.name == name);
    let names_file = name.strip_suffix("_FILE").and_then(of).is_some_and(|setting| setting.secret);
    of(name).is_some() || names_file || OTHER_VARIABLES.contains(&name)
}

/// What Kubernetes sets in each container for a service of the name `leadops`:
/// <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>.
fn is_of_kubernetes(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.contains("_PORT_")
}

/// The setting that was most likely meant by a name.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix("_FILE").unwrap_or(name);
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    // A single word is too general.
    if words.len() < 2 {
        return None;
    }
    let has_all = |setting: &str| {
        let theirs: Vec<&str> = setting.split('_').collect();
        words.iter().all(|word| theirs.contains(word))
    };
    let rank = |setting: &'static str| {
        let typos = strsim::damerau_levenshtein(name, setting);
        let close = typos <= MAX_TYPOS.0 && name.len() >= MAX_TYPOS.1;
        (close || has_all(setting)).then_some((typos, setting))
    };
    SETTINGS.iter().filter_map(|setting| rank(setting.name)).min().map(|(_, setting)| setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_setting_is_named_with_the_one_that_is_meant() {
        for (name, meant) in [
            ("LOOKUP_URL", Some("LOOKUP_BASE_URL")),
            ("CLOSE_SIGNATURE_KEYS", Some("CLOSE_SIGNATURE_KEY")),
            ("CLOSE_KEY", Some("CLOSE_API_KEY")),
            ("SLACK_URL", Some("SLACK_WEBHOOK_URL")),
            ("SLACK_WEBHOOK", Some("SLACK_WEBHOOK_URL")),
            ("SLACK_WEBHOK_URL", Some("SLACK_WEBHOOK_URL")),
            ("slack_webhook_url", Some("SLACK_WEBHOOK_URL")),
            ("DELAY_SECOND", Some("DELAY_SECONDS")),
            ("DELAY_SECONDS_FILE", Some("DELAY_SECONDS")),
            ("USE_MAIL", Some("USE_EMAIL")),
            ("SMTP_URI", Some("SMTP_URL")),
            ("LEADOPS_DIR", None),
            ("LEADOPS_DATA_DIR", None),
            ("CLOSE_SIGNATURE_SECRET_NAME", None),
        ] {
            let found = find([name].into_iter());
            assert_eq!(found, [Unknown { name: name.to_owned(), meant }], "{name}");
        }
    }

    #[test]
    fn settings_and_the_variables_of_others_are_not() {
        let names = [
            "LOOKUP_BASE_URL",
            "SMTP_URL_FILE",
            "CLOSE_SIGNATURE_KEY_FILE",
            "LEADOPS_THEME",
            "LEADOPS_PORT",
            "LEADOPS_PORT_8080_TCP_ADDR",
            "LEADOPS_SERVICE_HOST",
            "SLACK_BOT_TOKEN",
            "EMAIL",
            "SMTP_HOST",
            "AWS_PROFILE",
            "PATH",
            "EDITOR",
            "USE_COLOR",
        ];
        assert_eq!(find(names.into_iter()), []);
    }
}
