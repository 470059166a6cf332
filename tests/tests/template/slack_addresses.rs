//! Which addresses the template takes for Slack: those that the functions do.

use outbound::SlackWebhook;
use tests::template::{Template, text};

use super::prefixes::matches;

#[test]
fn an_address_at_slack_that_is_no_incoming_webhook_is_refused_before_anything_is_deployed() {
    let values = [
        "https://hooks.slack.com/services/T0/B0/x",
        "https://hooks.slack-gov.com/services/T0/B0/x",
        "https://hooks.slack.com/triggers/T0/1/x",
        "https://hooks.slack.com/workflows/T0/A0/1/x",
        "https://hooks.slack-gov.com/triggers/T0/1/x",
        "https://hooks.slack.com/",
        "https://hooks.slack.com",
        "https://slack.com/api/chat.postMessage",
        "https://acme.slack.com/services/T0/B0/x",
        "https://slack.com:443/services/x",
        "https://user@slack.com/services/x",
        "https://slack.com?x",
        "http://hooks.slack.com/services/T0/B0/x",
        "https://chat.example.com/hooks/x",
        "https://discord.com/api/webhooks/1/x/slack",
        "https://slack.com.example.org/x",
        "https://notslack.com/x",
        "https://example.com/slack.com/x",
        "http://127.0.0.1:1/x",
        "xoxb-1-x",
        "hooks.slack.com/services/T0/B0/x",
    ];
    let template = Template::read();
    let pattern = &template.parameter("SlackWebhookUrl")["AllowedPattern"];
    let found = matches(text(pattern), &values.map(str::to_owned));
    for (value, found) in values.iter().zip(found) {
        assert_eq!(found, SlackWebhook::parse(value).is_ok(), "{value}");
    }
    assert_eq!(matches(text(pattern), &[String::new()]), [true], "it may be left out");
}
