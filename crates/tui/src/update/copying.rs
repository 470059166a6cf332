//! Copying what is at hand.

use serde_json::Value;

use super::super::{
    app::{App, Panel},
    msg::Cmd,
    theme::Role,
    window::Window,
};

/// Terminals take about so many bytes; what is longer would be dropped without a word.
const LONGEST: usize = 74_994;

/// Copies the id of what is at hand, or all of it.
pub(super) fn copy(app: &mut App, all: bool, cmds: &mut Vec<Cmd>) {
    let found = if all { everything(app) } else { id(app) };
    let Some((what, text)) = found.filter(|(_, text)| !text.is_empty()) else {
        let nothing =
            if is_asked(app) { "nothing to copy yet: still asking" } else { "nothing here to copy" };
        return app.say(Role::Dim, nothing);
    };
    if text.len() > LONGEST {
        let size = text.len() / 1_000;
        return app.say(Role::Warn, format!("{what} is too long for a terminal's clipboard: {size} KB"));
    }
    app.say(Role::Good, format!("{what} handed to the terminal's clipboard (OSC 52)"));
    cmds.push(Cmd::Copy(text));
}

/// Whether what is at hand has been asked for and has not come yet.
fn is_asked(app: &App) -> bool {
    match (app.window(), app.focus) {
        (Some(Window::Letter(letter)), _) => letter.detail.get().is_none(),
        (Some(Window::Story(story)), _) => story.story.get().is_none(),
        (Some(_), _) => false,
        (None, Panel::Pending) => app.pending.remote.get().is_none(),
        (None, Panel::Dead) => app.dead.remote.get().is_none(),
        (None, Panel::Leads) => app.leads.remote.get().is_none(),
        (None, Panel::Logs) => app.logs.source.get().is_none(),
    }
}

fn id(app: &App) -> Option<(&'static str, String)> {
    match (app.window(), app.focus) {
        (Some(Window::Letter(letter)), _) => Some(("the dead letter's id", letter.row.letter.id.clone())),
        (None, Panel::Dead) => Some(("the dead letter's id", app.dead_row()?.letter.id.clone())),
        _ => Some(("the lead's id", app.lead_at_hand()?.0.to_string())),
    }
}

fn everything(app: &App) -> Option<(&'static str, String)> {
    let json = |value: serde_json::Result<Value>| Some(format!("{:#}", value.ok()?));
    match (app.window(), app.focus) {
        (Some(Window::Letter(letter)), _) => Some(("the message", letter.detail.get()?.detail.body.clone())),
        (Some(Window::Story(story)), _) => {
            Some(("the lead", json(serde_json::to_value(story.story.get()?))?))
        }
        (Some(Window::Line(line)), _) => Some(("the line", json(serde_json::to_value(&**line))?)),
        (Some(_), _) => None,
        (None, Panel::Pending) => Some(("the row", json(serde_json::to_value(app.pending.row()?))?)),
        (None, Panel::Dead) => Some(("the row", json(serde_json::to_value(app.dead_row()?))?)),
        (None, Panel::Leads) => Some(("the lead", json(serde_json::to_value(app.leads.row()?))?)),
        (None, Panel::Logs) => Some(("the line", json(serde_json::to_value(app.log_row()?))?)),
    }
}
