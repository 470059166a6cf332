//! The console as a whole: how it handles keys and answers, and how it looks.

mod acting;
mod finding;
mod looks;
mod moving;
mod owners;
mod queries;

use ops::{DeadRow, LeadRow, PendingRow};

use super::{
    app::App,
    fixture::{answer_all, data, dispatch, with_rows},
    keymap::Press,
    msg::{Answer, Cmd, Event, Operation},
    panel::Panel,
};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (140, 44);
const TINY: (u16, u16) = (40, 10);
const WIDE: (u16, u16) = (120, 40);

const UP: Press = Press::Up;
const DOWN: Press = Press::Down;
const ENTER: Press = Press::Enter;

/// The keys of a typed text.
fn typed(text: &str) -> Vec<Press> {
    text.chars().map(Press::Char).collect()
}

fn operations(cmds: &[Cmd]) -> Vec<&Operation> {
    cmds.iter()
        .filter_map(|cmd| if let Cmd::Run { operation, .. } = cmd { Some(operation) } else { None })
        .collect()
}

fn last_notice(app: &App) -> &str {
    app.notices.back().map_or("", |notices| &notices.text)
}

/// Advances by a second and answers the queries of that second, with `change` made to the rich answers.
fn next_second(app: &mut App, change: impl Fn(Answer) -> Answer) {
    let second = app.now.as_second() + 1;
    dispatch(app, second, Event::Tick);
    answer_all(app, second, |query| data(query).map(&change));
}
