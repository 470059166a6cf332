//! The destinations of the tests.

use pipeline::destination::DestinationId;

/// Slack.
pub const SLACK: DestinationId = DestinationId::literal("slack");
/// E-mail.
pub const EMAIL: DestinationId = DestinationId::literal("email");
