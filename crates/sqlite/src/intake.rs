//! Accepting events.

use async_trait::async_trait;
use pipeline::{
    Fault,
    ports::{Accepted, Intake, NewEvent, Queue},
};

use crate::{Store, journal, objects, queue};

#[async_trait]
impl Intake for Store {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, Fault> {
        let entry = journal::Prepared::new(event.entry.clone())?;
        self.write(move |tx| {
            if objects::insert(tx, &event.key, &event.body)?.is_none() {
                return Ok(Accepted::Duplicate);
            }
            queue::send(tx, Queue::Delay, &event.job, Some(&event.lead), event.delay)?;
            journal::append_prepared(tx, &entry)?;
            Ok(Accepted::New)
        })
        .await
    }
}
