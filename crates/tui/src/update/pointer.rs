//! The mouse, where it is ours: scroll and click.

use super::{
    super::{
        app::{App, Door, Panel},
        keymap::Action,
        msg::{Cmd, Pointer},
        window::Window,
    },
    moving, opening, perform,
};

/// How many rows a notch of the wheel moves.
const NOTCH: usize = 3;

pub(super) fn pointed(app: &mut App, pointer: Pointer, x: u16, y: u16, cmds: &mut Vec<Cmd>) {
    if !app.mouse || app.typing.is_some() || app.door != Door::Open {
        return;
    }
    let action = match pointer {
        Pointer::ScrollUp => Action::Up,
        Pointer::ScrollDown => Action::Down,
        Pointer::Click => Action::Open,
    };
    match app.window() {
        // A question is answered with keys: a stray click does nothing to the pipeline.
        Some(Window::Confirm(_) | Window::Palette { .. } | Window::File { .. }) => return,
        Some(_) => {
            if pointer != Pointer::Click {
                (0..NOTCH).for_each(|_| opening::scroll(app, action));
            }
            return;
        }
        None => {}
    }
    let layout = app.layout();
    let under = Panel::ALL.into_iter().find(|panel| layout.panels[panel.index()].contains(x, y));
    let Some(panel) = under else { return };
    app.focus = panel;
    let rows = layout.parts(panel).rows;
    match pointer {
        Pointer::ScrollUp => moving::go(app, moving::index(app).saturating_sub(NOTCH)),
        Pointer::ScrollDown => moving::go(app, moving::index(app) + NOTCH),
        Pointer::Click if rows.contains(x, y) => {
            let top = match panel {
                Panel::Pending => app.pending.list.top,
                Panel::Dead if app.grouped() => app.kinds_list.top,
                Panel::Dead => app.dead.list.top,
                Panel::Leads => app.leads.list.top,
                // Wrapped lines have no fixed places.
                Panel::Logs if app.logs.wrap => return,
                Panel::Logs => app.logs.top,
            };
            let row = top + usize::from(y - rows.y);
            if row >= app.rows(panel) {
                return;
            }
            // The second click on a row opens it.
            if row == moving::index(app) {
                return perform(app, Action::Open, cmds);
            }
            moving::go(app, row);
        }
        Pointer::Click => {}
    }
}
