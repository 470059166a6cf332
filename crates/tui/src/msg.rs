//! What the console is told, and what it asks for.

use std::{path::PathBuf, sync::Arc, time::Duration};

use lead::{LeadId, Timestamp};
use ops::{DeadDetail, DeadRow, Health, LeadRow, LeadStory, PendingRow, Selection, Status, Whom};
use pipeline::{
    Fault, Settings,
    destination::DestinationId,
    ports::{DeadLetter, LogLine, LogQuery, Minute, Seen},
};

use super::{
    keymap::Press,
    remote::Trouble,
    source::Banner,
    table::{Page, Shown, Wanted},
};

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
    /// Rows have been sifted.
    Sifted(u64, Sifted),
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
    /// So many leads that have not ended.
    Pending(usize),
    /// So many dead letters.
    Dead(usize),
    /// So many enriched leads.
    Leads(usize),
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
    Pending(Vec<PendingRow>),
    Dead(Vec<DeadRow>, u64),
    Leads(Vec<LeadRow>),
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

/// Rows to be sifted beside the keys.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "one for each table")]
pub enum Sift {
    Pending(Arc<Vec<PendingRow>>, Wanted),
    Dead(Arc<Vec<DeadRow>>, Wanted),
    Leads(Arc<Vec<LeadRow>>, Wanted),
}

/// Rows that have been sifted.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "one for each table")]
pub enum Sifted {
    Pending(Shown<PendingRow>),
    Dead(Shown<DeadRow>),
    Leads(Shown<LeadRow>),
}

impl Sift {
    /// Sifts.
    pub fn run(self) -> Sifted {
        match self {
            Self::Pending(rows, wanted) => Sifted::Pending(Shown::sift(rows, &wanted)),
            Self::Dead(rows, wanted) => Sifted::Dead(Shown::sift(rows, &wanted)),
            Self::Leads(rows, wanted) => Sifted::Leads(Shown::sift(rows, &wanted)),
        }
    }
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
    Resend(DestinationId, Whom),
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
    /// Sift rows.
    Sift(u64, Sift),
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

/// A table's page.
pub fn page<T>(rows: Vec<T>, total: Option<u64>, limit: usize) -> Page<T> {
    // Where only the rows are known, a full page says that there may be more.
    let more = u64::from(rows.len() >= limit);
    let total = total.unwrap_or(rows.len() as u64 + more);
    Page { rows: Arc::new(rows), total }
}
