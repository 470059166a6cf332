//! What `leadops up` needs, typed and checked.

use std::{net::SocketAddr, time::Duration};

use lead::text;
use outbound::{OwnersBase, SecretUrl, SmtpSettings};
use pipeline::{Channel, Code, Fault, Settings, ingest::Trust, signature::Keys};

use super::Config;

/// The configuration of a pipeline that is to run.
pub struct UpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Figures and names of the stages.
    pub settings: Settings,
    /// Who may send webhooks.
    pub trust: Trust,
    /// The owner directory.
    pub owners: OwnersBase,
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
        let (use_slack, use_email) = (truth(config, "USE_SLACK")?, truth(config, "USE_EMAIL")?);
        let channels: Vec<Channel> = [(use_slack, Channel::Slack), (use_email, Channel::Email)]
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, channel)| channel)
            .collect();
        if channels.is_empty() {
            return Err(bad("USE_SLACK and USE_EMAIL are both false, so nobody would be told of a lead"));
        }
        let settings = Settings {
            source_prefix: prefix(config, "SOURCE_PREFIX")?,
            target_prefix: prefix(config, "TARGET_PREFIX")?,
            delay: Duration::from_secs(number(config, "DELAY_SECONDS", 0, crate::cli::LONGEST_DELAY)?),
            channels,
            process_attempts: small(config, "PROCESS_ATTEMPTS", 1, 100)?,
            notify_attempts: small(config, "NOTIFY_ATTEMPTS", 1, 100)?,
            rechecks: small(config, "RECHECKS", 0, 100)?,
            signature_max_age: Duration::from_secs(number(
                config,
                "SIGNATURE_MAX_AGE_SECONDS",
                1,
                100 * 365 * 86_400,
            )?),
            overdue_after: Duration::from_secs(number(config, "OVERDUE_SECONDS", 1, 86_400)?),
        };
        if settings.source_prefix == settings.target_prefix {
            return Err(bad("SOURCE_PREFIX and TARGET_PREFIX are the same"));
        }
        Ok(Self {
            listen,
            trust: trust(config, listen)?,
            owners: owners(config)?,
            slack: match config.get("SLACK_WEBHOOK_URL") {
                Some(url) => Some(SecretUrl::parse(url).map_err(|e| bad(format!("SLACK_WEBHOOK_URL: {e}")))?),
                None => None,
            },
            slack_burst: small(config, "SLACK_BURST", 1, 30)?,
            mail: mail(config, use_email)?,
            keep_logs: days(config, "KEEP_LOGS_DAYS", 1)?,
            keep_journal: days(config, "KEEP_JOURNAL_DAYS", LEAST_JOURNAL_DAYS)?,
            settings,
        })
    }
}

fn trust(config: &Config, listen: SocketAddr) -> Result<Trust, Fault> {
    let keys = Keys::parse(config.get("CLOSE_SIGNATURE_KEY").unwrap_or_default())
        .map_err(|e| Fault::new(Code::SignatureKeyBad, format!("CLOSE_SIGNATURE_KEY: {e}")))?;
    let unsigned = truth(config, "LEADOPS_ALLOW_UNSIGNED")?;
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

fn owners(config: &Config) -> Result<OwnersBase, Fault> {
    match config.get("LOOKUP_BASE_URL") {
        Some(url) => OwnersBase::parse(url).map_err(|e| bad(format!("LOOKUP_BASE_URL: {e}"))),
        None => {
            let bucket = config.get("LOOKUP_BUCKET").unwrap_or_default();
            OwnersBase::of_bucket(bucket).map_err(|e| bad(format!("LOOKUP_BUCKET: {e}")))
        }
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

/// A prefix of object keys: nothing that could leave its folder or collide with ours.
fn prefix(config: &Config, name: &str) -> Result<String, Fault> {
    let prefix = config.get(name).unwrap_or_default();
    let plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./=".contains(&b))
        && !prefix.contains("..")
        && !prefix.starts_with('/');
    let ours = ["journal/", "receipts/", "deleted/"].iter().any(|ours| prefix.starts_with(ours));
    if plain && !ours && (1..=200).contains(&prefix.len()) {
        return Ok(prefix.to_owned());
    }
    Err(bad(format!(
        "{name} is {:?}: expected letters, digits, - _ . = and /, outside journal/, receipts/ and deleted/",
        text::shorten(prefix, 60)
    )))
}

fn truth(config: &Config, name: &str) -> Result<bool, Fault> {
    let value = config.get(name).unwrap_or_default();
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(bad(format!("{name} is {:?}: expected true or false", text::shorten(value, 60)))),
    }
}

fn number(config: &Config, name: &str, least: u64, most: u64) -> Result<u64, Fault> {
    let value = config.get(name).unwrap_or_default();
    let number = value.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        bad(format!(
            "{name} is {:?}: expected a whole number from {least} to {most}",
            text::shorten(value, 60)
        ))
    })
}

fn small(config: &Config, name: &str, least: u32, most: u32) -> Result<u32, Fault> {
    let number = number(config, name, least.into(), most.into())?;
    Ok(u32::try_from(number).unwrap_or(most))
}

fn days(config: &Config, name: &str, least: u64) -> Result<Duration, Fault> {
    Ok(Duration::from_secs(number(config, name, least, 3_650)? * 86_400))
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
