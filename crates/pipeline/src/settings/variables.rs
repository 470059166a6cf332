//! Settings by the names of their variables, wherever those come from: the environment of a process or
//! of a function, a config file, a stack's parameters.

use std::{fmt::Display, str::FromStr, time::Duration};

use outside::text;

use outside::unpasted;

use super::Settings;
use crate::{
    Code, Fault,
    destination::{DestinationId, KINDS},
    ports::MAX_DELAY,
};

/// Named values as text, of which an empty one is none.
pub struct Variables<'a>(Box<Source<'a>>);

/// Where a value comes from, by its name.
type Source<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl<'a> Variables<'a> {
    /// Variables that `get` knows.
    pub fn new(get: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self(Box::new(get))
    }

    /// A value without what pasting leaves around it, see [`unpasted`], if there is one.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?;
        let value = unpasted(&value);
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// A value that has to be there.
    ///
    /// # Errors
    /// [`Code::SettingBad`] where it is not.
    pub fn needed(&self, name: &str) -> Result<String, Fault> {
        self.get(name).ok_or_else(|| bad(format!("{name} is not set")))
    }

    /// A yes or a no.
    ///
    /// # Errors
    /// [`Code::SettingBad`] for any other word.
    pub fn truth(&self, name: &str, default: bool) -> Result<bool, Fault> {
        let Some(value) = self.get(name) else { return Ok(default) };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(bad(format!("{name} is {:?}: expected true or false", text::shorten(&value, 60)))),
        }
    }

    /// A whole number within bounds.
    ///
    /// # Errors
    /// [`Code::SettingBad`] for anything else.
    pub fn number<N: FromStr + PartialOrd + Display + Copy>(
        &self,
        name: &str,
        (least, most): (N, N),
        default: N,
    ) -> Result<N, Fault> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let number = value.parse::<N>().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| {
            let value = text::shorten(&value, 60);
            bad(format!("{name} is {value:?}: expected a whole number from {least} to {most}"))
        })
    }

    /// A number of seconds within bounds.
    ///
    /// # Errors
    /// [`Code::SettingBad`] for anything else.
    pub fn seconds(
        &self,
        name: &str,
        (least, most): (u64, u64),
        default: Duration,
    ) -> Result<Duration, Fault> {
        Ok(Duration::from_secs(self.number(name, (least, most), default.as_secs())?))
    }

    /// A prefix of object keys: nothing that could leave its folder. [`Settings::check_prefixes`] says with what it may
    /// not collide.
    fn prefix(&self, name: &str, default: &str) -> Result<String, Fault> {
        let prefix = self.get(name).unwrap_or_else(|| default.to_owned());
        let plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./=".contains(&b))
            && !prefix.contains("..")
            && !prefix.starts_with('/');
        if plain && (1..=200).contains(&prefix.len()) {
            return Ok(prefix);
        }
        let shown = text::shorten(&prefix, 60);
        Err(bad(format!("{name} is {shown:?}: expected letters, digits, - _ . = and /")))
    }
}

impl Settings {
    /// Reads and checks the figures and names of the stages; what is not set is as in
    /// [`Settings::default`].
    ///
    /// # Errors
    /// [`Code::SettingBad`] for the first that is wrong, by its name.
    pub fn read(variables: &Variables<'_>) -> Result<Self, Fault> {
        let default = Self::default();
        let mut destinations = Vec::new();
        for kind in KINDS {
            if variables.truth(kind.switch, kind.is_default)? {
                destinations.push(DestinationId::of_kind(kind));
            }
        }
        if destinations.is_empty() {
            let switches: Vec<&str> = KINDS.iter().map(|kind| kind.switch).collect();
            let switches = switches.join(", ");
            return Err(bad(format!("{switches} are all false, so that nobody would be notified of a lead")));
        }
        Ok(Self {
            source_prefix: variables.prefix("SOURCE_PREFIX", &default.source_prefix)?,
            target_prefix: variables.prefix("TARGET_PREFIX", &default.target_prefix)?,
            delay: variables.seconds("DELAY_SECONDS", (0, MAX_DELAY.as_secs()), default.delay)?,
            destinations,
            process_attempts: variables.number("PROCESS_ATTEMPTS", (1, 100), default.process_attempts)?,
            notify_attempts: variables.number("NOTIFY_ATTEMPTS", (1, 100), default.notify_attempts)?,
            rechecks: variables.number("RECHECKS", (0, 100), default.rechecks)?,
            signature_max_age: variables.seconds(
                "SIGNATURE_MAX_AGE_SECONDS",
                (1, 100 * 365 * 86_400),
                default.signature_max_age,
            )?,
            overdue_after: variables.seconds("OVERDUE_SECONDS", (1, 86_400), default.overdue_after)?,
        })
    }
}

fn bad(what: impl Into<String>) -> Fault {
    Fault::new(Code::SettingBad, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<Settings, Fault> {
        Settings::read(&Variables::new(|name| {
            values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn what_is_not_set_is_the_default_and_empty_is_not_set() {
        assert_eq!(read(&[]), Ok(Settings::default()));
        assert_eq!(read(&[("DELAY_SECONDS", ""), ("USE_SLACK", " ")]), Ok(Settings::default()));
        let settings = read(&[("DELAY_SECONDS", " 5 "), ("USE_EMAIL", "Yes"), ("TARGET_PREFIX", "out/")]);
        let expected = Settings {
            delay: Duration::from_secs(5),
            destinations: ["slack", "email"].map(|id| id.parse().unwrap()).into(),
            target_prefix: "out/".to_owned(),
            ..Settings::default()
        };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn every_wrong_value_is_named() {
        for (name, value, part) in [
            ("DELAY_SECONDS", "-5", "0 to 900"),
            ("DELAY_SECONDS", "901", "0 to 900"),
            ("PROCESS_ATTEMPTS", "0", "1 to 100"),
            ("USE_SLACK", "maybe", "true or false"),
            ("USE_SLACK", "false", "nobody"),
            ("TARGET_PREFIX", "../x", "letters"),
        ] {
            let fault = read(&[(name, value)]).unwrap_err();
            assert_eq!(fault.code, Code::SettingBad);
            assert!(fault.what.contains(name) && fault.what.contains(part), "{fault}");
        }
    }
}
