//! A dead letter.

use lead::Timestamp;
use pipeline::RetryState;

use super::{Writer, level_mark, polling_state};
use crate::{
    format::{self, age, clock, moment, since},
    keymap::{Action, Keymap},
    line::Line,
    text::Glyphs,
    theme::Role,
    window::OpenLetter,
};

/// The time and the keys, for the texts.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The time.
    pub now: Timestamp,
    /// The keys.
    pub keymap: &'a Keymap,
}

/// A dead letter as it is shown beside the list.
pub fn preview(
    now: Timestamp,
    keymap: &Keymap,
    glyphs: &'static Glyphs,
    letter: &OpenLetter,
    columns: usize,
) -> Vec<Line> {
    let mut writer = Writer::new(glyphs, columns);
    letter_story(letter, &At { now, keymap }, &mut writer);
    writer.lines
}

/// Why it died, what to do, its message, the log of its last attempt.
pub fn letter_story(opened: &OpenLetter, at: &At<'_>, writer: &mut Writer) {
    let row = &opened.row.letter;
    writer.field("reason", Role::Strong, &row.reason);
    writer.field("code", Role::Alarm, &format!("{} {} {}", writer.glyphs.bad, row.code, row.code.cause()));
    writer.field(
        "remedy",
        Role::Accent,
        &format!("{} {}", writer.glyphs.arrow, row.code.remedy(RetryState::Dead)),
    );
    let tries = format::count(row.attempts as usize, "attempt", "attempts");
    let died = format!(
        "{} ago, {tries} since {}; {} queue",
        age(since(at.now, row.dead_at)),
        moment(row.first_failed_at),
        row.queue.as_str()
    );
    writer.field("died", Role::Base, &died);
    if let Some(lead) = &row.lead_id {
        let key = at.keymap.key(Action::Open);
        writer.field("lead", Role::Base, &format!("{lead}   ({key} opens its history)"));
    }
    writer.field("id", Role::Base, &row.id);
    writer.heading("Message");
    polling_state(&opened.detail, at.now, writer);
    let Some(found) = opened.detail.get() else { return };
    for line in &found.body {
        writer.json(line);
    }
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
pub fn letter_raw(opened: &OpenLetter, at: &At<'_>, writer: &mut Writer) {
    polling_state(&opened.detail, at.now, writer);
    let Some(found) = opened.detail.get() else { return };
    writer.heading("Body, verbatim");
    writer.wrapped(Line::new(), 0, Role::Base, &found.detail.body);
    writer.heading("Dead letter");
    let row = serde_json::to_string_pretty(&found.detail.row).unwrap_or_default();
    row.lines().for_each(|line| writer.json(line));
}
