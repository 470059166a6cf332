//! New leads on AWS: S3 notifies the queue of raw events that were written.

use std::time::Duration;

use async_trait::async_trait;
use aws::s3event::{self, Body};
use futures_util::future::join_all;
use lead::Timestamp;
use pipeline::{
    driver::QueueStage,
    ports::{Delivery, Disposition, Queue},
    process::Process,
};

/// The stage, for S3's notifications and our own jobs.
pub struct Arrivals {
    /// The stage.
    pub stage: Process,
    /// The bucket's name.
    pub bucket: String,
    /// How long after its arrival a lead may be processed, where that is known.
    pub delay: Option<Duration>,
}

#[async_trait]
impl QueueStage for Arrivals {
    fn queue(&self) -> Queue {
        Queue::Delay
    }

    fn is_together(&self) -> bool {
        false
    }

    async fn work(&self, deliveries: &[Delivery], deadline: Option<Timestamp>) -> Vec<Disposition> {
        join_all(deliveries.iter().map(|delivery| self.handle(delivery, deadline))).await
    }
}

impl Arrivals {
    async fn handle(&self, delivery: &Delivery, deadline: Option<Timestamp>) -> Disposition {
        let (prefix, now) = (&self.stage.settings.source_prefix, self.stage.recorder.clock.now());
        match s3event::read(&delivery.body, &self.bucket, prefix, self.delay, now) {
            Body::Test => Disposition::Done,
            // A job of our own, or an unknown message.
            Body::NotS3 => self.stage.handle_until(delivery, deadline).await,
            Body::Jobs(jobs) => {
                let handled = jobs.iter().map(|job| async move {
                    match job {
                        Ok(job) => self.stage.handle_job_until(job, delivery, deadline).await,
                        Err(reason) => self.stage.unreadable(delivery, reason).await,
                    }
                });
                together(join_all(handled).await)
            }
        }
    }
}

/// The disposition of a message with several leads. Handling a lead once more than needed changes nothing, so a lead that
/// needs a retry decides.
fn together(dispositions: Vec<Disposition>) -> Disposition {
    let rank = |disposition: &Disposition| match disposition {
        Disposition::Done => 0,
        Disposition::Dead(_) => 1,
        Disposition::Retry(_) => 2,
    };
    dispositions.into_iter().max_by_key(rank).unwrap_or(Disposition::Done)
}

#[cfg(test)]
mod tests {
    use pipeline::{Code, ports::DeadLetterCause};

    use super::*;

    #[test]
    fn one_lead_that_needs_another_try_decides_for_its_message() {
        let retry = Disposition::Retry(Duration::from_secs(4));
        let why =
            DeadLetterCause { code: Code::RawEventGone, reason: String::new(), attempts: 1, lead: None };
        let dead = Disposition::Dead(why);
        assert_eq!(together(vec![Disposition::Done, dead.clone(), retry.clone()]), retry);
        assert_eq!(together(vec![dead.clone(), Disposition::Done]), dead);
        assert_eq!(together(vec![Disposition::Done]), Disposition::Done);
        assert_eq!(together(vec![]), Disposition::Done);
    }
}
