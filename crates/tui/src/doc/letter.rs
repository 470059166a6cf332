//! A dead letter.

use lead::Timestamp;
use pipeline::RetryState;

use super::{Writer, about_polling, level_mark};
use crate::{
    format::{self, age, clock, moment, since},
    keymap::{Action, Keymap},
    line::Line,
    text::Glyphs,
    theme::Role,
    window::Letter,
};

/// When it is read, and with which keys.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The time.
    pub now: Timestamp,
    /// The keys.
    pub keymap: &'a Keymap,
}

/// What there is to say of a dead letter, beside the list of them.
pub fn beside(
    now: Timestamp,
    keymap: &Keymap,
    glyphs: &'static Glyphs,
    letter: &Letter,
    columns: usize,
) -> Vec<Line> {
    let mut pen = Writer::new(glyphs, columns);
    letter_story(letter, &At { now, keymap }, &mut pen);
    pen.lines
}

/// Why it died, what to do, its message, the log of its last attempt.
pub fn letter_story(opened: &Letter, at: &At<'_>, pen: &mut Writer) {
    let row = &opened.row.letter;
    pen.field("reason", Role::Strong, &row.reason);
    pen.field("code", Role::Alarm, &format!("{} {} {}", pen.glyphs.bad, row.code, row.code.cause()));
    pen.field("remedy", Role::Accent, &format!("{} {}", pen.glyphs.arrow, row.code.remedy(RetryState::Dead)));
    let tries = format::count(row.attempts as usize, "attempt", "attempts");
    let died = format!(
        "{} ago, {tries} since {}; {} queue",
        age(since(at.now, row.dead_at)),
        moment(row.first_failed_at),
        row.queue.as_str()
    );
    pen.field("died", Role::Base, &died);
    if let Some(lead) = &row.lead_id {
        let key = at.keymap.key(Action::Open);
        pen.field("lead", Role::Base, &format!("{lead}   ({key} opens its story)"));
    }
    pen.field("id", Role::Base, &row.id);
    pen.heading("Message");
    about_polling(&opened.detail, at.now, pen);
    let Some(found) = opened.detail.get() else { return };
    for line in &found.body {
        pen.json(line);
    }
    pen.heading("Log of its last attempt");
    if found.detail.logs.is_empty() {
        pen.line(vec![(Role::Dim, "no lines".to_owned())]);
    }
    for line in &found.detail.logs {
        let (role, glyph) = level_mark(line.level, pen.glyphs);
        let first = vec![(Role::Dim, format!("{} ", clock(line.at))), (role, glyph.to_owned())];
        pen.hang(first, 11, Role::Base, &line.message);
    }
}

/// The message exactly as it lies in the queue, and everything that is known about its death.
pub fn letter_raw(opened: &Letter, at: &At<'_>, pen: &mut Writer) {
    about_polling(&opened.detail, at.now, pen);
    let Some(found) = opened.detail.get() else { return };
    pen.heading("Body, as it is");
    pen.hang(Line::new(), 0, Role::Base, &found.detail.body);
    pen.heading("Dead letter");
    let row = serde_json::to_string_pretty(&found.detail.row).unwrap_or_default();
    row.lines().for_each(|line| pen.json(line));
}
