//! Where everything is: pure arithmetic on the terminal's size, for those who draw and for those who
//! move a cursor by pages.
//!
//! ```text
//! wide and high enough          higher than wide     small
//! ┌ header ──────────────────┐  ┌ header ────────┐   ┌ header ──────┐
//! │ Pending     │ Dead       │  │ Pending        │   │ 1 2 3 4      │
//! │─────────────│  letters   │  │ Dead letters   │   │ the panel in │
//! │ Leads       │            │  │ Leads          │   │ focus        │
//! │──────────────────────────│  │ Log            │   │              │
//! │ Log                      │  └ event, keys ───┘   └ keys ────────┘
//! └ event, keys ─────────────┘
//! ```

use super::app::Panel;

/// The smallest terminal that anything is drawn in.
pub const SMALLEST: (u16, u16) = (30, 6);

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as usual")]
pub struct Area {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

/// How the panels are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// There is no room for anything.
    TooSmall,
    /// The panel in focus alone.
    Single,
    /// All panels, one above the other.
    Stack,
    /// All panels: dead letters on the right, the log below.
    Grid,
}

/// Where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// How the panels are arranged.
    pub shape: Shape,
    /// Name, state, clock, vital signs.
    pub header: Area,
    /// The names of the panels, where only one is shown.
    pub tabs: Area,
    /// The panels by [`Panel::index`]; empty where one is hidden.
    pub panels: [Area; 4],
    /// Everything that a window may cover.
    pub body: Area,
    /// The last report; empty where there is no room.
    pub event: Area,
    /// The keys.
    pub hints: Area,
}

/// The overview.
pub fn overview(size: (u16, u16), focus: Panel) -> Layout {
    let (width, height) = size;
    let mut layout = Layout {
        shape: shape(size),
        header: Area::default(),
        tabs: Area::default(),
        panels: [Area::default(); 4],
        body: Area { x: 0, y: 0, width, height },
        event: Area::default(),
        hints: Area::default(),
    };
    if layout.shape == Shape::TooSmall {
        return layout;
    }
    let header = match layout.shape {
        Shape::Grid if height >= 22 => 3,
        Shape::Grid | Shape::Stack => 2,
        _ if height >= 9 => 2,
        _ => 1,
    };
    let event = u16::from(height >= 14);
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
            for (panel, share) in Panel::ALL.into_iter().zip(shares(body.height, focus)) {
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
            layout.panels = [
                pending,
                Area { x: left, width: width - left, height: upper, ..body },
                Area { y: body.y + pending.height, height: leads, ..pending },
                Area { y: body.y + upper, height: logs, ..body },
            ];
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
    let mut shares = [share; 4];
    shares[focus.index()] = height - 3 * share;
    shares
}

/// The inside of a panel: without its frame, or in the single shape without its heading.
pub fn inside(shape: Shape, area: Area) -> Area {
    match shape {
        Shape::Single | Shape::TooSmall => area,
        _ => Area {
            x: area.x + 1,
            y: area.y + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(2),
        },
    }
}

/// How the inside of Dead letters is shared: rows of the list, and of what the selected one needs.
pub fn dead_rows(inside: u16) -> (u16, u16) {
    let about = match inside {
        0..6 => 0,
        6..16 => inside * 3 / 5,
        _ => (inside * 2 / 5).clamp(9, 12),
    };
    (inside - about, about)
}

impl Layout {
    /// How many rows of a panel's list are in sight.
    pub fn visible(&self, panel: Panel) -> usize {
        let height = inside(self.shape, self.panels[panel.index()]).height;
        usize::from(match panel {
            Panel::Dead => dead_rows(height).0,
            _ => height,
        })
    }

    /// Where a window with a text is: all over the panels, so that nothing of them distracts.
    pub fn window(&self) -> Area {
        self.body
    }

    /// Where a question with so many lines is: in the middle, no larger than it must be.
    pub fn question(&self, columns: usize, lines: usize) -> Area {
        let body = match self.shape {
            // Where there is little room, a question may have all of it but the keys.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_overlaps_and_nothing_lies_outside(width in 0u16..400, height in 0u16..200, focus in 0usize..4) {
            let layout = overview((width, height), Panel::ALL[focus]);
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
                prop_assert!(layout.visible(Panel::ALL[focus]) > 0);
                let (window, question) = (layout.window(), layout.question(60, 8));
                for over in [window, question] {
                    prop_assert!(over.x + over.width <= width && over.y + over.height < height);
                }
            }
        }
    }
}
