//! Moving all letters of a dead-letter queue back by SQS's own task.
//!
//! It is quicker than redriving one by one and goes on without us, and loses nothing. But it cannot choose:
//! all letters go, unchanged, with the attributes of their death; each gets a new id, nothing is written to
//! the journal, and whether the queue's own delay applies to them again is not documented.

use aws_sdk_sqs::types::QueueAttributeName;
use lead::{Timestamp, text};
use pipeline::{Code, Fault, ports::Queue};

use super::{Inner, Queues, dead_letters::of};
use crate::fault::fault;

/// How far a move is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// What it is doing.
    pub state: MoveState,
    /// How many it has moved.
    pub moved: u64,
    /// How many there were to move when it started.
    pub of: Option<u64>,
    /// When it was started.
    pub started_at: Timestamp,
    /// Why it failed.
    pub failure: Option<String>,
    /// What cancels it, while it runs.
    handle: Option<String>,
}

/// What a move is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveState {
    /// Moving.
    Running,
    /// Stopping.
    Cancelling,
    /// Stopped by an operator; what was moved stays moved.
    Cancelled,
    /// All were moved.
    Completed,
    /// It stopped by itself.
    Failed,
}

impl Queues {
    /// Starts moving all dead letters of a queue back into it, at most `rate` (1 to 500) a second. SQS
    /// runs one such move of a queue at a time.
    ///
    /// # Errors
    /// The fault of SQS, such as a move that is running already.
    pub async fn move_all(&self, queue: Queue, rate: Option<u16>) -> Result<(), Fault> {
        let arn = self.0.dead_arn(queue).await?;
        let rate = rate.map(|rate| i32::from(rate.clamp(1, 500)));
        let start = self.0.sqs.start_message_move_task().source_arn(arn);
        let started = start.set_max_number_of_messages_per_second(rate).send().await;
        started.map(|_| ()).map_err(|error| fault(&format!("moving {} back", of(queue)), &error))
    }

    /// How far the latest move of a queue's dead letters is; `None` where there has been none.
    ///
    /// # Errors
    /// The fault of SQS.
    pub async fn move_status(&self, queue: Queue) -> Result<Option<Move>, Fault> {
        let arn = self.0.dead_arn(queue).await?;
        let listed = self.0.sqs.list_message_move_tasks().source_arn(arn).max_results(1).send().await;
        let listed = listed.map_err(|error| fault(&format!("asking for moves of {}", of(queue)), &error))?;
        let Some(task) = listed.results.unwrap_or_default().into_iter().next() else { return Ok(None) };
        let state = match task.status.as_deref().unwrap_or_default() {
            "RUNNING" => MoveState::Running,
            "CANCELLING" => MoveState::Cancelling,
            "CANCELLED" => MoveState::Cancelled,
            "COMPLETED" => MoveState::Completed,
            _ => MoveState::Failed,
        };
        Ok(Some(Move {
            state,
            moved: u64::try_from(task.approximate_number_of_messages_moved).unwrap_or(0),
            of: task.approximate_number_of_messages_to_move.and_then(|count| u64::try_from(count).ok()),
            started_at: lead::from_millis(task.started_timestamp),
            failure: task.failure_reason.map(|why| text::shorten(&why, 200)),
            handle: task.task_handle,
        }))
    }

    /// Stops a running move. What it has moved stays moved.
    ///
    /// # Errors
    /// [`Code::AwsFailed`] where it does not run any more, or the fault of SQS.
    pub async fn cancel_move(&self, of_move: &Move) -> Result<(), Fault> {
        let Some(handle) = &of_move.handle else {
            return Err(Fault::new(Code::AwsFailed, "the move does not run any more"));
        };
        let cancelled = self.0.sqs.cancel_message_move_task().task_handle(handle).send().await;
        cancelled.map(|_| ()).map_err(|error| fault("stopping the move of dead letters", &error))
    }
}

impl Inner {
    async fn dead_arn(&self, queue: Queue) -> Result<String, Fault> {
        const ARN: QueueAttributeName = QueueAttributeName::QueueArn;
        let mut attributes = self.attributes(&of(queue), self.needed_dead_url(queue)?, &[ARN]).await?;
        attributes
            .remove(&ARN)
            .ok_or_else(|| Fault::new(Code::AwsFailed, format!("SQS does not name {}", of(queue))))
    }
}
