//! What every adapter of a port must do: one suite a port, one function a requirement.
//!
//! An adapter is put to all of them with [`suites!`], wherever it lives: its crate depends on this one, on `pipeline`,
//! whose ports it implements, and on `tokio`. It is made as a [`Subject`], on the [clock](clock::VirtualClock) that
//! the suites move. [`memory`] is the shortest adapter there is, and what the stages are tested on.
//!
//! ```
//! # // Ends the example's own names where a crate's tests would be.
//! mod tests {
//!     use conformance::Subject;
//!
//!     // In place of this, a function that makes one with your adapter.
//!     fn subject() -> Subject {
//!         Subject::memory()
//!     }
//!
//!     conformance::suites!(mine, subject());
//!     conformance::to_work_on!(mine_to_work_on, Subject::memory_to_work_on());
//! }
//! ```

#![allow(clippy::unwrap_used, reason = "a requirement that does not hold says so by panicking")]

pub mod clock;
pub mod dead_letters;
pub mod intake;
pub mod journal;
pub mod logs;
pub mod memory;
pub mod objects;
pub mod queue;
pub mod work;

use std::{any::Any, sync::Arc, time::Duration};

use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Entry, JournalEvent,
    destination::DestinationId,
    ports::{
        DeadLetterCause, DeadLetters, Delivery, Disposition, History, Inbox, Intake, Journal, LogLine, Logs,
        NewMessage, Objects, Outbox, Queue,
    },
};

use clock::VirtualClock;
use memory::{Memory, Rules};

/// A fresh, empty adapter of all ports and the clock that it goes by.
pub struct Subject {
    /// The clock.
    pub clock: Arc<VirtualClock>,
    /// What its queues do with messages that nobody answers for.
    pub rules: Rules,
    /// The object store.
    pub objects: Arc<dyn Objects>,
    /// The sending end of the queues.
    pub outbox: Arc<dyn Outbox>,
    /// Their receiving end.
    pub inbox: Arc<dyn Inbox>,
    /// Their dead letters.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The way in.
    pub intake: Arc<dyn Intake>,
    /// The journal's writing end.
    pub journal: Arc<dyn Journal>,
    /// Its reading end.
    pub history: Arc<dyn History>,
    /// The log's reading end.
    pub logs: Arc<dyn Logs>,
    /// The log's writing end, which is no port. Returns once the line can be read.
    pub log: Box<dyn Fn(LogLine) + Send + Sync>,
    /// What lives as long as the adapter, such as its folder.
    pub keep: Box<dyn Any + Send>,
}

impl Subject {
    /// The adapter in memory.
    pub fn memory() -> Self {
        Self::memory_to_work_on().subject
    }

    /// The same, with its queues for whoever works on them.
    pub fn memory_to_work_on() -> work::Working {
        let clock = VirtualClock::start();
        let memory = Memory::with_rules(Arc::clone(&clock) as _, RULES, RULES);
        let all = Arc::new(memory.clone());
        let queues = all.clone();
        let subject = Self {
            clock,
            rules: RULES,
            objects: all.clone(),
            outbox: all.clone(),
            inbox: all.clone(),
            dead_letters: all.clone(),
            intake: all.clone(),
            journal: all.clone(),
            history: all.clone(),
            logs: all,
            log: Box::new(move |line| memory.log(line)),
            keep: Box::new(()),
        };
        work::Working { subject, queues }
    }

    async fn send(&self, queue: Queue, body: &str, delay: Duration) {
        let message = NewMessage { body: body.to_owned(), lead: Some(lead("a")), delay };
        self.outbox.send(queue, message).await.unwrap();
    }

    async fn receive(&self, queue: Queue) -> Vec<Delivery> {
        self.inbox.receive(queue, 10).await.unwrap()
    }

    /// Receives the one message that is ready.
    async fn receive_one(&self, queue: Queue) -> Delivery {
        let mut deliveries = self.receive(queue).await;
        assert_eq!(deliveries.len(), 1, "one message should be ready in {queue:?}: {deliveries:?}");
        deliveries.remove(0)
    }

    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) {
        self.inbox.settle(queue, delivery, disposition).await.unwrap();
    }

    /// Sends a message and makes a dead letter of it. The dead letter's id.
    async fn kill(&self, queue: Queue, body: &str, why: DeadLetterCause) -> String {
        self.send(queue, body, Duration::ZERO).await;
        let delivery = self.receive_one(queue).await;
        self.settle(queue, &delivery, Disposition::Dead(why)).await;
        let (latest, _) = self.dead_letters.list(Some(queue), 1).await.unwrap();
        latest.first().expect("the message should be a dead letter").id.clone()
    }

    async fn happen(&self, lead_id: &LeadId, event: JournalEvent) -> Entry {
        let entry = Entry { at: self.now(), lead_id: Some(lead_id.clone()), nonce: 7, event };
        self.journal.append(entry.clone()).await.unwrap();
        entry
    }

    fn now(&self) -> Timestamp {
        use pipeline::ports::Clock;
        self.clock.now()
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

/// The rules that adapters are tried with, on both queues.
pub const RULES: Rules = Rules { visibility: Duration::from_secs(45), max_receives: 5 };
/// How long accepted leads wait in the suites.
pub const INTAKE_DELAY: Duration = Duration::from_secs(600);
const SLACK: DestinationId = DestinationId::literal("slack");
const SECOND: Duration = Duration::from_secs(1);
/// The shortest time that adapters distinguish.
const TICK: Duration = Duration::from_millis(1);

fn lead(name: &str) -> LeadId {
    format!("lead_{name}").parse().unwrap()
}

fn why(reason: &str) -> DeadLetterCause {
    DeadLetterCause {
        code: Code::SlackWebhookGone,
        reason: reason.to_owned(),
        attempts: 2,
        lead: Some(lead("a")),
    }
}

fn received(name: &str, due_at: Timestamp) -> JournalEvent {
    JournalEvent::Received { name: name.to_owned(), event_id: Some("ev_1".to_owned()), due_at }
}

fn dead(queue: Queue) -> JournalEvent {
    let (code, reason) = (Code::SlackWebhookGone, "404 no_service".to_owned());
    JournalEvent::Dead { queue, destination: Some(SLACK), alert: None, code, reason, attempts: 1 }
}

/// Puts an adapter to every suite: `suites!(name, make)`, `make` being an expression that gives a
/// fresh `Subject`.
#[macro_export]
macro_rules! suites {
    ($adapter:ident, $make:expr) => {
        mod $adapter {
            use super::*;

            $crate::suites!(@each $make;
                objects {
                    what_was_never_written_is_not_there
                    what_was_written_is_read_back_with_its_time
                    a_key_is_any_text
                    bodies_are_any_bytes
                    a_write_replaces_the_whole_object
                    absent_writes_only_the_first_time
                    unchanged_writes_only_over_the_version_that_was_read
                    of_racing_creators_exactly_one_wins
                    of_racing_updaters_exactly_one_wins
                    listings_ascend_in_order_of_bytes
                    listings_hold_exactly_the_keys_with_the_prefix
                    listings_continue_behind_a_key
                    a_listing_is_no_longer_than_wanted
                }
                queue {
                    a_message_is_received_as_it_was_sent
                    the_queues_are_apart
                    a_delayed_message_is_not_received_early
                    no_more_are_received_than_wanted
                    a_received_message_is_invisible_for_the_visibility_timeout
                    receives_are_counted
                    racing_receivers_share_no_message
                    done_deletes
                    retry_delivers_again_after_its_time
                    a_retry_may_be_at_once
                    a_stale_delivery_settles_nothing
                    a_late_outcome_counts_while_nobody_else_has_the_message
                    settling_what_is_gone_changes_nothing
                    a_message_received_too_often_without_an_outcome_dies_abandoned
                    depth_counts_each_message_once
                }
                dead_letters {
                    a_dead_letter_says_why_and_keeps_its_body
                    the_time_of_the_first_failure_is_kept
                    an_unreadable_message_dies_without_a_lead
                    the_latest_come_first_and_all_are_counted
                    the_oldest_is_the_first_that_died
                    a_queues_listing_leaves_the_other_out
                    a_redriven_message_is_due_at_once_with_its_body_and_no_attempts
                    a_redriven_message_may_be_edited
                    what_is_redriven_dies_as_a_new_dead_letter
                    an_unknown_dead_letter_is_none
                    of_racing_redrives_exactly_one_sends
                    a_racing_redrive_and_delete_do_not_both_succeed
                    delete_takes_the_dead_letter_away
                }
                intake {
                    an_event_is_stored_queued_and_journaled
                    a_jobs_delay_is_kept
                    a_duplicate_changes_nothing
                    a_key_that_exists_already_is_a_duplicate
                    of_racing_deliveries_exactly_one_is_new
                }
                journal {
                    the_newest_come_first
                    only_the_stages_asked_for_come
                    pages_continue_behind_an_entry_and_miss_none
                    entries_older_than_wanted_stay_away
                    entries_of_one_moment_are_all_stored
                    a_leads_history_is_read_from_its_start
                    an_entry_without_a_lead_is_stored
                    progress_is_folded_from_the_entries
                    open_leads_come_soonest_due_first
                    a_lead_that_ended_is_not_open_until_it_is_redriven
                    open_leads_are_counted_by_how_late_they_are
                    minutes_count_each_thing_once_a_lead
                    minutes_start_where_wanted
                }
                logs {
                    without_a_cursor_the_newest_come_the_oldest_first
                    each_filter_restricts
                    filters_are_joined_with_and
                    following_goes_on_behind_the_cursor_and_misses_none
                    lines_keep_their_fields
                }
            );
        }
    };
    (@each $make:expr; $($suite:ident { $($name:ident)* })*) => {
        $(mod $suite {
            #[allow(unused_imports, reason = "an adapter may be made without them")]
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    $crate::$suite::$name($make).await;
                }
            )*

            #[test]
            fn nothing_is_left_out() {
                let listed: &[&str] = &[$(stringify!($name)),*];
                assert_eq!(listed, $crate::requirements(stringify!($suite)));
            }
        })*
    };
}

/// Puts an adapter whose queues can be worked on to the suite of [`work`]: `to_work_on!(name, make)`, `make` being an
/// expression that gives a fresh [`work::Working`].
#[macro_export]
macro_rules! to_work_on {
    ($adapter:ident, $make:expr) => {
        mod $adapter {
            #[allow(unused_imports, reason = "an adapter may be made without them")]
            use super::*;

            $crate::suites!(@each $make;
                work {
                    what_is_worked_on_is_invisible
                    what_is_released_is_ready_and_not_counted
                    what_is_in_flight_is_known
                    what_a_predecessor_had_in_hand_is_released
                    a_message_that_is_ready_is_waited_for
                }
            );
        }
    };
}

/// The requirements of a suite, as its file has them: what a macro forgets, nobody would miss.
#[doc(hidden)]
pub fn requirements(suite: &str) -> Vec<&'static str> {
    let source = match suite {
        "objects" => include_str!("objects.rs"),
        "queue" => include_str!("queue.rs"),
        "dead_letters" => include_str!("dead_letters.rs"),
        "intake" => include_str!("intake.rs"),
        "journal" => include_str!("journal.rs"),
        "logs" => include_str!("logs.rs"),
        "work" => include_str!("work.rs"),
        _ => panic!("there is no suite {suite:?}"),
    };
    let written = source.lines().filter_map(|line| line.strip_prefix("pub async fn "));
    written.filter_map(|line| line.split('(').next()).collect()
}
