//! The kinds of destinations there are.

use crate::Code;

/// What has to be known of a kind of destination where none is at hand: where its settings are read, and where what it
/// did is shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The name on the wire.
    pub name: &'static str,
    /// The name for people, in the middle of a sentence.
    pub label: &'static str,
    /// One word for it where there is little room, and in filters.
    pub word: &'static str,
    /// The variable that sends new leads there.
    pub switch: &'static str,
    /// Whether they go there where nobody says anything.
    pub is_default: bool,
    /// The code of an alert that is due there where it is not set up.
    pub not_configured: Code,
}

/// All of them, in the order in which they are shown. The protocols are those of the crates `outbound` and `aws`.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "slack",
        label: "Slack",
        word: "slack",
        switch: "USE_SLACK",
        is_default: true,
        not_configured: Code::SlackNotConfigured,
    },
    Kind {
        name: "email",
        label: "e-mail",
        word: "mail",
        switch: "USE_EMAIL",
        is_default: false,
        not_configured: Code::MailNotConfigured,
    },
    Kind {
        name: "webhook",
        label: "signed webhook",
        word: "webhook",
        switch: "USE_WEBHOOK",
        is_default: false,
        not_configured: Code::DestinationNotConfigured,
    },
];
