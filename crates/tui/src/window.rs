//! What can lie over the panels.

use lead::{LeadId, Timestamp};
use ops::{DeadDetail, DeadRow, LeadStory};
use pipeline::ports::{DeadLetter, LogLine};

use super::{
    format,
    keymap::Action,
    msg::{Act, Verb},
    remote::Remote,
    theme::Role,
};

/// A dead letter, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Its row.
    pub row: DeadRow,
    /// Its body, laid out, and its last attempt's log lines.
    pub detail: Remote<Opened>,
}

/// What is behind a dead letter's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// All of it.
    pub detail: DeadDetail,
    /// Its body by lines, indented where it is JSON.
    pub body: Vec<String>,
}

/// A lead, opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Its id.
    pub lead: LeadId,
    /// Its name, as far as known.
    pub name: String,
    /// Its story.
    pub story: Remote<LeadStory>,
    /// Its raw event by lines, asked for when its page is looked at; `None` where there is none.
    pub raw: Remote<Option<Vec<String>>>,
}

/// What an answer does.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// Does this.
    Act(Act),
    /// Opens the editor once more, on this text.
    EditAgain(Box<DeadDetail>, String),
    /// Stops what is running, then ends.
    Quit,
}

/// A question with its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirm {
    /// What is asked.
    pub title: String,
    /// What it touches, how much and where.
    pub lines: Vec<(Role, String)>,
    /// The answers beside Cancel, and what they do.
    pub choices: Vec<(String, Choice)>,
    /// Which answer has the focus; 0 is Cancel.
    pub focus: usize,
    /// Where it touches everything there is: how much that is, to be typed before it is done.
    pub count: Option<Count>,
}

/// A number that has to be typed, so that nobody does to all what was meant for one. Digits, because letters
/// are keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The number.
    pub wanted: String,
    /// What has been typed.
    pub typed: Input,
}

impl Count {
    /// One to be typed.
    pub fn of(number: usize) -> Self {
        Self { wanted: number.to_string(), typed: Input::default() }
    }

    /// Whether it has been typed.
    pub fn is_right(&self) -> bool {
        self.typed.text == self.wanted
    }
}

/// A line that is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// What is in it.
    pub text: String,
    /// Where the next letter goes, in letters from the start.
    pub cursor: usize,
}

impl Input {
    /// A line with this in it.
    pub fn of(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.chars().count(), text }
    }

    /// Writes a letter.
    pub fn insert(&mut self, c: char) {
        // Only what can be written with keys; more than a screen holds is a slip of the paste.
        if c.is_control() || self.text.len() > 1_000 {
            return;
        }
        let at = self.byte(self.cursor);
        self.text.insert(at, c);
        self.cursor += 1;
    }

    /// Takes the letter before the cursor away.
    pub fn backspace(&mut self) {
        if let Some(before) = self.cursor.checked_sub(1) {
            self.text.remove(self.byte(before));
            self.cursor = before;
        }
    }

    /// Takes the letter under the cursor away.
    pub fn delete(&mut self) {
        if self.cursor < self.text.chars().count() {
            self.text.remove(self.byte(self.cursor));
        }
    }

    /// Takes everything before the cursor away.
    pub fn clear(&mut self) {
        self.text.drain(..self.byte(self.cursor));
        self.cursor = 0;
    }

    /// Takes the word before the cursor away.
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
pub enum Entry {
    /// An action of the table.
    Action(Action),
    /// Another pipeline.
    Environment(String),
    /// A lead by its id.
    Lead(LeadId),
}

/// What lies over the panels.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// The keys.
    Help,
    /// What the console has done and reported.
    Events,
    /// One lead.
    Story(Box<Story>),
    /// One dead letter.
    Letter(Box<Letter>),
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
    /// The names of its pages.
    pub fn pages(&self) -> &'static [&'static str] {
        match self {
            Self::Story(_) => &["Story", "Enriched", "Raw event"],
            Self::Letter(_) => &["Letter", "Raw"],
            Self::Events => &["Events", "Actions"],
            _ => &[],
        }
    }
}

/// A window and how far it is scrolled.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What it shows.
    pub window: Window,
    /// Which of its pages.
    pub page: usize,
    /// The first line in sight.
    pub scroll: usize,
    /// What is searched for in it.
    pub find: String,
}

impl Open {
    /// A window at its top.
    pub fn new(window: Window) -> Self {
        Self { window, page: 0, scroll: 0, find: String::new() }
    }
}

/// The outcome of one target of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What became of it at first.
    pub result: Result<Option<String>, String>,
    /// What became of it then.
    pub became: Option<Result<String, String>>,
}

/// How far an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its targets are done one by one.
    Running,
    /// It was asked to stop.
    Stopping,
    /// All is done; what becomes of it is looked at.
    Following,
    /// Nothing more comes.
    Over,
}

/// An action that was begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// What is done.
    pub act: Act,
    /// The outcome of each target.
    pub outcomes: Vec<Option<Outcome>>,
    /// How many went well.
    pub done: usize,
    /// How many did not.
    pub failed: usize,
    /// How far it is.
    pub stage: Stage,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When the last target was done.
    pub ended_at: Option<Timestamp>,
}

impl Job {
    /// A new one.
    pub fn new(id: u64, act: Act, now: Timestamp) -> Self {
        let outcomes = vec![None; act.targets.len()];
        Self { id, act, outcomes, done: 0, failed: 0, stage: Stage::Running, started_at: now, ended_at: None }
    }

    /// How many targets are left.
    pub fn left(&self) -> usize {
        self.outcomes.len().saturating_sub(self.done + self.failed)
    }

    /// Whether something would be left undone by ending now.
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Stopping)
    }

    /// How far it is, in one line; `stop` is the key that stops it.
    pub fn line(&self, now: Timestamp, stop: &str) -> String {
        let total = self.outcomes.len();
        let mut text = format!("{} {} of {total}", self.act.verb.doing(), self.done + self.failed);
        if self.failed > 0 {
            text += &format!(", {} failed", self.failed);
        }
        if self.stage == Stage::Stopping {
            return text + ", stopping";
        }
        if let Some((rate, left)) = self.pace(now) {
            let rate = if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
            text += &format!(", {rate}/s, {} left", format::countdown(left));
        }
        format!("{text}; {stop} stops it")
    }

    /// Targets a second so far, and seconds left at that rate.
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

impl Verb {
    /// What is being done: `redriving`.
    pub fn doing(&self) -> &'static str {
        match self {
            Self::Redrive | Self::RedriveEdited(_) => "redriving",
            Self::Delete => "deleting",
            Self::Requeue => "requeueing",
            Self::Resend(..) => "resending",
            Self::Try(_) => "trying",
            Self::Export(_) => "exporting",
        }
    }

    /// What was done: `redriven`.
    pub fn done(&self) -> &'static str {
        match self {
            Self::Redrive | Self::RedriveEdited(_) => "redriven",
            Self::Delete => "deleted",
            Self::Requeue => "requeued",
            Self::Resend(..) => "resent",
            Self::Try(_) => "tried",
            Self::Export(_) => "exported",
        }
    }

    /// Whether it works on dead letters, of which two actions must not fight for the same.
    pub fn takes_letters(&self) -> bool {
        matches!(self, Self::Redrive | Self::RedriveEdited(_) | Self::Delete)
    }
}
