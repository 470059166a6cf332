use crate::{
    Fault,
    job::AlertJob,
    ports::{Queue, WorkQueues},
    receipt::Receipts,
};

/// Takes up what a predecessor that was killed had in hand. Only for who knows that it is gone, and that nobody else works
/// on these queues.
///
/// # Errors
/// That of the store: nothing may be worked on then.
pub async fn take_over(queues: &dyn WorkQueues, receipts: &Receipts) -> Result<(), Fault> {
    // Before the messages are ready again, so that the first look at an alert need not wait for a claim.
    for body in queues.in_flight(Queue::Notification).await? {
        if let Ok(job) = AlertJob::parse(&body) {
            receipts.expire_claim(&job).await?;
        }
    }
    queues.release_in_flight().await?;
    Ok(())
}
