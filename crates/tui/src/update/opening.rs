//! Opening what the cursor is on.

use super::{
    super::{
        app::App,
        keymap::Action,
        msg::Cmd,
        panel::Panel,
        remote::Remote,
        theme::Role,
        view::Opens,
        window::{Story, Window},
    },
    finding, windows,
};

/// Opens what is under the cursor, or the lead that the window on top is about.
pub(super) fn open(app: &mut App) {
    match app.window() {
        Some(Window::Letter(_) | Window::Line(_)) => return open_current_lead(app),
        Some(_) => return,
        None => {}
    }
    match app.view().open() {
        Opens::Story => open_current_lead(app),
        Opens::Window(window) => app.open(window),
        Opens::Filtered(filter) => {
            app.full = true;
            finding::apply(app, &filter);
        }
    }
}

/// Opens the current lead.
pub(super) fn open_current_lead(app: &mut App) {
    if matches!(app.window(), Some(Window::Story(_))) {
        return;
    }
    match app.current_lead() {
        Some((lead, name)) => story(app, lead, name),
        None => app.notify(Role::Dim, "no lead here"),
    }
}

/// Opens a lead.
pub(super) fn story(app: &mut App, lead: lead::LeadId, name: String) {
    let story = Story { lead, name, history: Remote::default(), raw: Remote::default() };
    app.open(Window::Story(Box::new(story)));
}

/// To the dead letters or the log lines of the current lead.
pub(super) fn open_related(app: &mut App, action: Action, cmds: &mut Vec<Cmd>) {
    let Some((lead, _)) = app.current_lead() else {
        return app.notify(Role::Dim, "no lead here");
    };
    while !app.windows.is_empty() {
        windows::close(app, cmds);
    }
    app.focus = if action == Action::ItsLog { Panel::Logs } else { Panel::Dead };
    app.full = true;
    finding::apply(app, &format!("lead:{lead}"));
}
