//! The tail of the log: it follows the newest line, or stays at the line under the cursor.

use std::{collections::VecDeque, sync::Arc};

use pipeline::{
    Function,
    ports::{Level, LogLine},
};

use super::{find::Filter, remote::Remote};

/// How many log lines are held in memory: some twenty megabytes at most.
pub const LOG_LINES: usize = 20_000;

/// Which lines are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// What they have to match.
    pub filter: Filter,
    /// Whether the other lines stay visible, dimmed.
    pub dimmed: bool,
    /// At least as serious as this.
    pub level: Option<Level>,
    /// Only of this function.
    pub function: Option<Function>,
}

impl LogFilter {
    /// Whether a line matches.
    pub fn matches(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|level| line.level >= level)
            && self.function.is_none_or(|function| line.function == function.as_str())
            && self.filter.matches(line)
    }

    /// Whether it matches every line.
    pub fn is_open(&self) -> bool {
        self.level.is_none() && self.function.is_none() && self.filter.is_empty()
    }
}

/// The log. Lines have numbers, counted from the first that was ever received, and places among the ones
/// shown.
#[derive(Debug, Clone)]
pub struct Tail {
    /// The lines, the oldest first.
    pub lines: VecDeque<Arc<LogLine>>,
    /// The number of the first of them.
    pub first: u64,
    /// How many are held in memory.
    pub capacity: usize,
    /// The state of polling new lines.
    pub remote: Remote<()>,
    /// Which lines are shown.
    pub wanted: LogFilter,
    /// The numbers of the lines that are shown; `None` for all.
    shown: Option<VecDeque<u64>>,
    /// How many lines match.
    matched: usize,
    /// The line under the cursor, by its number; `None` follows the newest.
    pub held: Option<u64>,
    /// The first place in sight.
    pub top: usize,
    /// Whether long lines are wrapped.
    pub wrap: bool,
    /// The number behind the last line when following ended.
    seen: u64,
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            first: 0,
            capacity: LOG_LINES,
            remote: Remote::default(),
            wanted: LogFilter::default(),
            shown: None,
            matched: 0,
            held: None,
            top: 0,
            wrap: false,
            seen: 0,
        }
    }
}

impl Tail {
    /// Without its lines. The user's settings stay.
    pub fn emptied(&self) -> Self {
        Self { wrap: self.wrap, capacity: self.capacity, ..Self::default() }
    }

    /// The number behind the last line.
    pub fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// How many lines are shown.
    pub fn places(&self) -> usize {
        self.shown.as_ref().map_or(self.lines.len(), VecDeque::len)
    }

    /// How many lines match.
    pub fn matching(&self) -> usize {
        self.matched
    }

    /// The number of the line at a place.
    pub fn number(&self, place: usize) -> Option<u64> {
        match &self.shown {
            None => (place < self.lines.len()).then_some(self.first + place as u64),
            Some(shown) => shown.get(place).copied(),
        }
    }

    /// The place of a line, or of the first one behind it.
    fn place(&self, number: u64) -> usize {
        match &self.shown {
            None => usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX),
            Some(shown) => shown.partition_point(|known| *known < number),
        }
        .min(self.places().saturating_sub(1))
    }

    /// The line with this number.
    pub fn line(&self, number: u64) -> Option<&Arc<LogLine>> {
        self.lines.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The line at a place, and its number.
    pub fn at(&self, place: usize) -> Option<(u64, &Arc<LogLine>)> {
        let number = self.number(place)?;
        Some((number, self.line(number)?))
    }

    /// The place of the line under the cursor.
    pub fn cursor(&self) -> Option<usize> {
        if self.places() == 0 {
            return None;
        }
        Some(self.held.map_or(self.places() - 1, |held| self.place(held)))
    }

    /// The line under the cursor.
    pub fn row(&self) -> Option<&Arc<LogLine>> {
        Some(self.at(self.cursor()?)?.1)
    }

    /// Appends new lines, and drops the oldest if there are too many.
    pub fn append(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            let number = self.end();
            if !self.wanted.is_open() {
                let matches = self.wanted.matches(&line);
                self.matched += usize::from(matches);
                if let (true, Some(shown)) = (matches, &mut self.shown) {
                    shown.push_back(number);
                }
            }
            self.lines.push_back(Arc::new(line));
        }
        while self.lines.len() > self.capacity {
            let gone = self.lines.pop_front();
            let held_place = self.shown.as_ref().map(|shown| shown.front() == Some(&self.first));
            if held_place != Some(false) {
                if let Some(shown) = &mut self.shown {
                    shown.pop_front();
                }
                self.top = self.top.saturating_sub(1);
            }
            if !self.wanted.is_open() && gone.is_some_and(|line| self.wanted.matches(&line)) {
                self.matched = self.matched.saturating_sub(1);
            }
            self.first += 1;
        }
        if self.wanted.is_open() {
            self.matched = self.lines.len();
        }
    }

    /// Filters all lines. A few milliseconds at most, as there are at most [`LOG_LINES`].
    pub fn refilter(&mut self, visible: usize) {
        if self.wanted.is_open() {
            (self.shown, self.matched) = (None, self.lines.len());
        } else {
            let matching = (self.first..).zip(&self.lines).filter(|(_, line)| self.wanted.matches(line));
            let numbers: VecDeque<u64> = matching.map(|(number, _)| number).collect();
            self.matched = numbers.len();
            self.shown = (!self.wanted.dimmed).then_some(numbers);
        }
        self.keep_in_sight(visible);
    }

    /// Keeps the cursor among the lines and in sight.
    pub fn keep_in_sight(&mut self, visible: usize) {
        let visible = visible.max(1);
        let last_top = self.places().saturating_sub(visible);
        match self.held {
            None => {
                self.top = last_top;
                self.seen = self.end();
            }
            Some(held) => {
                let place = self.place(held);
                self.held = self.number(place);
                self.top = self.top.clamp((place + 1).saturating_sub(visible), place).min(last_top);
            }
        }
    }

    /// Moves the cursor to a place; the last place resumes following.
    pub fn move_to(&mut self, place: usize, visible: usize) {
        if self.places() == 0 {
            return;
        }
        if self.held.is_none() {
            self.seen = self.end();
        }
        self.held = (place + 1 < self.places()).then(|| self.number(place)).flatten();
        self.keep_in_sight(visible);
    }

    /// How many of the shown lines are newer than the end of following.
    pub fn new_lines(&self) -> usize {
        match (&self.shown, self.held) {
            (_, None) => 0,
            (None, _) => usize::try_from(self.end().saturating_sub(self.seen)).unwrap_or(0),
            (Some(shown), _) => shown.len() - shown.partition_point(|number| *number < self.seen),
        }
    }

    /// The next place from the cursor in a direction that meets a condition, wrapping around.
    pub fn next(&self, forward: bool, wanted: impl Fn(&LogLine) -> bool) -> Option<usize> {
        let (from, count) = (self.cursor()?, self.places());
        (1..=count)
            .map(|step| if forward { (from + step) % count } else { (from + count - step) % count })
            .find(|place| self.at(*place).is_some_and(|(_, line)| wanted(line)))
    }
}
