//! What `leadops up` needs, typed and checked.

use std::{net::SocketAddr, time::Duration};

use lead::text;
use outbound::{ApiKeys, OwnerSource, SecretUrl, SmtpSettings};
use pipeline::{Channel, Code, Fault, Settings, Variables, ingest::Trust, notify::Pace, signature::Keys};

use super::Config;

/// The configuration of a pipeline that is to run.
pub struct UpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Figures and names of the stages.
    pub settings: Settings,
    /// Who may send webhooks.
    pub trust: Trust,
    /// Where owners are.
    pub owners: OwnerSource,
    /// What Close is asked with, where it is.
    pub close_keys: Option<ApiKeys>,
    /// The Slack webhook, if there is one.
    pub slack: Option<SecretUrl>,
    /// How many Slack messages may go at once after a silence.
    pub slack_burst: u32,
    /// The mail server, if there is one.
    pub mail: Option<SmtpSettings>,
    /// How long log lines are kept.
    pub keep_logs: Duration,
    /// How long the journal and receipts are kept.
    pub keep_journal: Duration,
}

/// Receipts are needed as long as owners are looked for: a hundred times every four hours.
const LEAST_JOURNAL_DAYS: u64 = 20;

impl UpConfig {
    /// Reads and checks every setting.
    ///
    /// # Errors
    /// The first setting that is wrong, by its name and without its value where that is a secret.
    pub fn read(config: &Config) -> Result<Self, Fault> {
        let listen = config.get("LEADOPS_LISTEN").unwrap_or_default();
        let listen: SocketAddr = listen.parse().map_err(|_| {
            Fault::new(
                Code::AddressUnusable,
                format!("{:?} is no address such as 127.0.0.1:8080", text::shorten(listen, 80)),
            )
        })?;
        let variables = Variables::new(|name| config.get(name).map(str::to_owned));
        let settings = Settings::read(&variables)?;
        Ok(Self {
            listen,
            trust: trust(config, &variables, listen)?,
            owners: OwnerSource::of_variables(&variables)?,
            close_keys: match config.get("CLOSE_API_KEY") {
                Some(keys) => {
                    Some(ApiKeys::parse(keys).map_err(|e| bad(format!("CLOSE_API_KEY: {}", e.what)))?)
                }
                None => None,
            },
            slack: match config.get("SLACK_WEBHOOK_URL") {
                Some(url) => Some(SecretUrl::parse(url).map_err(|e| bad(format!("SLACK_WEBHOOK_URL: {e}")))?),
                None => None,
            },
            slack_burst: variables.number("SLACK_BURST", (1, 30), Pace::BURST)?,
            mail: mail(config, settings.channels.contains(&Channel::Email))?,
            keep_logs: days(&variables, "KEEP_LOGS_DAYS", 1, 14)?,
            keep_journal: days(&variables, "KEEP_JOURNAL_DAYS", LEAST_JOURNAL_DAYS, 90)?,
            settings,
        })
    }
}

fn trust(config: &Config, variables: &Variables<'_>, listen: SocketAddr) -> Result<Trust, Fault> {
    let keys = Keys::parse(config.get("CLOSE_SIGNATURE_KEY").unwrap_or_default())
        .map_err(|e| Fault::new(Code::SignatureKeyBad, format!("CLOSE_SIGNATURE_KEY: {e}")))?;
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

fn mail(config: &Config, wanted: bool) -> Result<Option<SmtpSettings>, Fault> {
    let Some(url) = config.get("SMTP_URL") else { return Ok(None) };
    match (config.get("EMAIL_FROM"), config.get("EMAIL_TO")) {
        (Some(from), Some(to)) => SmtpSettings::parse(url, from, to).map(Some).map_err(bad),
        _ if wanted => Err(bad("SMTP_URL is set, but EMAIL_FROM or EMAIL_TO is not")),
        _ => Ok(None),
    }
}

fn days(variables: &Variables<'_>, name: &str, least: u64, default: u64) -> Result<Duration, Fault> {
    Ok(Duration::from_secs(variables.number(name, (least, 3_650), default)? * 86_400))
}

fn bad(what: impl Into<String>) -> Fault {
    Fault::new(Code::SettingBad, what)
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
    fn a_key_is_all_it_takes() {
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
            (&[key, ("SLACK_WEBHOOK_URL", "hunter2")], Code::SettingBad, "SLACK_WEBHOOK_URL"),
            (&[key, ("LOOKUP_BASE_URL", "ftp://x")], Code::SettingBad, "LOOKUP_BASE_URL"),
            (&[key, ("OWNER_SOURCE", "both")], Code::SettingBad, "OWNER_SOURCE"),
            (&[key, ("CLOSE_API_KEY", "hunter2:")], Code::SettingBad, "CLOSE_API_KEY"),
            (&[key, ("TARGET_PREFIX", "../x")], Code::SettingBad, "TARGET_PREFIX"),
            (&[key, ("TARGET_PREFIX", "source/")], Code::SettingBad, "same"),
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
    fn unsigned_is_for_loopback() {
        let config = read(&[("LEADOPS_ALLOW_UNSIGNED", "true"), ("LEADOPS_LISTEN", "[::1]:0")]).unwrap();
        assert!(matches!(config.trust, Trust::Anyone));
    }
}
