//! The journal as a feed of what changes: which leads something has happened to since they were read.

use std::collections::{HashMap, HashSet};

use jiff::SignedDuration;
use lead::{LeadId, Timestamp, keys::JournalKey};

use crate::fresh::is_fresh;

/// How much later than its own time an entry can turn up in a listing, and how much later than an entry
/// what belongs to it can be written.
pub(super) const LATE: SignedDuration = SignedDuration::from_secs(60);
/// How old a listing may be that is still relied on.
const OLD: SignedDuration = SignedDuration::from_secs(15);

/// The newest part of the journal, as it was listed last.
#[derive(Debug)]
pub(super) struct Feed {
    listed_at: Timestamp,
    /// Everything that happened since then is in it.
    reaches_back_to: Timestamp,
    of_lead: HashMap<LeadId, Vec<String>>,
}

/// What was known of a lead's entries when something about it was read.
#[derive(Debug, Clone)]
pub(super) struct AsOf {
    read_at: Timestamp,
    known: HashSet<String>,
}

impl Feed {
    /// The head of the journal, listed at `now`: the newest keys, and whether there are older ones.
    pub(super) fn new(now: Timestamp, keys: &[String], more: bool) -> Self {
        let mut of_lead: HashMap<LeadId, Vec<String>> = HashMap::new();
        let mut oldest = None;
        for key in keys {
            let Some(parsed) = JournalKey::parse(key) else { continue };
            oldest = Some(parsed.at);
            if let Some(lead) = parsed.lead {
                of_lead.entry(lead).or_default().push(key.clone());
            }
        }
        let reaches_back_to = oldest.filter(|_| more).unwrap_or(Timestamp::MIN);
        Self { listed_at: now, reaches_back_to, of_lead }
    }

    /// Adds an entry that this process has written itself.
    pub(super) fn add(&mut self, lead: &LeadId, key: String) {
        self.of_lead.entry(lead.clone()).or_default().push(key);
    }

    /// What is known of a lead for something that is read at `now`; `None` where it cannot be told later
    /// whether that has changed: the listing is old, or something has only just happened.
    pub(super) fn as_of(&self, lead: &LeadId, now: Timestamp) -> Option<AsOf> {
        let keys = self.of_lead.get(lead).map(Vec::as_slice).unwrap_or_default();
        let settled = self.newer_than(keys, now).next().is_none();
        (is_fresh(self.listed_at, now, OLD) && settled)
            .then(|| AsOf { read_at: now, known: keys.iter().cloned().collect() })
    }

    /// Whether nothing has happened to a lead since something about it was read.
    pub(super) fn is_unchanged(&self, lead: &LeadId, as_of: &AsOf, now: Timestamp) -> bool {
        let keys = self.of_lead.get(lead).map(Vec::as_slice).unwrap_or_default();
        is_fresh(self.listed_at, now, OLD)
            && self.reaches_back_to < before(as_of.read_at)
            && self.newer_than(keys, as_of.read_at).all(|key| as_of.known.contains(key))
    }

    /// The entries of [`LATE`] before `at`, or after.
    fn newer_than<'a>(&self, keys: &'a [String], at: Timestamp) -> impl Iterator<Item = &'a String> {
        let since = before(at);
        keys.iter().filter(move |key| JournalKey::parse(key).is_none_or(|parsed| parsed.at >= since))
    }
}

fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(LATE).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_789_398_000 + second).unwrap()
    }

    fn lead() -> LeadId {
        "lead_a".parse().unwrap()
    }

    fn key(second: i64) -> String {
        JournalKey { at: at(second), stage: "notified".to_owned(), lead: Some(lead()), nonce: 1 }.to_key()
    }

    #[test]
    fn what_was_read_holds_until_something_happens_to_the_lead() {
        let as_of = Feed::new(at(100), &[key(10)], false).as_of(&lead(), at(101)).unwrap();
        let later = Feed::new(at(500), &[key(10)], false);
        assert!(later.is_unchanged(&lead(), &as_of, at(500)));
        let changed = Feed::new(at(500), &[key(450), key(10)], false);
        assert!(!changed.is_unchanged(&lead(), &as_of, at(500)));
        // An entry that is older than the reading, and was listed after it.
        let late = Feed::new(at(500), &[key(90), key(10)], false);
        assert!(!late.is_unchanged(&lead(), &as_of, at(500)));
    }

    #[test]
    fn what_has_only_just_happened_is_not_relied_on() {
        assert!(Feed::new(at(100), &[key(70)], false).as_of(&lead(), at(100)).is_none());
    }

    #[test]
    fn an_old_listing_or_one_that_does_not_reach_back_is_not_relied_on() {
        let feed = Feed::new(at(100), &[key(10)], false);
        let as_of = feed.as_of(&lead(), at(100)).unwrap();
        assert!(!feed.is_unchanged(&lead(), &as_of, at(120)), "old");
        let short = Feed::new(at(500), &[key(60)], true);
        assert!(!short.is_unchanged(&lead(), &as_of, at(500)), "more may have happened before");
        assert!(feed.as_of(&lead(), at(120)).is_none());
    }

    #[test]
    fn what_this_process_did_itself_counts_at_once() {
        let mut feed = Feed::new(at(100), &[key(10)], false);
        let as_of = feed.as_of(&lead(), at(100)).unwrap();
        feed.add(&lead(), key(101));
        assert!(!feed.is_unchanged(&lead(), &as_of, at(102)));
    }
}
