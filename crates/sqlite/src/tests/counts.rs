//! Whatever happens, in whatever order: what is counted as it happens is what the rows come to.

use std::{collections::BTreeMap, path::Path, time::Duration};

use pipeline::{
    Code, Entry, JournalEvent,
    ports::{
        Body, Clock, DeadLetterCause, DeadLetters, Delivery, Disposition, Inbox, Intake, Journal, NewMessage,
        Outbox, Queue, Retention, Upkeep, WorkQueues,
    },
};
use proptest::{collection::vec, prelude::*};
use rusqlite::Connection;

use crate::{
    Store, tally,
    testing::{TestStore, event, lead, notified},
};

type Counts = BTreeMap<(String, i64), i64>;

/// What the table says, and what the rows come to, once `forgotten` was done behind the store's back.
fn counts(file: &Path, forgotten: &str) -> (Counts, Counts) {
    let read = |conn: &Connection| {
        let mut select = conn.prepare("SELECT what, slot, count FROM tally").unwrap();
        let rows = select.query_map((), |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).unwrap();
        rows.collect::<rusqlite::Result<Counts>>().unwrap()
    };
    let mut conn = Connection::open(file).unwrap();
    // Undone at the end.
    let tx = conn.transaction().unwrap();
    tx.execute_batch(forgotten).unwrap();
    let stored = read(&tx);
    tally::recount(&tx).unwrap();
    (stored, read(&tx))
}

/// A pipeline to which anything happens.
struct Pipeline {
    bench: TestStore,
    store: Store,
    in_hand: Vec<(Queue, Delivery)>,
}

impl Pipeline {
    async fn step(&mut self, what: u8, how: u8) {
        let (store, number) = (&self.store, usize::from(how % 8));
        let queue = Queue::ALL[usize::from(how % 2)];
        match what % 12 {
            0 | 1 => drop(store.accept(event(&*self.bench.clock, number)).await.unwrap()),
            2 => {
                let delay = Duration::from_secs(u64::from(how));
                let message = NewMessage { body: "x".to_owned(), lead: Some(lead(number)), delay };
                store.send(queue, message).await.unwrap();
            }
            3 | 4 => {
                let received = store.receive(queue, number).await.unwrap();
                self.in_hand.extend(received.into_iter().map(|delivery| (queue, delivery)));
            }
            5 | 6 => {
                let disposition = match how % 3 {
                    0 => Disposition::Done,
                    1 => Disposition::Retry(Duration::from_secs(u64::from(how))),
                    _ => {
                        let (code, reason) = (Code::Abandoned, "why".to_owned());
                        Disposition::Dead(DeadLetterCause { code, reason, attempts: 1, lead: None })
                    }
                };
                // Of some it is said twice what became of them.
                if let Some((queue, delivery)) = self.in_hand.get(number) {
                    store.settle(*queue, delivery, disposition).await.unwrap();
                }
            }
            7 => {
                if let Some((queue, delivery)) = self.in_hand.pop() {
                    match how % 2 {
                        0 => store.give_back(queue, &delivery, Duration::from_secs(2)).await.unwrap(),
                        _ => store.keep_hidden(queue, &[delivery]).await.unwrap(),
                    }
                }
            }
            8 => {
                let (letters, _) = DeadLetters::list(store, None, 3).await.unwrap();
                for letter in letters {
                    match how % 2 {
                        0 => store.redrive(&letter.id, Body::AsIs).await.unwrap(),
                        _ => store.delete(&letter.id).await.unwrap(),
                    };
                }
            }
            9 => {
                let event = match how % 3 {
                    0 => JournalEvent::Requeued { by: "somebody".to_owned() },
                    1 => notified(),
                    _ => JournalEvent::AlreadyNotified { destination: "slack".parse().unwrap() },
                };
                let entry = Entry {
                    at: self.bench.clock.now(),
                    lead_id: Some(lead(number)),
                    nonce: how.into(),
                    event,
                };
                store.append(entry).await.unwrap();
            }
            10 => self.bench.clock.advance(Duration::from_secs(u64::from(how) * 20)),
            _ if how < 128 => drop(store.release_in_flight().await.unwrap()),
            _ => {
                let short = Duration::from_secs(600);
                let retention =
                    Retention { journal: short, receipts: short, minutes: short, ..Retention::default() };
                store.prune(&retention).await.unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_counts_are_what_the_rows_come_to(steps in vec(any::<(u8, u8)>(), 1..80)) {
        let bench = TestStore::new();
        let mut pipeline = Pipeline { store: bench.store(), bench, in_hand: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (what, how) in steps {
            runtime.block_on(pipeline.step(what, how));
            let (stored, counted) = counts(pipeline.store.path(), "");
            prop_assert_eq!(stored, counted, "after {} {}", what, how);
        }
    }
}

/// A count that somebody forgot would be seen.
#[tokio::test]
async fn a_row_that_is_not_counted_is_noticed() {
    let bench = TestStore::new();
    let store = bench.store();
    store.accept(event(&*bench.clock, 1)).await.unwrap();
    let (stored, counted) = counts(store.path(), "");
    assert_eq!(stored, counted);
    for forgotten in [
        "DELETE FROM message",
        "UPDATE message SET visible_at = visible_at + 10000",
        "UPDATE lead SET ended_at = 1",
        "INSERT INTO dead_letter SELECT id, queue, lead, 'LO112', 'why', 1, 1, 1, body FROM message",
    ] {
        let (stored, counted) = counts(store.path(), forgotten);
        assert_ne!(stored, counted, "{forgotten}");
    }
}
