//! Every setting there is.

/// A setting, by the name of its environment variable. In the config file it has the same name in
/// lower case; a secret stands there as `name_file = "PATH"`.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What it is without being set.
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
    setting("LEADOPS_DATA", None, "folder of the embedded pipeline; the platform's data folder where unset"),
    setting("LEADOPS_LISTEN", Some("127.0.0.1:8080"), "address that `up` listens on"),
    secret(
        "CLOSE_SIGNATURE_KEY",
        "key of the webhook subscription, 64 hex digits; several, or whsub_…=key, by commas or lines, or as JSON",
    ),
    setting(
        "LEADOPS_ALLOW_UNSIGNED",
        Some("false"),
        "take unsigned webhooks, from programs on this machine and on a loopback address only",
    ),
    setting("SIGNATURE_MAX_AGE_SECONDS", Some("604800"), "how old a signature may be"),
    setting("DELAY_SECONDS", Some("600"), "how long a lead waits for its owner, 0 to 900"),
    setting("SOURCE_PREFIX", Some("source/"), "where raw events are kept"),
    setting("TARGET_PREFIX", Some("target/"), "where enriched leads are kept"),
    setting("OWNER_SOURCE", Some("bucket"), "where owners are: bucket, or close for a custom field of Close"),
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
    setting("RECHECKS", Some("12"), "later look-ups for a lead that was told without an owner"),
    setting("USE_SLACK", Some("true"), "tell new leads on Slack"),
    secret("SLACK_WEBHOOK_URL", "Slack incoming webhook"),
    setting("SLACK_BURST", Some("5"), "Slack messages at once after a silence; one a second otherwise"),
    setting("USE_EMAIL", Some("false"), "tell new leads by e-mail"),
    secret("SMTP_URL", "mail server: smtps://user:password@host, or smtp://host:25"),
    setting("EMAIL_FROM", None, "sender"),
    setting("EMAIL_TO", None, "recipients, by commas"),
    setting("USE_WEBHOOK", Some("false"), "post new leads to an address of your own, signed"),
    secret("WEBHOOK_URL", "where they are posted: https://…"),
    secret(
        "WEBHOOK_SECRET",
        "what the posts are signed with: whsec_… as of the Standard Webhooks, two by a comma",
    ),
    setting("NOTIFY_ATTEMPTS", Some("12"), "attempts of an alert before it is a dead letter"),
    setting("OVERDUE_SECONDS", Some("120"), "how long after its due time a lead without an end is overdue"),
    setting("KEEP_LOGS_DAYS", Some("14"), "how long log lines are kept"),
    setting("KEEP_JOURNAL_DAYS", Some("90"), "how long the journal and the receipts are kept"),
    setting("LEADOPS_MOUSE", Some("false"), "the console takes the mouse, to scroll and to click"),
    secret(
        "CLOSE_API_KEY",
        "API key of Close, for OWNER_SOURCE=close, `subscribe` and `doctor`; two by a comma while one is replaced",
    ),
    setting("CLOSE_API_URL", Some(close::client::CloseBase::URL), "where Close's API is"),
];

/// What a setting is where nobody says anything.
pub fn default_of(name: &str) -> Option<String> {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    setting.and_then(|setting| setting.default).map(str::to_owned)
}
