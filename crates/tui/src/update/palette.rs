//! The palette: every action by its name, environments, a lead by its id.

use lead::LeadId;

use super::{
    super::{
        app::App,
        keymap::{Action, BINDINGS, Press},
        window::{Entry, Input, Open, Window},
    },
    finding,
};

/// Opens it.
pub(super) fn open(app: &mut App) {
    app.windows.push(Open::new(Window::Palette { input: Input::default(), index: 0 }));
}

/// A key in it; what was chosen with it.
pub(super) fn typed(app: &mut App, press: Press) -> Option<Entry> {
    let found = match app.window() {
        Some(Window::Palette { input, .. }) => entries(app, &input.text),
        _ => return None,
    };
    let Some(Open { window: Window::Palette { input, index }, .. }) = app.windows.last_mut() else {
        return None;
    };
    match press {
        Press::Esc | Press::Ctrl('c') => {
            app.windows.pop();
        }
        Press::Up | Press::BackTab | Press::Ctrl('p') => *index = index.saturating_sub(1),
        Press::Down | Press::Tab | Press::Ctrl('n') => {
            *index = (*index + 1).min(found.len().saturating_sub(1))
        }
        Press::Enter => {
            let chosen = found.get(*index).cloned();
            app.windows.pop();
            return chosen;
        }
        press => {
            finding::edit(input, press);
            *index = 0;
        }
    }
    None
}

/// What a text finds, the best first.
pub fn entries(app: &App, text: &str) -> Vec<Entry> {
    let text = text.trim();
    if let Ok(lead) = text.parse::<LeadId>() {
        return vec![Entry::Lead(lead)];
    }
    let actions = BINDINGS
        .iter()
        // These need no name to be found by.
        .filter(|binding| !matches!(binding.action, Action::Palette | Action::Up | Action::Down))
        .map(|binding| (Entry::Action(binding.action), binding.name.to_owned(), binding.about));
    let environments = app
        .environments
        .iter()
        .map(|name| (Entry::Environment(name.clone()), format!("environment {name}"), "switch to it"));
    let mut found: Vec<(usize, Entry)> = actions
        .chain(environments)
        .filter_map(|(entry, name, about)| Some((score(text, &name, about)?, entry)))
        .collect();
    // Stable: equally good ones stay in the order of the help.
    found.sort_by_key(|(score, _)| *score);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// How well a text finds a name, the less the better: as it is, at its start, in it, in its explanation, with its
/// letters in order.
fn score(text: &str, name: &str, about: &str) -> Option<usize> {
    let text = text.to_lowercase();
    if name == text {
        return Some(0);
    }
    if name.starts_with(&text) {
        return Some(1);
    }
    if name.contains(&text) {
        return Some(2);
    }
    let mut letters = text.chars().filter(|c| !c.is_whitespace());
    let mut wanted = letters.next();
    for c in name.to_lowercase().chars() {
        if Some(c) == wanted {
            wanted = letters.next();
        }
    }
    if wanted.is_none() {
        return Some(3);
    }
    about.to_lowercase().contains(&text).then_some(4)
}
