//! The keys: one table, from which the hints, the help and `leadops keys` are made.

use std::fmt;

use serde::Serialize;

/// A key as pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named as on the keyboard")]
pub enum Press {
    Char(char),
    Ctrl(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is explained in the table below")]
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Left,
    Right,
    NextPanel,
    PreviousPanel,
    Panel(u8),
    Open,
    Back,
    Redrive,
    RedriveAll,
    Resend,
    Stop,
    Refresh,
    Events,
    Help,
    Suspend,
    Quit,
    Interrupt,
}

/// The part of the help that a key stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "named as shown")]
pub enum Group {
    Move,
    Look,
    Act,
    Leave,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 4] = [Self::Move, Self::Look, Self::Act, Self::Leave];

    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Move => "Move",
            Self::Look => "Look",
            Self::Act => "Act",
            Self::Leave => "Leave",
        }
    }
}

/// A line of the table.
#[derive(Debug)]
pub struct Binding {
    /// What it does.
    pub action: Action,
    /// On which keys, the one to show in a hint first.
    pub keys: &'static [Press],
    /// Where it stands in the help.
    pub group: Group,
    /// The action's name.
    pub name: &'static str,
    /// What it does, for a person.
    pub about: &'static str,
}

const fn bind(
    action: Action,
    keys: &'static [Press],
    group: Group,
    name: &'static str,
    about: &'static str,
) -> Binding {
    Binding { action, keys, group, name, about }
}

/// The keys. Nothing that changes the pipeline is on a key that moves anywhere in some other program,
/// and each such key only opens a question.
pub static BINDINGS: &[Binding] = &[
    bind(Action::Up, &[Press::Up, Press::Char('k')], Group::Move, "up", "one row up"),
    bind(Action::Down, &[Press::Down, Press::Char('j')], Group::Move, "down", "one row down"),
    bind(Action::PageUp, &[Press::PageUp, Press::Ctrl('b')], Group::Move, "page-up", "one page up"),
    bind(Action::PageDown, &[Press::PageDown, Press::Ctrl('f')], Group::Move, "page-down", "one page down"),
    bind(Action::Top, &[Press::Char('g'), Press::Home], Group::Move, "top", "to the first row"),
    bind(
        Action::Bottom,
        &[Press::Char('G'), Press::End],
        Group::Move,
        "bottom",
        "to the last row; in the log: follow again",
    ),
    bind(Action::NextPanel, &[Press::Tab], Group::Move, "next-panel", "to the next panel or button"),
    bind(Action::PreviousPanel, &[Press::BackTab], Group::Move, "previous-panel", "to the previous one"),
    bind(
        Action::Left,
        &[Press::Left, Press::Char('h')],
        Group::Move,
        "left",
        "to the panel or button on the left",
    ),
    bind(Action::Right, &[Press::Right, Press::Char('l')], Group::Move, "right", "to the one on the right"),
    bind(Action::Panel(1), &[Press::Char('1')], Group::Move, "pending", "to Pending"),
    bind(Action::Panel(2), &[Press::Char('2')], Group::Move, "dead-letters", "to Dead letters"),
    bind(Action::Panel(3), &[Press::Char('3')], Group::Move, "leads", "to Leads"),
    bind(Action::Panel(4), &[Press::Char('4')], Group::Move, "log", "to the Log"),
    bind(
        Action::Open,
        &[Press::Enter],
        Group::Look,
        "open",
        "the lead's story, the dead letter, the log line",
    ),
    bind(Action::Refresh, &[Press::Char('r')], Group::Look, "refresh", "ask again now"),
    bind(
        Action::Events,
        &[Press::Char('e')],
        Group::Look,
        "events",
        "what the console has done and reported",
    ),
    bind(Action::Help, &[Press::Char('?')], Group::Look, "help", "these keys"),
    bind(
        Action::Redrive,
        &[Press::Char('R')],
        Group::Act,
        "redrive",
        "put the dead letter back into its queue; asks first",
    ),
    bind(Action::RedriveAll, &[Press::Char('A')], Group::Act, "redrive-all", "all dead letters; asks first"),
    bind(Action::Resend, &[Press::Char('S')], Group::Act, "resend", "a new alert about the lead; asks first"),
    bind(
        Action::Stop,
        &[Press::Char('X')],
        Group::Act,
        "stop",
        "stop a running redrive; the rest stays dead letters",
    ),
    bind(Action::Back, &[Press::Esc], Group::Leave, "back", "close what is open"),
    bind(Action::Interrupt, &[Press::Ctrl('c')], Group::Leave, "interrupt", "close what is open; else quit"),
    bind(Action::Suspend, &[Press::Ctrl('z')], Group::Leave, "suspend", "to the shell; `fg` comes back"),
    bind(Action::Quit, &[Press::Char('q')], Group::Leave, "quit", "quit; in an open window: close it"),
];

/// What a key asks for.
pub fn action(press: Press) -> Option<Action> {
    BINDINGS.iter().find(|binding| binding.keys.contains(&press)).map(|binding| binding.action)
}

/// The keys that ask for an action.
pub fn keys(action: Action) -> &'static [Press] {
    BINDINGS.iter().find(|binding| binding.action == action).map_or(&[], |binding| binding.keys)
}

/// A row of `leadops keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The keys, such as `Up, k`.
    pub keys: String,
    /// The action's name.
    pub action: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The part of the help that it stands in.
    pub group: Group,
}

/// The console's keys, for people.
pub fn table() -> Vec<Row> {
    let row = |binding: &Binding| Row {
        keys: labels(binding.keys),
        action: binding.name,
        about: binding.about,
        group: binding.group,
    };
    BINDINGS.iter().map(row).collect()
}

/// Keys by their names, such as `Up, k`.
pub fn labels(keys: &[Press]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Char(' ') => "Space",
            Self::Char(c) => return write!(f, "{c}"),
            Self::Ctrl(c) => return write!(f, "Ctrl-{c}"),
            Self::Enter => "Enter",
            Self::Esc => "Esc",
            Self::Tab => "Tab",
            Self::BackTab => "Shift-Tab",
            Self::Up => "Up",
            Self::Down => "Down",
            Self::Left => "Left",
            Self::Right => "Right",
            Self::PageUp => "PgUp",
            Self::PageDown => "PgDn",
            Self::Home => "Home",
            Self::End => "End",
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_no_action_and_no_name_stands_twice() {
        let (mut keys, mut actions, mut names) = (HashSet::new(), HashSet::new(), HashSet::new());
        for binding in BINDINGS {
            for key in binding.keys {
                assert!(keys.insert(key), "{key} is bound twice");
            }
            assert!(!binding.keys.is_empty() && !binding.about.is_empty());
            assert!(actions.insert(binding.action) && names.insert(binding.name), "{}", binding.name);
        }
    }

    #[test]
    fn what_changes_the_pipeline_needs_shift() {
        for binding in BINDINGS.iter().filter(|binding| binding.group == Group::Act) {
            assert!(binding.keys.iter().all(|key| matches!(key, Press::Char('A'..='Z'))), "{}", binding.name);
        }
    }

    #[test]
    fn the_table_names_every_key() {
        let table = table();
        assert_eq!(table.len(), BINDINGS.len());
        assert_eq!((table[0].keys.as_str(), table[0].action), ("Up, k", "up"));
    }
}
