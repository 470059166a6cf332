//! What the console knows: plain data, as it came. How it looks is decided when it is drawn.

use std::{collections::VecDeque, sync::Arc};

use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use ops::{DeadRow, Health, LeadRow, PendingRow, Status};
use pipeline::{
    Code, Fault, State,
    destination::DestinationId,
    ports::{LogLine, Minute, Seen},
};

use super::{
    find::Filter,
    keymap::Keymap,
    layout::{self, Layout},
    list::List,
    msg::Facts,
    remote::Remote,
    source::Banner,
    table::Table,
    tail::Tail,
    text::Glyphs,
    theme::Role,
    window::{Input, Job, Letter, Open, Window},
};

/// How many of its own events the console keeps.
const EVENTS: usize = 500;
/// How many actions are kept after they are over.
pub const JOBS: usize = 20;

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

/// Dead letters of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Their code.
    pub code: Code,
    /// How many.
    pub count: usize,
    /// The reason of the latest, and whether it is that of all.
    pub reason: String,
    /// Whether all of them give the same reason.
    pub same_reason: bool,
    /// When the latest died.
    pub latest: Timestamp,
    /// When the first died.
    pub oldest: Timestamp,
}

/// Where the console's pipeline is on its way to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// It is open.
    Open,
    /// Another one is being opened.
    Opening(u64),
    /// It could not be opened.
    Closed(Fault),
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

/// A filter that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// The line.
    pub input: Input,
    /// What it was before, for Esc.
    pub before: String,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct App {
    /// Which pipeline it is.
    pub banner: Banner,
    /// Whether it is open.
    pub door: Door,
    /// The pipelines that can be switched to.
    pub environments: Vec<String>,
    /// Why actions are refused, where they are.
    pub refusal: Option<Fault>,
    /// Where alerts can go.
    pub destinations: Vec<DestinationId>,
    /// How long after its due time a lead counts as overdue.
    pub overdue_after: SignedDuration,
    /// The shortest time between two questions of a kind.
    pub every: SignedDuration,
    /// The glyphs that the terminal can show.
    pub glyphs: &'static Glyphs,
    /// The keys.
    pub keymap: Arc<Keymap>,
    /// The time of the last message.
    pub now: Timestamp,
    /// Columns and rows.
    pub size: (u16, u16),
    /// The panel that the keys go to.
    pub focus: Panel,
    /// Whether it has all of the screen.
    pub full: bool,
    /// Whether nothing is asked.
    pub paused: bool,
    /// Whether the mouse is ours.
    pub mouse: bool,
    /// Whether anything has changed.
    pub watch: Remote<Seen>,
    /// The vital signs.
    pub status: Remote<Status>,
    /// The neighbours.
    pub health: Remote<Health>,
    /// The last minutes.
    pub minutes: Remote<Vec<Minute>>,
    /// Leads that have not ended.
    pub pending: Table<PendingRow>,
    /// Dead letters.
    pub dead: Table<DeadRow>,
    /// Enriched leads.
    pub leads: Table<LeadRow>,
    /// The log.
    pub logs: Tail,
    /// The dead letters by kind.
    pub kinds: Vec<Kind>,
    /// The cursor in those.
    pub kinds_list: List<Code>,
    /// Whether they are shown by kind, in the overview and on all of the screen.
    pub by_kind: [bool; 2],
    /// The filter that is being written.
    pub typing: Option<Typing>,
    /// The windows that are open, the topmost last.
    pub windows: Vec<Open>,
    /// The question that has to be answered before another can be put: which letters a selection
    /// means, and what for.
    pub selecting: Option<(u64, super::update::Purpose)>,
    /// The dead letter under the cursor, where there is room for all of it beside the list.
    pub peek: Option<Box<Letter>>,
    /// The dead letter that is being fetched for the editor.
    pub editing: Option<u64>,
    /// The actions, the latest last.
    pub jobs: Vec<Job>,
    /// Whether the console ends once nothing runs any more.
    pub quitting: bool,
    /// What was reported, the newest last.
    pub said: VecDeque<Said>,
    /// Whether the last report has been looked at.
    pub read: bool,
    /// The number of the last question or action.
    pub counter: u64,
}

impl App {
    /// A console that knows nothing yet.
    pub fn new(facts: Facts, glyphs: &'static Glyphs) -> Self {
        let mut app = Self {
            banner: Banner::default(),
            door: Door::Open,
            environments: Vec::new(),
            refusal: None,
            destinations: Vec::new(),
            overdue_after: SignedDuration::ZERO,
            every: SignedDuration::ZERO,
            glyphs,
            keymap: Arc::default(),
            now: Timestamp::UNIX_EPOCH,
            size: (0, 0),
            focus: Panel::Pending,
            full: false,
            paused: false,
            mouse: false,
            watch: Remote::default(),
            status: Remote::default(),
            health: Remote::default(),
            minutes: Remote::default(),
            pending: Table::default(),
            dead: Table::default(),
            leads: Table::default(),
            logs: Tail::default(),
            kinds: Vec::new(),
            kinds_list: List::default(),
            by_kind: [true, false],
            typing: None,
            windows: Vec::new(),
            selecting: None,
            peek: None,
            editing: None,
            jobs: Vec::new(),
            quitting: false,
            said: VecDeque::new(),
            read: true,
            counter: 0,
        };
        app.moved_to(facts);
        app
    }

    /// Forgets everything about a pipeline, and is about another one.
    pub fn moved_to(&mut self, facts: Facts) {
        let Facts { banner, refusal, settings, every } = facts;
        self.forget();
        self.every = SignedDuration::try_from(every).unwrap_or_default();
        (self.banner, self.refusal, self.door) = (banner, refusal, Door::Open);
        self.destinations.clone_from(&settings.destinations);
        self.overdue_after = SignedDuration::try_from(settings.overdue_after).unwrap_or_default();
    }

    /// Forgets everything that came from the pipeline. How somebody likes to look at it stays.
    pub fn forget(&mut self) {
        self.watch = Remote::default();
        self.status = Remote::default();
        self.health = Remote::default();
        self.minutes = Remote::default();
        self.pending = Table::default();
        self.dead = Table::default();
        self.leads = Table::default();
        self.logs = self.logs.emptied();
        self.kinds.clear();
        self.kinds_list = List::default();
        (self.typing, self.selecting, self.editing, self.peek) = (None, None, None, None);
        self.windows.clear();
    }

    /// Whether actions are refused.
    pub fn read_only(&self) -> bool {
        self.banner.read_only || self.refusal.is_some()
    }

    /// Where everything is on the screen.
    pub fn layout(&self) -> Layout {
        layout::of(self.size, self.focus, self.full)
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

    /// Whether the dead letters are shown by kind.
    pub fn grouped(&self) -> bool {
        self.by_kind[usize::from(self.layout().is_full())] && self.dead.wanted.filter.is_empty()
    }

    /// The kind under the cursor.
    pub fn kind_row(&self) -> Option<&Kind> {
        self.kinds.get(self.kinds_list.index)
    }

    /// The dead letter that the panel tells about: the one under the cursor, or the latest of its kind.
    pub fn dead_row(&self) -> Option<&DeadRow> {
        if !self.grouped() {
            return self.dead.row();
        }
        let code = self.kind_row()?.code;
        self.dead.shown.iter().find(|row| row.letter.code == code)
    }

    /// The log line under the cursor.
    pub fn log_row(&self) -> Option<&LogLine> {
        self.logs.row().map(|line| &**line)
    }

    /// How many rows a panel's list has.
    pub fn rows(&self, panel: Panel) -> usize {
        match panel {
            Panel::Pending => self.pending.shown.len(),
            Panel::Dead if self.grouped() => self.kinds.len(),
            Panel::Dead => self.dead.shown.len(),
            Panel::Leads => self.leads.shown.len(),
            Panel::Logs => self.logs.len(),
        }
    }

    /// The filter of a panel.
    pub fn filter(&self, panel: Panel) -> &Filter {
        match panel {
            Panel::Pending => &self.pending.wanted.filter,
            Panel::Dead => &self.dead.wanted.filter,
            Panel::Leads => &self.leads.wanted.filter,
            Panel::Logs => &self.logs.sieve.filter,
        }
    }

    /// How many rows of a panel match its filter, and of how many.
    pub fn matched(&self, panel: Panel) -> (usize, usize) {
        match panel {
            Panel::Pending => (self.pending.shown.matched, self.pending.shown.rows.len()),
            Panel::Dead => (self.dead.shown.matched, self.dead.shown.rows.len()),
            Panel::Leads => (self.leads.shown.matched, self.leads.shown.rows.len()),
            Panel::Logs => (self.logs.matched(), self.logs.lines.len()),
        }
    }

    /// How many rows of a panel are marked.
    pub fn marks(&self, panel: Panel) -> usize {
        match panel {
            Panel::Pending => self.pending.marks.len(),
            Panel::Dead => self.dead.marks.len(),
            Panel::Leads => self.leads.marks.len(),
            Panel::Logs => 0,
        }
    }

    /// The lead that the cursor, or the window on top, is about.
    pub fn lead_at_hand(&self) -> Option<(LeadId, String)> {
        match self.window() {
            Some(Window::Story(story)) => Some((story.lead.clone(), story.name.clone())),
            Some(Window::Letter(letter)) => of_letter(&letter.row),
            Some(Window::Line(line)) => self.of_line(line),
            Some(_) => None,
            None => match self.focus {
                Panel::Pending => {
                    self.pending.row().map(|row| (row.lead_id.clone(), row.display_name.clone()))
                }
                Panel::Dead => self.dead_row().and_then(of_letter),
                Panel::Leads => {
                    self.leads.row().map(|row| (row.lead.lead_id.clone(), row.lead.display_name.clone()))
                }
                Panel::Logs => self.log_row().and_then(|line| self.of_line(line)),
            },
        }
    }

    /// The leads that an action is about: the marked ones, else the one at hand.
    pub fn leads_at_hand(&self) -> Vec<(LeadId, String)> {
        let marked: Vec<(LeadId, String)> = match (self.window(), self.focus) {
            (None, Panel::Pending) if !self.pending.marks.is_empty() => self
                .pending
                .at_hand()
                .iter()
                .map(|row| (row.lead_id.clone(), row.display_name.clone()))
                .collect(),
            (None, Panel::Leads) if !self.leads.marks.is_empty() => {
                let named = |row: &&LeadRow| (row.lead.lead_id.clone(), row.lead.display_name.clone());
                self.leads.at_hand().iter().map(named).collect()
            }
            (None, Panel::Dead) if !self.dead.marks.is_empty() => {
                self.dead.at_hand().into_iter().filter_map(of_letter).collect()
            }
            _ => Vec::new(),
        };
        if marked.is_empty() { self.lead_at_hand().into_iter().collect() } else { marked }
    }

    /// The dead letters that an action is about: the marked ones, those of the kind, the one under the
    /// cursor, or those of the lead at hand.
    pub fn letters_at_hand(&self) -> Vec<DeadRow> {
        match (self.window(), self.focus) {
            (Some(Window::Letter(letter)), _) => return vec![letter.row.clone()],
            (None, Panel::Dead) if self.grouped() && self.dead.marks.is_empty() => {
                let code = self.kind_row().map(|kind| kind.code);
                return self.dead.shown.iter().filter(|row| Some(row.letter.code) == code).cloned().collect();
            }
            (None, Panel::Dead) => return self.dead.at_hand().into_iter().cloned().collect(),
            _ => {}
        }
        let Some((lead, _)) = self.lead_at_hand() else { return Vec::new() };
        let page = self.dead.remote.get();
        let rows = page.into_iter().flat_map(|page| page.rows.iter());
        rows.filter(|row| row.letter.lead_id.as_ref() == Some(&lead)).cloned().collect()
    }

    fn of_line(&self, line: &LogLine) -> Option<(LeadId, String)> {
        let id: LeadId = line.lead_id.as_ref()?.parse().ok()?;
        let name = self.name_of(&id);
        Some((id, name))
    }

    /// A lead's name as far as some panel knows it, else its id.
    pub fn name_of(&self, lead: &LeadId) -> String {
        let pending = self.pending.shown.rows.iter().find(|row| row.lead_id == *lead);
        let told = || self.leads.shown.rows.iter().find(|row| row.lead.lead_id == *lead);
        let dead = || self.dead.shown.rows.iter().find(|row| row.letter.lead_id.as_ref() == Some(lead));
        pending
            .map(|row| row.display_name.clone())
            .or_else(|| told().map(|row| row.lead.display_name.clone()))
            .or_else(|| dead().and_then(|row| row.display_name.clone()))
            .unwrap_or_else(|| lead.to_string())
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

fn of_letter(row: &DeadRow) -> Option<(LeadId, String)> {
    let id = row.letter.lead_id.clone()?;
    let name = row.display_name.clone().unwrap_or_else(|| id.to_string());
    Some((id, name))
}
