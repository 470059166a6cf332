//! Questions for confirmation.

use super::super::{
    app::App,
    theme::Role,
    window::{Choice, Confirm, Window},
};

/// Asks a question with its buttons.
pub(super) fn confirm(
    app: &mut App,
    title: String,
    lines: Vec<(Role, String)>,
    choices: Vec<(String, Choice)>,
) {
    app.open(Window::Confirm(Confirm { title, lines, choices, focus: 0, count: None }));
}

/// The name and place of the pipeline.
pub(super) fn place(app: &App) -> String {
    format!("{} ({})", app.banner.name, app.banner.place)
}

/// Asks before quitting while an operation is running.
pub(super) fn confirm_quit(app: &mut App, lines: Vec<(Role, String)>) {
    let choices = vec![("Stop and quit".to_owned(), Choice::Quit)];
    confirm(app, "Quit while something runs?".to_owned(), lines, choices);
}
