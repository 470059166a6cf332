//! The waiting room: one empty object for each lead that has not ended, whose key says everything that is
//! shown of it, the soonest due first in a listing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lead::{LeadId, Timestamp, keys::MARKERS};
use outside::text;
use pipeline::{Progress, ports::OpenLead};

/// How many characters of a name are stored: with four bytes each, coded, and all else in a key they stay
/// below S3's 1,024 bytes.
const LONGEST_NAME: usize = 120;

/// The marker of a lead that has not ended: `open/{due}/{lead}/{received}-{name}`, both times in
/// microseconds since 1970 in 16 digits, the name in the URL-safe form of Base64.
pub(super) fn key(lead: &LeadId, progress: &Progress) -> String {
    let micros = |at: Timestamp| at.as_microsecond().clamp(0, 9_999_999_999_999_999);
    let (due, received) = (micros(progress.due_at), micros(progress.received_at));
    let name = URL_SAFE_NO_PAD.encode(text::shorten(&progress.name, LONGEST_NAME));
    format!("{MARKERS}{due:016}/{lead}/{received:016}-{name}")
}

/// Reads a marker; `None` for a key that is not one.
pub(super) fn read(key: &str) -> Option<OpenLead> {
    let mut parts = key.strip_prefix(MARKERS)?.split('/');
    let (due, lead, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (received, name) = rest.split_once('-')?;
    let time = |digits: &str| Timestamp::from_microsecond(digits.parse().ok()?).ok();
    let name = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
    Some(OpenLead {
        lead: lead.parse().ok()?,
        name: text::clean(&name),
        received_at: time(received)?,
        due_at: time(due)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_marker_says_what_it_was_made_of(name in any::<String>(), due in 0i64..4_000_000_000_000_000, wait in 0i64..1_000_000_000) {
            let at = |micros| Timestamp::from_microsecond(micros).unwrap();
            let progress = Progress {
                name: text::shorten(&name, 200),
                received_at: at((due - wait).max(0)),
                due_at: at(due),
                enriched: false,
                notified: false,
                failed: false,
                ended: None,
            };
            let lead: LeadId = "lead_a1".parse().unwrap();
            let key = key(&lead, &progress);
            prop_assert!(key.len() <= 1_024);
            let read = read(&key).unwrap();
            prop_assert_eq!((read.lead, read.due_at, read.received_at), (lead, progress.due_at, progress.received_at));
            prop_assert_eq!(read.name, text::shorten(&progress.name, LONGEST_NAME));
        }

        #[test]
        fn no_key_panics(key in any::<String>()) {
            let _ = (read(&key), read(&format!("open/{key}")));
        }
    }
}
