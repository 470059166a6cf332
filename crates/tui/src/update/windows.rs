//! Windows: closing them, switching their pages, scrolling and searching in them.

use super::{
    super::{
        app::App, doc::windows as doc, find::Filter, keymap::Action, layout::inside, line::plain, msg::Cmd,
        theme::Role, window::Window,
    },
    moving,
};

/// Closes the window on top.
pub(super) fn close(app: &mut App, cmds: &mut Vec<Cmd>) {
    let Some(mut open) = app.windows.pop() else { return };
    let flights = open.window.pollings().into_iter().filter_map(|polling| polling.in_flight);
    cmds.extend(flights.map(|flight| Cmd::Cancel(flight.generation)));
}

/// Opens a window, or closes it if it is open.
pub(super) fn toggle(app: &mut App, window: Window) {
    match app.windows.iter().position(|open| open.window == window) {
        Some(at) => {
            app.windows.remove(at);
        }
        None => app.open(window),
    }
}

/// How many columns a text in a window has, and how many of its lines are in sight.
fn text_size(app: &App) -> (usize, usize) {
    let area = inside(app.layout().window());
    (usize::from(area.width), usize::from(area.height).max(1))
}

/// Scrolls the window on top, or switches its page.
pub(super) fn scroll(app: &mut App, action: Action) {
    let (columns, page) = text_size(app);
    let Some(open) = app.windows.last() else { return };
    let lines = doc::of(app, open, columns).lines.len();
    let last = lines.saturating_sub(page);
    let Some(open) = app.windows.last_mut() else { return };
    let pages = open.window.pages().len().max(1);
    let turned = match action {
        Action::NextPanel | Action::Right => (open.page + 1) % pages,
        Action::PreviousPanel | Action::Left => (open.page + pages - 1) % pages,
        Action::Pending => 0,
        Action::DeadLetters => 1.min(pages - 1),
        Action::Leads => 2.min(pages - 1),
        _ => open.page,
    };
    if turned != open.page {
        (open.page, open.scroll) = (turned, 0);
        return;
    }
    let from = open.scroll.min(last);
    open.scroll = moving::target(action, from, page).unwrap_or(from).min(last);
}

/// Scrolls the window on top to the next line that its search finds; `from_here` takes the first line
/// in sight as well.
pub(super) fn find(app: &mut App, forward: bool, from_here: bool) {
    let (columns, page) = text_size(app);
    let Some(open) = app.windows.last() else { return };
    let filter = Filter::parse(&open.find, &[]);
    if filter.is_empty() {
        return;
    }
    let lines = doc::of(app, open, columns).lines;
    let count = lines.len();
    let last = count.saturating_sub(page);
    let from = open.scroll;
    let first = usize::from(!from_here);
    let found = (first..count + first)
        .map(|step| if forward { (from + step) % count } else { (from + count - step % count) % count })
        .find(|at| filter.matches_line(&plain(&lines[*at])));
    match found {
        Some(at) => {
            if let Some(open) = app.windows.last_mut() {
                open.scroll = at.min(last);
            }
        }
        None if from_here => {}
        None => app.notify(Role::Dim, "nothing matches"),
    }
}
