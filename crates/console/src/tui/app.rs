//! What the console knows: plain data, as it came. How it looks is decided when it is drawn.

use std::collections::{HashMap, VecDeque};

use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use ops::{DeadDetail, DeadRow, LeadRow, LeadStory, PendingRow, Status};
use pipeline::{
    Channel, Fault, Settings, State,
    ports::{LogLine, Minute},
};

use super::{
    layout::{self, Layout},
    msg::Act,
    remote::Remote,
    text::Glyphs,
    theme::Role,
};

/// How many log lines are kept.
pub const LOG_LINES: usize = 5_000;
/// How many of its own events the console keeps.
const EVENTS: usize = 500;

/// Which pipeline it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: String,
    /// Whether actions are refused.
    pub read_only: bool,
    /// A word on it, such as that it is a demonstration.
    pub note: Option<String>,
}

/// A panel of the overview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named by what they show")]
pub enum Panel {
    Pending,
    Dead,
    Leads,
    Logs,
}

impl Panel {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Dead, Self::Leads, Self::Logs];

    /// Its place in that order.
    pub fn index(self) -> usize {
        match self {
            Self::Pending => 0,
            Self::Dead => 1,
            Self::Leads => 2,
            Self::Logs => 3,
        }
    }

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Dead => "Dead letters",
            Self::Leads => "Leads",
            Self::Logs => "Log",
        }
    }
}

/// A cursor in a list whose rows come and go. It follows the row, not the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<K> {
    /// The row under the cursor; `None` until somebody moves: then the first row, whichever that is.
    pub selected: Option<K>,
    /// Where that is.
    pub index: usize,
    /// The first row in sight.
    pub top: usize,
}

impl<K> Default for List<K> {
    fn default() -> Self {
        Self { selected: None, index: 0, top: 0 }
    }
}

impl<K: Clone + PartialEq> List<K> {
    /// Finds the row again among the present ones, or the one that took its place; `visible` rows are
    /// in sight. The row stays at its height on the screen as far as possible.
    pub fn settle<'a>(&mut self, mut keys: impl ExactSizeIterator<Item = &'a K> + Clone, visible: usize)
    where
        K: 'a,
    {
        let (before, rows) = (self.index, keys.len());
        self.index = match &self.selected {
            None => 0,
            Some(selected) => keys
                .clone()
                .position(|key| key == selected)
                .unwrap_or_else(|| before.min(rows.saturating_sub(1))),
        };
        if self.selected.is_some() {
            self.selected = keys.nth(self.index).cloned();
        }
        self.top = (self.top + self.index).saturating_sub(before);
        self.show(rows, visible);
    }

    /// Moves the cursor to a row. The first one lets go of it: the newest is shown from then on.
    pub fn go<'a>(&mut self, index: usize, mut keys: impl ExactSizeIterator<Item = &'a K>, visible: usize)
    where
        K: 'a,
    {
        let rows = keys.len();
        self.index = index.min(rows.saturating_sub(1));
        self.selected = if index == 0 { None } else { keys.nth(self.index).cloned() };
        self.show(rows, visible);
    }

    fn show(&mut self, rows: usize, visible: usize) {
        let visible = visible.max(1);
        self.top = self.top.clamp((self.index + 1).saturating_sub(visible), self.index);
        self.top = self.top.min(rows.saturating_sub(visible));
    }
}

/// The tail of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail {
    /// The lines, the oldest first.
    pub lines: VecDeque<LogLine>,
    /// The number of the first of them, counted from the first that ever came.
    pub first: u64,
    /// How asking for more goes.
    pub source: Remote<()>,
    /// The line under the cursor, by its number; `None` follows the newest.
    pub held: Option<u64>,
    /// The first line in sight, by its number.
    pub top: u64,
    /// How many lines there were when following ended.
    pub seen: u64,
}

impl Tail {
    /// The number behind the last line.
    pub fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// The line with this number.
    pub fn line(&self, number: u64) -> Option<&LogLine> {
        self.lines.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The number of the line under the cursor.
    pub fn cursor(&self) -> Option<u64> {
        self.held.or_else(|| self.end().checked_sub(1)).filter(|_| !self.lines.is_empty())
    }

    /// Takes new lines, and lets the oldest go where there are too many.
    pub fn append(&mut self, lines: Vec<LogLine>) {
        self.lines.extend(lines);
        while self.lines.len() > LOG_LINES {
            self.lines.pop_front();
            self.first += 1;
        }
    }

    /// Keeps the cursor among the lines and in sight.
    pub fn settle(&mut self, visible: usize) {
        let visible = visible.max(1) as u64;
        let last_top = self.end().saturating_sub(visible).max(self.first);
        match self.held {
            None => {
                self.top = last_top;
                self.seen = self.end();
            }
            Some(held) => {
                let held = held.clamp(self.first, self.end().saturating_sub(1).max(self.first));
                self.held = Some(held);
                self.top =
                    self.top.clamp((held + 1).saturating_sub(visible), held).clamp(self.first, last_top);
            }
        }
    }

    /// Moves the cursor by some lines; reaching the last one follows again.
    pub fn go(&mut self, by: i64, visible: usize) {
        let Some(cursor) = self.cursor() else { return };
        let last = self.end() - 1;
        let to = cursor.saturating_add_signed(by).clamp(self.first, last);
        if self.held.is_none() {
            self.seen = self.end();
        }
        self.held = (to < last).then_some(to);
        self.settle(visible);
    }

    /// How many lines came since following ended.
    pub fn unseen(&self) -> u64 {
        self.end().saturating_sub(self.seen)
    }
}

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

/// A question with its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirm {
    /// What is asked.
    pub title: String,
    /// What it touches, how much and where.
    pub lines: Vec<(Role, String)>,
    /// The answers beside Cancel, and what they do.
    pub choices: Vec<(String, Act)>,
    /// Which answer has the focus; 0 is Cancel.
    pub focus: usize,
}

/// What lies over the overview.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// The keys.
    Help,
    /// What the console has done and reported.
    Events,
    /// One lead.
    Story {
        /// Its id.
        lead: LeadId,
        /// Its name, as far as known.
        name: String,
        /// Its story.
        story: Box<Remote<LeadStory>>,
    },
    /// One dead letter.
    Letter(Box<Letter>),
    /// One log line.
    Line(Box<LogLine>),
    /// A question.
    Confirm(Confirm),
}

/// A window and how far it is scrolled.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What it shows.
    pub window: Window,
    /// The first line in sight.
    pub scroll: usize,
}

/// An action that is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// What is done.
    pub act: Act,
    /// Of how many items, where that is known.
    pub total: Option<usize>,
    /// How many went well.
    pub done: usize,
    /// How many did not.
    pub failed: usize,
    /// The names of its items, by their ids.
    pub names: HashMap<String, String>,
    /// Whether it was asked to stop.
    pub stopping: bool,
}

/// Something that the console reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: Timestamp,
    /// How serious it is.
    pub role: Role,
    /// What.
    pub text: String,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct App {
    /// Which pipeline it is.
    pub banner: Banner,
    /// Why actions are refused, where they are.
    pub refusal: Option<Fault>,
    /// Where alerts can go.
    pub channels: Vec<Channel>,
    /// How long after its due time a lead counts as overdue.
    pub overdue_after: SignedDuration,
    /// The glyphs that the terminal can show.
    pub glyphs: &'static Glyphs,
    /// The time of the last message.
    pub now: Timestamp,
    /// Columns and rows.
    pub size: (u16, u16),
    /// The panel that the keys go to.
    pub focus: Panel,
    /// The vital signs.
    pub status: Remote<Status>,
    /// The last minutes.
    pub minutes: Remote<Vec<Minute>>,
    /// Leads that have not ended.
    pub pending: Remote<Vec<PendingRow>>,
    /// Dead letters, and how many there are in all.
    pub dead: Remote<(Vec<DeadRow>, u64)>,
    /// Enriched leads.
    pub leads: Remote<Vec<LeadRow>>,
    /// The log.
    pub logs: Tail,
    /// The cursor in Pending.
    pub pending_list: List<LeadId>,
    /// The cursor in Dead letters.
    pub dead_list: List<String>,
    /// The cursor in Leads.
    pub leads_list: List<LeadId>,
    /// The windows that are open, the topmost last.
    pub windows: Vec<Open>,
    /// The actions under way.
    pub jobs: Vec<Job>,
    /// What was reported, the newest last.
    pub said: VecDeque<Said>,
    /// Whether the last report has been looked at.
    pub read: bool,
    /// The number of the last question or action.
    pub counter: u64,
}

impl App {
    /// A console that knows nothing yet.
    pub fn new(banner: Banner, refusal: Option<Fault>, settings: &Settings, glyphs: &'static Glyphs) -> Self {
        let channels =
            if settings.channels.is_empty() { vec![Channel::Slack] } else { settings.channels.clone() };
        Self {
            banner,
            refusal,
            channels,
            overdue_after: SignedDuration::try_from(settings.overdue_after).unwrap_or_default(),
            glyphs,
            now: Timestamp::UNIX_EPOCH,
            size: (0, 0),
            focus: Panel::Pending,
            status: Remote::default(),
            minutes: Remote::default(),
            pending: Remote::default(),
            dead: Remote::default(),
            leads: Remote::default(),
            logs: Tail::default(),
            pending_list: List::default(),
            dead_list: List::default(),
            leads_list: List::default(),
            windows: Vec::new(),
            jobs: Vec::new(),
            said: VecDeque::new(),
            read: true,
            counter: 0,
        }
    }

    /// Whether actions are refused.
    pub fn read_only(&self) -> bool {
        self.banner.read_only || self.refusal.is_some()
    }

    /// Where everything is on the screen.
    pub fn layout(&self) -> Layout {
        layout::overview(self.size, self.focus)
    }

    /// A number for a question or an action.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Reports something.
    pub fn say(&mut self, role: Role, text: impl Into<String>) {
        self.said.push_back(Said { at: self.now, role, text: text.into() });
        self.read = false;
        while self.said.len() > EVENTS {
            self.said.pop_front();
        }
    }

    /// The window on top.
    pub fn window(&self) -> Option<&Window> {
        self.windows.last().map(|open| &open.window)
    }

    /// The pending lead under the cursor.
    pub fn pending_row(&self) -> Option<&PendingRow> {
        self.pending.get()?.get(self.pending_list.index)
    }

    /// The dead letter under the cursor.
    pub fn dead_row(&self) -> Option<&DeadRow> {
        self.dead.get()?.0.get(self.dead_list.index)
    }

    /// The enriched lead under the cursor.
    pub fn lead_row(&self) -> Option<&LeadRow> {
        self.leads.get()?.get(self.leads_list.index)
    }

    /// The log line under the cursor.
    pub fn log_row(&self) -> Option<&LogLine> {
        self.logs.line(self.logs.cursor()?)
    }

    /// The lead that the cursor, or the window on top, is about.
    pub fn lead_at_hand(&self) -> Option<(LeadId, String)> {
        let of_letter = |row: &DeadRow| {
            let id = row.letter.lead_id.clone()?;
            let name = row.display_name.clone().unwrap_or_else(|| id.to_string());
            Some((id, name))
        };
        let of_line = |line: &LogLine| {
            let id: LeadId = line.lead_id.as_ref()?.parse().ok()?;
            let name = self.name_of(&id);
            Some((id, name))
        };
        match self.window() {
            Some(Window::Story { lead, name, .. }) => Some((lead.clone(), name.clone())),
            Some(Window::Letter(letter)) => of_letter(&letter.row),
            Some(Window::Line(line)) => of_line(line),
            Some(_) => None,
            None => match self.focus {
                Panel::Pending => {
                    self.pending_row().map(|row| (row.lead_id.clone(), row.display_name.clone()))
                }
                Panel::Dead => self.dead_row().and_then(of_letter),
                Panel::Leads => {
                    self.lead_row().map(|row| (row.lead.lead_id.clone(), row.lead.display_name.clone()))
                }
                Panel::Logs => self.log_row().and_then(of_line),
            },
        }
    }

    /// The dead letters that the cursor, or the window on top, is about.
    pub fn letters_at_hand(&self) -> Vec<DeadRow> {
        match (self.window(), self.focus) {
            (Some(Window::Letter(letter)), _) => return vec![letter.row.clone()],
            (None, Panel::Dead) => return self.dead_row().cloned().into_iter().collect(),
            _ => {}
        }
        let Some((lead, _)) = self.lead_at_hand() else { return Vec::new() };
        let (rows, _) = self.dead.get().map_or((&[][..], 0), |(rows, count)| (rows.as_slice(), *count));
        rows.iter().filter(|row| row.letter.lead_id.as_ref() == Some(&lead)).cloned().collect()
    }

    /// A lead's name as far as some panel knows it, else its id.
    fn name_of(&self, lead: &LeadId) -> String {
        let pending = self.pending.get().into_iter().flatten();
        let leads = self.leads.get().into_iter().flatten();
        let mut names = pending
            .filter(|row| row.lead_id == *lead)
            .map(|row| &row.display_name)
            .chain(leads.filter(|row| row.lead.lead_id == *lead).map(|row| &row.lead.display_name));
        names.next().cloned().unwrap_or_else(|| lead.to_string())
    }

    /// Where a pending lead stands now, which may be later than when it was asked for.
    pub fn state_of(&self, row: &PendingRow) -> State {
        let late = self.now.duration_since(row.due_at);
        match row.state {
            State::Notified | State::Dead => row.state,
            _ if late.is_negative() => State::Pending,
            _ if late > self.overdue_after => State::Overdue,
            _ => State::Processing,
        }
    }
}
