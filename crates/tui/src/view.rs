//! A view: what a panel shows, and everything specific to it, in one file below [`super::views`].

use std::time::Duration;

use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use ops::{DeadRow, Status};

use super::{
    draw::Painter,
    find::Filter,
    format,
    keymap::Action,
    layout::Area,
    line::Line,
    msg::{Answer, Query},
    panel::Panel,
    remote::{Polling, QueryError},
    rows::{FilterTask, Filtered},
    scene::Scene,
    text::Glyphs,
    theme::Role,
    window::Window,
};

/// A lead, and its name if the view knows it.
pub type Named = (LeadId, Option<String>);

/// The reply to a view's query.
pub struct QueryReply {
    /// The number of the query.
    pub generation: u64,
    /// The answer.
    pub answer: Result<Answer, QueryError>,
    /// How long it took.
    pub took: Duration,
    /// The time.
    pub now: Timestamp,
}

/// What a view did about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It ignores the key.
    No,
    /// It handled the key.
    Yes,
    /// It did nothing: this action has to come first, for this reason.
    First(Action, &'static str),
}

/// What Enter opens.
#[derive(Debug)]
pub enum Opens {
    /// The story of the lead under the cursor.
    Story,
    /// A window.
    Window(Window),
    /// The view itself in full screen, with this filter.
    Filtered(String),
}

/// How many rows match a filter, of how many, and whether there may be more than those that are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named by what they count")]
pub struct Matched {
    pub matched: usize,
    pub of: usize,
    pub more: bool,
}

impl Matched {
    /// `12 of 340`, `12 of 3,200+`.
    pub fn line(self) -> String {
        let (matched, of) = (format::number(self.matched as u64), format::number(self.of as u64));
        format!("{matched} of {of}{}", if self.more { "+" } else { "" })
    }
}

/// What a panel shows: how its rows are queried, filtered, acted on and drawn.
pub trait View {
    // === Queries ===

    /// The state of polling its rows.
    fn polling(&self) -> &Polling;
    /// The same, mutable.
    fn polling_mut(&mut self) -> &mut Polling;
    /// Its next query, and how long an answer is current while nothing changes.
    fn next_query(&self) -> (Query, SignedDuration);
    /// The shortest time between two of its queries, for one that costs many requests.
    fn min_interval(&self) -> SignedDuration {
        SignedDuration::ZERO
    }
    /// Loads more rows while a filter is set.
    fn load_more_for_filter(&mut self) {}
    /// Takes an answer.
    fn answered(&mut self, reply: QueryReply);
    /// Drops everything that came from the pipeline.
    fn reset(&mut self);

    // === Rows ===

    /// How many rows its list has.
    fn len(&self) -> usize;
    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Where the cursor is.
    fn index(&self) -> usize;
    /// The first row in sight; `None` if rows have no fixed places.
    fn top(&self) -> Option<usize>;
    /// Moves the cursor; `visible` rows are in sight.
    fn go(&mut self, to: usize, visible: usize);
    /// Puts the cursor back on its row, in a panel that is in full screen or not.
    fn clamp_cursor(&mut self, visible: usize, full: bool);
    /// The filtering that is due and may be slow, with its number.
    fn filter_due(&mut self, _panel: Panel, _counter: &mut u64) -> Option<(u64, FilterTask)> {
        None
    }
    /// Takes filtered rows.
    fn filtered(&mut self, _generation: u64, _filtered: Filtered) {}

    // === Filtering ===

    /// The fields that a filter can name.
    fn fields(&self) -> &'static [&'static str];
    /// Its filter.
    fn filter(&self) -> &Filter;
    /// Sets the filter.
    fn set_filter(&mut self, text: &str, visible: usize);
    /// How many rows match.
    fn matched(&self) -> Matched;
    /// How many rows are marked.
    fn marks(&self) -> usize {
        0
    }
    /// The place of the next matching row in a direction.
    fn next_match(&self, forward: bool) -> Option<usize>;

    // === Keys ===

    /// Handles one of its own keys.
    fn handle(&mut self, action: Action, visible: usize) -> Handled;
    /// Clears the range, else the filter, else the marks; whether there was one.
    fn back(&mut self, visible: usize) -> bool;
    /// What Enter opens.
    fn open(&self) -> Opens {
        Opens::Story
    }
    /// The keys for the hints, the first of them with what Enter does.
    fn hints(&self) -> Vec<(Action, &'static str)>;

    // === What the cursor is on ===

    /// The lead.
    fn lead(&self) -> Option<Named>;
    /// The leads of the marked rows.
    fn marked_leads(&self) -> Vec<Named> {
        Vec::new()
    }
    /// The dead letters that an action is about, if its rows are dead letters.
    fn letters(&self) -> Option<Vec<DeadRow>> {
        None
    }
    /// The name of a lead, if one of its rows has it.
    fn name_of(&self, _lead: &LeadId) -> Option<String> {
        None
    }
    /// The id to copy, and whose it is.
    fn id(&self) -> Option<(&'static str, String)> {
        Some(("the lead's id", self.lead()?.0.to_string()))
    }
    /// All of the row as JSON, and what it is.
    fn copy(&self) -> Option<(&'static str, String)>;

    // === Drawing ===

    /// How many rows there are, for its tab.
    fn count(&self) -> Option<u64> {
        None
    }
    /// Whether it needs attention.
    fn is_alarming(&self, _status: Option<&Status>) -> bool {
        false
    }
    /// What its heading shows beside the filter and the marks.
    fn state(&self, scene: &Scene<'_>) -> Line;
    /// What of that its tab shows as well.
    fn tab_state(&self, _scene: &Scene<'_>) -> Line {
        Line::new()
    }
    /// The text in place of rows if there are none.
    fn nothing(&self, glyphs: &Glyphs) -> String;
    /// Draws its rows into an area, and its parts beside them.
    fn draw(&self, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area);
}

/// What a heading shows of a filter and of marks.
pub fn finding(view: &dyn View, glyphs: &Glyphs) -> Line {
    let mut line = Line::new();
    let filter = view.filter();
    if !filter.is_empty() {
        let text = glyphs.fit(filter.text(), 24);
        line.push((Role::Accent, format!("/{text} ")));
        line.push((Role::Strong, view.matched().line()));
    }
    let marks = view.marks();
    if marks > 0 {
        let gap = if line.is_empty() { "" } else { "  " };
        line.push((Role::Accent, format!("{gap}{} {marks}", glyphs.mark)));
    }
    line
}
