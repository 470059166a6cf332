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
