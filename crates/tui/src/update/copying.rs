//! Copying the current item.

use super::super::{
    app::App,
    msg::Cmd,
    table_view::{TableRow, json},
    theme::Role,
    window::Window,
};

/// Terminals accept about so many bytes; more would be dropped silently.
const LONGEST: usize = 74_994;

/// Copies the id of the current item, or all of it.
pub(super) fn copy(app: &mut App, all: bool, cmds: &mut Vec<Cmd>) {
    let found = if all { everything(app) } else { id(app) };
    let Some((what, text)) = found.filter(|(_, text)| !text.is_empty()) else {
        let nothing =
            if is_asked(app) { "nothing to copy yet: still loading" } else { "nothing to copy here" };
        return app.notify(Role::Dim, nothing);
    };
    if text.len() > LONGEST {
        let size = text.len() / 1_000;
        return app.notify(Role::Warn, format!("{what} is too long for a terminal's clipboard: {size} KB"));
    }
    app.notify(Role::Good, format!("{what} copied through the terminal (OSC 52)"));
    cmds.push(Cmd::Copy(text));
}

/// Whether the current item is still loading.
fn is_asked(app: &App) -> bool {
    match app.window() {
        Some(Window::Letter(letter)) => !letter.detail.is_known(),
        Some(Window::Story(story)) => !story.history.is_known(),
        Some(_) => false,
        None => !app.view().polling().is_known(),
    }
}

fn id(app: &App) -> Option<(&'static str, String)> {
    match app.window() {
        Some(Window::Letter(letter)) => letter.row.id(),
        Some(_) => Some(("the lead's id", app.current_lead()?.0.to_string())),
        None => app.view().id(),
    }
}

fn everything(app: &App) -> Option<(&'static str, String)> {
    match app.window() {
        Some(Window::Letter(letter)) => Some(("the message", letter.detail.get()?.detail.body.clone())),
        Some(Window::Story(story)) => Some(("the lead", json(story.history.get()?)?)),
        Some(Window::Line(line)) => Some(("the line", json(&**line)?)),
        Some(_) => None,
        None => app.view().copy(),
    }
}
