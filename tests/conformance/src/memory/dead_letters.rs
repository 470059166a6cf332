use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use lead::Timestamp;
use pipeline::{
    Fault,
    ports::{Body, DeadLetter, DeadLetterCause, DeadLetters, NewMessage, Queue},
};

use super::{Memory, State, queues::Dying};

/// Dead letters and their bodies, in the order of their deaths.
pub(super) type Content = BTreeMap<u64, (DeadLetter, String)>;

impl State {
    pub(super) fn bury(&mut self, message: Dying, why: DeadLetterCause, dead_at: Timestamp) {
        let number = self.count();
        let letter = DeadLetter {
            id: number.to_string(),
            queue: message.queue,
            lead_id: why.lead,
            code: why.code,
            reason: why.reason,
            attempts: why.attempts,
            first_failed_at: message.first_failed_at.unwrap_or(dead_at),
            dead_at,
        };
        self.dead.insert(number, (letter, message.body));
    }

    pub(super) fn dead_in(&self, queue: Option<Queue>) -> u64 {
        let of_queue = |letter: &DeadLetter| queue.is_none_or(|queue| letter.queue == queue);
        self.dead.values().map(|(letter, _)| u64::from(of_queue(letter))).sum()
    }

    fn take(&mut self, id: &str) -> Option<(DeadLetter, String)> {
        self.dead.remove(&id.parse().ok()?)
    }
}

impl Memory {
    /// Every dead letter with its body.
    pub fn for_each_dead(&self, each: &mut dyn FnMut(&DeadLetter, &str)) {
        self.state().dead.values().for_each(|(letter, body)| each(letter, body));
    }
}

#[async_trait]
impl DeadLetters for Memory {
    async fn list(&self, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadLetter>, u64), Fault> {
        let state = self.state();
        let latest_first = state.dead.values().rev().map(|(letter, _)| letter);
        let of_queue = latest_first.filter(|letter| queue.is_none_or(|queue| letter.queue == queue));
        Ok((of_queue.take(limit).cloned().collect(), state.dead_in(queue)))
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.state().dead.values().map(|(letter, _)| letter.dead_at).min())
    }

    async fn get(&self, id: &str) -> Result<Option<(DeadLetter, String)>, Fault> {
        Ok(id.parse().ok().and_then(|number: u64| self.state().dead.get(&number).cloned()))
    }

    async fn redrive(&self, id: &str, body: Body) -> Result<bool, Fault> {
        let now = self.now();
        let mut state = self.state();
        let Some((letter, own)) = state.take(id) else { return Ok(false) };
        let body = match body {
            Body::AsIs => own,
            Body::Edited(body) => body,
        };
        state.send(letter.queue, NewMessage { body, lead: letter.lead_id, delay: Duration::ZERO }, now);
        Ok(true)
    }

    async fn delete(&self, id: &str) -> Result<bool, Fault> {
        Ok(self.state().take(id).is_some())
    }
}
