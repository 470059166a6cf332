//! The messages that the console receives, and the commands that it gives.

use std::{path::PathBuf, sync::Arc, time::Duration};

use lead::{LeadId, Timestamp};
use ops::{DeadDetail, Health, LeadStory, Recipients, Selection, Status};
use pipeline::{
    Fault, Settings,
    destination::DestinationId,
    ports::{DeadLetter, LogLine, LogQuery, Minute, Seen},
};

use super::{
    keymap::Press,
    panel::Panel,
    remote::QueryError,
    rows::{FilterTask, Filtered, Rows},
    source::Banner,
};

/// How long a query may take. [`super::effect`] gives up after it; a source that blocks its whole thread
/// prevents even that, so that the console checks the time as well.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// How many log lines are queried at once.
pub const LOG_PAGE: usize = 500;

/// Something that happened, and when: `update` reads no clock.
#[derive(Debug)]
pub struct Msg {
    /// The time.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Press(Press),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something at a column and a row.
    Mouse(Pointer, u16, u16),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// A second has passed.
    Tick,
    /// An answer to a query.
    Reply(Box<Reply>),
    /// Rows have been filtered and sorted.
    Filtered(u64, Filtered),
    /// The progress of an operation.
    Progress(Progress),
    /// An editor has ended.
    Edited(Box<DeadDetail>, Result<String, Fault>),
    /// Another pipeline has been opened, or not.
    Switched(u64, Box<Result<PipelineInfo, Fault>>),
    /// The process is asked to end.
    Terminate,
    /// Something went wrong in another task.
    Notice(String),
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as done")]
pub enum Pointer {
    Click,
    ScrollUp,
    ScrollDown,
}

/// What is known about a pipeline as soon as it is open.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineInfo {
    /// Its name and place.
    pub banner: Banner,
    /// Why actions are refused, if they are.
    pub refusal: Option<Fault>,
    /// Its settings.
    pub settings: Arc<Settings>,
    /// The shortest time between two queries of a kind.
    pub min_interval: Duration,
}

/// A query to the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Whether anything has changed.
    Watch,
    /// The key figures.
    Status,
    /// The health of the services around it.
    Health,
    /// The counts of the last so many minutes.
    Minutes(u16),
    /// So many rows of a panel's table.
    Rows(Panel, usize),
    /// Log lines.
    Logs(LogQuery),
    /// One lead.
    Story(LeadId),
    /// The raw event of one lead.
    Raw(LeadId),
    /// One dead letter.
    Letter(String),
    /// All dead letters of a selection, for an action on them.
    Select(Selection),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "one for each query")]
pub enum Answer {
    Watch(Seen),
    Status(Status),
    Health(Health),
    Minutes(Vec<Minute>),
    Rows(Rows),
    Logs(Vec<LogLine>),
    Story(Box<LeadStory>),
    Raw(Option<String>),
    Letter(Box<DeadDetail>),
    Select(Vec<DeadLetter>),
}

/// The reply to a query.
#[derive(Debug)]
pub struct Reply {
    /// The number of the query.
    pub generation: u64,
    /// The query.
    pub query: Query,
    /// How long the answer took.
    pub took: Duration,
    /// The answer.
    pub answer: Result<Answer, QueryError>,
}

/// What an operation does to each of its targets.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Put the dead letter back into its queue.
    Redrive,
    /// The same, with another body.
    RedriveEdited(String),
    /// Delete the dead letter; a copy is stored.
    Delete,
    /// Process the lead again.
    Requeue,
    /// Send a new alert about the lead to this destination, to all of its recipients or to those left out.
    Resend(DestinationId, Recipients),
    /// Send a trial alert to this destination.
    Try(DestinationId),
    /// Write the dead letters into a file.
    Export(PathBuf),
}

impl Verb {
    /// What is being done, and what was done.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Redrive | Self::RedriveEdited(_) => ("redriving", "redriven"),
            Self::Delete => ("deleting", "deleted"),
            Self::Requeue => ("requeueing", "requeued"),
            Self::Resend(..) => ("resending", "resent"),
            Self::Try(_) => ("testing", "tested"),
            Self::Export(_) => ("exporting", "exported"),
        }
    }

    /// What is being done: `redriving`.
    pub fn doing(&self) -> &'static str {
        self.words().0
    }

    /// What was done: `redriven`.
    pub fn done(&self) -> &'static str {
        self.words().1
    }

    /// Whether it works on dead letters, for which two operations must not compete.
    pub fn takes_letters(&self) -> bool {
        matches!(self, Self::Redrive | Self::RedriveEdited(_) | Self::Delete)
    }
}

/// A dead letter or a lead that an operation acts on.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What it is called.
    pub name: String,
    /// The lead.
    pub lead: Option<LeadId>,
    /// The dead letter.
    pub letter: Option<DeadLetter>,
}

/// An operation that the user has confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What it does.
    pub verb: Verb,
    /// What it acts on.
    pub targets: Arc<Vec<Target>>,
}

/// The progress of an operation.
#[derive(Debug)]
pub struct Progress {
    /// The number of its job.
    pub job: u64,
    /// What happened.
    pub step: Step,
}

/// A step of an operation.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// The result for one target, by its index, with a detail if there is one.
    Done(usize, Result<Option<String>, Fault>),
    /// All targets are done; from now on it watches how they end.
    Following,
    /// How one target ended afterwards.
    Followed(usize, Result<String, String>),
    /// The operation could not be started.
    Refused(Fault),
    /// There are no more steps.
    Finished,
}

/// A command to be carried out outside of `update`.
#[derive(Debug, Clone, PartialEq)]
pub enum Cmd {
    /// Send a query.
    Ask {
        /// Its number.
        generation: u64,
        /// The query.
        query: Query,
    },
    /// Cancel a query.
    Cancel(u64),
    /// Filter and sort rows.
    Filter(u64, FilterTask),
    /// Run an operation.
    Run {
        /// The number of its job.
        job: u64,
        /// The operation.
        operation: Operation,
    },
    /// Stop an operation after the current target.
    Stop(u64),
    /// Open an editor on a dead letter, with this text in it.
    Edit(Box<DeadDetail>, String),
    /// Open another pipeline, and leave this one.
    Switch(u64, String),
    /// Copy a text to the clipboard.
    Copy(String),
    /// Capture the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Suspend to the shell.
    Suspend,
    /// Quit.
    Quit,
}

/// What dead letters are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as done")]
pub enum Purpose {
    Redrive,
    RedriveAll,
    Delete,
    Export,
}

impl Purpose {
    /// As a verb.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Redrive | Self::RedriveAll => "redrive",
            Self::Delete => "delete",
            Self::Export => "export",
        }
    }
}
