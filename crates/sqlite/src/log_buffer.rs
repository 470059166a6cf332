//! Log lines on their way to the writer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use lead::Timestamp;
use pipeline::{
    Function, LogRecord, lock,
    ports::{Clock, Level, LogSink},
};
use rusqlite::Connection;
use serde_json::Value;

use crate::{
    lead_row,
    numbers::{Numbered, Numbers},
    units,
    writer::Message,
};

/// How many lines wait at most. What comes on top is dropped and counted.
pub(crate) const LONGEST: usize = 8_192;
/// How many lines share a transaction with somebody's operation.
pub(crate) const TOGETHER: usize = 512;
/// How long lines wait for more of them: each commit with any writes three pages more.
const PAUSE: Duration = Duration::from_millis(50);

/// A line as the table keeps it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) level: Level,
    pub(crate) function: String,
    pub(crate) message: String,
    pub(crate) lead: Option<String>,
    /// Of the lead's id, by which its number is looked up.
    pub(crate) lead_hash: Option<i64>,
    pub(crate) code: Option<String>,
    /// A JSON object, where there are other fields.
    pub(crate) fields: Option<String>,
}

/// The lines that the writer has not taken yet. Never blocks who adds one, and does not hold the store open.
pub(crate) struct LogBuffer {
    waiting: Mutex<Waiting>,
    writer: mpsc::Sender<Message>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Line>,
    dropped: usize,
    /// Since when the first of them waits.
    since: Option<Instant>,
    /// Whether somebody waits for them.
    is_urgent: bool,
}

impl LogSink for LogBuffer {
    fn push(&self, record: LogRecord) {
        let LogRecord { level, function, lead_id: lead, code, message, fields } = record;
        let fields = (!fields.is_empty()).then(|| Value::Object(fields).to_string());
        let lead_hash = lead.as_deref().map(lead_row::hash);
        self.add(Line { at: self.clock.now(), level, function, message, lead, lead_hash, code, fields });
    }
}

impl LogBuffer {
    pub(crate) fn new(writer: mpsc::Sender<Message>, clock: Arc<dyn Clock>) -> Self {
        Self { waiting: Mutex::default(), writer, clock }
    }

    fn add(&self, line: Line) {
        let mut waiting = lock(&self.waiting);
        if waiting.lines.len() >= LONGEST {
            waiting.dropped += 1;
            return;
        }
        if waiting.dropped > 0 {
            let dropped = std::mem::take(&mut waiting.dropped);
            waiting.lines.push_back(Line {
                at: line.at,
                level: Level::Warn,
                function: Function::Operator.as_str().to_owned(),
                message: format!(
                    "{dropped} log lines were dropped, because they came faster than they could be written"
                ),
                lead: None,
                lead_hash: None,
                code: None,
                fields: None,
            });
        }
        let first = waiting.lines.is_empty();
        waiting.lines.push_back(line);
        waiting.since.get_or_insert_with(Instant::now);
        drop(waiting);
        if first {
            // The writer may have stopped.
            let _ = self.writer.send(Message::Logs);
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !lock(&self.waiting).lines.is_empty()
    }

    /// How long the lines wait still for more of them. None where there are none.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        let waiting = lock(&self.waiting);
        if waiting.is_urgent || waiting.lines.len() >= TOGETHER {
            return (!waiting.lines.is_empty()).then_some(Duration::ZERO);
        }
        waiting.since.map(|since| PAUSE.saturating_sub(since.elapsed()))
    }

    /// Has the lines written with the next operation.
    pub(crate) fn hurry(&self) {
        lock(&self.waiting).is_urgent = true;
    }

    /// The next lines to write.
    pub(crate) fn take(&self) -> Vec<Line> {
        let mut waiting = lock(&self.waiting);
        let together = waiting.lines.len().min(TOGETHER);
        let lines = waiting.lines.drain(..together).collect();
        if waiting.lines.is_empty() {
            (waiting.since, waiting.is_urgent) = (None, false);
        }
        lines
    }

    /// These lines could not be written.
    pub(crate) fn lost(&self, lines: &[Line]) {
        lock(&self.waiting).dropped += lines.len();
    }
}

pub(crate) fn write(conn: &Connection, numbers: &Numbers, lines: &[Line]) -> rusqlite::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO log (id, at, level, function, message, lead, lead_row, code, fields) \
         VALUES (?9, ?1, ?2, ?3, ?4, ?5, (SELECT row FROM lead WHERE hash = ?6 AND id = ?5), ?7, ?8)",
    )?;
    for line in lines {
        insert.execute((
            units::micros(line.at),
            line.level as i64,
            &line.function,
            &line.message,
            &line.lead,
            line.lead_hash,
            &line.code,
            &line.fields,
            numbers.next(conn, Numbered::Log)?,
        ))?;
    }
    Ok(())
}
