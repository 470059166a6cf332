//! The state of the console: plain data, as it was received. How it looks is decided when it is drawn.

use std::{collections::VecDeque, sync::Arc, time::Duration};

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
    msg::{PipelineInfo, Purpose},
    panel::Panel,
    remote::{Polling, Remote},
    scene::Scene,
    source::Banner,
    table_view::TableRow,
    text::Glyphs,
    theme::Role,
    view::{Named, View},
    views::{Panels, log::lead_of},
    window::{Input, Job, OpenWindow, Window},
};

/// How many of its own notices the console remembers.
const EVENTS: usize = 500;
/// How many finished operations it remembers.
pub const JOBS: usize = 20;

/// Whether the console's pipeline is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Connection {
    /// It is open.
    #[default]
    Open,
    /// Another one is being opened.
    Opening(u64),
    /// It could not be opened.
    Failed(Fault),
}

/// A message in the status line and in the list of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// How serious it is, as the style of its text.
    pub role: Role,
    /// What.
    pub text: String,
}

/// A filter or search that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchInput {
    /// The text so far.
    pub input: Input,
    /// What it was before, restored by Esc.
    pub before: String,
}

/// The state of the console.
#[derive(Debug, Clone, Default)]
pub struct App {
    /// Which pipeline is shown.
    pub banner: Banner,
    /// Whether it is open.
    pub connection: Connection,
    /// The pipelines that can be switched to.
    pub environments: Vec<String>,
    /// Why actions are refused, if they are.
    pub refusal: Option<Fault>,
    /// Where alerts can go.
    pub destinations: Vec<DestinationId>,
    /// How long after its due time a lead counts as overdue.
    pub overdue_after: Duration,
    /// The shortest time between two queries of a kind.
    pub min_interval: SignedDuration,
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
    /// Whether it is in full screen.
    pub full: bool,
    /// Whether refreshing is paused.
    pub paused: bool,
    /// Whether the console captures the mouse.
    pub mouse: bool,
    /// Whether anything has changed.
    pub watch: Remote<Seen>,
    /// The key figures.
    pub status: Remote<Status>,
    /// The health of the services around the pipeline.
    pub health: Remote<Health>,
    /// The counts of the last minutes.
    pub minutes: Remote<Vec<Minute>>,
    /// What the panels show.
    pub panels: Panels,
    /// The filter or search that is being typed.
    pub typing: Option<SearchInput>,
    /// The windows that are open, the topmost last.
    pub windows: Vec<OpenWindow>,
    /// The query for the dead letters of a selection, and what they are wanted for: the operation is
    /// confirmed once they are known.
    pub selecting: Option<(u64, Purpose)>,
    /// The query for the dead letter that the editor is to open.
    pub editing: Option<u64>,
    /// The operations, the latest last.
    pub jobs: Vec<Job>,
    /// Whether the console ends once nothing runs any more.
    pub quitting: bool,
    /// The notices, the newest last.
    pub notices: VecDeque<Notice>,
    /// Whether the last notice has been read.
    pub read: bool,
    /// The number of the last query or operation.
    pub counter: u64,
}

impl App {
    /// A console that has no data yet.
    pub fn new(info: PipelineInfo, glyphs: &'static Glyphs) -> Self {
        let mut app = Self { glyphs, read: true, ..Self::default() };
        app.reset_to(info);
        app
    }

    /// Drops everything about the pipeline, and shows another one.
    pub fn reset_to(&mut self, info: PipelineInfo) {
        let PipelineInfo { banner, refusal, settings, min_interval } = info;
        self.reset();
        self.min_interval = SignedDuration::try_from(min_interval).unwrap_or_default();
        (self.banner, self.refusal, self.connection) = (banner, refusal, Connection::Open);
        self.destinations.clone_from(&settings.destinations);
        self.overdue_after = settings.overdue_after;
    }

    /// Drops everything that came from the pipeline. The user's settings stay.
    pub fn reset(&mut self) {
        (self.watch, self.status, self.health, self.minutes) = Default::default();
        for panel in Panel::ALL {
            self.panels.view_mut(panel).reset();
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

    /// The next number for a query or an operation.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Adds a notice.
    pub fn notify(&mut self, role: Role, text: impl Into<String>) {
        self.notices.push_back(Notice { at: self.now, role, text: text.into() });
        self.read = false;
        while self.notices.len() > EVENTS {
            self.notices.pop_front();
        }
    }

    /// Opens a window over the others.
    pub fn open(&mut self, window: Window) {
        self.windows.push(OpenWindow { window, page: 0, scroll: 0, find: String::new() });
    }

    /// The window on top.
    pub fn window(&self) -> Option<&Window> {
        self.windows.last().map(|open| &open.window)
    }

    /// The view that the keys go to.
    pub fn view(&self) -> &dyn View {
        self.panels.view(self.focus)
    }

    /// The same, mutable.
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
    pub fn current_lead(&self) -> Option<(LeadId, String)> {
        let named = match self.window() {
            Some(Window::Story(story)) => Some((story.lead.clone(), Some(story.name.clone()))),
            Some(Window::Letter(letter)) => letter.row.lead(),
            Some(Window::Line(line)) => lead_of(line),
            Some(_) => None,
            None => self.view().lead(),
        };
        named.map(|named| self.named(named))
    }

    /// The leads that an action is about: the marked ones, else the current one.
    pub fn selected_leads(&self) -> Vec<(LeadId, String)> {
        let marked = if self.windows.is_empty() { self.view().marked_leads() } else { Vec::new() };
        if marked.is_empty() {
            return self.current_lead().into_iter().collect();
        }
        marked.into_iter().map(|named| self.named(named)).collect()
    }

    /// The dead letters that an action is about: the marked ones, those of the kind, the one under the
    /// cursor, or those of the current lead.
    pub fn selected_letters(&self) -> Vec<DeadRow> {
        match self.window() {
            Some(Window::Letter(letter)) => return vec![letter.row.clone()],
            None => {
                if let Some(letters) = self.view().letters() {
                    return letters;
                }
            }
            _ => {}
        }
        let Some((lead, _)) = self.current_lead() else { return Vec::new() };
        let rows = self.panels.dead.table.known().iter();
        rows.filter(|row| row.letter.lead_id.as_ref() == Some(&lead)).cloned().collect()
    }

    fn named(&self, (lead, name): Named) -> (LeadId, String) {
        let name = name.unwrap_or_else(|| self.name_of(&lead));
        (lead, name)
    }

    /// A lead's name if some panel knows it, else its id.
    pub fn name_of(&self, lead: &LeadId) -> String {
        self.panels.all().find_map(|view| view.name_of(lead)).unwrap_or_else(|| lead.to_string())
    }

    /// Passes the state of polling each value to `visit`, but that of the letter beside the dead letters.
    pub fn for_each_polling(&mut self, mut visit: impl FnMut(&mut Polling)) {
        visit(&mut self.watch);
        visit(&mut self.status);
        visit(&mut self.health);
        visit(&mut self.minutes);
        for panel in Panel::ALL {
            visit(self.panels.view_mut(panel).polling_mut());
        }
        self.windows.iter_mut().flat_map(|open| open.window.pollings()).for_each(visit);
    }

    /// Makes every query due at once, whether or not anything has changed.
    pub fn refresh_soon(&mut self) {
        self.for_each_polling(Polling::refresh_soon);
    }

    /// Makes the queries due at once whose answers an operation changes.
    pub fn refresh_counts(&mut self) {
        self.status.refresh_soon();
        self.panels.pending.remote.refresh_soon();
        self.panels.dead.table.remote.refresh_soon();
    }
}
