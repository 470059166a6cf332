//! What a view is drawn with, beside its own rows.

use std::time::Duration;

use lead::Timestamp;
use ops::Status;
use pipeline::{State, destination::DestinationId};

use super::{
    keymap::Keymap,
    layout::{Layout, Parts},
    panel::Panel,
    text::Glyphs,
};

/// What a view is drawn with, beside its own rows.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The panel that it is.
    pub panel: Panel,
    /// Whether the keys go to it.
    pub focused: bool,
    /// Where everything is.
    pub layout: Layout,
    /// The time.
    pub now: Timestamp,
    /// The glyphs that the terminal can show.
    pub glyphs: &'static Glyphs,
    /// The keys.
    pub keymap: &'a Keymap,
    /// The key figures.
    pub status: Option<&'a Status>,
    /// Where alerts can go.
    pub destinations: &'a [DestinationId],
    /// How long after its due time a lead counts as overdue.
    pub overdue_after: Duration,
    /// Whether actions are refused.
    pub read_only: bool,
}

impl Scene<'_> {
    /// Whether the panel is in full screen.
    pub fn is_full(&self) -> bool {
        self.layout.is_full()
    }

    /// The parts of the panel.
    pub fn parts(&self) -> Parts {
        self.layout.parts(self.panel)
    }

    /// The state of an unfinished lead now, which may be later than its answer.
    pub fn state_of(&self, due_at: Timestamp, state: State) -> State {
        state.at(due_at, self.now, self.overdue_after)
    }
}
