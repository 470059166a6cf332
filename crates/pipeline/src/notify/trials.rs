//! Trials: alerts about no lead. They take the way of every alert, and leave a receipt and lines in the log, nothing else:
//! no entry in the journal, which listings, counts and rates are made of, and no dead letter.

use jiff::SignedDuration;

use super::Notify;
use crate::{
    Fault, Function, JournalEvent,
    job::AlertJob,
    ports::{Disposition, Level, Queue},
    recorder,
};

/// How long after it was asked for a trial is of interest to anybody.
const LONGEST: SignedDuration = SignedDuration::from_mins(10);

impl Notify {
    /// Whether it is a trial that nobody waits for any more, as the pipeline stood still since it was asked for. The log
    /// says that it is dropped.
    pub(super) fn is_stale(&self, job: &AlertJob) -> bool {
        let age = job.due_at.map(|asked| self.recorder.clock.now().duration_since(asked));
        if !job.is_trial() || age.is_some_and(|age| age <= LONGEST) {
            return false;
        }
        let (place, minutes) = (job.destination.label(), LONGEST.as_mins());
        let message = format!("a trial on {place} is dropped: it was asked for more than {minutes} min ago");
        let lead_id = Some(job.lead_id.as_str());
        recorder::line(Function::Notification, Level::Info, &message, lead_id, None);
        true
    }

    /// Records what happened to an alert.
    pub(super) async fn record(&self, job: &AlertJob, event: JournalEvent) -> Result<(), Fault> {
        let lead_id = Some(job.lead_id.clone());
        if job.is_trial() {
            recorder::log(&self.recorder.entry(lead_id, event));
            return Ok(());
        }
        self.recorder.record(lead_id, event).await
    }

    /// Makes a dead letter of an alert. For a trial, which can be sent again, the receipt is enough.
    pub(super) async fn dead_alert(&self, job: AlertJob, fault: Fault, attempts: u32) -> Disposition {
        let (is_trial, alert) = (job.is_trial(), Some((job.destination, job.kind)));
        if !is_trial {
            return self.recorder.dead(Queue::Notification, Some(job.lead_id), alert, fault, attempts).await;
        }
        let event = JournalEvent::dead(Queue::Notification, alert, &fault, attempts);
        recorder::log(&self.recorder.entry(Some(job.lead_id), event));
        Disposition::Done
    }
}
