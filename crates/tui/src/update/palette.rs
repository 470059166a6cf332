//! The palette: every action by its name, environments, a lead by its id.

use lead::LeadId;

use super::{
    super::{
        app::App,
        keymap::{Action, BINDINGS, Press},
        window::{OpenWindow, PaletteEntry, Window},
    },
    finding,
};

/// A key in it; the entry that it chose.
pub(super) fn typed(app: &mut App, press: Press) -> Option<PaletteEntry> {
    let found = match app.window() {
        Some(Window::Palette { input, .. }) => entries(app, &input.text),
        _ => return None,
    };
    let Some(OpenWindow { window: Window::Palette { input, index }, .. }) = app.windows.last_mut() else {
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

/// The entries that match a text, the best first.
pub fn entries(app: &App, text: &str) -> Vec<PaletteEntry> {
    let text = text.trim();
    if let Ok(lead) = text.parse::<LeadId>() {
        return vec![PaletteEntry::Lead(lead)];
    }
    let actions = BINDINGS
        .iter()
        // These are pointless in the palette.
        .filter(|binding| !matches!(binding.action, Action::Palette | Action::Up | Action::Down))
        .map(|binding| (PaletteEntry::Action(binding.action), binding.name.to_owned(), binding.about));
    let environments = app
        .environments
        .iter()
        .map(|name| (PaletteEntry::Environment(name.clone()), format!("environment {name}"), "switch to it"));
    let mut found: Vec<(usize, PaletteEntry)> = actions
        .chain(environments)
        .filter_map(|(entry, name, about)| Some((score(text, &name, about)?, entry)))
        .collect();
    // Stable: equally good ones stay in the order of the help.
    found.sort_by_key(|(score, _)| *score);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// How well a text matches a name, the lower the better: equal, a prefix, contained, its letters in order, or
/// contained in the description.
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
