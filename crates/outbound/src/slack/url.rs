//! Reading the URL of an incoming webhook.

use outside::unpasted;
use url::Url;

use crate::{SecretUrl, rotating, secret_url::pasted_url};
use web::without_trailing_dot;

/// The domains of Slack and GovSlack.
const OF_SLACK: [&str; 2] = ["slack.com", "slack-gov.com"];

impl SecretUrl {
    /// Whether it is at one of Slack's own hosts.
    pub(super) fn is_of_slack(&self) -> bool {
        is_of_slack(&self.0)
    }

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
        if text.starts_with("xox") {
            return Err("it is an app's token, not a URL: create an incoming webhook for the app".to_owned());
        }
        let url = pasted_url(text, "SLACK_WEBHOOK_URL").map_err(|why| format!("it {why}"))?;
        match url.scheme() {
            "https" if is_of_slack(&url) && !is_incoming(&url) => Err(format!(
                "an incoming webhook of Slack's is https://hooks.slack.com/services/…, and this is {}: {}",
                what_at_slack(&url),
                "for leads in another format use a signed webhook (USE_WEBHOOK, WEBHOOK_URL)"
            )),
            "https" => Ok(Self(url)),
            "http" if is_of_slack(&url) => {
                Err("it begins with http://, which would send Slack's secret in the clear".to_owned())
            }
            // For stand-ins.
            "http" => Ok(Self(url)),
            _ => Err("it begins with neither https:// nor http://".to_owned()),
        }
    }
}

fn is_of_slack(url: &Url) -> bool {
    let host = without_trailing_dot(url.host_str().unwrap_or_default());
    OF_SLACK
        .iter()
        .any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Whether it is what Slack makes for an app: `/services/T…/B…/…` at the hosts of hooks. A workflow's trigger takes
/// another form, answers `{"ok":true}` to everything and posts nothing (apprise#891).
fn is_incoming(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.starts_with("hooks.") && url.path().starts_with("/services/")
}

/// What an address of Slack's is that is not an incoming webhook.
fn what_at_slack(url: &Url) -> &'static str {
    let path = url.path();
    match path.split('/').nth(1).unwrap_or_default() {
        "triggers" | "workflows" => "a workflow's",
        "api" => "one of its API",
        "commands" | "actions" | "app" => "one for answers to commands",
        _ => "another of Slack's addresses",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_slack_itself_only_an_incoming_webhook_is_one() {
        for url in [
            "https://hooks.slack.com/services/T0/B0/x",
            "https://hooks.slack-gov.com/services/T0/B0/x",
            "https://chat.example.com/hooks/x",
            "https://discord.com/api/webhooks/1/x/slack",
            "https://slack.com.example.org/anything",
            "https://notslack.com/anything",
            "http://127.0.0.1:1/anything",
        ] {
            assert!(SecretUrl::parse(url).is_ok(), "{url}");
        }
        for (url, part) in [
            ("https://hooks.slack.com/triggers/T0/1/hunter2", "a workflow's"),
            ("https://hooks.slack.com/workflows/T0/A0/1/hunter2", "a workflow's"),
            ("https://hooks.slack-gov.com/triggers/T0/1/hunter2", "USE_WEBHOOK"),
            ("https://slack.com/api/chat.postMessage?token=hunter2", "its API"),
            ("https://hooks.slack.com/commands/T0/1/hunter2", "commands"),
            ("https://acme.slack.com/services/hunter2", "incoming webhook of Slack's is"),
            ("https://hooks.slack.com/hunter2", "another of Slack's addresses"),
            ("xoxb-1-hunter2", "token"),
            ("hooks.slack.com/services/T0/B0/hunter2", "https://"),
            ("http://hooks.slack.com/services/T0/B0/hunter2", "in the clear"),
            ("http://hooks.slack.com./services/T0/B0/hunter2", "in the clear"),
            ("https://hooks.slack.com./triggers/T0/1/hunter2", "a workflow's"),
        ] {
            let error = SecretUrl::parse(url).unwrap_err();
            assert!(error.contains(part) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
