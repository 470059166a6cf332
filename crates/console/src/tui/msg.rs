//! What the console is told, and what it asks for.

use std::time::Duration;

use lead::{LeadId, Timestamp};
use ops::{DeadDetail, DeadRow, LeadRow, LeadStory, PendingRow, Resent, Status};
use pipeline::{
    Channel, Fault,
    ports::{DeadLetter, LogLine, Minute},
};

use super::{keymap::Press, remote::Trouble};

/// Something that happened, and when: nothing in the console reads a clock.
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
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// A second has passed.
    Tick,
    /// An answer to a question.
    Reply(Box<Reply>),
    /// How far an action is.
    Progress(Progress),
    /// The process is asked to end.
    Terminate,
    /// Something went wrong behind the console's back.
    Notice(String),
}

/// A question to the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The vital signs.
    Status,
    /// The last so many minutes.
    Minutes(u16),
    /// Leads that have not ended.
    Pending,
    /// Dead letters.
    Dead,
    /// Enriched leads.
    Leads,
    /// Log lines behind this cursor.
    Logs(Option<String>),
    /// One lead.
    Story(LeadId),
    /// One dead letter.
    Letter(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "one for each question")]
pub enum Answer {
    Status(Status),
    Minutes(Vec<Minute>),
    Pending(Vec<PendingRow>),
    Dead(Vec<DeadRow>, u64),
    Leads(Vec<LeadRow>),
    Logs(Vec<LogLine>),
    Story(Box<LeadStory>),
    Letter(Box<DeadDetail>),
}

/// What came of a question.
#[derive(Debug)]
pub struct Reply {
    /// Which asking of it.
    pub generation: u64,
    /// The question.
    pub query: Query,
    /// How long the answer took.
    pub took: Duration,
    /// The answer.
    pub answer: Result<Answer, Trouble>,
}

/// Something to do, confirmed.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Put these dead letters back into their queues.
    Redrive(Vec<DeadRow>),
    /// All there are, known here or not.
    RedriveAll,
    /// Send a new alert.
    Resend {
        /// About this lead.
        lead: LeadId,
        /// Its name.
        name: String,
        /// On this channel.
        channel: Channel,
    },
}

/// How far an action is.
#[derive(Debug)]
pub struct Progress {
    /// Which one.
    pub job: u64,
    /// What happened.
    pub step: Step,
}

/// A step of an action.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// So many items are to be done.
    Counted(usize),
    /// One dead letter's outcome.
    Redriven(DeadLetter, Result<(), Fault>),
    /// The alert is queued; its receipt is waited for.
    Queued,
    /// The receipt of an alert, or why there is none.
    Receipt(Result<Resent, Fault>),
    /// The action could not be begun.
    Refused(Fault),
    /// Nothing more comes.
    Over,
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Cmd {
    /// Ask.
    Ask {
        /// Which asking it is.
        generation: u64,
        /// The question.
        query: Query,
    },
    /// Do not wait for an answer any more.
    Forget(u64),
    /// Act.
    Act {
        /// Which job it is.
        job: u64,
        /// What is to be done.
        act: Act,
    },
    /// Stop an action between two items.
    Stop(u64),
    /// Give the terminal back until the shell continues us.
    Suspend,
    /// End.
    Quit,
}
