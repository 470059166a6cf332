//! A dead letter.

use pipeline::RetryState;

use super::{Writer, level_mark};
use crate::{
    format::{self, age, clock, moment, since},
    line::Line,
    theme::Role,
    window::OpenLetter,
};

/// Why it died, what to do, its message, the log of its last attempt.
pub fn letter_story(opened: &OpenLetter, writer: &mut Writer<'_>) {
    let row = &opened.row.letter;
    writer.field("reason", Role::Strong, &row.reason);
    writer.field("code", Role::Alarm, &format!("{} {} {}", writer.glyphs.bad, row.code, row.code.cause()));
    let remedy = format!("{} {}", writer.glyphs.arrow, row.code.remedy(RetryState::Dead));
    writer.field("remedy", Role::Accent, &remedy);
    let tries = format::count(row.attempts as usize, "attempt", "attempts");
    let died = format!(
        "{} ago, {tries} since {}; {} queue",
        age(since(writer.now, row.dead_at)),
        moment(row.first_failed_at),
        row.queue.as_str()
    );
    writer.field("died", Role::Base, &died);
    if let Some(lead) = &row.lead_id {
        writer.lead(lead.as_str());
    }
    writer.field("id", Role::Base, &row.id);
    writer.heading("Message");
    writer.polling(&opened.detail);
    let Some(found) = opened.detail.get() else { return };
    found.body.iter().for_each(|line| writer.json(line));
    writer.heading("Log of its last attempt");
    if found.detail.logs.is_empty() {
        writer.line(vec![(Role::Dim, "no lines".to_owned())]);
    }
    for line in &found.detail.logs {
        let (role, glyph) = level_mark(line.level, writer.glyphs);
        let first = vec![(Role::Dim, format!("{} ", clock(line.at))), (role, glyph.to_owned())];
        writer.wrapped(first, 11, Role::Base, &line.message);
    }
}

/// The message exactly as it is in the queue, and everything that is known about its failure.
pub fn letter_raw(opened: &OpenLetter, writer: &mut Writer<'_>) {
    writer.polling(&opened.detail);
    let Some(found) = opened.detail.get() else { return };
    writer.heading("Body, verbatim");
    writer.wrapped(Line::new(), 0, Role::Base, &found.detail.body);
    writer.heading("Dead letter");
    writer.json_of(&found.detail.row);
}
