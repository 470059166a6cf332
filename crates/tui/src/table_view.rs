//! Views that are tables: what all of them have in common.

use jiff::SignedDuration;
use lead::LeadId;
use ops::{DeadRow, Ops, Status};
use pipeline::{Code, Fault};
use serde::Serialize;

use super::{
    draw::Painter,
    find::Filter,
    keymap::Action,
    layout::Area,
    line::Line,
    list::List,
    msg::{Answer, Query},
    panel::Panel,
    remote::Polling,
    rows::{FilterTask, Filtered, Rows},
    scene::Scene,
    table::{Page, Row, Sort, Table},
    text::Glyphs,
    view::{Handled, Matched, Named, Opens, QueryReply, View},
};

/// Up to so many rows are loaded without scrolling while a filter is set.
const SEARCHED: usize = 3_200;

/// How long an answer is current while nothing changes, if it depends on the time as well.
pub const COUNTS_MAX_AGE: SignedDuration = SignedDuration::from_secs(5);
/// How long one is current that does not.
pub const ROWS_MAX_AGE: SignedDuration = SignedDuration::from_secs(300);

/// A row of a table that is a view.
pub trait TableRow: Row + Serialize {
    /// The panel that shows them.
    const PANEL: Panel;
    /// How long an answer is current while nothing changes.
    const MAX_AGE: SignedDuration = ROWS_MAX_AGE;
    /// The shortest time between two queries, if each costs many requests.
    const MIN_INTERVAL: SignedDuration = SignedDuration::ZERO;
    /// What a row is called when it is copied.
    const COPIED: &'static str = "the row";
    /// The texts in place of rows where there are none, and where none matches the filter.
    const NOTHING: (&'static str, &'static str);

    /// Queries so many of them.
    fn fetch(ops: &Ops, limit: usize) -> impl Future<Output = Result<Rows, Fault>> + Send;
    /// The lead that it is about.
    fn lead(&self) -> Option<Named>;
    /// The dead letter that it is.
    fn letter(&self) -> Option<&DeadRow> {
        None
    }
    /// The id to copy, and whose it is, if it is not the lead's.
    fn id(&self) -> Option<(&'static str, String)> {
        Some(("the lead's id", self.lead()?.0.to_string()))
    }
    /// What Enter opens.
    fn open(&self) -> Opens {
        Opens::Story
    }
    /// As [`View::hints`].
    fn hints(table: &Table<Self>) -> Vec<(Action, &'static str)>;
    /// As [`View::count`].
    fn count(_table: &Table<Self>) -> Option<u64> {
        None
    }
    /// As [`View::is_alarming`].
    fn is_alarming(_table: &Table<Self>, _status: Option<&Status>) -> bool {
        false
    }
    /// As [`View::state`].
    fn state(table: &Table<Self>, scene: &Scene<'_>) -> Line;
    /// As [`View::draw`].
    fn draw(table: &Table<Self>, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area);
}

impl<T: TableRow> View for Table<T> {
    fn polling(&self) -> &Polling {
        &self.remote
    }

    fn polling_mut(&mut self) -> &mut Polling {
        &mut self.remote
    }

    fn next_query(&self) -> (Query, SignedDuration) {
        (Query::Rows(T::PANEL, self.limit), T::MAX_AGE)
    }

    fn min_interval(&self) -> SignedDuration {
        T::MIN_INTERVAL
    }

    fn load_more_for_filter(&mut self) {
        let is_filtered = !self.wanted.filter.is_empty();
        if is_filtered && self.limit < SEARCHED && self.remote.in_flight.is_none() {
            self.load_more();
        }
    }

    fn answered(&mut self, reply: QueryReply) {
        let QueryReply { generation, answer, took, now } = reply;
        let limit = self.limit;
        let page = answer.and_then(|answer| {
            let Answer::Rows(rows) = answer else { return Err(mismatched_answer()) };
            rows.get().map(|found| Page::of(found, rows.total, limit)).ok_or_else(mismatched_answer)
        });
        if self.remote.answered(generation, page, took, now).is_ok() {
            self.rows_changed();
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn len(&self) -> usize {
        self.shown.len()
    }

    fn index(&self) -> usize {
        self.list.index
    }

    fn top(&self) -> Option<usize> {
        Some(self.list.top)
    }

    fn go(&mut self, to: usize, visible: usize) {
        self.move_to(to, visible);
    }

    fn clamp_cursor(&mut self, visible: usize, _full: bool) {
        let shown = &self.shown;
        self.list.clamp_cursor(shown.len(), |index| shown.row(index).map(Row::key), visible);
    }

    fn filter_due(&mut self, panel: Panel, counter: &mut u64) -> Option<(u64, FilterTask)> {
        let (generation, rows, wanted) = self.begin_filtering(counter)?;
        Some((generation, FilterTask::of(panel, rows, wanted)))
    }

    fn filtered(&mut self, generation: u64, filtered: Filtered) {
        if let Some(shown) = filtered.get() {
            self.take_filtered(generation, shown);
        }
    }

    fn fields(&self) -> &'static [&'static str] {
        T::fields()
    }

    fn filter(&self) -> &Filter {
        &self.wanted.filter
    }

    fn set_filter(&mut self, text: &str, _visible: usize) {
        let filter = Filter::parse(text, T::fields());
        if filter == self.wanted.filter {
            return;
        }
        self.wanted.filter = filter;
        // What is found is looked at from its start.
        self.list = List::default();
        self.range = None;
        self.refilter();
    }

    fn matched(&self) -> Matched {
        let more = self.remote.is_known() && !self.is_complete();
        Matched { matched: self.shown.matched, of: self.shown.rows.len(), more }
    }

    fn marks(&self) -> usize {
        self.marks.len()
    }

    fn next_match(&self, forward: bool) -> Option<usize> {
        self.next_matching(forward)
    }

    fn handle(&mut self, action: Action, visible: usize) -> Handled {
        match action {
            Action::Dim => {
                self.wanted.dimmed = !self.wanted.dimmed;
                self.refilter();
            }
            Action::Sort => {
                let column = (self.wanted.sort.column + 1) % T::SORTS.len();
                self.wanted.sort = Sort { column, reverse: false };
                self.refilter();
            }
            Action::Reverse => {
                self.wanted.sort.reverse = !self.wanted.sort.reverse;
                self.refilter();
            }
            Action::Mark => {
                self.toggle_mark();
                self.move_to(self.list.index + 1, visible);
            }
            Action::Range => self.range_or_mark(),
            Action::MarkAll => self.mark_shown(),
            Action::Unmark => self.unmark(),
            _ => return Handled::No,
        }
        Handled::Yes
    }

    fn back(&mut self, visible: usize) -> bool {
        if self.range.take().is_some() {
        } else if !self.wanted.filter.is_empty() {
            self.set_filter("", visible);
        } else if !self.marks.is_empty() {
            self.unmark();
        } else {
            return false;
        }
        true
    }

    fn open(&self) -> Opens {
        self.row().map_or(Opens::Story, T::open)
    }

    fn hints(&self) -> Vec<(Action, &'static str)> {
        T::hints(self)
    }

    fn lead(&self) -> Option<Named> {
        self.row()?.lead()
    }

    fn marked_leads(&self) -> Vec<Named> {
        if self.marks.is_empty() {
            return Vec::new();
        }
        self.selected_rows().into_iter().filter_map(T::lead).collect()
    }

    fn letters(&self) -> Option<Vec<DeadRow>> {
        let letters: Vec<DeadRow> = self.selected_rows().into_iter().filter_map(T::letter).cloned().collect();
        (!letters.is_empty()).then_some(letters)
    }

    fn name_of(&self, lead: &LeadId) -> Option<String> {
        self.shown.rows.iter().find_map(|row| row.lead().filter(|(id, _)| id == lead)?.1)
    }

    fn id(&self) -> Option<(&'static str, String)> {
        self.row()?.id()
    }

    fn copy(&self) -> Option<(&'static str, String)> {
        Some((T::COPIED, json(self.row()?)?))
    }

    fn count(&self) -> Option<u64> {
        T::count(self)
    }

    fn is_alarming(&self, status: Option<&Status>) -> bool {
        T::is_alarming(self, status)
    }

    fn state(&self, scene: &Scene<'_>) -> Line {
        T::state(self, scene)
    }

    fn nothing(&self, _: &Glyphs) -> String {
        let (none, no_match) = T::NOTHING;
        if self.wanted.filter.is_empty() { none } else { no_match }.to_owned()
    }

    fn draw(&self, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        T::draw(self, painter, scene, area);
    }
}

/// A row as JSON for people.
pub fn json(row: &impl Serialize) -> Option<String> {
    Some(format!("{:#}", serde_json::to_value(row).ok()?))
}

/// An answer of the wrong kind: a bug, shown rather than hidden.
pub fn mismatched_answer<T: From<Fault>>() -> T {
    Fault::new(Code::Internal, "an answer does not match its query").into()
}
