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
        window::{Open, Story, Window},
    },
    finding, windows,
};

/// Opens what is under the cursor, or the lead that the window on top is about.
pub(super) fn open(app: &mut App) {
    match app.window() {
        Some(Window::Letter(_) | Window::Line(_)) => return story_at_hand(app),
        Some(_) => return,
        None => {}
    }
    match app.view().open() {
        Opens::Story => story_at_hand(app),
        Opens::Window(window) => app.windows.push(Open::new(*window)),
        Opens::Filtered(filter) => {
            app.full = true;
            finding::apply(app, &filter);
        }
    }
}

/// Opens the story of the lead at hand.
pub(super) fn story_at_hand(app: &mut App) {
    if matches!(app.window(), Some(Window::Story(_))) {
        return;
    }
    match app.lead_at_hand() {
        Some((lead, name)) => story(app, lead, name),
        None => app.say(Role::Dim, "no lead here"),
    }
}

/// Opens the story of a lead.
pub(super) fn story(app: &mut App, lead: lead::LeadId, name: String) {
    let story = Story { lead, name, story: Remote::default(), raw: Remote::default() };
    app.windows.push(Open::new(Window::Story(Box::new(story))));
}

/// To the dead letters or the log lines of the lead at hand.
pub(super) fn about_its_lead(app: &mut App, action: Action, cmds: &mut Vec<Cmd>) {
    let Some((lead, _)) = app.lead_at_hand() else {
        return app.say(Role::Dim, "no lead here");
    };
    while !app.windows.is_empty() {
        windows::close(app, cmds);
    }
    app.focus = if action == Action::ItsLog { Panel::Logs } else { Panel::Dead };
    app.full = true;
    finding::apply(app, &format!("lead:{lead}"));
}
