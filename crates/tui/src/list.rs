//! A cursor in a list whose rows change. It follows the row, not the place.

/// The cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<K> {
    /// The row under the cursor; `None` until the cursor is moved: it then stays on the first row, whichever
    /// that is.
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
    /// Puts the cursor back on its row among `rows`, or on the one that took its place; `visible` rows
    /// are in sight. The row stays at its height on the screen as far as possible.
    pub fn clamp_cursor<'a>(&mut self, rows: usize, key: impl Fn(usize) -> Option<&'a K>, visible: usize)
    where
        K: 'a,
    {
        let before = self.index;
        self.index = match &self.selected {
            None => 0,
            // Mostly nothing has moved, and a search through a hundred thousand rows is slow.
            Some(selected) if key(before) == Some(selected) => before,
            Some(selected) => (0..rows)
                .find(|index| key(*index) == Some(selected))
                .unwrap_or_else(|| before.min(rows.saturating_sub(1))),
        };
        if self.selected.is_some() {
            self.selected = key(self.index).cloned();
        }
        self.top = (self.top + self.index).saturating_sub(before);
        self.show(rows, visible);
    }

    /// Moves the cursor to a row. At the first one, the cursor stays on the first row from then on, whichever
    /// that is.
    pub fn go<'a>(&mut self, index: usize, rows: usize, key: impl Fn(usize) -> Option<&'a K>, visible: usize)
    where
        K: 'a,
    {
        self.index = index.min(rows.saturating_sub(1));
        self.selected = if index == 0 { None } else { key(self.index).cloned() };
        self.show(rows, visible);
    }

    fn show(&mut self, rows: usize, visible: usize) {
        let visible = visible.max(1);
        self.top = self.top.clamp((self.index + 1).saturating_sub(visible), self.index);
        self.top = self.top.min(rows.saturating_sub(visible));
    }
}
