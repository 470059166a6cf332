//! Searching: a filter for the panel in focus, or a search in the window on top.

use super::{
    super::{
        app::{App, SearchInput},
        keymap::{Action, Press},
        theme::Role,
        window::Input,
    },
    windows,
};

/// Starts typing one.
pub(super) fn begin(app: &mut App) {
    let before = match app.windows.last() {
        Some(open) => open.find.clone(),
        None => app.view().filter().text().to_owned(),
    };
    app.typing = Some(SearchInput { input: Input::of(before.clone()), before });
}

/// A key while it is typed. It is applied with each letter.
pub(super) fn typed(app: &mut App, press: Press) {
    let Some(typing) = &mut app.typing else { return };
    match press {
        Press::Enter | Press::Tab => {
            app.typing = None;
            return;
        }
        Press::Esc | Press::Ctrl('c') => {
            let before = typing.before.clone();
            app.typing = None;
            return apply(app, &before);
        }
        press => edit(&mut typing.input, press),
    }
    let text = typing.input.text.clone();
    apply(app, &text);
}

/// A key in a line that is being typed.
pub(super) fn edit(input: &mut Input, press: Press) {
    match press {
        Press::Char(c) => input.insert(c),
        Press::Backspace => input.backspace(),
        Press::Delete => input.delete(),
        Press::Ctrl('u') => input.clear(),
        Press::Ctrl('w') => input.backspace_word(),
        Press::Left => input.go(input.cursor.saturating_sub(1)),
        Press::Right => input.go(input.cursor + 1),
        Press::Home | Press::Ctrl('a') => input.go(0),
        Press::End | Press::Ctrl('e') => input.go(usize::MAX),
        _ => {}
    }
}

/// Applies a filter to the panel in focus, or a search to the window on top.
pub(super) fn apply(app: &mut App, text: &str) {
    if let Some(open) = app.windows.last_mut() {
        text.clone_into(&mut open.find);
        return windows::find(app, true, true);
    }
    let visible = app.layout().visible(app.focus);
    app.view_mut().set_filter(text, visible);
}

/// To the next match, or the one before.
pub(super) fn next(app: &mut App, forward: bool) {
    if !app.windows.is_empty() {
        return windows::find(app, forward, false);
    }
    if app.view().filter().is_empty() {
        let key = app.keymap.key(Action::Filter);
        return app.notify(Role::Dim, format!("no search: press {key}"));
    }
    match app.view().next_match(forward) {
        Some(place) => app.go(place),
        None => app.notify(Role::Dim, "nothing matches"),
    }
}
