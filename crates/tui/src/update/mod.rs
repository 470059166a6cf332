//! What the console does about each message. Pure: the same messages make the same console.

mod acting;
mod copying;
mod finding;
mod jobs;
mod moving;
mod opening;
mod palette;
mod pointer;
mod queries;
mod questions;
mod switching;
mod windows;

pub use palette::entries;
pub use queries::is_gone;

use super::{
    app::{App, Connection},
    keymap::{Action, Press},
    layout::Shape,
    msg::{Cmd, Event, Msg},
    panel::Panel,
    theme::Role,
    window::{Input, PaletteEntry, Window},
};

/// Handles a message; the commands that follow from it.
pub fn update(app: &mut App, msg: Msg) -> Vec<Cmd> {
    app.now = msg.at;
    let mut cmds = Vec::new();
    match msg.event {
        Event::Press(Press::Alt(c)) if app.keymap.action(Press::Alt(c)).is_none() => {
            // Terminals send Alt as Esc before the letter: this was Esc, followed closely by a letter.
            pressed(app, Press::Esc, &mut cmds);
            pressed(app, Press::Char(c), &mut cmds);
        }
        Event::Press(press) => pressed(app, press, &mut cmds),
        Event::Paste(text) => text.chars().for_each(|c| typed(app, Press::Char(c), &mut cmds)),
        Event::Mouse(pointer, x, y) => {
            if let Some(action) = pointer::pointed(app, pointer, x, y) {
                perform(app, action, &mut cmds);
            }
        }
        Event::Resize(columns, rows) => app.size = (columns, rows),
        Event::Tick => queries::overdue(app, &mut cmds),
        Event::Reply(reply) => queries::replied(app, *reply, &mut cmds),
        Event::Filtered(generation, filtered) => {
            app.panels.view_mut(filtered.panel).filtered(generation, filtered);
        }
        Event::Progress(progress) => jobs::progressed(app, progress, &mut cmds),
        Event::Edited(detail, edited) => acting::edited(app, detail, edited),
        Event::Switched(generation, info) => switching::switched(app, generation, *info),
        Event::Terminate => cmds.push(Cmd::Quit),
        Event::Notice(text) => app.notify(Role::Alarm, text),
    }
    filter(app, &mut cmds);
    clamp_cursor(app);
    queries::ask(app, &mut cmds);
    cmds
}

/// Starts the filtering that is due.
fn filter(app: &mut App, cmds: &mut Vec<Cmd>) {
    for panel in Panel::ALL {
        if let Some((generation, task)) = app.panels.view_mut(panel).filter_due(panel, &mut app.counter) {
            cmds.push(Cmd::Filter(generation, task));
        }
    }
}

/// Puts every cursor back on its row.
fn clamp_cursor(app: &mut App) {
    let layout = app.layout();
    for panel in Panel::ALL {
        app.panels.view_mut(panel).clamp_cursor(layout.visible(panel), layout.is_full());
    }
}

/// A key. While something is being typed, letters are text.
fn pressed(app: &mut App, press: Press, cmds: &mut Vec<Cmd>) {
    if app.typing.is_some() || matches!(app.window(), Some(Window::Palette { .. } | Window::File { .. })) {
        return typed(app, press, cmds);
    }
    if !is_too_small(app) && acting::type_count(app, press) {
        return;
    }
    if let Some(action) = app.keymap.action(press) {
        perform(app, action, cmds);
    }
}

/// A key while something is being typed; pasted text goes nowhere else.
fn typed(app: &mut App, press: Press, cmds: &mut Vec<Cmd>) {
    if app.typing.is_some() {
        finding::typed(app, press);
    } else if matches!(app.window(), Some(Window::Palette { .. })) {
        match palette::typed(app, press) {
            Some(PaletteEntry::Action(action)) => perform(app, action, cmds),
            Some(PaletteEntry::Environment(name)) => switching::switch(app, name, cmds),
            Some(PaletteEntry::Lead(lead)) => {
                let name = app.name_of(&lead);
                opening::story(app, lead, name);
            }
            None => {}
        }
    } else if matches!(app.window(), Some(Window::File { .. })) {
        acting::typed(app, press);
    }
}

fn is_too_small(app: &App) -> bool {
    app.layout().shape == Shape::TooSmall
}

/// Performs an action from a key, the palette or the mouse.
fn perform(app: &mut App, action: Action, cmds: &mut Vec<Cmd>) {
    match action {
        Action::Suspend => return cmds.push(Cmd::Suspend),
        Action::Refresh if matches!(app.connection, Connection::Failed(_)) => {
            return switching::again(app, cmds);
        }
        Action::Refresh => return app.refresh_soon(),
        // Nothing may be done that cannot be seen.
        Action::Quit | Action::Interrupt if app.windows.is_empty() || is_too_small(app) => {
            return jobs::quit(app, cmds);
        }
        _ if is_too_small(app) => return,
        Action::Quit | Action::Interrupt | Action::Back if !app.windows.is_empty() => {
            return windows::close(app, cmds);
        }
        _ => {}
    }
    if matches!(app.window(), Some(Window::Confirm(_))) {
        return acting::answer(app, action, cmds);
    }
    match action {
        Action::Help => windows::toggle(app, Window::Help),
        Action::Events => {
            app.read = true;
            windows::toggle(app, Window::Events);
        }
        Action::Palette => app.open(Window::Palette { input: Input::default(), index: 0 }),
        Action::Mouse => {
            app.mouse = !app.mouse;
            let now = if app.mouse { "the console's" } else { "the terminal's" };
            app.notify(Role::Dim, format!("the mouse is {now} now"));
            cmds.push(Cmd::Mouse(app.mouse));
        }
        // There is nothing to see or to act on.
        _ if app.connection != Connection::Open => {}
        Action::Open => opening::open(app),
        Action::Story => opening::open_current_lead(app),
        Action::ItsLetters | Action::ItsLog => opening::open_related(app, action, cmds),
        Action::Filter => finding::begin(app),
        Action::NextMatch => finding::next(app, true),
        Action::PreviousMatch => finding::next(app, false),
        Action::Copy | Action::CopyAll => copying::copy(app, action == Action::CopyAll, cmds),
        Action::Pause => {
            app.paused = !app.paused;
            if !app.paused {
                app.refresh_soon();
            }
        }
        Action::Stop => jobs::stop(app, cmds),
        action if action.acts() => acting::act(app, action, cmds),
        _ if app.windows.is_empty() => moving::moved(app, action),
        _ => windows::scroll(app, action),
    }
}
