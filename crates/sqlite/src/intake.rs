//! Accepting events.

use async_trait::async_trait;
use pipeline::{
    Fault,
    ports::{Accepted, Intake, NewEvent, Queue},
};

use crate::{
    Store,
    body::StoredBody,
    journal,
    lead_row::LeadKey,
    objects::{self, ObjectKey},
    queue,
};

#[async_trait]
impl Intake for Store {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, Fault> {
        let entry = journal::Prepared::new(event.entry)?;
        let (lead, key, body) =
            (LeadKey::new(&event.lead), ObjectKey::new(&event.key), StoredBody::new(event.body));
        self.write(move |tx| {
            let state = journal::state(tx.conn, &lead)?;
            // Of a lead that is not there, nothing is.
            let is_new = state.is_none() && key.is_of(&lead);
            if !is_new && !objects::insert(tx, &key, &body)? {
                return Ok(Accepted::Duplicate);
            }
            let row = journal::append_to(tx, &lead, state, &entry)?;
            if is_new {
                objects::insert_of(tx, row, &key, &body)?;
            }
            queue::send(tx, Queue::Delay, &event.job, Some(&event.lead), event.delay)?;
            Ok(Accepted::New)
        })
        .await
    }
}
