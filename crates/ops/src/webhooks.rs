//! The requests to the webhook in the last hour.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use pipeline::{Code, Fault};

use crate::Ops;

/// Webhooks of the last hour, and other requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Webhooks {
    /// How many new leads were accepted.
    pub accepted: u64,
    /// How many requests were refused, by the HTTP status of the answer; under
    /// [`OTHER`](pipeline::ports::OTHER) if it is not known.
    pub refused: BTreeMap<String, u64>,
    /// How many of those looked like Close's, by the code with which they were refused.
    pub refused_webhooks: BTreeMap<Code, u64>,
}

impl Ops {
    /// The requests to the webhook in the last hour.
    ///
    /// # Errors
    /// The fault of the journal.
    pub async fn webhooks(&self) -> Result<Webhooks, Fault> {
        let since = self.recorder.clock.now() - SignedDuration::from_mins(59);
        let (minutes, refused, refused_webhooks) = futures_util::try_join!(
            self.minutes(60),
            self.history.refused(since),
            self.history.refused_webhooks(since),
        )?;
        let accepted = minutes.iter().map(|minute| minute.accepted).sum();
        Ok(Webhooks { accepted, refused, refused_webhooks })
    }
}
