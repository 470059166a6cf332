//! The windows that can cover the panels.

use lead::{LeadId, Timestamp};
use ops::{DeadDetail, DeadRow, LeadStory};
use pipeline::ports::{DeadLetter, LogLine};

use super::{
    format,
    keymap::Action,
    msg::Operation,
    remote::{Polling, Remote},
    theme::Role,
};

/// A dead letter, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenLetter {
    /// Its row.
    pub row: DeadRow,
    /// Its body, laid out, and its last attempt's log lines.
    pub detail: Remote<LetterContent>,
}

/// The content of a dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct LetterContent {
    /// All of it, as it was received.
    pub detail: DeadDetail,
    /// Its body by lines, indented if it is JSON.
    pub body: Vec<String>,
}

/// A lead, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Its id.
    pub lead: LeadId,
    /// Its name, or its id as long as that is not known.
    pub name: String,
    /// Its history.
    pub history: Remote<LeadStory>,
    /// Its raw event by lines, queried when its page is opened; `None` if there is none.
    pub raw: Remote<Option<Vec<String>>>,
}

/// What a button of a question does.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// Runs this operation.
    Run(Operation),
    /// Opens the editor again, on this text.
    EditAgain(Box<DeadDetail>, String),
    /// Stops what is running, then quits.
    Quit,
}

/// A question with its buttons.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirm {
    /// What is asked.
    pub title: String,
    /// What it touches, how much and where.
    pub lines: Vec<(Role, String)>,
    /// The buttons beside Cancel, and what they do.
    pub choices: Vec<(String, Choice)>,
    /// Which button has the focus; 0 is Cancel.
    pub focus: usize,
    /// For an operation on all dead letters: their number, to be typed before it runs.
    pub count: Option<TypedCount>,
}

/// A number that has to be typed, so that an operation meant for one does not run on all by accident. Digits,
/// because letters are keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedCount {
    /// The number.
    pub wanted: String,
    /// What has been typed.
    pub typed: Input,
}

impl TypedCount {
    /// A number that has to be typed.
    pub fn of(number: usize) -> Self {
        Self { wanted: number.to_string(), typed: Input::default() }
    }

    /// Whether it was typed correctly.
    pub fn is_right(&self) -> bool {
        self.typed.text == self.wanted
    }
}

/// A line of text that is being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// The text.
    pub text: String,
    /// The place of the cursor, in characters from the start.
    pub cursor: usize,
}

impl Input {
    /// A line with this text.
    pub fn of(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.chars().count(), text }
    }

    /// Inserts a character.
    pub fn insert(&mut self, c: char) {
        // No control characters; more than a screen holds was pasted by mistake.
        if c.is_control() || self.text.len() > 1_000 {
            return;
        }
        let at = self.byte(self.cursor);
        self.text.insert(at, c);
        self.cursor += 1;
    }

    /// Deletes the character before the cursor.
    pub fn backspace(&mut self) {
        if let Some(before) = self.cursor.checked_sub(1) {
            self.text.remove(self.byte(before));
            self.cursor = before;
        }
    }

    /// Deletes the character under the cursor.
    pub fn delete(&mut self) {
        if self.cursor < self.text.chars().count() {
            self.text.remove(self.byte(self.cursor));
        }
    }

    /// Deletes everything before the cursor.
    pub fn clear(&mut self) {
        self.text.drain(..self.byte(self.cursor));
        self.cursor = 0;
    }

    /// Deletes the word before the cursor.
    pub fn backspace_word(&mut self) {
        let letter = |input: &Self| input.cursor.checked_sub(1).and_then(|at| input.text.chars().nth(at));
        while letter(self) == Some(' ') {
            self.backspace();
        }
        while letter(self).is_some_and(|c| c != ' ') {
            self.backspace();
        }
    }

    /// Moves the cursor.
    pub fn go(&mut self, cursor: usize) {
        self.cursor = cursor.min(self.text.chars().count());
    }

    fn byte(&self, letter: usize) -> usize {
        self.text.char_indices().nth(letter).map_or(self.text.len(), |(at, _)| at)
    }
}

/// What the palette can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaletteEntry {
    /// An action of the table.
    Action(Action),
    /// Another pipeline.
    Environment(String),
    /// A lead by its id.
    Lead(LeadId),
}

/// A window over the panels.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// The keys.
    Help,
    /// The notices and the operations of the console.
    Events,
    /// One lead.
    Story(Box<Story>),
    /// One dead letter.
    Letter(Box<OpenLetter>),
    /// One log line.
    Line(Box<LogLine>),
    /// A question.
    Confirm(Confirm),
    /// Every action by its name.
    Palette {
        /// What is searched for.
        input: Input,
        /// The entry under the cursor.
        index: usize,
    },
    /// A file to write dead letters into.
    File {
        /// Its path.
        input: Input,
        /// The dead letters.
        letters: Vec<DeadLetter>,
    },
}

impl Window {
    /// The state of polling each value that it shows.
    pub fn pollings(&mut self) -> Vec<&mut Polling> {
        match self {
            Self::Story(story) => vec![&mut *story.history, &mut *story.raw],
            Self::Letter(letter) => vec![&mut *letter.detail],
            _ => Vec::new(),
        }
    }

    /// The names of its pages.
    pub fn pages(&self) -> &'static [&'static str] {
        match self {
            Self::Story(_) => &["History", "Enriched", "Raw event"],
            Self::Letter(_) => &["Letter", "Raw"],
            Self::Events => &["Events", "Actions"],
            _ => &[],
        }
    }
}

/// A window and how far it is scrolled.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenWindow {
    /// What it shows.
    pub window: Window,
    /// Which of its pages.
    pub page: usize,
    /// The first line in sight.
    pub scroll: usize,
    /// The search in it.
    pub find: String,
}

/// The result of one target of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The result of the operation itself.
    pub result: Result<Option<String>, String>,
    /// How the lead ended afterwards, where that is watched.
    pub followed: Option<Result<String, String>>,
}

/// The state of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Its targets are processed one by one.
    Running,
    /// It was asked to stop.
    Stopping,
    /// All targets are done; it watches how their leads end.
    Following,
    /// It has finished.
    Finished,
}

/// An operation that was started.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// The operation.
    pub operation: Operation,
    /// The result of each target.
    pub outcomes: Vec<Option<Outcome>>,
    /// How many succeeded.
    pub done: usize,
    /// How many failed.
    pub failed: usize,
    /// Its state.
    pub state: JobState,
    /// When it was started.
    pub started_at: Timestamp,
    /// When the last target was done.
    pub ended_at: Option<Timestamp>,
}

impl Job {
    /// A new job.
    pub fn new(id: u64, operation: Operation, now: Timestamp) -> Self {
        let outcomes = vec![None; operation.targets.len()];
        Self {
            id,
            operation,
            outcomes,
            done: 0,
            failed: 0,
            state: JobState::Running,
            started_at: now,
            ended_at: None,
        }
    }

    /// How many targets are left.
    pub fn left(&self) -> usize {
        self.outcomes.len().saturating_sub(self.done + self.failed)
    }

    /// Whether quitting now would leave targets undone.
    pub fn is_running(&self) -> bool {
        matches!(self.state, JobState::Running | JobState::Stopping)
    }

    /// Its progress in one line; `stop` is the key that stops it.
    pub fn line(&self, now: Timestamp, stop: &str) -> String {
        let total = self.outcomes.len();
        let mut text = format!("{} {} of {total}", self.operation.verb.doing(), self.done + self.failed);
        if self.failed > 0 {
            text += &format!(", {} failed", self.failed);
        }
        if self.state == JobState::Stopping {
            return text + ", stopping";
        }
        if let Some((rate, left)) = self.pace(now) {
            let rate = if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
            text += &format!(", {rate}/s, {} left", format::countdown(left));
        }
        format!("{text}; {stop} stops it")
    }

    /// Targets per second so far, and seconds left at that rate.
    pub fn pace(&self, now: Timestamp) -> Option<(f64, u64)> {
        let until = self.ended_at.unwrap_or(now);
        let seconds = until.duration_since(self.started_at).as_secs_f64();
        let finished = self.done + self.failed;
        if seconds < 1.0 || finished == 0 {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = finished as f64 / seconds;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let left = (self.left() as f64 / rate).ceil() as u64;
        Some((rate, left))
    }
}
