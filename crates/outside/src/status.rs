//! Statuses of HTTP that say who answered.

/// Whether an answer with this status is never that of the server that was asked, but of a proxy or filter in between.
///
/// A proxy that wants a login (<https://www.rfc-editor.org/rfc/rfc9110#name-407-proxy-authentication-re>), a network that
/// does (<https://www.rfc-editor.org/rfc/rfc6585#section-6>), and one that blocks what was asked for
/// (<https://www.rfc-editor.org/rfc/rfc7725>).
pub fn is_of_an_intermediary(status: u16) -> bool {
    matches!(status, 407 | 451 | 511)
}
