//! Both queues.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use lead::LeadId;
use pipeline::{
    Code, Entry, Fault, JournalEvent,
    job::{self, AlertJob},
    ports::{
        DeadLetterCause, Delivery, Depth, Disposition, Inbox, MAX_DELAY, NewMessage, Outbox, Queue,
        WorkQueues,
    },
    recorder,
    store_retry::doubled,
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::units::random_id;
use crate::{
    QueueOptions, Store, dead_letters,
    file::StoreError,
    journal,
    numbers::Numbered,
    tally::{self, What},
    units,
    writer::Tx,
};

/// How often a lead is taken up at once after its worker has stopped; how long it rests after one more time, and after
/// however many.
const OFTEN: u32 = 5;
const FIRST_REST: Duration = Duration::from_secs(20);
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);
/// How long a waiting worker trusts the clock not to have been set.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

#[async_trait]
impl Outbox for Store {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        let NewMessage { body, lead, delay } = message;
        self.write(move |tx| Ok(send(tx, queue, &body, lead.as_ref(), delay)?)).await
    }
}

#[async_trait]
impl Inbox for Store {
    async fn receive(&self, queue: Queue, most: usize) -> Result<Vec<Delivery>, Fault> {
        let options = self.queue_options(queue);
        let (deliveries, abandoned) = self.write(move |tx| receive(tx, queue, most, options)).await?;
        abandoned.iter().for_each(recorder::log);
        Ok(deliveries)
    }

    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) -> Result<(), Fault> {
        let Some(at) = Place::of(delivery) else { return Ok(()) };
        self.write(move |tx| Ok(settle(tx, queue, at, &disposition)?)).await
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, Fault> {
        let now = units::millis(self.clock().now());
        self.read(move |conn| Ok(depth(conn, queue, now)?)).await
    }
}

#[async_trait]
impl WorkQueues for Store {
    /// Because one was sent or put back, here or in another process, because one is due, or because the clock was set.
    async fn wait_ready(&self, queue: Queue) -> Result<(), Fault> {
        let waiting = self.0.wakes.register(queue);
        self.watch()?;
        loop {
            waiting.look();
            let next = self.read(move |conn| Ok(next_visible(conn, queue)?)).await?;
            let now = units::millis(self.clock().now());
            let left = match next {
                Some(at) if at <= now => return Ok(()),
                Some(at) => Duration::from_millis(at.abs_diff(now)),
                None => LONGEST_WAIT,
            };
            waiting.until(next.unwrap_or(i64::MAX));
            tokio::select! {
                () = waiting.woken() => {}
                () = self.clock().sleep(left.min(LONGEST_WAIT)) => {}
            }
        }
    }

    fn visibility(&self, queue: Queue) -> Duration {
        self.queue_options(queue).visibility
    }

    async fn keep_hidden(&self, queue: Queue, deliveries: &[Delivery]) -> Result<(), Fault> {
        let places: Vec<Place> = deliveries.iter().filter_map(Place::of).collect();
        let visibility = self.visibility(queue);
        self.write(move |tx| {
            let hidden_until = units::millis_after(tx.now, visibility);
            for at in &places {
                if let Some(was) = at.visible_at(tx)? {
                    tx.execute("UPDATE message SET visible_at = ?2 WHERE id = ?1", (at.id, hidden_until))?;
                    moved(tx, queue, was, hidden_until);
                }
            }
            Ok(())
        })
        .await
    }

    async fn give_back(&self, queue: Queue, delivery: &Delivery, rest: Duration) -> Result<(), Fault> {
        let Some(at) = Place::of(delivery) else { return Ok(()) };
        self.write(move |tx| Ok(give_back(tx, queue, at, rest)?)).await
    }

    async fn in_flight(&self, queue: Queue) -> Result<Vec<String>, Fault> {
        self.read(move |conn| {
            let mut select =
                conn.prepare_cached("SELECT body FROM message WHERE queue = ? AND handle IS NOT NULL")?;
            let bodies = select.query_map([queue.as_str()], |row| row.get(0))?;
            Ok(bodies.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// A lead that was in hand often before rests for a while, longer each time: should it be what kills its worker,
    /// others are worked on in between. Only for the holder of [`Upkeep::lock_for_up`](pipeline::ports::Upkeep::lock_for_up).
    async fn release_in_flight(&self) -> Result<u64, Fault> {
        self.write(|tx| Ok(release_in_flight(tx)?)).await
    }
}

/// Where a delivery's message is: its id and the delivery's handle.
#[derive(Debug, Clone, Copy)]
struct Place {
    id: i64,
    handle: i64,
}

impl Place {
    /// None where the delivery is none of ours.
    fn of(delivery: &Delivery) -> Option<Self> {
        Some(Self { id: delivery.id.parse().ok()?, handle: delivery.handle.parse().ok()? })
    }

    /// When the message becomes visible. None where this delivery is no longer the one that is in flight.
    fn visible_at(self, tx: &Tx<'_>) -> rusqlite::Result<Option<i64>> {
        let mut select =
            tx.conn.prepare_cached("SELECT visible_at FROM message WHERE id = ? AND handle = ?")?;
        select.query_row((self.id, self.handle), |row| row.get(0)).optional()
    }
}

pub(crate) fn send(
    tx: &Tx<'_>,
    queue: Queue,
    body: &str,
    lead: Option<&LeadId>,
    delay: Duration,
) -> rusqlite::Result<()> {
    let visible_at = units::millis_after(tx.now, delay.min(MAX_DELAY));
    let id = tx.numbers.next(tx.conn, Numbered::Message)?;
    tx.execute(
        "INSERT INTO message (id, queue, visible_at, sent_at, lead, body) VALUES (?, ?, ?, ?, ?, ?)",
        (id, queue.as_str(), visible_at, units::micros(tx.now), lead.map(LeadId::as_str), body),
    )?;
    tx.changes.more(What::Messages(queue), visible_at);
    tx.announce(queue, visible_at);
    Ok(())
}

/// A message becomes visible at another time than before.
fn moved(tx: &Tx<'_>, queue: Queue, was: i64, visible_at: i64) {
    tx.changes.less(What::Messages(queue), was);
    tx.changes.more(What::Messages(queue), visible_at);
}

/// A message that is ready.
struct Ready {
    id: i64,
    visible_at: i64,
    in_flight: bool,
    receives: u32,
    sent_at: i64,
    lead: Option<String>,
    body: String,
}

impl Ready {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            visible_at: row.get(1)?,
            in_flight: row.get(2)?,
            receives: row.get(3)?,
            sent_at: row.get(4)?,
            lead: row.get(5)?,
            body: row.get(6)?,
        })
    }
}

fn receive(
    tx: &Tx<'_>,
    queue: Queue,
    most: usize,
    options: QueueOptions,
) -> Result<(Vec<Delivery>, Vec<Entry>), StoreError> {
    let now = units::millis(tx.now);
    // At least a moment, or the loop below would see the same message again.
    let hidden_until = units::millis_after(tx.now, options.visibility.max(Duration::from_millis(1)));
    let (mut deliveries, mut abandoned) = (Vec::new(), Vec::new());
    while deliveries.len() < most {
        let wanted = units::count(most - deliveries.len());
        let mut select = tx.conn.prepare_cached(
            "SELECT id, visible_at, handle IS NOT NULL, receives, sent_at, lead, body FROM message \
             WHERE queue = ? AND visible_at <= ? ORDER BY visible_at LIMIT ?",
        )?;
        let ready = select.query_map((queue.as_str(), now, wanted), Ready::of)?;
        let ready: Vec<Ready> = ready.collect::<rusqlite::Result<_>>()?;
        if ready.is_empty() {
            break;
        }
        for message in ready {
            // A delivery that ran out has failed when it did.
            let failed_at = message.in_flight.then(|| message.visible_at.saturating_mul(1_000));
            if message.receives >= options.max_receives {
                abandoned.push(abandon(tx, queue, &message, failed_at)?);
                continue;
            }
            let handle = random_id();
            tx.execute(
                "UPDATE message SET visible_at = ?2, handle = ?3, receives = receives + 1, \
                 first_failed_at = coalesce(first_failed_at, ?4) WHERE id = ?1",
                (message.id, hidden_until, handle, failed_at),
            )?;
            moved(tx, queue, message.visible_at, hidden_until);
            deliveries.push(Delivery {
                id: message.id.to_string(),
                handle: handle.to_string(),
                body: message.body,
                receives: message.receives.saturating_add(1),
                sent_at: units::from_micros(message.sent_at),
                first_received_at: None,
                attributes: BTreeMap::new(),
            });
        }
    }
    if !deliveries.is_empty() {
        // Ready again when their visibility runs out.
        tx.announce(queue, hidden_until);
    }
    Ok((deliveries, abandoned))
}

/// Buries a message that was received as often as its queue allows, and ends its lead.
fn abandon(tx: &Tx<'_>, queue: Queue, message: &Ready, failed_at: Option<i64>) -> Result<Entry, StoreError> {
    let lead = message.lead.as_deref().and_then(|lead| lead.parse().ok());
    let lead = lead.or_else(|| job::lead_in(&message.body));
    let attempts = message.receives;
    let fault = Fault::new(Code::Abandoned, format!("received {attempts} times without an outcome"));
    let alert = match queue {
        Queue::Delay => None,
        Queue::Notification => AlertJob::parse(&message.body).ok().map(|job| (job.destination, job.kind)),
    };
    let event = JournalEvent::dead(queue, alert, &fault, attempts);
    let why = DeadLetterCause { code: fault.code, reason: fault.what, attempts, lead: lead.clone() };
    dead_letters::bury(tx, message.id, failed_at.unwrap_or(units::micros(tx.now)), &why)?;
    // Any bits will do.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let nonce = random_id() as u32;
    let entry = Entry { at: tx.now, lead_id: lead, nonce, event };
    journal::append(tx, &entry)?;
    Ok(entry)
}

fn settle(tx: &Tx<'_>, queue: Queue, at: Place, disposition: &Disposition) -> rusqlite::Result<()> {
    let Some(was) = at.visible_at(tx)? else { return Ok(()) };
    match disposition {
        Disposition::Done => {
            tx.execute("DELETE FROM message WHERE id = ?", [at.id])?;
            tx.changes.less(What::Messages(queue), was);
        }
        Disposition::Retry(delay) => {
            let visible_at = units::millis_after(tx.now, (*delay).min(MAX_DELAY));
            tx.execute(
                "UPDATE message SET visible_at = ?2, handle = NULL, \
                 first_failed_at = coalesce(first_failed_at, ?3) WHERE id = ?1",
                (at.id, visible_at, units::micros(tx.now)),
            )?;
            moved(tx, queue, was, visible_at);
            tx.announce(queue, visible_at);
        }
        Disposition::Dead(why) => dead_letters::bury(tx, at.id, units::micros(tx.now), why)?,
    }
    Ok(())
}

fn give_back(tx: &Tx<'_>, queue: Queue, at: Place, rest: Duration) -> rusqlite::Result<()> {
    let Some(was) = at.visible_at(tx)? else { return Ok(()) };
    let ready_at = units::millis_after(tx.now, rest);
    tx.execute(
        "UPDATE message SET visible_at = ?2, handle = NULL, receives = receives - 1 WHERE id = ?1",
        (at.id, ready_at),
    )?;
    moved(tx, queue, was, ready_at);
    tx.announce(queue, ready_at);
    Ok(())
}

fn release_in_flight(tx: &Tx<'_>) -> rusqlite::Result<u64> {
    let now = units::millis(tx.now);
    let mut released = 0;
    for queue in Queue::ALL {
        let mut select = tx.conn.prepare_cached(
            "SELECT id, visible_at, receives FROM message WHERE queue = ? AND handle IS NOT NULL",
        )?;
        let found = select.query_map([queue.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let found: Vec<(i64, i64, u32)> = found.collect::<rusqlite::Result<_>>()?;
        for (id, was, receives) in found {
            let ready_at = match receives.checked_sub(OFTEN + 1) {
                Some(more) if queue == Queue::Delay => {
                    units::millis_after(tx.now, doubled(FIRST_REST, more + 1, LONGEST_REST))
                }
                _ => was.min(now),
            };
            tx.execute(
                "UPDATE message SET visible_at = ?2, handle = NULL, \
                 first_failed_at = coalesce(first_failed_at, ?3) WHERE id = ?1",
                (id, ready_at, units::micros(tx.now)),
            )?;
            moved(tx, queue, was, ready_at);
            released += 1;
        }
        tx.announce(queue, now);
    }
    Ok(released)
}

/// When the next message becomes visible, those in flight included.
fn next_visible(conn: &Connection, queue: Queue) -> rusqlite::Result<Option<i64>> {
    let mut select =
        conn.prepare_cached("SELECT visible_at FROM message WHERE queue = ? ORDER BY visible_at LIMIT 1")?;
    select.query_row([queue.as_str()], |row| row.get(0)).optional()
}

fn depth(conn: &Connection, queue: Queue, now: i64) -> rusqlite::Result<Depth> {
    // All of one moment.
    let conn = conn.unchecked_transaction()?;
    let all = tally::all(&conn, What::Messages(queue))?;
    // Up to and including this millisecond.
    let ready = tally::before(&conn, What::Messages(queue), now.saturating_add(1))?;
    let mut select = conn.prepare_cached(
        "SELECT count(*) FROM message WHERE queue = ? AND handle IS NOT NULL AND visible_at > ?",
    )?;
    let in_flight = select.query_row((queue.as_str(), now), |row| units::counted(row, 0))?;
    let dead = tally::all(&conn, What::Dead(queue))?;
    Ok(Depth { waiting: all.saturating_sub(ready).saturating_sub(in_flight), ready, in_flight, dead })
}
