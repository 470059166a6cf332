//! What the console is told, and what it asks for.

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
    remote::Trouble,
    rows::{FilterTask, Filtered, Rows},
    source::Banner,
};

/// How long an answer is waited for. [`super::effect`] gives up after it; a source that holds its whole
/// thread cannot even do that, so that the console looks at its clock as well.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How many log lines are asked for at once.
pub const LOG_PAGE: usize = 500;

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
    /// Text was pasted.
    Paste(String),
    /// The mouse did something at a column and a row.
    Mouse(Pointer, u16, u16),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// A second has passed.
    Tick,
    /// An answer to a question.
    Reply(Box<Reply>),
    /// Rows have been filtered and sorted.
    Filtered(u64, Filtered),
    /// How far an action is.
    Progress(Progress),
    /// An editor has ended.
    Edited(Box<DeadDetail>, Result<String, Fault>),
    /// Another pipeline has been opened, or not.
    Switched(u64, Box<Result<Facts, Fault>>),
    /// The process is asked to end.
    Terminate,
    /// Something went wrong behind the console's back.
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

/// What is known of a pipeline from the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What it is called.
    pub banner: Banner,
    /// Why actions are refused, where they are.
    pub refusal: Option<Fault>,
    /// The figures that it works by.
    pub settings: Arc<Settings>,
    /// The shortest time between two questions of a kind.
    pub every: Duration,
}

/// A question to the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Whether anything has changed.
    Watch,
    /// The vital signs.
    Status,
    /// The neighbours.
    Health,
    /// The last so many minutes.
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
#[allow(missing_docs, reason = "one for each question")]
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

/// What is done to each of some targets.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Put the dead letter back into its queue.
    Redrive,
    /// The same, with another body.
    RedriveEdited(String),
    /// Delete the dead letter, keeping a copy.
    Delete,
    /// Process the lead again.
    Requeue,
    /// Send a new alert about the lead, to these there.
    Resend(DestinationId, Recipients),
    /// Send a trial alert there.
    Try(DestinationId),
    /// Write the dead letters into a file.
    Export(PathBuf),
}

/// A dead letter or a lead that something is done to.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What it is called.
    pub name: String,
    /// The lead.
    pub lead: Option<LeadId>,
    /// The dead letter.
    pub letter: Option<DeadLetter>,
}

/// Something to do, confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// What.
    pub verb: Verb,
    /// To which.
    pub targets: Arc<Vec<Target>>,
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
    /// The outcome of one target, by its place; a word on it where there is something to tell.
    Done(usize, Result<Option<String>, Fault>),
    /// Everything has been done; what becomes of it is looked at from now on.
    Following,
    /// What became of one target.
    Became(usize, Result<String, String>),
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
    /// Filter and sort rows.
    Filter(u64, FilterTask),
    /// Act.
    Act {
        /// Which job it is.
        job: u64,
        /// What is to be done.
        act: Act,
    },
    /// Stop an action between two items.
    Stop(u64),
    /// Open an editor on a dead letter, with this text in it.
    Edit(Box<DeadDetail>, String),
    /// Open another pipeline, and let go of this one.
    Switch(u64, String),
    /// Put a text into the clipboard.
    Copy(String),
    /// Whether the mouse is ours.
    Mouse(bool),
    /// Give the terminal back until the shell continues us.
    Suspend,
    /// End.
    Quit,
}

impl Act {
    /// An action.
    pub fn new(verb: Verb, targets: Vec<Target>) -> Self {
        Self { verb, targets: Arc::new(targets) }
    }
}

/// What letters are wanted for.
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
