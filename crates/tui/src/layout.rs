//! Where everything is: pure arithmetic on the terminal's size, for drawing and for moving the
//! cursor by pages or with the mouse.
//!
//! ```text
//! wide and high enough          higher than wide     small, or one panel in full screen
//! ┌ header ──────────────────┐  ┌ header ────────┐   ┌ header ──────┐
//! │ Pending     │ Dead       │  │ Pending        │   │ 1 2 3 4      │
//! │─────────────│  letters   │  │ Dead letters   │   │ the panel in │
//! │ Leads       │            │  │ Leads          │   │ focus        │
//! │──────────────────────────│  │ Log            │   │              │
//! │ Log                      │  └ event, keys ───┘   └ event, keys ─┘
//! └ event, keys ─────────────┘
//! ```
//! Panels have a heading and no frame: the rules between them are enough, and every row counts.

pub use ratatui::layout::Rect as Area;

use super::panel::Panel;

/// The smallest terminal that anything is drawn in.
pub const SMALLEST: (u16, u16) = (30, 6);
/// From this width on a dead letter is shown beside the list, not below it.
const BESIDE: u16 = 100;

/// An area without its first rows.
pub fn below(area: Area, rows: u16) -> Area {
    let rows = rows.min(area.height);
    Area { y: area.y + rows, height: area.height - rows, ..area }
}

/// An area without its first columns.
pub fn right_of(area: Area, columns: u16) -> Area {
    let columns = columns.min(area.width);
    Area { x: area.x + columns, width: area.width - columns, ..area }
}

/// How the panels are arranged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// There is no room for anything.
    #[default]
    TooSmall,
    /// Only the panel in focus.
    Single,
    /// All panels, one above the other.
    Stack,
    /// All panels: dead letters on the right, the log below.
    Grid,
}

/// Where everything is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Layout {
    /// How the panels are arranged.
    pub shape: Shape,
    /// Name, state, clock, key figures.
    pub header: Area,
    /// The names of the panels, where only one is shown.
    pub tabs: Area,
    /// The panels by [`Panel::index`]; empty where one is hidden.
    pub panels: [Area; Panel::ALL.len()],
    /// Everything that a window may cover.
    pub body: Area,
    /// The last notice; empty where there is no room.
    pub event: Area,
    /// The keys.
    pub hints: Area,
}

/// The layout of the screen with a panel in focus, in full screen or not.
pub fn of(size: (u16, u16), focus: Panel, full: bool) -> Layout {
    let (width, height) = size;
    let mut layout = Layout {
        shape: match shape(size) {
            Shape::Grid | Shape::Stack if full || !Panel::OVERVIEW.contains(&focus) => Shape::Single,
            shape => shape,
        },
        body: Area { x: 0, y: 0, width, height },
        ..Layout::default()
    };
    if layout.shape == Shape::TooSmall {
        return layout;
    }
    let header = match (layout.shape, height) {
        (Shape::Single, ..9) => 1,
        (Shape::Single, ..16) => 2,
        (Shape::Single, _) => 3,
        (_, ..22) => 3,
        _ => 4,
    };
    let event = u16::from(height >= 12);
    let tabs = u16::from(layout.shape == Shape::Single);
    let below = event + 1;
    let row = |y, height| Area { x: 0, y, width, height };
    layout.header = row(0, header);
    layout.tabs = row(header, tabs);
    layout.body = row(header + tabs, height - header - tabs - below);
    layout.event = row(height - below, event);
    layout.hints = row(height - 1, 1);
    let body = layout.body;
    match layout.shape {
        Shape::TooSmall => {}
        Shape::Single => layout.panels[focus.index()] = body,
        Shape::Stack => {
            let mut y = body.y;
            for (panel, share) in Panel::OVERVIEW.into_iter().zip(shares(body.height, focus)) {
                layout.panels[panel.index()] = Area { y, height: share, ..body };
                y += share;
            }
        }
        Shape::Grid => {
            let logs = (body.height * 3 / 10).max(5);
            let upper = body.height - logs;
            let leads = upper * 9 / 20;
            let left = width / 2;
            let pending = Area { width: left, height: upper - leads, ..body };
            let areas = [
                pending,
                Area { x: left, width: width - left, height: upper, ..body },
                Area { y: body.y + pending.height, height: leads, ..pending },
                Area { y: body.y + upper, height: logs, ..body },
            ];
            for (panel, area) in Panel::OVERVIEW.into_iter().zip(areas) {
                layout.panels[panel.index()] = area;
            }
        }
    }
    layout
}

fn shape((width, height): (u16, u16)) -> Shape {
    match (width, height) {
        _ if width < SMALLEST.0 || height < SMALLEST.1 => Shape::TooSmall,
        (76.., 18..) => Shape::Grid,
        (_, 28..) => Shape::Stack,
        _ => Shape::Single,
    }
}

/// The heights of the four panels: the one in focus gets twice the share.
fn shares(height: u16, focus: Panel) -> [u16; 4] {
    let share = height / 5;
    Panel::OVERVIEW.map(|panel| if panel == focus { height - 3 * share } else { share })
}

/// Where a window's text is: within its frame, with a column on each side.
pub fn inside(area: Area) -> Area {
    Area {
        x: area.x + 2,
        y: area.y + 1,
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    }
}

/// The parts of a panel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// Its heading; empty if there are tabs instead.
    pub heading: Area,
    /// The names of the columns; empty where there is no room for them.
    pub columns: Area,
    /// The rows.
    pub rows: Area,
    /// The details of the row under the cursor; dead letters only.
    pub about: Area,
}

impl Parts {
    /// Whether the details are beside the rows, and not below them.
    pub fn is_beside(&self) -> bool {
        self.about.height > 0 && self.about.y <= self.rows.y
    }
}

impl Layout {
    /// Whether one panel is in full screen.
    pub fn is_full(&self) -> bool {
        self.shape == Shape::Single
    }

    /// The parts of a panel.
    pub fn parts(&self, panel: Panel) -> Parts {
        let area = self.panels[panel.index()];
        let mut parts = Parts::default();
        let mut rest = area;
        if !self.is_full() {
            parts.heading = Area { height: area.height.min(1), ..area };
            rest = below(rest, 1);
            if self.shape == Shape::Grid && panel == Panel::Dead {
                // The rule between the two halves.
                rest = right_of(rest, 1);
            }
        }
        if panel == Panel::Dead {
            (rest, parts.about) = about(rest, self.is_full());
        }
        if self.is_full() && rest.height >= 8 {
            parts.columns = Area { height: 1, ..rest };
            rest = below(rest, 1);
        }
        parts.rows = rest;
        parts
    }

    /// How many rows of a panel's list are in sight.
    pub fn visible(&self, panel: Panel) -> usize {
        usize::from(self.parts(panel).rows.height)
    }

    /// Where a window with a text is: over all panels, so that they do not distract.
    pub fn window(&self) -> Area {
        match self.shape {
            // Where there is little room, it covers the tabs as well.
            Shape::Single => {
                Area { y: self.tabs.y, height: self.body.height + self.tabs.height, ..self.body }
            }
            _ => self.body,
        }
    }

    /// Where a question with so many lines is: in the middle, no larger than it must be.
    pub fn question(&self, columns: usize, lines: usize) -> Area {
        let body = match self.shape {
            // Where there is little room, a question may cover all of it but the keys.
            Shape::Single => Area { y: 0, height: self.hints.y, ..self.body },
            _ => self.body,
        };
        let fit = |wanted: usize, most: u16| u16::try_from(wanted).map_or(most, |wanted| wanted.min(most));
        let width = fit(columns + 4, body.width);
        // The frame, an empty line, and the answers.
        let height = fit(lines + 4, body.height);
        let (x, y) = (body.x + (body.width - width) / 2, body.y + (body.height - height) / 3);
        Area { x, y, width, height }
    }
}

/// How the panel Dead letters is divided: the list, and the details of the letter under the cursor.
fn about(area: Area, full: bool) -> (Area, Area) {
    if full && area.width >= BESIDE && area.height >= 8 {
        let list = area.width * 11 / 20;
        return (Area { width: list, ..area }, right_of(area, list));
    }
    let height = match area.height {
        0..7 => 0,
        7..16 => area.height * 3 / 5,
        _ => (area.height / 2).clamp(9, 16),
    };
    let list = area.height - height;
    (Area { height: list, ..area }, below(area, list))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_overlaps_and_nothing_lies_outside(
            width in 0u16..400, height in 0u16..200, focus in 0usize..4, full in any::<bool>(),
        ) {
            let focus = Panel::ALL[focus];
            let layout = of((width, height), focus, full);
            let parts = [layout.header, layout.tabs, layout.event, layout.hints].into_iter().chain(layout.panels);
            let mut covered = vec![false; usize::from(width) * usize::from(height)];
            for part in parts {
                for y in part.y..part.y + part.height {
                    for x in part.x..part.x + part.width {
                        prop_assert!(x < width && y < height);
                        let cell = usize::from(y) * usize::from(width) + usize::from(x);
                        prop_assert!(!std::mem::replace(&mut covered[cell], true));
                    }
                }
            }
            if layout.shape != Shape::TooSmall {
                prop_assert!(covered.into_iter().all(|cell| cell));
                prop_assert!(layout.visible(focus) > 0);
                for panel in Panel::ALL {
                    let area = layout.panels[panel.index()];
                    let parts = layout.parts(panel);
                    for part in [parts.heading, parts.columns, parts.rows, parts.about] {
                        prop_assert!(part.height == 0 || (part.x >= area.x && part.y >= area.y));
                        prop_assert!(part.height == 0 || part.x + part.width <= area.x + area.width);
                        prop_assert!(part.height == 0 || part.y + part.height <= area.y + area.height);
                    }
                }
                let (window, question) = (layout.window(), layout.question(60, 8));
                for over in [window, question] {
                    prop_assert!(over.x + over.width <= width && over.y + over.height < height);
                }
            }
        }
    }
}
