//! The mouse, if the console captures it: scroll and click.

use super::{
    super::{
        app::{App, Connection},
        keymap::Action,
        msg::Pointer,
        panel::Panel,
        window::Window,
    },
    windows,
};

/// How many rows a notch of the wheel moves.
const NOTCH: usize = 3;

/// Handles the mouse; the action that follows from it.
pub(super) fn pointed(app: &mut App, pointer: Pointer, x: u16, y: u16) -> Option<Action> {
    if !app.mouse || app.typing.is_some() || app.connection != Connection::Open {
        return None;
    }
    match app.window() {
        // A question is answered with keys: a stray click must not change the pipeline.
        Some(Window::Confirm(_) | Window::Palette { .. } | Window::File { .. }) => return None,
        Some(_) => {
            let action = match pointer {
                Pointer::ScrollUp => Action::Up,
                Pointer::ScrollDown => Action::Down,
                Pointer::Click => return None,
            };
            (0..NOTCH).for_each(|_| windows::scroll(app, action));
            return None;
        }
        None => {}
    }
    let layout = app.layout();
    let panel = Panel::ALL.into_iter().find(|panel| layout.panels[panel.index()].contains((x, y).into()))?;
    app.focus = panel;
    let (index, rows) = (app.view().index(), layout.parts(panel).rows);
    match pointer {
        Pointer::ScrollUp => app.go(index.saturating_sub(NOTCH)),
        Pointer::ScrollDown => app.go(index + NOTCH),
        Pointer::Click if rows.contains((x, y).into()) => {
            let row = app.view().top()? + usize::from(y - rows.y);
            if row >= app.view().len() {
                return None;
            }
            // The second click on a row opens it.
            if row == index {
                return Some(Action::Open);
            }
            app.go(row);
        }
        Pointer::Click => {}
    }
    None
}
