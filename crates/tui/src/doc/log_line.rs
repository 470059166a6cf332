//! A line of the log.

use pipeline::{Code, RetryState, Stage, ports::LogLine};

use super::{Writer, level_mark};
use crate::{format::moment, theme::Role};

/// Everything about a line.
pub(super) fn log_line(line: &LogLine, writer: &mut Writer<'_>) {
    let (role, glyph) = level_mark(line.level, writer.glyphs);
    writer.field("at", Role::Base, &format!("{} UTC", moment(line.at)));
    writer.field("function", Role::Base, &line.function);
    writer.field("level", role, format!("{glyph} {}", line.level.as_str()).trim());
    writer.field("message", Role::Strong, &line.message);
    if let Some(lead) = &line.lead_id {
        writer.lead(lead);
    }
    if let Some(code) = &line.code {
        writer.field("code", Role::Warn, code);
        if let Ok(code) = code.parse::<Code>() {
            writer.field("cause", Role::Base, code.cause());
            writer.field("remedy", Role::Base, code.remedy(standing(line)));
        }
    }
    for (name, value) in &line.fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        writer.field(name, Role::Base, &text);
    }
}

/// Whether the work that a line of the log is about failed or is retried: an entry of the journal begins with
/// its kind.
fn standing(line: &LogLine) -> RetryState {
    let is =
        |stage: Stage| line.message.strip_prefix(stage.as_str()).is_some_and(|rest| rest.starts_with(':'));
    match line {
        _ if is(Stage::Dead) => RetryState::Dead,
        _ if is(Stage::Retrying) => RetryState::Retrying,
        _ => RetryState::Reported,
    }
}
