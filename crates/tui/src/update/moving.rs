//! Moving among the panels and their rows.

use pipeline::ports::Level;

use super::super::{app::App, keymap::Action, layout::Shape, panel::Panel, theme::Role, view::Handled};

/// An action with no window open.
pub(super) fn moved(app: &mut App, action: Action) {
    if let Some(panel) = Panel::ALL.into_iter().find(|panel| panel.action() == action) {
        return to_panel(app, panel);
    }
    match action {
        Action::Overview => {
            app.full = false;
            if !Panel::OVERVIEW.contains(&app.focus) {
                app.focus = Panel::OVERVIEW[0];
            }
        }
        Action::Zoom => app.full = !app.full,
        Action::NextPanel => app.focus = app.focus.further(1),
        Action::PreviousPanel => app.focus = app.focus.further(Panel::ALL.len() - 1),
        Action::Left | Action::Right => move_horizontally(app, action == Action::Right),
        Action::Back => back(app),
        Action::NextError | Action::PreviousError => to_error(app, action == Action::NextError),
        _ => {
            let visible = app.layout().visible(app.focus);
            match app.view_mut().handle(action, visible) {
                Handled::Yes => {}
                Handled::No => {
                    if let Some(row) = target(action, app.view().index(), visible) {
                        app.go(row);
                    }
                }
                Handled::First(action, why) => {
                    let key = app.keymap.key(action);
                    app.notify(Role::Dim, format!("{key} {why}"));
                }
            }
        }
    }
}

/// Where an action moves to from a row, by rows or by pages of which so many are visible.
pub(super) fn target(action: Action, from: usize, visible: usize) -> Option<usize> {
    let page = visible.saturating_sub(1).max(1);
    Some(match action {
        Action::Up => from.saturating_sub(1),
        Action::Down => from + 1,
        Action::PageUp => from.saturating_sub(page),
        Action::PageDown => from + page,
        Action::Top => 0,
        Action::Bottom => usize::MAX,
        _ => return None,
    })
}

/// To a panel; if it has the focus already, toggles full screen.
fn to_panel(app: &mut App, panel: Panel) {
    if app.focus == panel && app.windows.is_empty() {
        app.full = !app.full;
    }
    app.focus = panel;
}

fn move_horizontally(app: &mut App, right: bool) {
    let by = if right { 1 } else { Panel::ALL.len() - 1 };
    app.focus = match (app.layout().shape, app.focus, right) {
        (Shape::Grid, Panel::Pending | Panel::Leads, true) => Panel::Dead,
        (Shape::Grid, Panel::Dead, false) => Panel::Pending,
        (Shape::Grid, focus, _) => focus,
        (_, focus, _) => focus.further(by),
    };
}

/// Clears one thing: the range, the filter, the marks, or the full view.
fn back(app: &mut App) {
    let visible = app.layout().visible(app.focus);
    if !app.view_mut().back(visible) {
        app.full = false;
    }
}

fn to_error(app: &mut App, forward: bool) {
    app.focus = Panel::Logs;
    match app.panels.logs.next(forward, |line| line.level == Level::Error) {
        Some(place) => app.go(place),
        None => app.notify(Role::Dim, "no error in the loaded log lines"),
    }
}
