use async_trait::async_trait;
use pipeline::{
    Fault,
    ports::{Accepted, Intake, NewEvent, NewMessage, PutError, Queue, WriteCondition},
};

use super::Memory;

#[async_trait]
impl Intake for Memory {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, Fault> {
        let now = self.now();
        let mut state = self.state();
        match state.put(&event.key, event.body, &WriteCondition::Absent, now) {
            Ok(_) => {}
            Err(PutError::Precondition) => return Ok(Accepted::Duplicate),
            Err(PutError::Fault(fault)) => return Err(fault),
        }
        let job = NewMessage { body: event.job, lead: Some(event.lead), delay: event.delay };
        state.send(Queue::Delay, job, now);
        state.append(event.entry);
        Ok(Accepted::New)
    }
}
