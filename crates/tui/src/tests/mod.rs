//! The console as a whole: what it does about keys and answers, and how it looks.

mod acting;
mod asking;
mod finding;
mod looks;
mod moving;
mod owners;

use ops::{DeadRow, LeadRow, PendingRow};

use super::{
    app::App,
    fixture::{answer_all, data, tell, with_rows},
    keymap::Press,
    msg::{Act, Answer, Cmd, Event},
    panel::Panel,
};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (140, 44);
const TINY: (u16, u16) = (40, 10);
const WIDE: (u16, u16) = (120, 40);

const UP: Press = Press::Up;
const DOWN: Press = Press::Down;
const ENTER: Press = Press::Enter;

/// Keys as somebody types them.
fn typed(text: &str) -> Vec<Press> {
    text.chars().map(Press::Char).collect()
}

fn acts(cmds: &[Cmd]) -> Vec<&Act> {
    cmds.iter().filter_map(|cmd| if let Cmd::Act { act, .. } = cmd { Some(act) } else { None }).collect()
}

fn last_said(app: &App) -> &str {
    app.said.back().map_or("", |said| &said.text)
}

/// Advances by a second and answers what is asked then, with `change` made to the rich answers.
fn next_second(app: &mut App, change: impl Fn(Answer) -> Answer) {
    let second = app.now.as_second() + 1;
    tell(app, second, Event::Tick);
    answer_all(app, second, |query| data(query).map(&change));
}
