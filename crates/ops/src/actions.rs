//! What an operator can do. Every action is written to the journal with who did it.

use std::{ops::ControlFlow, time::Duration};

use lead::{LeadId, keys};
use pipeline::{
    Code, Entry, Fault, Function, JournalEvent,
    job::{Cause, ProcessJob},
    ports::{Body, DeadLetter, Level, Queue, WriteCondition},
    recorder,
};
use serde_json::json;

use crate::{Ops, dead::no_such};

/// The right to act on a pipeline; only [`Ops::actions`] creates it.
#[derive(Clone, Copy)]
pub struct Actions<'a>(pub(crate) &'a Ops);

/// The outcome of redriving one dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// The dead letter.
    pub letter: DeadLetter,
    /// Why it is still a dead letter, if it is.
    pub result: Result<(), Fault>,
}

impl Actions<'_> {
    /// Puts dead letters back into their queues one by one, at most `rate` a second, calling `report`
    /// with each outcome; it can stop the rest. What was not reported as done is still a dead letter, so
    /// that the same call again continues where this one stopped.
    pub async fn redrive_all(
        &self,
        letters: Vec<DeadLetter>,
        rate: Option<f64>,
        mut report: impl FnMut(Redriven) -> ControlFlow<()>,
    ) {
        let pause =
            rate.filter(|rate| *rate > 0.0).map(|rate| Duration::from_secs_f64((1.0 / rate).min(3_600.0)));
        for (index, letter) in letters.into_iter().enumerate() {
            if let (Some(pause), true) = (pause, index > 0) {
                self.0.recorder.clock.sleep(pause).await;
            }
            let result = self.redrive(&letter, Body::AsIs).await;
            if report(Redriven { letter, result }).is_break() {
                return;
            }
        }
    }

    /// Puts one dead letter back into its queue, due at once.
    ///
    /// # Errors
    /// [`Code::NoSuchDeadLetter`]; [`Code::EditRefused`] for an edited body that its queue could not
    /// read; or the fault of a port, after which the message is still a dead letter.
    pub async fn redrive(&self, letter: &DeadLetter, body: Body) -> Result<(), Fault> {
        let ops = self.0;
        let edited = matches!(body, Body::Edited(_));
        if let Body::Edited(body) = &body {
            self.check_edit(letter, body)?;
        }
        // With the time of the decision: a worker may send the alert before the entry is written.
        let (queue, by, dead_letter) = (letter.queue, ops.operator.clone(), letter.id.clone());
        let redriven = JournalEvent::Redriven { queue, by, dead_letter, edited };
        let entry = ops.recorder.entry(letter.lead_id.clone(), redriven);
        if !ops.dead_letters.redrive(&letter.id, body).await? {
            return Err(no_such(&letter.id));
        }
        self.note(entry).await;
        Ok(())
    }

    /// Whether the letter's stage could read the body, and would find the same lead in it.
    ///
    /// # Errors
    /// [`Code::EditRefused`] with what is wrong with it.
    pub fn check_edit(&self, letter: &DeadLetter, body: &str) -> Result<(), Fault> {
        let refused = |what: String| Fault::new(Code::EditRefused, what);
        let read = self.0.dead_letters.lead_in(letter.queue, body);
        let lead = read.map_err(|error| refused(format!("the edited message is not readable: {error}")))?;
        match &letter.lead_id {
            Some(before) if *before != lead => {
                Err(refused(format!("the edited message is about {lead} instead of {before}")))
            }
            _ => Ok(()),
        }
    }

    /// Records what has been done. It is done whether or not this succeeds, so a failure is not a
    /// failure of the action.
    async fn note(&self, entry: Entry) {
        if let Err(fault) = self.0.recorder.write(entry).await {
            let context = "done, but the journal entry could not be written";
            recorder::fault(Function::Operator, Level::Warn, context, None, &fault);
        }
    }

    /// Deletes one dead letter, after storing a copy. Returns the copy's key.
    ///
    /// # Errors
    /// [`Code::NoSuchDeadLetter`], or the fault of a port, after which the message is still a dead letter.
    pub async fn delete(&self, id: &str) -> Result<String, Fault> {
        let ops = self.0;
        let (letter, body) = ops.dead_letters.get(id).await?.ok_or_else(|| no_such(id))?;
        let copy_key = keys::deleted(&letter.id);
        let copy = json!({
            "dead_letter": letter, "body": body, "deleted_at": ops.recorder.clock.now(), "deleted_by": ops.operator,
        });
        ops.objects.put(&copy_key, copy.to_string().into(), WriteCondition::Always).await?;
        if !ops.dead_letters.delete(id).await? {
            return Err(no_such(id));
        }
        let (queue, by) = (letter.queue, ops.operator.clone());
        let deleted = JournalEvent::Deleted { queue, by, kept: copy_key.clone() };
        self.note(ops.recorder.entry(letter.lead_id, deleted)).await;
        Ok(copy_key)
    }

    /// All dead letters with their bodies, the latest first.
    ///
    /// # Errors
    /// The fault of a port.
    pub async fn export(&self) -> Result<Vec<(DeadLetter, String)>, Fault> {
        let (letters, _) = self.0.dead_letters.list(None, usize::MAX).await?;
        let mut exported = Vec::new();
        for letter in letters {
            exported.extend(self.0.dead_letters.get(&letter.id).await?);
        }
        self.exported(exported.len()).await?;
        Ok(exported)
    }

    /// Records that this many dead letters have been exported.
    ///
    /// # Errors
    /// The fault of the journal.
    pub async fn exported(&self, count: usize) -> Result<(), Fault> {
        let by = self.0.operator.clone();
        self.0.recorder.record(None, JournalEvent::Exported { by, count }).await
    }

    /// Has a lead processed again from its raw event, now.
    ///
    /// # Errors
    /// [`Code::NoSuchLead`], or the fault of a port.
    pub async fn requeue(&self, lead: &LeadId) -> Result<(), Fault> {
        let ops = self.0;
        let key = keys::raw(&ops.settings.source_prefix, lead);
        ops.raw_bytes(lead).await?;
        let now = ops.recorder.clock.now();
        let job = ProcessJob::new(lead.clone(), key, now, Cause::Requeue);
        let entry =
            ops.recorder.entry(Some(lead.clone()), JournalEvent::Requeued { by: ops.operator.clone() });
        ops.outbox.send(Queue::Delay, job.message(now)).await?;
        self.note(entry).await;
        Ok(())
    }
}
