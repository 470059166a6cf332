//! The panels by name. What each shows is its view: [`super::views`].

use super::keymap::Action;

/// A panel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named by what they show")]
pub enum Panel {
    #[default]
    Pending,
    Dead,
    Leads,
    Logs,
    Deleted,
}

impl Panel {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Dead, Self::Leads, Self::Logs, Self::Deleted];
    /// Those of the overview. The others are always in full screen.
    pub const OVERVIEW: [Self; 4] = [Self::Pending, Self::Dead, Self::Leads, Self::Logs];

    /// Its place in the order of keys.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its heading, and a shorter one for a narrow screen.
    pub fn titles(self) -> (&'static str, &'static str) {
        match self {
            Self::Pending => ("Pending", "Pending"),
            Self::Dead => ("Dead letters", "Dead"),
            Self::Leads => ("Leads", "Leads"),
            Self::Logs => ("Log", "Log"),
            Self::Deleted => ("Deleted", "Del"),
        }
    }

    /// The action that goes to it.
    pub fn action(self) -> Action {
        match self {
            Self::Pending => Action::Pending,
            Self::Dead => Action::DeadLetters,
            Self::Leads => Action::Leads,
            Self::Logs => Action::Log,
            Self::Deleted => Action::Deleted,
        }
    }

    /// The one so many places further on, around the end.
    #[must_use]
    pub fn further(self, by: usize) -> Self {
        Self::ALL[(self.index() + by) % Self::ALL.len()]
    }
}
