//! Leads that ended long ago, whose raw events arrive once more.

use async_trait::async_trait;
use close::CreatedLead;
use jiff::SignedDuration;
use lead::LeadId;

use super::{Interruption, Process};
use crate::{
    Fault, Function, Progress,
    job::{Cause, ProcessJob},
    ports::Level,
    recorder,
};

/// How long after its webhook the proof that a lead was announced may be gone: longer than any message of it can
/// live, ten days in a queue and fourteen among the dead letters, and not as long as receipts are kept (`HistoryDays`).
const LONG_AGO: SignedDuration = SignedDuration::from_hours(25 * 24);
/// How far Close's clock and ours may be apart.
const SKEW: SignedDuration = SignedDuration::from_hours(24);

/// The leads that a store knows, if its raw events arrive again: S3 notifies of one each time that it is written, also
/// where it is copied onto itself, to encrypt it again, or restored.
#[async_trait]
pub trait PastLeads: Send + Sync {
    /// How far a lead is, see [`crate::ports::History::progress`].
    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault>;
}

impl Process {
    /// Whether the lead of a raw event that has arrived ended long ago, so that nothing but its record may be left to
    /// say so: processed as if it had just arrived it would be announced again. Of one that Close has `created` since
    /// then nothing is asked.
    pub(super) async fn ended_long_ago(
        &self,
        job: &ProcessJob,
        created: Option<&CreatedLead>,
    ) -> Result<bool, Interruption> {
        let Some(past) = self.past.as_ref().filter(|_| job.cause == Cause::Arrival) else { return Ok(false) };
        let now = self.recorder.clock.now();
        let age = created.and_then(CreatedLead::created_at).map(|created_at| now.duration_since(created_at));
        if age.is_some_and(|age| -SKEW < age && age < LONG_AGO - SKEW) {
            return Ok(false);
        }
        let progress = past.progress(&job.lead_id).await?;
        let ended = progress
            .is_some_and(|lead| lead.ended.is_some() && now.duration_since(lead.received_at) > LONG_AGO);
        if ended {
            let message = "its raw event was written again and nothing is done: the lead ended long ago; `leadops \
                           requeue` processes it again, and announces it again";
            let lead = Some(job.lead_id.as_str());
            recorder::line(Function::LeadProcessor, Level::Info, message, lead, None);
        }
        Ok(ended)
    }
}
