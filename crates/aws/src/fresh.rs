//! How long what was found is relied on.

use jiff::SignedDuration;
use lead::Timestamp;

/// Whether what was found at `found_at` is less than `max_age` old. A clock that was set back makes nothing fresh.
pub(crate) fn is_fresh(found_at: Timestamp, now: Timestamp, max_age: SignedDuration) -> bool {
    (SignedDuration::ZERO..max_age).contains(&now.duration_since(found_at))
}
