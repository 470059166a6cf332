//! What the console knows: plain data, as it came. How it looks is decided when it is drawn.

use std::{collections::VecDeque, sync::Arc};

use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use ops::{DeadRow, Health, Status};
use pipeline::{
    Fault,
    destination::DestinationId,
    ports::{Minute, Seen},
};

use super::{
    keymap::Keymap,
    layout::{self, Layout},
    msg::{Facts, Purpose},
    panel::Panel,
    remote::Remote,
    scene::Scene,
    source::Banner,
    text::Glyphs,
    theme::Role,
    view::{Named, View},
    views::{Panels, log::lead_of},
    window::{Input, Job, Open, Window},
};

/// How many of its own events the console keeps.
const EVENTS: usize = 500;
/// How many actions are kept after they are over.
pub const JOBS: usize = 20;

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
    /// What the panels show.
    pub panels: Panels,
    /// The filter that is being written.
    pub typing: Option<Typing>,
    /// The windows that are open, the topmost last.
    pub windows: Vec<Open>,
    /// The question that has to be answered before another can be put: which letters a selection
    /// means, and what for.
    pub selecting: Option<(u64, Purpose)>,
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
            panels: Panels::default(),
            typing: None,
            windows: Vec::new(),
            selecting: None,
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
        for panel in Panel::ALL {
            self.panels.view_mut(panel).forget();
        }
        (self.typing, self.selecting, self.editing) = (None, None, None);
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

    /// The view that the keys go to.
    pub fn view(&self) -> &dyn View {
        self.panels.view(self.focus)
    }

    /// The same, to be changed.
    pub fn view_mut(&mut self) -> &mut dyn View {
        self.panels.view_mut(self.focus)
    }

    /// Moves the cursor of the view that the keys go to.
    pub fn go(&mut self, to: usize) {
        let visible = self.layout().visible(self.focus);
        self.view_mut().go(to, visible);
    }

    /// What a panel is drawn with.
    pub fn scene(&self, panel: Panel) -> Scene<'_> {
        Scene {
            panel,
            focused: self.focus == panel && self.windows.is_empty(),
            layout: self.layout(),
            now: self.now,
            glyphs: self.glyphs,
            keymap: &self.keymap,
            status: self.status.get(),
            destinations: &self.destinations,
            overdue_after: self.overdue_after,
            read_only: self.read_only(),
        }
    }

    /// The lead that the cursor, or the window on top, is about.
    pub fn lead_at_hand(&self) -> Option<(LeadId, String)> {
        let named = match self.window() {
            Some(Window::Story(story)) => Some((story.lead.clone(), Some(story.name.clone()))),
            Some(Window::Letter(letter)) => of_letter(&letter.row),
            Some(Window::Line(line)) => lead_of(line),
            Some(_) => None,
            None => self.view().lead(),
        };
        named.map(|named| self.named(named))
    }

    /// The leads that an action is about: the marked ones, else the one at hand.
    pub fn leads_at_hand(&self) -> Vec<(LeadId, String)> {
        let marked = if self.windows.is_empty() { self.view().marked_leads() } else { Vec::new() };
        if marked.is_empty() {
            return self.lead_at_hand().into_iter().collect();
        }
        marked.into_iter().map(|named| self.named(named)).collect()
    }

    /// The dead letters that an action is about: the marked ones, those of the kind, the one under the
    /// cursor, or those of the lead at hand.
    pub fn letters_at_hand(&self) -> Vec<DeadRow> {
        match self.window() {
            Some(Window::Letter(letter)) => return vec![letter.row.clone()],
            None => {
                if let Some(letters) = self.view().letters() {
                    return letters;
                }
            }
            _ => {}
        }
        let Some((lead, _)) = self.lead_at_hand() else { return Vec::new() };
        let page = self.panels.dead.table.remote.get();
        let rows = page.into_iter().flat_map(|page| page.rows.iter());
        rows.filter(|row| row.letter.lead_id.as_ref() == Some(&lead)).cloned().collect()
    }

    fn named(&self, (lead, name): Named) -> (LeadId, String) {
        let name = name.unwrap_or_else(|| self.name_of(&lead));
        (lead, name)
    }

    /// A lead's name as far as some panel knows it, else its id.
    pub fn name_of(&self, lead: &LeadId) -> String {
        self.panels.all().find_map(|view| view.name_of(lead)).unwrap_or_else(|| lead.to_string())
    }

    /// Has everything asked for again, whether or not it has changed.
    pub fn hurry(&mut self) {
        self.watch.hurry();
        self.health.hurry();
        self.minutes.hurry();
        self.status.hurry();
        for panel in Panel::ALL {
            self.panels.view_mut(panel).polling_mut().hurry();
        }
        for open in &mut self.windows {
            match &mut open.window {
                Window::Story(story) => {
                    story.story.hurry();
                    story.raw.hurry();
                }
                Window::Letter(letter) => letter.detail.hurry(),
                _ => {}
            }
        }
    }

    /// Has what an action changes asked for again.
    pub fn hurry_counts(&mut self) {
        self.status.hurry();
        self.panels.pending.remote.hurry();
        self.panels.dead.table.remote.hurry();
    }
}

fn of_letter(row: &DeadRow) -> Option<Named> {
    Some((row.letter.lead_id.clone()?, row.display_name.clone()))
}
