//! A line of the log.

use pipeline::{RetryState, Stage, ports::LogLine};

use super::{Writer, level_mark};
use crate::{
    format::moment,
    keymap::{Action, Keymap},
    theme::Role,
};

/// Everything about a line.
pub(super) fn log_line(keymap: &Keymap, line: &LogLine, pen: &mut Writer) {
    let (role, glyph) = level_mark(line.level, pen.glyphs);
    pen.field("at", Role::Base, &format!("{} UTC", moment(line.at)));
    pen.field("function", Role::Base, &line.function);
    pen.field("level", role, format!("{glyph} {}", line.level.as_str()).trim());
    pen.field("message", Role::Strong, &line.message);
    if let Some(lead) = &line.lead_id {
        let key = keymap.key(Action::Open);
        pen.field("lead", Role::Base, &format!("{lead}   ({key} opens its story)"));
    }
    if let Some(code) = &line.code {
        pen.field("code", Role::Warn, code);
        if let Ok(code) = code.parse::<pipeline::Code>() {
            pen.field("cause", Role::Base, code.cause());
            pen.field("remedy", Role::Base, code.remedy(standing(line)));
        }
    }
    for (name, value) in &line.fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        pen.field(name, Role::Base, &text);
    }
}

/// How it stands with the work that a line of the log is about: an entry of the journal begins with its kind.
fn standing(line: &LogLine) -> RetryState {
    let is =
        |stage: Stage| line.message.strip_prefix(stage.as_str()).is_some_and(|rest| rest.starts_with(':'));
    match line {
        _ if is(Stage::Dead) => RetryState::Dead,
        _ if is(Stage::Retrying) => RetryState::Retrying,
        _ => RetryState::Reported,
    }
}
