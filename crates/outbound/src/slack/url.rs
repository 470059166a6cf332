//! Reading the URL of an incoming webhook.

use pipeline::{plain_name, unpasted};
use url::Url;

use crate::{SecretUrl, rotating};

impl SecretUrl {
    /// Reads a webhook's URL, bare or as the JSON in which secret stores hold it: an object with
    /// `webhook_url`, `slack_webhook_url` or `url`, in any spelling.
    ///
    /// # Errors
    /// A line for the operator that shows nothing of the text.
    pub fn parse(secret: &str) -> Result<Self, String> {
        const NAMES: [&str; 3] = ["webhookurl", "slackwebhookurl", "url"];
        let secret = unpasted(secret);
        if !secret.starts_with('{') {
            return Self::parse_url(secret);
        }
        let fields = rotating::fields(secret)?;
        let url = rotating::field(&fields, &NAMES)
            .ok_or("it is JSON without a text webhook_url, slack_webhook_url or url")?;
        Self::parse_url(url)
    }

    fn parse_url(text: &str) -> Result<Self, String> {
        if let Some((name, _)) = text.split_once('=')
            && plain_name(name.trim_start_matches("export ")) == "slackwebhookurl"
        {
            return Err(
                "it begins with SLACK_WEBHOOK_URL=, which is the setting's name and no part of its value"
                    .to_owned(),
            );
        }
        let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if host.ends_with("slack.com") || host.ends_with("slack-gov.com") => {
                Err("it begins with http://, which would send Slack's secret in the clear".to_owned())
            }
            // For stand-ins.
            "http" => Ok(Self(url)),
            _ => Err("it begins with neither https:// nor http://".to_owned()),
        }
    }
}
