//! The keys: one table, from which the hints, the help, the palette, the documentation and `leadops
//! keys` are made, and which a table of the config file can change.

use std::{collections::HashMap, fmt, str::FromStr};

use pipeline::{Code, Fault};
use serde::Serialize;

/// A key as pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named as on the keyboard")]
pub enum Press {
    Char(char),
    Ctrl(char),
    Alt(char),
    F(u8),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// A group of keys in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "named as shown")]
pub enum Group {
    Move,
    Look,
    Find,
    Act,
    Leave,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 5] = [Self::Move, Self::Look, Self::Find, Self::Act, Self::Leave];

    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Move => "Navigation",
            Self::Look => "View",
            Self::Find => "Filter and mark",
            Self::Act => "Actions",
            Self::Leave => "Quit",
        }
    }
}

/// A line of the table.
#[derive(Debug)]
pub struct Binding {
    /// What it does.
    pub action: Action,
    /// Its keys, the one for the hints first. None: only from the palette.
    pub keys: &'static [Press],
    /// Its group in the help.
    pub group: Group,
    /// The action's name, in the key file as well.
    pub name: &'static str,
    /// What it does, for a person.
    pub about: &'static str,
}

macro_rules! bindings {
    ($($group:ident { $($action:ident $name:literal [$($key:expr),*] $about:literal;)* })*) => {
        /// An action, as started by a key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[doc = $about] $action,)*)*
        }

        /// The keys as they are without a key file. No action that changes the pipeline is on a key
        /// that moves the cursor in other programs, and each such key only opens a question.
        pub static BINDINGS: &[Binding] = {
            use Press::*;
            &[$($(Binding {
                action: Action::$action, keys: &[$($key),*], group: Group::$group, name: $name, about: $about,
            },)*)*]
        };
    };
}

bindings! {
    Move {
        Up "up" [Up, Char('k')] "up one row";
        Down "down" [Down, Char('j')] "down one row";
        PageUp "page-up" [PageUp, Ctrl('b')] "up one page";
        PageDown "page-down" [PageDown, Ctrl('f')] "down one page";
        Top "top" [Char('g'), Home] "to the first row";
        Bottom "bottom" [Char('G'), End] "to the last row; in the log: follow";
        NextPanel "next-panel" [Tab] "to the next panel, page or button";
        PreviousPanel "previous-panel" [BackTab] "to the previous panel, page or button";
        Left "left" [Left, Char('h')] "to the panel or button on the left";
        Right "right" [Right, Char('l')] "to the panel or button on the right";
        Overview "overview" [Char('0')] "to the overview";
        Pending "pending" [Char('1')] "to Pending; again: full screen";
        DeadLetters "dead-letters" [Char('2')] "to Dead letters; again: full screen";
        Leads "leads" [Char('3')] "to Leads; again: full screen";
        Log "log" [Char('4')] "to the Log; again: full screen";
        Deleted "deleted" [Char('5')] "to the deleted dead letters";
        Zoom "zoom" [Char('z')] "toggle full screen for this panel";
    }
    Look {
        Open "open" [Enter] "open the lead's history, the dead letter, the log line";
        Story "story" [Char('o')] "the history of the lead under the cursor, from any panel";
        ItsLetters "its-letters" [Char('d')] "the dead letters of that lead";
        ItsLog "its-log" [Char('m')] "the log lines of that lead";
        ByKind "by-kind" [Char('b')] "toggle: dead letters by kind or one by one";
        Wrap "wrap" [Char('w')] "wrap long log lines, or cut them";
        Level "level" [Char('i')] "minimum level of log lines";
        Function "function" [Char('c')] "log lines of one function or of all";
        NextError "next-error" [Char(']')] "to the next error in the log";
        PreviousError "previous-error" [Char('[')] "to the previous error in the log";
        Refresh "refresh" [Char('r')] "refresh now";
        Pause "pause" [Char('p')] "pause or resume refreshing";
        Events "events" [Char('e')] "events, and the items of each action";
        Copy "copy" [Char('y')] "copy the id to the clipboard, through the terminal (OSC 52)";
        CopyAll "copy-all" [Char('Y')] "copy all of it: the message, or the lead or line as JSON";
        Mouse "mouse" [] "use the mouse in the console, or leave it to the terminal";
        Help "help" [Char('?')] "these keys";
    }
    Find {
        Filter "filter" [Char('/')] "filter: words, field:value, !not, \"with spaces\"";
        NextMatch "next-match" [Char('n')] "to the next match";
        PreviousMatch "previous-match" [Char('N')] "to the previous match";
        Dim "dim" [Char('f')] "toggle: hide or dim rows that do not match";
        Sort "sort" [Char('s')] "sort by the next column";
        Reverse "reverse" [Char('=')] "reverse the sort order";
        Mark "mark" [Char(' ')] "mark or unmark the row";
        Range "range" [Char('v')] "begin a range; again: mark all of it";
        MarkAll "mark-all" [Char('a')] "mark or unmark every row shown";
        Unmark "unmark" [Char('u')] "clear all marks";
        Palette "palette" [Char(':')] "run any action by its name; switch environment; open a lead by its id";
    }
    Act {
        Redrive "redrive" [Char('R')] "put dead letters back into their queues: the marked ones, or this one";
        RedriveKind "redrive-kind" [Char('K')] "redrive all dead letters of this code";
        RedriveShown "redrive-shown" [Char('F')] "redrive all dead letters that match the filter";
        RedriveAll "redrive-all" [Char('A')] "redrive all dead letters";
        Edit "edit" [Char('E')] "edit a dead letter in $EDITOR, then redrive it";
        Resend "resend" [Char('S')] "send a new alert about the marked leads, or this one";
        Try "try" [Char('T')] "send a trial alert, to see whether it arrives";
        Requeue "requeue" [Char('Q')] "requeue: process leads again from their raw events, now";
        Export "export" [Char('W')] "write dead letters with their messages to a file (NDJSON)";
        Delete "delete" [Char('D')] "delete dead letters; a copy of each is stored";
        Stop "stop" [Char('X')] "stop the running action after the current item";
    }
    Leave {
        Back "back" [Esc] "close the window; then clear the filter, the marks, the full view";
        Interrupt "interrupt" [Ctrl('c')] "close the window; else quit";
        Suspend "suspend" [Ctrl('z')] "suspend to the shell; `fg` resumes";
        Quit "quit" [Char('q')] "quit; in a window: close it";
    }
}

impl Action {
    /// Its line in the table.
    pub fn binding(self) -> &'static Binding {
        // The macro makes both from the same lines.
        BINDINGS.iter().find(|binding| binding.action == self).unwrap_or(&BINDINGS[0])
    }

    /// Whether it changes the pipeline.
    pub fn acts(self) -> bool {
        self.binding().group == Group::Act && self != Self::Stop
    }
}

/// Which keys start which action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    keys: HashMap<Action, Vec<Press>>,
    actions: HashMap<Press, Action>,
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = BINDINGS.iter().map(|binding| (binding.action, binding.keys.to_vec())).collect();
        let of = |binding: &'static Binding| binding.keys.iter().map(|key| (*key, binding.action));
        Self { keys, actions: BINDINGS.iter().flat_map(of).collect() }
    }
}

impl Keymap {
    /// The default keys with changes: the keys of an action, by its name. An empty list removes its
    /// keys.
    ///
    /// # Errors
    /// [`Code::ConfigFileBad`] with `file`, for an unknown action or key, and for a key with two
    /// actions; each by its name.
    pub fn with(changes: &[(String, Vec<String>)], file: &str) -> Result<Self, Fault> {
        let bad = |what: String| Fault::new(Code::ConfigFileBad, format!("{file}: {what}"));
        let mut keymap = Self::default();
        for (name, keys) in changes {
            let shown = outside::text::shorten(name, 40);
            let binding = BINDINGS.iter().find(|binding| binding.name == name).ok_or_else(|| {
                bad(format!("[keys] there is no action {shown:?}; `leadops keys` lists them"))
            })?;
            let parse =
                |key: &String| key.parse::<Press>().map_err(|what| bad(format!("[keys] {shown}: {what}")));
            keymap.keys.insert(binding.action, keys.iter().map(parse).collect::<Result<_, _>>()?);
        }
        keymap.actions.clear();
        for Binding { action, name: this, .. } in BINDINGS {
            for key in &keymap.keys[action] {
                if let Some(other) = keymap.actions.insert(*key, *action)
                    && other != *action
                {
                    let other = other.binding().name;
                    return Err(bad(format!("[keys] {key} asks for both {other} and {this}")));
                }
            }
        }
        if keymap.keys(Action::Quit).is_empty() && keymap.keys(Action::Interrupt).is_empty() {
            return Err(bad("[keys] neither quit nor interrupt has a key left".to_owned()));
        }
        Ok(keymap)
    }

    /// The action of a key.
    pub fn action(&self, press: Press) -> Option<Action> {
        self.actions.get(&press).copied()
    }

    /// The keys of an action.
    pub fn keys(&self, action: Action) -> &[Press] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The key to show in a hint.
    pub fn key(&self, action: Action) -> String {
        self.keys(action).first().map_or_else(String::new, ToString::to_string)
    }

    /// The keys, for people.
    pub fn table(&self) -> Vec<Row> {
        let row = |binding: &Binding| Row {
            keys: labels(self.keys(binding.action)),
            action: binding.name,
            about: binding.about,
            group: binding.group,
        };
        BINDINGS.iter().map(row).collect()
    }

    /// The keys as a part of the documentation.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for group in Group::ALL {
            text += &format!(
                "\n### {}\n\n| keys | action | what it does |\n| --- | --- | --- |\n",
                group.title()
            );
            for row in self.table().into_iter().filter(|row| row.group == group) {
                let keys: Vec<String> = row.keys.split(", ").map(|key| format!("`{key}`")).collect();
                let keys = if row.keys.is_empty() { "palette".to_owned() } else { keys.join(" ") };
                text += &format!("| {keys} | `{}` | {} |\n", row.action, row.about.replace('|', "\\|"));
            }
        }
        text
    }
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
    /// Its group in the help.
    pub group: Group,
}

/// Keys by their names, such as `Up, k`.
pub fn labels(keys: &[Press]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The keys with a name.
const NAMED: [(Press, &str); 16] = [
    (Press::Char(' '), "Space"),
    (Press::Char(','), "Comma"),
    (Press::Enter, "Enter"),
    (Press::Esc, "Esc"),
    (Press::Tab, "Tab"),
    (Press::BackTab, "Shift-Tab"),
    (Press::Backspace, "Backspace"),
    (Press::Delete, "Delete"),
    (Press::Up, "Up"),
    (Press::Down, "Down"),
    (Press::Left, "Left"),
    (Press::Right, "Right"),
    (Press::PageUp, "PgUp"),
    (Press::PageDown, "PgDn"),
    (Press::Home, "Home"),
    (Press::End, "End"),
];

impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, name)) = NAMED.iter().find(|(press, _)| press == self) {
            return f.write_str(name);
        }
        match self {
            Self::Char(c) => write!(f, "{c}"),
            Self::Ctrl(c) => write!(f, "Ctrl-{c}"),
            Self::Alt(c) => write!(f, "Alt-{c}"),
            Self::F(number) => write!(f, "F{number}"),
            named => write!(f, "{named:?}"),
        }
    }
}

impl FromStr for Press {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((press, _)) = NAMED.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)) {
            return Ok(*press);
        }
        let mut chars = text.chars();
        if let (Some(c), None) = (chars.next(), chars.next())
            && !c.is_control()
            && !outside::text::is_formatting(c)
        {
            return Ok(Self::Char(c));
        }
        let with = |prefix: &str| {
            let (start, rest) = text.split_at_checked(prefix.len())?;
            let mut rest = rest.chars();
            let c = rest.next().filter(|c| c.is_ascii_graphic() && rest.next().is_none())?;
            start.eq_ignore_ascii_case(prefix).then_some(c)
        };
        if let Some(c) = with("Ctrl-") {
            return Ok(Self::Ctrl(c.to_ascii_lowercase()));
        }
        if let Some(c) = with("Alt-") {
            return Ok(Self::Alt(c));
        }
        let number = text.strip_prefix(['F', 'f']).and_then(|number| number.parse().ok());
        match number.filter(|number| (1..=12).contains(number)) {
            Some(number) => Ok(Self::F(number)),
            None => Err(format!(
                "there is no key {:?}; keys are written as R, Ctrl-r, Alt-r, F5, Enter, Space, PgUp",
                outside::text::shorten(text, 20)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn with(changes: &[(&str, &[&str])]) -> Result<Keymap, String> {
        let changes: Vec<(String, Vec<String>)> = changes
            .iter()
            .map(|(name, keys)| ((*name).to_owned(), keys.iter().map(|key| (*key).to_owned()).collect()))
            .collect();
        Keymap::with(&changes, "keys.toml").map_err(|fault| fault.what)
    }

    #[test]
    fn no_key_no_action_and_no_name_stands_twice() {
        let (mut keys, mut actions, mut names) = (HashSet::new(), HashSet::new(), HashSet::new());
        for binding in BINDINGS {
            for key in binding.keys {
                assert!(keys.insert(key), "{key} is bound twice");
                assert_eq!(key.to_string().parse(), Ok(*key));
            }
            assert!(!binding.about.is_empty());
            assert!(actions.insert(binding.action) && names.insert(binding.name), "{}", binding.name);
        }
        assert_eq!(with(&[]), Ok(Keymap::default()));
    }

    #[test]
    fn what_changes_the_pipeline_needs_shift() {
        for binding in BINDINGS.iter().filter(|binding| binding.group == Group::Act) {
            assert!(binding.keys.iter().all(|key| matches!(key, Press::Char('A'..='Z'))), "{}", binding.name);
        }
    }

    #[test]
    fn keys_can_be_changed_and_conflicts_and_unknown_names_are_refused_by_name() {
        let keymap = with(&[("redrive", &["F5", "ctrl-r"]), ("mark", &["Space", "x"])]).unwrap();
        assert_eq!(keymap.action(Press::F(5)), Some(Action::Redrive));
        assert_eq!(keymap.action(Press::Ctrl('r')), Some(Action::Redrive));
        assert_eq!(keymap.action(Press::Char('R')), None);
        assert_eq!(keymap.table().iter().find(|row| row.action == "mark").unwrap().keys, "Space, x");
        for (changes, part) in [
            (&[("redirve", &["R"][..])][..], "\"redirve\""),
            (&[("redrive", &["Hyper-x"])], "\"Hyper-x\""),
            (&[("redrive", &["q"])], "q asks for both"),
            (&[("quit", &[]), ("interrupt", &[])], "neither quit nor interrupt"),
        ] {
            let what = with(changes).unwrap_err();
            assert!(what.starts_with("keys.toml: [keys]") && what.contains(part), "{what}");
        }
        assert!(with(&[("redrive", &["q"]), ("quit", &["F10"])]).is_ok());
    }

    #[test]
    fn the_documentation_has_this_table() {
        let docs = include_str!("../../../docs/console.md");
        assert!(
            docs.contains(&Keymap::default().markdown()),
            "put this into docs/console.md:\n{}",
            Keymap::default().markdown()
        );
    }
}
