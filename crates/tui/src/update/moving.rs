//! Moving among the panels and their rows, and how those are shown.

use pipeline::{Function, ports::Level};

use super::super::{
    app::{App, Panel},
    keymap::Action,
    layout::Shape,
    table::{Row, Sort, Table},
    theme::Role,
};

/// Does something with the table of the panel in focus.
macro_rules! with_table {
    ($app:expr, $table:ident => $do:expr) => {
        match $app.focus {
            Panel::Pending => {
                let $table = &mut $app.pending;
                $do
            }
            Panel::Dead => {
                let $table = &mut $app.dead;
                $do
            }
            Panel::Leads => {
                let $table = &mut $app.leads;
                $do
            }
            Panel::Logs => {}
        }
    };
}
pub(super) use with_table;

/// An action with no window open.
pub(super) fn moved(app: &mut App, action: Action) {
    let visible = app.layout().visible(app.focus);
    match action {
        Action::Pending => to_panel(app, Panel::Pending),
        Action::DeadLetters => to_panel(app, Panel::Dead),
        Action::Leads => to_panel(app, Panel::Leads),
        Action::Log => to_panel(app, Panel::Logs),
        Action::Overview => app.full = false,
        Action::Zoom => app.full = !app.full,
        Action::NextPanel => app.focus = Panel::ALL[(app.focus.index() + 1) % Panel::ALL.len()],
        Action::PreviousPanel => app.focus = Panel::ALL[(app.focus.index() + 3) % Panel::ALL.len()],
        Action::Left | Action::Right => sideways(app, action == Action::Right),
        Action::Back => back(app),
        Action::ByKind => by_kind(app),
        Action::Wrap if app.focus == Panel::Logs => app.logs.wrap = !app.logs.wrap,
        Action::Level if app.focus == Panel::Logs => {
            app.logs.sieve.level = match app.logs.sieve.level {
                None => Some(Level::Info),
                Some(Level::Debug | Level::Info) => Some(Level::Warn),
                Some(Level::Warn) => Some(Level::Error),
                Some(Level::Error) => None,
            };
            app.logs.sift(visible);
        }
        Action::Function if app.focus == Panel::Logs => {
            app.logs.sieve.function = match app.logs.sieve.function {
                None => Some(Function::WebhookIngestion),
                Some(Function::WebhookIngestion) => Some(Function::LeadProcessor),
                Some(Function::LeadProcessor) => Some(Function::Notification),
                Some(Function::Notification) => Some(Function::Housekeeping),
                Some(Function::Housekeeping | Function::Operator) => None,
            };
            app.logs.sift(visible);
        }
        Action::NextError | Action::PreviousError => to_error(app, action == Action::NextError),
        Action::Dim => {
            if app.focus == Panel::Logs {
                app.logs.sieve.dimmed = !app.logs.sieve.dimmed;
                app.logs.sift(visible);
            }
            with_table!(app, table => {
                table.wanted.dimmed = !table.wanted.dimmed;
                table.sift();
            });
        }
        Action::Sort => with_table!(app, table => sort(table)),
        Action::Reverse => with_table!(app, table => {
            table.wanted.sort.reverse = !table.wanted.sort.reverse;
            table.sift();
        }),
        Action::Mark | Action::Range | Action::MarkAll if app.focus == Panel::Dead && app.grouped() => {
            app.say(
                Role::Dim,
                format!("{} shows them one by one, to be marked", app.keymap.key(Action::ByKind)),
            );
        }
        Action::Mark => with_table!(app, table => {
            table.toggle_mark();
            table.go(table.list.index + 1, visible);
        }),
        Action::Range => with_table!(app, table => table.range_or_mark()),
        Action::MarkAll => with_table!(app, table => table.mark_shown()),
        Action::Unmark => with_table!(app, table => unmark(table)),
        _ => rows(app, action, visible),
    }
}

/// The rows of the panel in focus.
fn rows(app: &mut App, action: Action, visible: usize) {
    let page = visible.saturating_sub(1).max(1);
    let index = index(app);
    let to = match action {
        Action::Up => index.saturating_sub(1),
        Action::Down => index + 1,
        Action::PageUp => index.saturating_sub(page),
        Action::PageDown => index + page,
        Action::Top => 0,
        Action::Bottom => usize::MAX,
        _ => return,
    };
    go(app, to);
}

/// Where the cursor of the panel in focus is.
pub(super) fn index(app: &App) -> usize {
    match app.focus {
        Panel::Pending => app.pending.list.index,
        Panel::Dead if app.grouped() => app.kinds_list.index,
        Panel::Dead => app.dead.list.index,
        Panel::Leads => app.leads.list.index,
        Panel::Logs => app.logs.cursor().unwrap_or(0),
    }
}

/// Moves the cursor of the panel in focus.
pub(super) fn go(app: &mut App, to: usize) {
    let visible = app.layout().visible(app.focus);
    let last = app.rows(app.focus).saturating_sub(1);
    match app.focus {
        Panel::Dead if app.grouped() => {
            let kinds = &app.kinds;
            app.kinds_list.go(to, kinds.len(), |at| kinds.get(at).map(|kind| &kind.code), visible);
        }
        Panel::Logs => app.logs.go(to.min(last), visible),
        _ => with_table!(app, table => table.go(to, visible)),
    }
}

/// To a panel; to the one that has the focus already: on all of the screen.
pub(super) fn to_panel(app: &mut App, panel: Panel) {
    if app.focus == panel && app.windows.is_empty() {
        app.full = !app.full;
    }
    app.focus = panel;
}

fn sideways(app: &mut App, right: bool) {
    let by = if right { 1 } else { 3 };
    app.focus = match (app.layout().shape, app.focus, right) {
        (Shape::Grid, Panel::Pending | Panel::Leads, true) => Panel::Dead,
        (Shape::Grid, Panel::Dead, false) => Panel::Pending,
        (Shape::Grid, focus, _) => focus,
        (_, focus, _) => Panel::ALL[(focus.index() + by) % Panel::ALL.len()],
    };
}

/// Takes one thing back: the range, the filter, the marks, the full view.
fn back(app: &mut App) {
    let mut taken = false;
    with_table!(app, table => taken = table.range.take().is_some());
    if taken {
        return;
    }
    if !app.filter(app.focus).is_empty() || (app.focus == Panel::Logs && !app.logs.sieve.is_open()) {
        app.logs.sieve.level = app.logs.sieve.level.filter(|_| app.focus != Panel::Logs);
        app.logs.sieve.function = app.logs.sieve.function.filter(|_| app.focus != Panel::Logs);
        return super::finding::apply(app, "");
    }
    if app.marks(app.focus) > 0 {
        return with_table!(app, table => unmark(table));
    }
    app.full = false;
}

fn unmark<T: Row>(table: &mut Table<T>) {
    table.marks.clear();
    table.range = None;
}

fn sort<T: Row>(table: &mut Table<T>) {
    table.wanted.sort = Sort { column: (table.wanted.sort.column + 1) % T::SORTS.len(), reverse: false };
    table.sift();
}

fn by_kind(app: &mut App) {
    if app.focus != Panel::Dead {
        return;
    }
    let full = usize::from(app.layout().is_full());
    app.by_kind[full] = !app.by_kind[full];
    if app.by_kind[full] && !app.dead.wanted.filter.is_empty() {
        super::finding::apply(app, "");
    }
}

fn to_error(app: &mut App, forward: bool) {
    app.focus = Panel::Logs;
    match app.logs.next(forward, |line| line.level == Level::Error) {
        Some(place) => go(app, place),
        None => app.say(Role::Dim, "no error in the log lines that are kept here"),
    }
}

/// Puts every cursor back on its row.
pub(super) fn settle(app: &mut App) {
    let layout = app.layout();
    app.pending.settle(layout.visible(Panel::Pending));
    app.dead.settle(layout.visible(Panel::Dead));
    app.leads.settle(layout.visible(Panel::Leads));
    let kinds = &app.kinds;
    let key = |at: usize| kinds.get(at).map(|kind| &kind.code);
    app.kinds_list.settle(kinds.len(), key, layout.visible(Panel::Dead));
    app.logs.settle(layout.visible(Panel::Logs));
}
