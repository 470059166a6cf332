//! All settings.

/// A setting, by the name of its environment variable. In the config file it has the same name in
/// lower case; a secret is given there as `name_file = "PATH"`.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// Its value if it is not set.
    pub default: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it is for, one line.
    pub about: &'static str,
}

const fn setting(name: &'static str, default: Option<&'static str>, about: &'static str) -> Setting {
    Setting { name, default, secret: false, about }
}

const fn secret(name: &'static str, about: &'static str) -> Setting {
    Setting { name, default: None, secret: true, about }
}

/// All settings, in the order of a lead's path.
pub const SETTINGS: &[Setting] = &[
    setting("LEADOPS_DATA", None, "folder of the embedded pipeline; by default the platform's data folder"),
    setting("LEADOPS_LISTEN", Some("127.0.0.1:8080"), "address that `up` listens on"),
    secret(
        "CLOSE_SIGNATURE_KEY",
        "key of the webhook subscription, 64 hex digits; several, or whsub_…=key, separated by commas or lines, or as JSON",
    ),
    setting(
        "LEADOPS_ALLOW_UNSIGNED",
        Some("false"),
        "accept unsigned webhooks, only from programs on this machine and on a loopback address",
    ),
    setting("SIGNATURE_MAX_AGE_SECONDS", Some("604800"), "how old a signature may be"),
    setting("DELAY_SECONDS", Some("600"), "how long a lead waits before its owner is looked up, 0 to 900"),
    setting("SOURCE_PREFIX", Some("source/"), "where raw events are stored"),
    setting("TARGET_PREFIX", Some("target/"), "where enriched leads are stored"),
    setting(
        "OWNER_SOURCE",
        Some("bucket"),
        "where owners are looked up: bucket, or close for a custom field in Close",
    ),
    setting("LOOKUP_BUCKET", Some(outbound::OwnersBase::BUCKET), "public bucket with the owner documents"),
    setting(
        "LOOKUP_BASE_URL",
        None,
        "owner directory instead of the bucket: http(s)://… or file:///…, before /{lead_id}.json or with {lead_id} in it",
    ),
    setting(
        "CLOSE_OWNER_FIELD",
        None,
        "with OWNER_SOURCE=close, the custom field that names the owner: its id (cf_…) or its name",
    ),
    setting("CLOSE_FUNNEL_FIELD", None, "with OWNER_SOURCE=close, the custom field that names the funnel"),
    setting("PROCESS_ATTEMPTS", Some("3"), "look-ups before the alert goes out without an owner"),
    setting("RECHECKS", Some("12"), "later look-ups after an alert without an owner"),
    setting("USE_SLACK", Some("true"), "send new leads to Slack"),
    secret("SLACK_WEBHOOK_URL", "Slack incoming webhook"),
    setting("SLACK_BURST", Some("5"), "how many Slack messages may be sent at once after a quiet time"),
    setting("SLACK_RATE", Some("1"), "how many a second otherwise, where SLACK_WEBHOOK_URL is not at Slack"),
    setting("USE_EMAIL", Some("false"), "send new leads by e-mail"),
    secret("SMTP_URL", "mail server: smtps://user:password@host, or smtp://host:25"),
    setting("EMAIL_FROM", None, "sender"),
    setting("EMAIL_TO", None, "recipients, separated by commas"),
    setting("USE_WEBHOOK", Some("false"), "post new leads, signed, to a webhook of your own"),
    secret("WEBHOOK_URL", "where they are posted: https://…"),
    secret(
        "WEBHOOK_SECRET",
        "key that the posts are signed with: whsec_… as in Standard Webhooks; two, separated by a comma, during a rotation",
    ),
    setting("NOTIFY_ATTEMPTS", Some("12"), "attempts to send an alert before it becomes a dead letter"),
    setting("OVERDUE_SECONDS", Some("120"), "how long after its due time an open lead is overdue"),
    setting("KEEP_LOGS_DAYS", Some("14"), "for how many days log lines are stored"),
    setting("KEEP_JOURNAL_DAYS", Some("90"), "for how many days the journal and receipts are stored"),
    setting("LEADOPS_MOUSE", Some("false"), "the console uses the mouse, for scrolling and clicking"),
    secret(
        "CLOSE_API_KEY",
        "API key of Close, for OWNER_SOURCE=close, `subscribe` and `doctor`; two, separated by a comma, during a rotation",
    ),
    setting("CLOSE_API_URL", Some(close::client::CloseBase::URL), "where Close's API is"),
];

/// A setting's default.
pub fn default_of(name: &str) -> Option<String> {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    setting.and_then(|setting| setting.default).map(str::to_owned)
}
