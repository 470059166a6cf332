//! Windows: opening, closing, turning their pages, scrolling and searching in them.

use ops::DeadRow;
use pipeline::ports::LogLine;

use super::super::{
    app::{App, Panel},
    doc,
    find::Filter,
    keymap::Action,
    layout::inside,
    msg::Cmd,
    remote::Remote,
    theme::Role,
    window::{Letter, Open, Story, Window},
};

/// Closes the window on top.
pub(super) fn close(app: &mut App, cmds: &mut Vec<Cmd>) {
    let flights = match app.windows.pop().map(|open| open.window) {
        Some(Window::Story(story)) => vec![story.story.in_flight, story.raw.in_flight],
        Some(Window::Letter(letter)) => vec![letter.detail.in_flight],
        _ => vec![],
    };
    cmds.extend(flights.into_iter().flatten().map(|flight| Cmd::Forget(flight.generation)));
}

/// Opens a window, or closes it where it is open.
pub(super) fn toggle(app: &mut App, window: Window) {
    match app.windows.iter().position(|open| open.window == window) {
        Some(at) => {
            app.windows.remove(at);
        }
        None => app.windows.push(Open::new(window)),
    }
}

/// Opens what is under the cursor, or the lead that the window on top is about.
pub(super) fn open(app: &mut App) {
    let letter =
        |row: &DeadRow| Window::Letter(Box::new(Letter { row: row.clone(), detail: Remote::default() }));
    let line = |line: &LogLine| Window::Line(Box::new(line.clone()));
    let window = match (app.window(), app.focus) {
        (Some(Window::Letter(_) | Window::Line(_)), _) => return story_at_hand(app),
        (Some(_), _) => return,
        (None, Panel::Dead) => match app.kind_row().filter(|_| app.grouped()) {
            // Several of a kind are looked at one by one.
            Some(kind) if kind.count > 1 => {
                let filter = format!("code:{}", kind.code);
                app.full = true;
                return super::finding::apply(app, &filter);
            }
            _ => app.dead_row().map(letter),
        },
        (None, Panel::Logs) => app.log_row().map(line),
        (None, _) => return story_at_hand(app),
    };
    app.windows.extend(window.map(Open::new));
}

/// Opens the story of the lead at hand.
pub(super) fn story_at_hand(app: &mut App) {
    if matches!(app.window(), Some(Window::Story(_))) {
        return;
    }
    match app.lead_at_hand() {
        Some((lead, name)) => story(app, lead, name),
        None => app.say(Role::Dim, "no lead here"),
    }
}

/// Opens the story of a lead.
pub(super) fn story(app: &mut App, lead: lead::LeadId, name: String) {
    let story = Story { lead, name, story: Remote::default(), raw: Remote::default() };
    app.windows.push(Open::new(Window::Story(Box::new(story))));
}

/// To the dead letters or the log lines of the lead at hand.
pub(super) fn about_its_lead(app: &mut App, action: Action, cmds: &mut Vec<Cmd>) {
    let Some((lead, _)) = app.lead_at_hand() else {
        return app.say(Role::Dim, "no lead here");
    };
    while !app.windows.is_empty() {
        close(app, cmds);
    }
    app.focus = if action == Action::ItsLog { Panel::Logs } else { Panel::Dead };
    app.full = true;
    super::finding::apply(app, &format!("lead:{lead}"));
}

/// How many columns a text in a window has, and how many of its lines are in sight.
fn sheet(app: &App) -> (usize, usize) {
    let area = inside(app.layout().window());
    (usize::from(area.width).saturating_sub(2), usize::from(area.height).max(1))
}

/// Scrolls the window on top, or turns its page.
pub(super) fn scroll(app: &mut App, action: Action) {
    let (columns, page) = sheet(app);
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
    open.scroll = match action {
        Action::Up => from.saturating_sub(1),
        Action::Down => from + 1,
        Action::PageUp => from.saturating_sub(page.saturating_sub(1).max(1)),
        Action::PageDown => from + page.saturating_sub(1).max(1),
        Action::Top => 0,
        Action::Bottom => last,
        _ => from,
    }
    .min(last);
}

/// Scrolls the window on top to the next line that its search finds; `from_here` takes the first line
/// in sight as well.
pub(super) fn find(app: &mut App, forward: bool, from_here: bool) {
    let (columns, page) = sheet(app);
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
        .find(|at| filter.matches_line(&doc::plain(&lines[*at])));
    match found {
        Some(at) => {
            if let Some(open) = app.windows.last_mut() {
                open.scroll = at.min(last);
            }
        }
        None if from_here => {}
        None => app.say(Role::Dim, "nothing matches"),
    }
}
