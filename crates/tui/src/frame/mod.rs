//! The whole frame: what is around the panels, and over them. Nothing here fetches, remembers or decides: the
//! same console is always the same picture. Only rows in sight are built, so that a frame costs the same at
//! ten rows and at ten thousand.

mod footer;
mod header;
mod health;
mod question;
mod window;

use pipeline::RetryState;
use ratatui::{Frame, buffer::Buffer};

use super::{
    app::{App, Connection},
    draw::{Painter, condition_of, states},
    keymap::Action,
    layout::{Area, Layout, SMALLEST, Shape, below, right_of},
    panel::Panel,
    text,
    theme::{Role, Theme},
    view::finding,
};

/// Draws the console.
pub fn draw(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    paint(frame.buffer_mut(), app, theme);
}

/// Draws it into a buffer. What lies outside the buffer is not drawn.
pub fn paint(buffer: &mut Buffer, app: &App, theme: &Theme) {
    let layout = app.layout();
    let mut painter = Painter { buffer, theme, glyphs: app.glyphs };
    if layout.shape == Shape::TooSmall {
        return too_small(&mut painter, app);
    }
    header::draw(&mut painter, app, &layout);
    match &app.connection {
        Connection::Open => {
            for panel in Panel::ALL {
                if layout.panels[panel.index()].height > 0 {
                    self::panel(&mut painter, app, panel);
                }
            }
        }
        connection => closed(&mut painter, app, connection, &layout),
    }
    footer::draw(&mut painter, app, &layout);
    if let Some(open) = app.windows.last() {
        window::draw(&mut painter, app, open, &layout);
    }
}

/// A panel: its heading, its view, and its text if it has no rows.
fn panel(painter: &mut Painter<'_>, app: &App, panel: Panel) {
    let (view, scene) = (app.panels.view(panel), app.scene(panel));
    let condition = condition_of(view.polling(), app.now, painter.glyphs);
    painter.heading(&scene, states([finding(view, painter.glyphs), view.state(&scene), condition]));
    let nothing = view.is_empty().then(|| view.nothing(painter.glyphs));
    let area = painter.condition(view.polling(), scene.parts().rows, app.now, nothing.as_deref());
    view.draw(painter, &scene, area);
}

/// In the place of a pipeline that is not open.
fn closed(painter: &mut Painter<'_>, app: &App, connection: &Connection, layout: &Layout) {
    let area = layout.body;
    let columns = usize::from(area.width).saturating_sub(8).clamp(1, 72);
    let mut lines = Vec::new();
    match connection {
        Connection::Failed(fault) => {
            let name = painter.glyphs.safe(&app.banner.name);
            lines.push((Role::Alarm, format!("{} {name} could not be opened", painter.glyphs.bad)));
            lines.push((Role::Base, String::new()));
            for (role, text) in
                [(Role::Base, &*fault.to_string()), (Role::Strong, fault.code.remedy(RetryState::Reported))]
            {
                lines.extend(painter.glyphs.wrap(text, columns).into_iter().map(|line| (role, line)));
            }
            lines.push((Role::Base, String::new()));
            let (again, other) = (app.keymap.key(Action::Refresh), app.keymap.key(Action::Palette));
            lines.push((Role::Dim, format!("{again} retries, {other} switches pipeline")));
        }
        _ => lines.push((Role::Dim, format!("opening {}{}", app.banner.name, painter.glyphs.ellipsis))),
    }
    let area = below(area, area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(0)) / 3);
    for ((role, text), row) in lines.into_iter().zip(right_of(area, 4).rows()) {
        let text = painter.glyphs.fit(&text, usize::from(row.width));
        painter.line(row, &[(role, text)]);
    }
}

fn too_small(painter: &mut Painter<'_>, app: &App) {
    let (width, height) = app.size;
    let (wanted, tall) = SMALLEST;
    let lines = [format!("terminal too small: {width} by {height}"), format!("needs {wanted} by {tall}")];
    let top = height.saturating_sub(2) / 2;
    for (line, y) in lines.into_iter().zip(top..height) {
        let text = painter.glyphs.fit(&line, usize::from(width));
        let columns = u16::try_from(text::width(&text)).unwrap_or(width);
        let x = width.saturating_sub(columns) / 2;
        painter.line(Area { x, y, width: columns, height: 1 }, &[(Role::Strong, text)]);
    }
}
