//! Doing with messages what their stage has decided, and reporting it to Lambda.

use aws::{Queues, Settled};
use futures_util::future::join_all;
use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{
    Function,
    job::lead_in,
    ports::{Delivery, Disposition, Level, Queue},
    recorder,
};

use crate::batch::Report;

/// What is left of an invocation's time for settling and answering.
const RESERVE: SignedDuration = SignedDuration::from_secs(2);

/// The time by which a stage has to be done, for an invocation that ends at `deadline`.
pub fn reserve(deadline: Timestamp) -> Timestamp {
    deadline.checked_sub(RESERVE).unwrap_or(deadline)
}

/// Settles a batch. A message without a disposition is reported as failed and left to the queue.
pub async fn all(
    queues: &Queues,
    queue: Queue,
    deliveries: Vec<Delivery>,
    dispositions: Vec<Option<Disposition>>,
) -> Report {
    let settled = deliveries.iter().zip(dispositions).map(|(delivery, disposition)| async move {
        let settled = match disposition {
            None => Settled::Failed,
            Some(disposition) => {
                queues.settle_in_function(queue, delivery, disposition).await.unwrap_or_else(|fault| {
                    let (function, lead) = (Function::of_queue(queue), lead_in(&delivery.body));
                    let context = "the message is delivered again by its queue";
                    recorder::fault(function, Level::Warn, context, lead.as_ref(), &fault);
                    Settled::Failed
                })
            }
        };
        (settled == Settled::Failed).then(|| delivery.id.clone())
    });
    Report::of(join_all(settled).await.into_iter().flatten())
}
