//! The dead letters that this process has just received: they are invisible to others meanwhile.
//!
//! SQS finds no message by its id; it only hands some out. So that redriving a thousand letters does not
//! search the queue a thousand times, what a search receives is held for a moment.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard},
};

use aws_sdk_sqs::types::Message;
use jiff::SignedDuration;
use lead::Timestamp;

/// For how many seconds SQS hides received messages from others.
pub(super) const HOLD: i32 = 30;
/// How long that is relied on: the rest is reserved for the request that uses it.
const TRUSTED: SignedDuration = SignedDuration::from_secs(20);
/// How many ids are remembered with the queue that they were seen in.
const MOST_SEEN: usize = 100_000;

/// The received messages of one dead-letter queue.
#[derive(Default)]
pub(super) struct ReceivedDeadLetters {
    /// One search at a time: a second one would miss what the first has received.
    pub(super) searching: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashMap<String, HeldMessage>,
    /// Those that a task in this process is acting on.
    acting: HashSet<String>,
    /// Those that were ever seen in this queue.
    seen: HashSet<String>,
    used_at: Option<Timestamp>,
    is_releasing: bool,
    oldest: Option<Oldest>,
}

/// A received message.
#[derive(Debug, Clone)]
pub(super) struct HeldMessage {
    pub(super) message: Message,
    /// When it was asked for.
    pub(super) since: Timestamp,
}

/// The time of the first death, as a listing found it.
#[derive(Debug, Clone, Copy)]
struct Oldest {
    found_at: Timestamp,
    died_at: Option<Timestamp>,
}

/// What [`ReceivedDeadLetters::take`] and [`ReceivedDeadLetters::look`] find.
pub(super) enum TakeResult {
    /// The message; where it was taken it is the caller's until [`ReceivedDeadLetters::done`].
    Message(Box<Message>),
    /// Another task in this process is acting on it.
    Busy,
    /// It is not held.
    NotFound,
}

impl HeldMessage {
    /// Whether it is still hidden from others. A clock that was set back proves nothing.
    fn is_ours(&self, now: Timestamp) -> bool {
        (self.since..=self.since + TRUSTED).contains(&now)
    }
}

impl ReceivedDeadLetters {
    fn state(&self) -> MutexGuard<'_, State> {
        pipeline::lock(&self.state)
    }

    pub(super) fn hold(&self, messages: impl IntoIterator<Item = (String, HeldMessage)>, now: Timestamp) {
        let mut state = self.state();
        state.used_at = Some(now);
        state.held.retain(|_, held| held.is_ours(now));
        state.held.extend(messages);
    }

    /// The message, to act on it.
    pub(super) fn take(&self, id: &str, now: Timestamp) -> TakeResult {
        let mut state = self.state();
        state.used_at = Some(now);
        if state.acting.contains(id) {
            return TakeResult::Busy;
        }
        match state.held.remove(id) {
            Some(held) if held.is_ours(now) => {
                state.acting.insert(id.to_owned());
                TakeResult::Message(Box::new(held.message))
            }
            _ => TakeResult::NotFound,
        }
    }

    /// Ends what [`ReceivedDeadLetters::take`] began.
    pub(super) fn done(&self, id: &str) {
        let mut state = self.state();
        state.acting.remove(id);
        state.oldest = None;
    }

    /// The message, to read it.
    pub(super) fn look(&self, id: &str, now: Timestamp) -> TakeResult {
        let mut state = self.state();
        state.used_at = Some(now);
        match state.held.get(id) {
            Some(held) if held.is_ours(now) => TakeResult::Message(Box::new(held.message.clone())),
            // It is gone in a moment, as a rule.
            _ if state.acting.contains(id) => TakeResult::Busy,
            _ => TakeResult::NotFound,
        }
    }

    /// Whether it is held or being acted on.
    pub(super) fn has(&self, id: &str, now: Timestamp) -> bool {
        let state = self.state();
        state.acting.contains(id) || state.held.get(id).is_some_and(|held| held.is_ours(now))
    }

    /// All held messages that no task is acting on.
    pub(super) fn all(&self, now: Timestamp) -> Vec<Message> {
        let state = self.state();
        state.held.values().filter(|held| held.is_ours(now)).map(|held| held.message.clone()).collect()
    }

    /// How many messages are hidden from others because of us.
    pub(super) fn count(&self, now: Timestamp) -> u64 {
        let state = self.state();
        let held = state.held.values().filter(|held| held.is_ours(now)).count();
        (held + state.acting.len()) as u64
    }

    /// Whether the caller has to release everything once it is no longer used. True for one caller at a time.
    pub(super) fn begin_release(&self) -> bool {
        let mut state = self.state();
        !state.held.is_empty() && !std::mem::replace(&mut state.is_releasing, true)
    }

    /// The handles of all held messages, if they have not been used since `since`.
    pub(super) fn let_go(&self, since: Timestamp) -> Option<Vec<String>> {
        let mut state = self.state();
        if state.used_at.is_some_and(|used_at| used_at > since) {
            return None;
        }
        state.is_releasing = false;
        let held = std::mem::take(&mut state.held);
        Some(held.into_values().filter_map(|held| held.message.receipt_handle).collect())
    }

    /// Remembers the queue of these.
    pub(super) fn remember<'a>(&self, ids: impl IntoIterator<Item = &'a String>) {
        let mut state = self.state();
        if state.seen.len() > MOST_SEEN {
            state.seen.clear();
        }
        state.seen.extend(ids.into_iter().cloned());
    }

    /// Whether it was seen in this queue.
    pub(super) fn remembers(&self, id: &str) -> bool {
        self.state().seen.contains(id)
    }

    /// Notes what a listing found to be the time of the first death.
    pub(super) fn set_oldest(&self, died_at: Option<Timestamp>, now: Timestamp) {
        self.state().oldest = Some(Oldest { found_at: now, died_at });
    }

    /// That time, where it was found no longer ago than `fresh` and nothing has changed here since.
    pub(super) fn oldest(&self, now: Timestamp, fresh: SignedDuration) -> Option<Option<Timestamp>> {
        let oldest = self.state().oldest?;
        (oldest.found_at..=oldest.found_at + fresh).contains(&now).then_some(oldest.died_at)
    }

    pub(super) fn forget_oldest(&self) {
        self.state().oldest = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(since: Timestamp) -> HeldMessage {
        HeldMessage { message: Message::builder().message_id("a").receipt_handle("h").build(), since }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_message_in_hand_is_acted_on_by_one_and_is_trusted_for_less_than_sqs_keeps_it() {
        let received = ReceivedDeadLetters::default();
        received.hold([("a".to_owned(), held(at(100)))], at(100));
        assert!(matches!(received.take("a", at(120)), TakeResult::Message(_)));
        assert!(matches!(received.take("a", at(120)), TakeResult::Busy));
        assert!(matches!(received.look("a", at(120)), TakeResult::Busy) && received.has("a", at(120)));
        received.done("a");
        assert!(matches!(received.take("a", at(120)), TakeResult::NotFound));
        for now in [at(121), at(99)] {
            received.hold([("a".to_owned(), held(at(100)))], at(100));
            assert!(matches!(received.take("a", now), TakeResult::NotFound), "{now}");
        }
    }

    #[test]
    fn all_is_let_go_once_nobody_needs_it() {
        let received = ReceivedDeadLetters::default();
        assert!(!received.begin_release(), "there is nothing");
        received.hold([("a".to_owned(), held(at(100)))], at(100));
        assert!(received.begin_release() && !received.begin_release());
        assert_eq!(received.let_go(at(99)), None);
        assert_eq!(received.let_go(at(100)), Some(vec!["h".to_owned()]));
        assert_eq!(received.count(at(100)), 0);
    }
}
