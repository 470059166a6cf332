//! The dead letters.
//!
//! SQS can neither list messages nor find one: it hands some out, and hides them for a time. So a listing
//! receives all there are and makes them visible again at once, and a search for one receives until it
//! comes. Live queues are never touched by that, and dead-letter queues count no receives, so looking costs
//! a letter nothing but some moments out of others' sight: [`HOLD`] seconds at the most, should this process
//! end in the middle.
//!
//! Two operators never act on the same letter: what one has received SQS hides from others, and within a process
//! [`ReceivedDeadLetters`] tracks who acts. Either may for a moment see that there is no such letter.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message};
use futures_util::{StreamExt, future::join_all, stream};
use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Fault,
    job::{AlertJob, ProcessJob},
    ports::{Body, DeadLetter, DeadLetters, Queue, Seen, Watch},
};

use super::{
    BATCH, Inner, Place, Queues, death,
    message::{self, LEAD, MOST_ATTRIBUTES, REDRIVEN_FROM},
    received::{HOLD, HeldMessage, ReceivedDeadLetters, TakeResult},
};

/// How many letters of a queue a listing looks at where fewer are wanted: the latest are known only once
/// all have been seen.
const MOST_LISTED: usize = 1_000;
/// How many requests for messages are under way at a time.
const RECEIVERS: usize = 8;
/// How long after the last use the held letters are released.
const RELEASE_AFTER: Duration = Duration::from_secs(2);
/// How often the search is repeated for a letter that another operator seems to hold.
const RETRIES: u32 = 3;
/// How long the time of the oldest dead letter is cached.
const OLDEST_FRESH: SignedDuration = SignedDuration::from_secs(30);

#[async_trait]
impl DeadLetters for Queues {
    /// A message of the delay queue is a job of ours or S3's word that a raw event was written.
    fn lead_in(&self, queue: Queue, body: &str) -> Result<LeadId, String> {
        match queue {
            Queue::Delay => ProcessJob::parse(body)
                .map(|job| job.lead_id)
                .or_else(|error| message::lead_of_s3_event(body).ok_or(error)),
            Queue::Notification => AlertJob::parse(body).map(|job| job.lead_id),
        }
    }

    /// Of more than a thousand letters in a queue, and more than `limit`, the latest of those that SQS
    /// hands out first. The count is SQS's, a minute late at times, but never less than what was seen.
    async fn list(&self, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadLetter>, u64), Fault> {
        let wanted = Queue::ALL.into_iter().filter(|of| queue.is_none_or(|queue| queue == *of));
        let listings = wanted.map(|queue| self.detached(move |inner| inner.list(queue, limit)));
        let (mut letters, mut total) = (Vec::new(), 0);
        for listing in join_all(listings).await {
            let (of_queue, count) = listing?;
            letters.extend(of_queue);
            total += count;
        }
        letters.sort_unstable_by(|a: &DeadLetter, b| (b.dead_at, &b.id).cmp(&(a.dead_at, &a.id)));
        letters.truncate(limit);
        Ok((letters, total))
    }

    /// As a listing finds it, which is done again only after half a minute, or when something has changed.
    async fn oldest(&self) -> Result<Option<Timestamp>, Fault> {
        let queues = Queue::ALL.map(|queue| self.detached(move |inner| inner.oldest(queue)));
        let found: Vec<Option<Timestamp>> = join_all(queues).await.into_iter().collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().min())
    }

    async fn get(&self, id: &str) -> Result<Option<(DeadLetter, String)>, Fault> {
        self.detached(move |inner| inner.get(id.to_owned())).await
    }

    /// Sends the message to its queue with all its attributes but those of its death, and the id that it
    /// died with; then deletes it here. It is due at once, whatever the queue's delay is. S3's word on a
    /// raw event has no due time in it: the processor counts from the event's own time, which is over by
    /// then.
    async fn redrive(&self, id: &str, body: Body) -> Result<bool, Fault> {
        self.detached(move |inner| inner.act(id.to_owned(), Act::Redrive(body))).await
    }

    async fn delete(&self, id: &str) -> Result<bool, Fault> {
        self.detached(move |inner| inner.act(id.to_owned(), Act::Delete)).await
    }
}

#[async_trait]
impl Watch for Queues {
    /// Changes cannot be detected without asking for everything.
    async fn look(&self) -> Result<Seen, Fault> {
        Ok(Seen::default())
    }

    /// Releases the held dead letters at once: otherwise they would stay hidden from others for half a minute.
    async fn let_go(&self) {
        for queue in Queue::ALL {
            self.0.release_unused(queue, Timestamp::MAX).await;
        }
    }
}

impl Queues {
    /// Runs work to its end even if its caller is cancelled.
    async fn detached<T, W>(&self, work: impl FnOnce(Arc<Inner>) -> W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let ended = tokio::spawn(work(Arc::clone(&self.0))).await;
        ended.unwrap_or_else(|error| {
            Err(Fault::new(Code::Internal, format!("a task on dead letters: {error}")))
        })
    }
}

/// What is done with a letter.
enum Act {
    Redrive(Body),
    Delete,
}

impl Inner {
    async fn list(self: Arc<Self>, queue: Queue, limit: usize) -> Result<(Vec<DeadLetter>, u64), Fault> {
        let Some(place) = self.dead(queue) else { return Ok((Vec::new(), 0)) };
        let total = self.counts(&place).await?.all();
        if limit == 0 {
            return Ok((Vec::new(), total));
        }
        let received = self.received(queue);
        let _alone = received.searching.lock().await;
        let in_hand = received.all(self.clock.now());
        let (known, most) = (total.saturating_sub(in_hand.len() as u64), limit.max(MOST_LISTED));
        let mut found = HashMap::new();
        let searched = self.search(&place, None, known, most, &mut found).await;
        let handles = found.values().filter_map(|held| held.message.receipt_handle.clone()).collect();
        let messages = found.into_values().map(|held| held.message).chain(in_hand);
        let letters = self.letters(queue, messages).await;
        self.release(&place, handles).await;
        searched?;
        received.remember(letters.iter().map(|letter| &letter.id));
        received.set_oldest(letters.iter().map(|letter| letter.dead_at).min(), self.clock.now());
        let total = total.max(letters.len() as u64);
        Ok((letters, total))
    }

    async fn oldest(self: Arc<Self>, queue: Queue) -> Result<Option<Timestamp>, Fault> {
        let Some(place) = self.dead(queue) else { return Ok(None) };
        if let Some(known) = self.received(queue).oldest(self.clock.now(), OLDEST_FRESH) {
            return Ok(known);
        }
        if self.counts(&place).await?.all() == 0 {
            return Ok(None);
        }
        let (letters, _) = Arc::clone(&self).list(queue, 1).await?;
        Ok(letters.into_iter().map(|letter| letter.dead_at).min())
    }

    async fn get(self: Arc<Self>, id: String) -> Result<Option<(DeadLetter, String)>, Fault> {
        let Some((queue, message)) = self.find(&id, ReceivedDeadLetters::look).await? else {
            return Ok(None);
        };
        self.schedule_release(queue);
        let body = message.body.clone().unwrap_or_default();
        Ok(self.letters(queue, [*message]).await.pop().map(|letter| (letter, body)))
    }

    async fn act(self: Arc<Self>, id: String, act: Act) -> Result<bool, Fault> {
        let Some((queue, message)) = self.find(&id, ReceivedDeadLetters::take).await? else {
            return Ok(false);
        };
        let place = self.needed_dead(queue)?;
        let handle = message.receipt_handle.as_deref().unwrap_or_default();
        let done = match act {
            Act::Delete => self.delete(&place, handle).await,
            Act::Redrive(body) => self.redrive(queue, &place, &message, body).await,
        };
        if done.is_err() {
            self.release(&place, vec![handle.to_owned()]).await;
        }
        self.received(queue).done(&id);
        self.schedule_release(queue);
        done.map(|()| true)
    }

    async fn redrive(
        &self,
        queue: Queue,
        dead: &Place<'_>,
        message: &Message,
        body: Body,
    ) -> Result<(), Fault> {
        let mut attributes = message.message_attributes.clone().unwrap_or_default();
        attributes.retain(|name, _| !death::is_of_death(name));
        let lead = message::lead_of(message);
        let more = [
            (REDRIVEN_FROM, death::original_id(message).unwrap_or_default()),
            (LEAD, lead.as_ref().map(LeadId::as_str).unwrap_or_default()),
        ];
        for (name, attribute) in message::attributes(more)? {
            if attributes.contains_key(&name) || attributes.len() < MOST_ATTRIBUTES {
                attributes.insert(name, attribute);
            }
        }
        let body = match &body {
            Body::AsIs => message.body.as_deref().unwrap_or_default(),
            Body::Edited(body) => body,
        };
        self.send("putting a dead letter back into", &self.live(queue)?, body, attributes, 0).await?;
        let handle = message.receipt_handle.as_deref().unwrap_or_default();
        let deleted = self.delete(dead, handle).await;
        deleted.map_err(|fault| fault.about("it is back in its queue, and still a dead letter"))
    }

    /// The letter with this id, as `pick` finds it among the held ones, after a search if necessary.
    async fn find(
        self: &Arc<Self>,
        id: &str,
        pick: fn(&ReceivedDeadLetters, &str, Timestamp) -> TakeResult,
    ) -> Result<Option<(Queue, Box<Message>)>, Fault> {
        if !is_message_id(id) {
            return Ok(None);
        }
        // The right one first, where it is known.
        let mut queues = Queue::ALL;
        queues.sort_by_key(|queue| !self.received(*queue).remembers(id));
        for attempt in 0..=RETRIES {
            for (search, queue) in [false, true].into_iter().flat_map(|search| queues.map(|of| (search, of)))
            {
                if search {
                    self.search_for(queue, id).await?;
                }
                match pick(self.received(queue), id, self.clock.now()) {
                    TakeResult::Message(message) => return Ok(Some((queue, message))),
                    TakeResult::Busy => return Ok(None),
                    TakeResult::NotFound => {}
                }
            }
            if attempt == RETRIES || self.wait.is_zero() || !self.others_have_some(queues).await? {
                break;
            }
            self.clock.sleep(self.wait).await;
        }
        for queue in queues {
            self.schedule_release(queue);
        }
        Ok(None)
    }

    /// Receives until the letter comes or there are no more, and holds what was received.
    async fn search_for(&self, queue: Queue, id: &str) -> Result<(), Fault> {
        let Some(place) = self.dead(queue) else { return Ok(()) };
        let received = self.received(queue);
        let _alone = received.searching.lock().await;
        // Another search may have come across it meanwhile.
        if received.has(id, self.clock.now()) {
            return Ok(());
        }
        let total = self.counts(&place).await?.all();
        let known = total.saturating_sub(received.count(self.clock.now()));
        let mut found = HashMap::new();
        let searched = self.search(&place, Some(id), known, usize::MAX, &mut found).await;
        received.remember(found.keys());
        received.hold(found, self.clock.now());
        searched
    }

    /// Receives into `found` until `wanted` is there, `most` are, there are no more, or they repeat
    /// themselves. `known` is how many SQS says there are: once they have been seen, nothing is waited for.
    async fn search(
        &self,
        place: &Place<'_>,
        wanted: Option<&str>,
        known: u64,
        most: usize,
        found: &mut HashMap<String, HeldMessage>,
    ) -> Result<(), Fault> {
        let mut receivers = 1;
        loop {
            let seen_all = found.len() as u64 >= known;
            let (wait, at_once) = if seen_all { (0, 1) } else { (self.wait_seconds(), receivers) };
            let since = self.clock.now();
            let answers = (0..at_once).map(|_| self.receive(place, BATCH, wait, Some(HOLD)));
            let (mut end, mut received) = (false, Ok(()));
            for answer in join_all(answers).await {
                match answer {
                    Ok(messages) => {
                        end |= messages.is_empty();
                        for message in messages {
                            let Some(id) = message.message_id.clone() else { continue };
                            let held = HeldMessage { message, since };
                            // One that was there already has run out of time: from here on it would only come
                            // again. The new handle is the valid one.
                            end |= found.insert(id, held).is_some();
                        }
                    }
                    Err(fault) => received = Err(fault),
                }
            }
            received?;
            if end || found.len() >= most || wanted.is_some_and(|id| found.contains_key(id)) {
                return Ok(());
            }
            receivers = (receivers * 2).min(RECEIVERS);
        }
    }

    /// Whether there are hidden letters that are not held here.
    async fn others_have_some(&self, queues: [Queue; 2]) -> Result<bool, Fault> {
        for queue in queues {
            let Some(place) = self.dead(queue) else { continue };
            let hidden = self.counts(&place).await?.hidden;
            if hidden > self.received(queue).count(self.clock.now()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn letters(&self, queue: Queue, messages: impl IntoIterator<Item = Message>) -> Vec<DeadLetter> {
        // Asked for even where none was moved by SQS itself: it is one request in the life of a process.
        let max_receives = self.max_receives(queue).await;
        messages.into_iter().map(|message| death::letter(queue, &message, max_receives)).collect()
    }

    /// Releases the held letters once they have not been used for a moment.
    fn schedule_release(self: &Arc<Self>, queue: Queue) {
        if !self.received(queue).begin_release() {
            return;
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let before = inner.clock.now();
                inner.clock.sleep(RELEASE_AFTER).await;
                if inner.release_unused(queue, before).await {
                    return;
                }
            }
        });
    }

    /// Releases the held letters unless they have been used since `since`. Whether they have not.
    async fn release_unused(&self, queue: Queue, since: Timestamp) -> bool {
        let Some(handles) = self.received(queue).let_go(since) else { return false };
        if let Some(place) = self.dead(queue) {
            self.release(&place, handles).await;
        }
        true
    }

    /// Makes messages visible again. Where that fails they become so by themselves.
    async fn release(&self, place: &Place<'_>, handles: Vec<String>) {
        let requests: Vec<_> = handles
            .chunks(BATCH)
            .map(|batch| {
                let entries = batch.iter().enumerate().filter_map(|(number, handle)| {
                    ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(number.to_string())
                        .receipt_handle(handle)
                        .visibility_timeout(0)
                        .build()
                        .ok()
                });
                let request = self.sqs.change_message_visibility_batch().queue_url(place.url);
                request.set_entries(Some(entries.collect())).send()
            })
            .collect();
        let _ = stream::iter(requests).buffer_unordered(RECEIVERS).collect::<Vec<_>>().await;
    }
}

/// Whether a text has the form of a message id, a UUID. Whatever has not need not be searched for.
fn is_message_id(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
