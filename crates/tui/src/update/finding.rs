//! Finding: a filter for the panel in focus, or a search in the window on top.

use super::{
    super::{
        app::{App, Panel, Typing},
        find::{Filter, Texts},
        keymap::Press,
        list::List,
        table::{Row, Table},
        theme::Role,
        window::Input,
    },
    moving::{self, with_table},
    opening,
};

/// Begins to write one.
pub(super) fn begin(app: &mut App) {
    let before = text(app);
    app.typing = Some(Typing { input: Input::of(before.clone()), before });
}

fn text(app: &App) -> String {
    match app.windows.last() {
        Some(open) => open.find.clone(),
        None => app.filter(app.focus).text().to_owned(),
    }
}

/// A key while it is written. What it finds is shown with each letter.
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

/// A key in a line that is being written.
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
        return opening::find(app, true, true);
    }
    let visible = app.layout().visible(app.focus);
    if app.focus == Panel::Logs {
        app.logs.sieve.filter = Filter::parse(text, pipeline::ports::LogLine::fields());
        return app.logs.sift(visible);
    }
    with_table!(app, table => filter(table, text));
}

fn filter<T: Row>(table: &mut Table<T>, text: &str) {
    let filter = Filter::parse(text, T::fields());
    if filter == table.wanted.filter {
        return;
    }
    table.wanted.filter = filter;
    // What is found is looked at from its start.
    table.list = List::default();
    table.range = None;
    table.sift();
}

/// To the next match, or the one before.
pub(super) fn next(app: &mut App, forward: bool) {
    if !app.windows.is_empty() {
        return opening::find(app, forward, false);
    }
    if app.filter(app.focus).is_empty() {
        let key = app.keymap.key(super::super::keymap::Action::Filter);
        return app.say(Role::Dim, format!("nothing is searched for: {key} begins"));
    }
    let place = match app.focus {
        Panel::Pending => app.pending.next_match(forward),
        Panel::Dead => app.dead.next_match(forward),
        Panel::Leads => app.leads.next_match(forward),
        Panel::Logs => app.logs.next(forward, |line| app.logs.sieve.filter.matches(line)),
    };
    match place {
        Some(place) => moving::go(app, place),
        None => app.say(Role::Dim, "nothing matches"),
    }
}
