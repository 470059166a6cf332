//! The headers of a webhook: <https://developer.close.com/resources/webhook-subscriptions/>.

/// The signature, in hex digits.
pub const HASH: &str = "close-sig-hash";
/// The time that was signed with the body, in seconds since 1970.
pub const TIMESTAMP: &str = "close-sig-timestamp";
/// What both begin with.
pub const PREFIX: &str = "close-sig-";
