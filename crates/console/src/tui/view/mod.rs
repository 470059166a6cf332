//! How it looks. Nothing here fetches, remembers or decides: the same console is always the same
//! picture. Only rows in sight are built, so that a frame costs the same at ten rows and at ten
//! thousand.

mod dead;
mod footer;
mod header;
mod leads;
mod logs;
mod pending;
mod widgets;
mod window;

use ratatui::{Frame, buffer::Buffer, layout::Rect};

use super::{
    app::{App, Panel},
    layout::{Area, Shape},
    theme::{Role, Theme},
};
use widgets::Pen;

/// Draws the console.
pub fn draw(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    paint(frame.buffer_mut(), app, theme);
}

/// Draws it into a buffer. What lies outside the buffer is not drawn.
pub fn paint(buffer: &mut Buffer, app: &App, theme: &Theme) {
    let layout = app.layout();
    let mut pen = Pen { buffer, theme, glyphs: app.glyphs };
    if layout.shape == Shape::TooSmall {
        return too_small(&mut pen, app);
    }
    header::draw(&mut pen, app, &layout);
    for panel in Panel::ALL {
        let area = layout.panels[panel.index()];
        if area.height == 0 {
            continue;
        }
        match panel {
            Panel::Pending => pending::draw(&mut pen, app, area),
            Panel::Dead => dead::draw(&mut pen, app, area),
            Panel::Leads => leads::draw(&mut pen, app, area),
            Panel::Logs => logs::draw(&mut pen, app, area),
        }
    }
    footer::draw(&mut pen, app, &layout);
    if let Some(open) = app.windows.last() {
        window::draw(&mut pen, app, open, &layout);
    }
}

fn too_small(pen: &mut Pen<'_>, app: &App) {
    let (width, height) = app.size;
    let (wanted, tall) = crate::tui::layout::SMALLEST;
    let lines = [format!("too small: {width} by {height}"), format!("needs {wanted} by {tall}")];
    let top = height.saturating_sub(2) / 2;
    for (line, y) in lines.into_iter().zip(top..height) {
        let text = pen.glyphs.fit(&line, usize::from(width));
        let columns = u16::try_from(crate::tui::text::width(&text)).unwrap_or(width);
        let x = width.saturating_sub(columns) / 2;
        pen.line(Area { x, y, width: columns, height: 1 }, &[(Role::Strong, text)]);
    }
}

/// The part of an area that lies in the buffer.
fn rect(buffer: &Buffer, area: Area) -> Rect {
    Rect::new(area.x, area.y, area.width, area.height).intersection(buffer.area)
}
