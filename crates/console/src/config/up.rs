//! The configuration of `leadops up`, typed and checked.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use close::client::ApiKeys;
use close::signature::Keys;
use lead::Timestamp;
use ops::{Condition, ConditionState};
use outbound::{
    OwnerSource,
    destinations::{BuiltDestinations, ConstantSecret, SecretSetting, SettingsSource, make},
};
use outside::text;
use pipeline::{
    Code, Fault, Settings, Variables,
    destination::{Destination, DestinationId, Destinations, Kind},
    ingest::Trust,
    ports::Secret,
};

use super::Config;

/// The configuration of a pipeline that is to run.
pub struct UpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The stages' settings.
    pub settings: Settings,
    /// Who may send webhooks.
    pub trust: Trust,
    /// Where owners are looked up.
    pub owners: OwnerSource,
    /// The keys for Close's API, if it is used.
    pub close_keys: Option<ApiKeys>,
    /// Where alerts go.
    pub destinations: Destinations,
    /// How long log lines are stored.
    pub keep_logs: Duration,
    /// How long the journal and receipts are stored.
    pub keep_journal: Duration,
    /// Problems with destinations, and with Close's API key. None of them prevents a webhook from being accepted: a new
    /// pipeline does not start with them, and one that holds leads starts with a warning.
    pub problems: Vec<SettingProblem>,
}

/// A problem with how alerts are sent, or owners are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// Where: a destination's id, or [`SettingProblem::CLOSE_KEY`].
    pub what: String,
    /// What is wrong.
    pub fault: Fault,
}

impl SettingProblem {
    /// A problem in the settings of a destination.
    pub fn of_destination((id, fault): (DestinationId, Fault)) -> Self {
        Self { what: id.into(), fault }
    }

    /// The API key of Close.
    pub const CLOSE_KEY: &'static str = "close_key";

    /// The same as a condition of the running pipeline.
    pub fn condition(&self, since: Timestamp) -> Condition {
        let Fault { code, what } = &self.fault;
        Condition {
            what: self.what.clone(),
            state: ConditionState::Fail,
            since: Some(since),
            reason: what.clone(),
            code: Some(*code),
        }
    }
}

/// Receipts are needed as long as owners are looked up again: at most a hundred times, every four hours.
const LEAST_JOURNAL_DAYS: u64 = 20;

impl UpConfig {
    /// The problems with alerts, even if something else is wrong too.
    ///
    /// # Errors
    /// The settings do not say how alerts are sent.
    pub fn problems(config: &Config) -> Result<Vec<SettingProblem>, Fault> {
        Ok(AlertSetUp::read(config, &Settings::read(&config.variables())?).problems)
    }

    /// Reads and checks every setting.
    ///
    /// # Errors
    /// The first setting that is wrong, by its name and without its value if that is a secret. Problems that only concern
    /// alerts are among the [`problems`](Self::problems) instead.
    pub fn read(config: &Config) -> Result<Self, Fault> {
        let listen = config.get("LEADOPS_LISTEN").unwrap_or_default();
        let listen: SocketAddr = listen.parse().map_err(|_| {
            Fault::new(
                Code::AddressUnusable,
                format!("{:?} is not an address such as 127.0.0.1:8080", text::shorten(listen, 80)),
            )
        })?;
        let variables = config.variables();
        let settings = Settings::read(&variables)?;
        let trust = trust(config, &variables, listen)?;
        let owners = OwnerSource::of_variables(&variables)?;
        let AlertSetUp { destinations, close_keys, problems } = AlertSetUp::read(config, &settings);
        Ok(Self {
            listen,
            trust,
            owners,
            close_keys,
            destinations,
            keep_logs: days(&variables, "KEEP_LOGS_DAYS", 1, 14)?,
            keep_journal: days(&variables, "KEEP_JOURNAL_DAYS", LEAST_JOURNAL_DAYS, 90)?,
            settings,
            problems,
        })
    }
}

/// The destinations and the keys for Close's API, and the problems with them.
struct AlertSetUp {
    destinations: Destinations,
    close_keys: Option<ApiKeys>,
    problems: Vec<SettingProblem>,
}

impl AlertSetUp {
    fn read(config: &Config, settings: &Settings) -> Self {
        let BuiltDestinations { destinations, warnings: problems } = make(config, &settings.destinations);
        let mut problems: Vec<SettingProblem> =
            problems.into_iter().map(SettingProblem::of_destination).collect();
        let close_keys = api_keys(config).unwrap_or_else(|fault| {
            problems.push(SettingProblem { what: SettingProblem::CLOSE_KEY.to_owned(), fault });
            None
        });
        Self { destinations, close_keys, problems }
    }
}

impl SettingsSource for Config {
    fn get(&self, name: &str) -> Option<String> {
        self.variables().get(name)
    }

    fn secret(&self, setting: &SecretSetting) -> Result<Option<Arc<dyn Secret>>, Fault> {
        let constant = |text| Arc::new(ConstantSecret { name: setting.value, text }) as Arc<dyn Secret>;
        Ok(self.secret(setting.value)?.map(constant))
    }

    fn name_of(&self, setting: &SecretSetting) -> &'static str {
        setting.value
    }

    fn own_destination(&self, _: &Kind) -> Option<Arc<dyn Destination>> {
        None
    }
}

/// The keys that webhooks may be signed with: `CLOSE_SIGNATURE_KEY`, none if it is not set.
///
/// # Errors
/// [`Code::SignatureKeyBad`] for an invalid key, or why the secret cannot be read.
pub fn signature_keys(config: &Config) -> Result<Keys, Fault> {
    let Some(secret) = config.secret("CLOSE_SIGNATURE_KEY")? else { return Ok(Keys::none()) };
    Keys::parse(secret.expose())
        .map_err(|error| Fault::new(Code::SignatureKeyBad, format!("CLOSE_SIGNATURE_KEY: {error}")))
}

/// The keys for Close's API: `CLOSE_API_KEY`, if it is set.
///
/// # Errors
/// The fault of an invalid key, or why the secret cannot be read.
fn api_keys(config: &Config) -> Result<Option<ApiKeys>, Fault> {
    let Some(secret) = config.secret("CLOSE_API_KEY")? else { return Ok(None) };
    let keys = ApiKeys::parse(secret.expose());
    keys.map(Some).map_err(|error| Fault::new(Code::CloseKeyMissing, format!("CLOSE_API_KEY: {error}")))
}

/// The keys for Close's API, where there have to be some.
///
/// # Errors
/// [`Code::CloseKeyMissing`] where `CLOSE_API_KEY` is not set or invalid, or why the secret cannot be read.
pub fn needed_api_keys(config: &Config) -> Result<ApiKeys, Fault> {
    api_keys(config)?.ok_or_else(|| Fault::new(Code::CloseKeyMissing, "CLOSE_API_KEY is not set"))
}

fn trust(config: &Config, variables: &Variables<'_>, listen: SocketAddr) -> Result<Trust, Fault> {
    let keys = signature_keys(config)?;
    let unsigned = variables.truth("LEADOPS_ALLOW_UNSIGNED", false)?;
    match (keys.is_empty(), unsigned) {
        (false, _) => Ok(Trust::Signed(keys)),
        (true, true) if listen.ip().is_loopback() => Ok(Trust::Anyone),
        (true, true) => Err(Fault::new(
            Code::UnsignedExposed,
            format!("LEADOPS_ALLOW_UNSIGNED is set, but {listen} is not loopback"),
        )),
        (true, false) => Err(Fault::new(Code::SignatureKeyMissing, "CLOSE_SIGNATURE_KEY is not set")),
    }
}

fn days(variables: &Variables<'_>, name: &str, least: u64, default: u64) -> Result<Duration, Fault> {
    Ok(Duration::from_secs(variables.number(name, (least, 3_650), default)? * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";

    fn read(environment: &[(&str, &str)]) -> Result<UpConfig, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "").unwrap();
        let config = Config::load(|name| match name {
            "LEADOPS_CONFIG" => Some(file.display().to_string()),
            _ => environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        });
        UpConfig::read(&config.unwrap())
    }

    #[test]
    fn a_signature_key_is_enough() {
        let config = read(&[("CLOSE_SIGNATURE_KEY", KEY)]).unwrap();
        assert_eq!(config.settings, Settings::default());
        assert!(matches!(config.trust, Trust::Signed(_)));
    }

    #[test]
    fn every_wrong_value_is_named_with_its_code_and_no_secret() {
        let key = ("CLOSE_SIGNATURE_KEY", KEY);
        for (environment, code, part) in [
            (&[][..], Code::SignatureKeyMissing, "CLOSE_SIGNATURE_KEY"),
            (&[("CLOSE_SIGNATURE_KEY", "hunter2")], Code::SignatureKeyBad, "64 hex digits"),
            (&[key, ("DELAY_SECONDS", "-5")], Code::SettingBad, "DELAY_SECONDS"),
            (&[key, ("DELAY_SECONDS", "901")], Code::SettingBad, "0 to 900"),
            (&[key, ("USE_SLACK", "maybe")], Code::SettingBad, "USE_SLACK"),
            (&[key, ("USE_SLACK", "false")], Code::SettingBad, "nobody"),
            (&[key, ("LEADOPS_LISTEN", "nowhere")], Code::AddressUnusable, "nowhere"),
            (&[key, ("LOOKUP_BASE_URL", "ftp://x")], Code::SettingBad, "LOOKUP_BASE_URL"),
            (&[key, ("OWNER_SOURCE", "both")], Code::SettingBad, "OWNER_SOURCE"),
            (&[key, ("TARGET_PREFIX", "../x")], Code::SettingBad, "TARGET_PREFIX"),
            (
                &[("LEADOPS_ALLOW_UNSIGNED", "true"), ("LEADOPS_LISTEN", "0.0.0.0:1")],
                Code::UnsignedExposed,
                "loopback",
            ),
        ] {
            let fault = read(environment).map(drop).unwrap_err();
            assert_eq!(fault.code, code, "{fault}");
            assert!(fault.what.contains(part) && !fault.what.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn problems_with_alerts_are_collected() {
        let key = ("CLOSE_SIGNATURE_KEY", KEY);
        let slack = ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/hunter2");
        let mail = [("USE_EMAIL", "true"), ("SMTP_URL", "smtp://localhost"), ("EMAIL_FROM", "a@example.com")];
        for (environment, problems) in [
            (&[key, slack][..], &[][..]),
            (&[key, ("USE_EMAIL", "true"), slack], &[(Code::MailNotConfigured, "SMTP_URL")]),
            (&[key], &[(Code::SlackNotConfigured, "SLACK_WEBHOOK_URL")]),
            (&[key, ("SLACK_WEBHOOK_URL", "hunter2")], &[(Code::SettingBad, "SLACK_WEBHOOK_URL")]),
            (
                &[key, ("SLACK_WEBHOOK_URL_FILE", "/nonexistent")],
                &[(Code::FileUnusable, "SLACK_WEBHOOK_URL")],
            ),
            (&[key, slack, mail[0], mail[1], mail[2]], &[(Code::MailNotConfigured, "EMAIL_TO")]),
            (
                &[key, slack, mail[0], mail[1], mail[2], ("EMAIL_TO", "hunter2")],
                &[(Code::SettingBad, "EMAIL_TO")],
            ),
            (&[key, slack, ("CLOSE_API_KEY", "hunter2:")], &[(Code::CloseKeyMissing, "CLOSE_API_KEY")]),
        ] {
            let found = read(environment).unwrap().problems;
            assert_eq!(found.len(), problems.len(), "{found:?}");
            for (SettingProblem { fault, .. }, (code, part)) in found.iter().zip(problems) {
                assert!(fault.code == *code && fault.what.contains(part), "{fault}");
            }
        }
    }

    #[test]
    fn unsigned_webhooks_are_for_loopback_only() {
        let config = read(&[("LEADOPS_ALLOW_UNSIGNED", "true"), ("LEADOPS_LISTEN", "[::1]:0")]).unwrap();
        assert!(matches!(config.trust, Trust::Anyone));
    }
}
