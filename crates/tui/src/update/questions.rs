//! Questions that are put before something is done.

use super::super::{
    app::App,
    theme::Role,
    window::{Choice, Confirm, Open, Window},
};

/// Puts a question with its answers.
pub(super) fn confirm(
    app: &mut App,
    title: String,
    lines: Vec<(Role, String)>,
    choices: Vec<(String, Choice)>,
) {
    put(app, Confirm { title, lines, choices, focus: 0, count: None });
}

/// Puts a question.
pub(super) fn put(app: &mut App, question: Confirm) {
    app.windows.push(Open::new(Window::Confirm(question)));
}

/// Which pipeline it is about.
pub(super) fn place(app: &App) -> String {
    format!("{} ({})", app.banner.name, app.banner.place)
}

/// Asks before something runs on without anybody looking.
pub(super) fn confirm_quit(app: &mut App, lines: Vec<(Role, String)>) {
    let choices = vec![("Stop and quit".to_owned(), Choice::Quit)];
    confirm(app, "Quit while something runs?".to_owned(), lines, choices);
}
