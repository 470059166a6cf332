//! Dead letters: which, why, and what to do about the one under the cursor.

use std::{cmp::Ordering, collections::HashMap};

use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use ops::{DeadRow, Ops, Status};
use pipeline::{Code, Fault, RetryState, ports::DeadLetter};

use crate::{
    doc::{Writer, letter::letter_story, name_of},
    draw::{
        Painter,
        columns::{Column, number, text},
        rows, table,
    },
    find::{Filter, Searchable, by_text},
    format::{self, age, count, since},
    keymap::Action,
    layout::{Area, Layout, right_of},
    line::{self, Line},
    list::List,
    msg::Query,
    panel::Panel,
    remote::{Polling, Remote},
    rows::{FilterTask, Filtered, Rows},
    scene::Scene,
    table::{Row, Table},
    table_view::{TableRow, json},
    text::{Glyphs, width},
    theme::Role,
    view::{Handled, Matched, Named, Opens, QueryReply, View},
    window::{OpenLetter, Window},
};

const LETTERS: [Column; 6] = [
    text("code", 5, 5, 0, 0),
    text("name", 8, 44, 4, 0),
    text("reason", 10, 90, 6, 50),
    text("queue", 12, 12, 0, 84),
    number("tries", 5, 34),
    number("age", 6, 0),
];
const KINDS: [Column; 4] =
    [text("code", 5, 5, 0, 0), text("reason", 8, 110, 1, 0), number("", 5, 0), number("age", 6, 0)];

/// Dead letters of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Their code.
    pub code: Code,
    /// How many.
    pub count: usize,
    /// The reason of the latest.
    pub reason: String,
    /// Whether all of them give the same reason.
    pub same_reason: bool,
    /// When the latest died.
    pub latest: Timestamp,
    /// When the first died.
    pub oldest: Timestamp,
}

impl Searchable for DeadRow {
    fn fields() -> &'static [&'static str] {
        &["name", "lead", "code", "reason", "queue", "id"]
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        letter_texts(&self.letter, self.display_name.as_deref(), see)
    }
}

/// The texts of a dead letter that a filter finds, deleted or not.
pub(super) fn letter_texts(
    letter: &DeadLetter,
    display_name: Option<&str>,
    see: &mut dyn FnMut(&'static str, &str) -> bool,
) -> bool {
    display_name.is_some_and(|name| see("name", name))
        || letter.lead_id.as_ref().is_some_and(|lead| see("lead", lead.as_str()))
        || see("code", letter.code.as_str())
        || see("reason", &letter.reason)
        || see("queue", letter.queue.as_str())
        || see("id", &letter.id)
}

impl Row for DeadRow {
    type Key = String;
    const SORTS: &'static [&'static str] = &["age", "code", "name", "reason", "tries", "queue"];

    fn key(&self) -> &String {
        &self.letter.id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        let (a, b) = (&self.letter, &other.letter);
        match column {
            1 => a.code.cmp(&b.code),
            2 => by_text(
                self.display_name.as_deref().unwrap_or_default(),
                other.display_name.as_deref().unwrap_or_default(),
            ),
            3 => by_text(&a.reason, &b.reason),
            4 => b.attempts.cmp(&a.attempts),
            5 => a.queue.cmp(&b.queue),
            _ => b.dead_at.cmp(&a.dead_at),
        }
    }
}

impl TableRow for DeadRow {
    const PANEL: Panel = Panel::Dead;
    const NOTHING: (&'static str, &'static str) = ("No dead letters.", "No dead letter matches.");

    async fn fetch(ops: &Ops, limit: usize) -> Result<Rows, Fault> {
        let (rows, count) = ops.dead(None, limit).await?;
        Ok(Rows::of(rows, Some(count)))
    }

    fn lead(&self) -> Option<Named> {
        Some((self.letter.lead_id.clone()?, self.display_name.clone()))
    }

    fn letter(&self) -> Option<&DeadRow> {
        Some(self)
    }

    fn id(&self) -> Option<(&'static str, String)> {
        Some(("the dead letter's id", self.letter.id.clone()))
    }

    fn open(&self) -> Opens {
        let letter = OpenLetter { row: self.clone(), detail: Remote::default() };
        Opens::Window(Window::Letter(Box::new(letter)))
    }

    fn hints(table: &Table<Self>) -> Vec<(Action, &'static str)> {
        let mut hints = vec![(Action::Open, "open letter")];
        if table.total().unwrap_or(0) > 0 {
            hints.extend([(Action::Redrive, "redrive"), (Action::RedriveAll, "all")]);
        }
        hints
    }

    fn count(table: &Table<Self>) -> Option<u64> {
        table.total()
    }

    fn is_alarming(table: &Table<Self>, _: Option<&Status>) -> bool {
        table.total().is_some_and(|count| count > 0)
    }

    fn state(table: &Table<Self>, scene: &Scene<'_>) -> Line {
        let (known, total) = (table.shown.rows.len() as u64, table.total().unwrap_or(0));
        let mut state = Line::new();
        if total > 0 {
            state.push((Role::Alarm, format!("{} {}", scene.glyphs.bad, format::number(total))));
            if !table.is_complete() {
                state.push((Role::Dim, format!("  latest {}", format::number(known))));
            }
        }
        state
    }

    fn draw(table: &Table<Self>, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        let times = painter.glyphs.times;
        table::draw(table, painter, scene, area, &LETTERS, |line, seen| {
            let letter = &seen.row.letter;
            let cells = [
                (seen.role(Role::Alarm), letter.code.as_str()),
                (seen.role(Role::Base), &name(seen.row)),
                (Role::Dim, &letter.reason),
                (Role::Dim, letter.queue.as_str()),
                (Role::Dim, &format!("{times}{}", letter.attempts)),
                (seen.role(Role::Base), &age(since(scene.now, letter.dead_at))),
            ];
            line.cells(&LETTERS, seen.widths, &cells)
        });
    }
}

/// Dead letters: one by one, or by kind.
#[derive(Debug, Clone, Default)]
pub struct DeadView {
    /// One by one.
    pub table: Table<DeadRow>,
    /// By kind.
    pub kinds: Vec<Kind>,
    /// The cursor in those.
    pub kinds_list: List<Code>,
    /// Whether the user has switched from by kind to one by one in the overview, and the other way round in
    /// full screen.
    toggled: [bool; 2],
    /// The one under the cursor, if there is room for all of it beside the list.
    pub preview: Option<Box<OpenLetter>>,
    /// Whether the panel is in full screen.
    full: bool,
}

impl DeadView {
    /// Whether they are shown by kind.
    pub fn grouped(&self) -> bool {
        self.by_kind() && self.table.wanted.filter.is_empty()
    }

    /// Whether they would be without a filter: in the overview, unless the user has switched it.
    fn by_kind(&self) -> bool {
        self.toggled[usize::from(self.full)] == self.full
    }

    /// The kind under the cursor.
    pub fn kind(&self) -> Option<&Kind> {
        self.kinds.get(self.kinds_list.index)
    }

    /// The kind under the cursor, if an action is about all of it.
    pub fn selected_kind(&self) -> Option<&Kind> {
        self.kind().filter(|_| self.grouped() && self.table.marks.is_empty())
    }

    /// The letter that the panel is about: the one under the cursor, or the latest of its kind.
    pub fn selected(&self) -> Option<&DeadRow> {
        if !self.grouped() {
            return self.table.row();
        }
        let code = self.kind()?.code;
        self.table.shown.iter().find(|row| row.letter.code == code)
    }

    /// Updates the letter that is shown beside the list, if there is room. Returns the number of the query
    /// for the previous one, which is to be cancelled.
    pub fn update_preview(&mut self, layout: &Layout, has_focus: bool) -> Option<u64> {
        let parts = layout.parts(Panel::Dead);
        let row = self.table.row().filter(|_| parts.is_beside() && has_focus && !self.grouped()).cloned();
        let known = self.preview.as_ref().map(|letter| &letter.row.letter.id);
        if known == row.as_ref().map(|row| &row.letter.id) {
            return None;
        }
        let flight = self.preview.as_ref().and_then(|letter| letter.detail.in_flight);
        self.preview = row.map(|row| Box::new(OpenLetter { row, detail: Remote::default() }));
        flight.map(|flight| flight.generation)
    }

    fn draw_kinds(&self, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        let widths = table::titles(painter, scene, area, &KINDS, None);
        let times = painter.glyphs.times;
        for (index, area) in rows(self.kinds_list.top, self.kinds.len(), area) {
            let kind = &self.kinds[index];
            let cells = [
                (Role::Alarm, kind.code.as_str()),
                // If the reasons differ, the code's cause is what they have in common.
                (Role::Base, if kind.same_reason { &kind.reason } else { kind.code.cause() }),
                (Role::Strong, &format!("{times}{}", kind.count)),
                (Role::Base, &age(since(scene.now, kind.latest))),
            ];
            let state = (false, index == self.kinds_list.index);
            painter.list_row(scene, area, state, |line| line.cells(&KINDS, &widths, &cells));
        }
    }

    /// Code, cause, reason and remedy of the letter under the cursor.
    fn about_selected(&self, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        let Some(row) = self.selected() else { return };
        let letter = &row.letter;
        let columns = usize::from(area.width);
        let kind = self.kind().filter(|_| self.grouped());
        let heading = match kind {
            Some(kind) if kind.count > 1 => {
                let (times, ago) = (painter.glyphs.times, age(since(scene.now, kind.oldest)));
                format!("{} {times}{}, the first {ago} ago", letter.code, kind.count)
            }
            _ => format!("{} {} {}", letter.code, painter.glyphs.dot, name(row)),
        };
        let heading = painter.glyphs.fit(&heading, columns.saturating_sub(1));
        let rule = painter.glyphs.rule.repeat(columns.saturating_sub(width(&heading) + 1));
        let mut lines: Vec<Line> = vec![vec![(Role::Strong, format!("{heading} ")), (Role::Dim, rule)]];
        // The remedy matters most; then what exactly, then why, then the rest.
        let mut room = usize::from(area.height).saturating_sub(1);
        let remedy = painter.glyphs.wrap_at_most(
            letter.code.remedy(RetryState::Dead),
            columns.saturating_sub(2),
            room.saturating_sub(1).max(1),
        );
        room = room.saturating_sub(remedy.len());
        let pieces = [
            (Role::Base, letter.reason.clone(), 2),
            (Role::Dim, letter.code.cause().to_owned(), 3),
            (Role::Dim, history(scene, row), 2),
        ];
        for (role, text, most) in pieces {
            let text = painter.glyphs.wrap_at_most(&text, columns, most.min(room));
            let text = if room == 0 { Vec::new() } else { text };
            room = room.saturating_sub(text.len());
            lines.extend(text.into_iter().map(|line| vec![(role, line)]));
        }
        for (index, line) in remedy.into_iter().enumerate() {
            let lead_in = if index == 0 { format!("{} ", painter.glyphs.arrow) } else { "  ".to_owned() };
            lines.push(vec![(Role::Accent, lead_in), (Role::Strong, line)]);
        }
        if room >= 2 && !scene.read_only {
            let keys = [
                (Action::Open, "message and log"),
                (Action::Redrive, "redrive"),
                (Action::Edit, "edit first"),
            ];
            let mut line = Line::new();
            for (action, what) in keys {
                line.push((Role::Strong, scene.keymap.key(action)));
                line.push((Role::Dim, format!(" {what}   ")));
            }
            if line::width(&line) <= columns + 3 {
                lines.extend([Line::new(), line]);
            }
        }
        painter.lines(area, &lines);
    }
}

impl View for DeadView {
    fn polling(&self) -> &Polling {
        self.table.polling()
    }

    fn polling_mut(&mut self) -> &mut Polling {
        self.table.polling_mut()
    }

    fn next_query(&self) -> (Query, SignedDuration) {
        self.table.next_query()
    }

    fn load_more_for_filter(&mut self) {
        self.table.load_more_for_filter();
    }

    fn answered(&mut self, reply: QueryReply) {
        self.table.answered(reply);
        self.kinds = kinds(self.table.known());
    }

    fn reset(&mut self) {
        *self = Self { toggled: self.toggled, full: self.full, ..Self::default() };
    }

    fn len(&self) -> usize {
        if self.grouped() { self.kinds.len() } else { self.table.len() }
    }

    fn index(&self) -> usize {
        if self.grouped() { self.kinds_list.index } else { self.table.index() }
    }

    fn top(&self) -> Option<usize> {
        Some(if self.grouped() { self.kinds_list.top } else { self.table.list.top })
    }

    fn go(&mut self, to: usize, visible: usize) {
        if self.grouped() {
            let kinds = &self.kinds;
            self.kinds_list.go(to, kinds.len(), |at| kinds.get(at).map(|kind| &kind.code), visible);
        } else {
            self.table.go(to, visible);
        }
    }

    fn clamp_cursor(&mut self, visible: usize, full: bool) {
        self.full = full;
        self.table.clamp_cursor(visible, full);
        let kinds = &self.kinds;
        self.kinds_list.clamp_cursor(kinds.len(), |at| kinds.get(at).map(|kind| &kind.code), visible);
    }

    fn filter_due(&mut self, panel: Panel, counter: &mut u64) -> Option<(u64, FilterTask)> {
        self.table.filter_due(panel, counter)
    }

    fn filtered(&mut self, generation: u64, filtered: Filtered) {
        self.table.filtered(generation, filtered);
    }

    fn fields(&self) -> &'static [&'static str] {
        self.table.fields()
    }

    fn filter(&self) -> &Filter {
        self.table.filter()
    }

    fn set_filter(&mut self, text: &str, visible: usize) {
        self.table.set_filter(text, visible);
    }

    fn matched(&self) -> Matched {
        self.table.matched()
    }

    fn marks(&self) -> usize {
        self.table.marks()
    }

    fn next_match(&self, forward: bool) -> Option<usize> {
        self.table.next_match(forward)
    }

    fn handle(&mut self, action: Action, visible: usize) -> Handled {
        match action {
            Action::ByKind => {
                let toggled = &mut self.toggled[usize::from(self.full)];
                *toggled = !*toggled;
                if self.by_kind() {
                    self.set_filter("", visible);
                }
                Handled::Yes
            }
            Action::Mark | Action::Range | Action::MarkAll if self.grouped() => {
                Handled::First(Action::ByKind, "shows them one by one, to be marked")
            }
            _ => self.table.handle(action, visible),
        }
    }

    fn back(&mut self, visible: usize) -> bool {
        self.table.back(visible)
    }

    fn open(&self) -> Opens {
        match self.kind().filter(|_| self.grouped()) {
            // Several of a kind are listed one by one.
            Some(kind) if kind.count > 1 => Opens::Filtered(format!("code:{}", kind.code)),
            _ => self.selected().map_or(Opens::Story, TableRow::open),
        }
    }

    fn hints(&self) -> Vec<(Action, &'static str)> {
        let mut hints = self.table.hints();
        if self.grouped() {
            hints[0] = (Action::Open, "open");
        }
        hints
    }

    fn lead(&self) -> Option<Named> {
        self.selected()?.lead()
    }

    fn marked_leads(&self) -> Vec<Named> {
        self.table.marked_leads()
    }

    fn letters(&self) -> Option<Vec<DeadRow>> {
        match self.selected_kind() {
            Some(kind) => {
                let rows = self.table.shown.iter().filter(|row| row.letter.code == kind.code);
                Some(rows.cloned().collect())
            }
            None => Some(self.table.selected_rows().into_iter().cloned().collect()),
        }
    }

    fn name_of(&self, lead: &LeadId) -> Option<String> {
        self.table.name_of(lead)
    }

    fn id(&self) -> Option<(&'static str, String)> {
        self.selected()?.id()
    }

    fn copy(&self) -> Option<(&'static str, String)> {
        Some((DeadRow::COPIED, json(self.selected()?)?))
    }

    fn count(&self) -> Option<u64> {
        self.table.count()
    }

    fn is_alarming(&self, status: Option<&Status>) -> bool {
        self.table.is_alarming(status)
    }

    fn state(&self, scene: &Scene<'_>) -> Line {
        let mut state = self.table.state(scene);
        if self.grouped() && self.kinds.len() > 1 {
            state.push((Role::Dim, format!("  {}", count(self.kinds.len(), "kind", "kinds"))));
        }
        state
    }

    fn nothing(&self, glyphs: &Glyphs) -> String {
        let nothing = self.table.nothing(glyphs);
        if self.filter().is_empty() { format!("{} {nothing}", glyphs.good) } else { nothing }
    }

    fn draw(&self, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        if self.grouped() {
            self.draw_kinds(painter, scene, area);
        } else {
            self.table.draw(painter, scene, area);
        }
        let parts = scene.parts();
        if parts.about.height > 0 && self.selected().is_some() {
            let beside = parts.is_beside();
            let mut area = parts.about;
            if beside {
                painter.vertical_rule(area);
                area = right_of(area, 1);
            }
            let (x, width) = (area.x + 1, area.width.saturating_sub(2));
            let area = Area { x, width, ..area };
            match self.preview.as_deref().filter(|_| beside && !self.grouped()) {
                Some(letter) => draw_preview(painter, scene, letter, area),
                None => self.about_selected(painter, scene, area),
            }
        }
    }
}

/// The kinds of failure among dead letters, the most frequent first.
fn kinds(rows: &[DeadRow]) -> Vec<Kind> {
    let mut kinds: HashMap<Code, Kind> = HashMap::new();
    // The latest come first.
    for row in rows.iter() {
        let letter = &row.letter;
        let kind = kinds.entry(letter.code).or_insert_with(|| Kind {
            code: letter.code,
            count: 0,
            reason: letter.reason.clone(),
            same_reason: true,
            latest: letter.dead_at,
            oldest: letter.dead_at,
        });
        kind.count += 1;
        kind.same_reason &= kind.reason == letter.reason;
        kind.latest = kind.latest.max(letter.dead_at);
        kind.oldest = kind.oldest.min(letter.dead_at);
    }
    let mut kinds: Vec<Kind> = kinds.into_values().collect();
    kinds.sort_unstable_by_key(|kind| (std::cmp::Reverse(kind.count), kind.code));
    kinds
}

fn name(row: &DeadRow) -> String {
    name_of(&row.letter, row.display_name.as_deref())
}

/// All of the letter under the cursor: why it died, what to do, its message, the log of its last attempt.
fn draw_preview(painter: &mut Painter<'_>, scene: &Scene<'_>, letter: &OpenLetter, area: Area) {
    let (glyphs, columns) = (painter.glyphs, usize::from(area.width));
    let Scene { now, overdue_after, keymap, .. } = *scene;
    let mut writer = Writer { glyphs, now, overdue_after, keymap, columns, lines: Vec::new() };
    letter_story(letter, &mut writer);
    let more = writer.lines.len() > usize::from(area.height);
    painter.lines(area, &writer.lines);
    if let Some(last) = area.rows().next_back().filter(|_| more) {
        let text = format!("{} {} shows all of it", painter.glyphs.down, scene.keymap.key(Action::Open));
        let line = painter.row(area.width).text(Role::Dim, &text, area.width).line;
        painter.line(last, &line);
    }
}

/// `notification queue, 3 attempts in 2 min`.
fn history(scene: &Scene<'_>, row: &DeadRow) -> String {
    let letter = &row.letter;
    let tries = count(letter.attempts as usize, "attempt", "attempts");
    let took = match since(letter.dead_at, letter.first_failed_at) {
        0 => String::new(),
        seconds => format!(" in {}", age(seconds)),
    };
    let ago = age(since(scene.now, letter.dead_at));
    format!("{} queue, {tries}{took}, died {ago} ago", letter.queue.as_str())
}
