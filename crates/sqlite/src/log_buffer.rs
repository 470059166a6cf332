//! Log lines on their way to the writer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, mpsc},
};

use lead::Timestamp;
use pipeline::{
    Function, LogRecord, lock,
    ports::{Clock, Level, LogSink},
};
use rusqlite::Connection;
use serde_json::Value;

use crate::{units, writer::Message};

/// How many lines wait at most. What comes on top is dropped and counted.
pub(crate) const LONGEST: usize = 8_192;
/// How many lines share a transaction with somebody's operation.
pub(crate) const TOGETHER: usize = 512;

/// A line as the table keeps it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) level: Level,
    pub(crate) function: String,
    pub(crate) message: String,
    pub(crate) lead: Option<String>,
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
}

impl LogSink for LogBuffer {
    fn push(&self, record: LogRecord) {
        let LogRecord { level, function, lead_id: lead, code, message, fields } = record;
        let fields = (!fields.is_empty()).then(|| Value::Object(fields).to_string());
        self.add(Line { at: self.clock.now(), level, function, message, lead, code, fields });
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
                code: None,
                fields: None,
            });
        }
        let first = waiting.lines.is_empty();
        waiting.lines.push_back(line);
        drop(waiting);
        if first {
            // The writer may have stopped.
            let _ = self.writer.send(Message::Logs);
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !lock(&self.waiting).lines.is_empty()
    }

    /// The next lines to write.
    pub(crate) fn take(&self) -> Vec<Line> {
        let mut waiting = lock(&self.waiting);
        let together = waiting.lines.len().min(TOGETHER);
        waiting.lines.drain(..together).collect()
    }

    /// These lines could not be written.
    pub(crate) fn lost(&self, lines: &[Line]) {
        lock(&self.waiting).dropped += lines.len();
    }
}

pub(crate) fn write(conn: &Connection, lines: &[Line]) -> rusqlite::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO log (at, level, function, message, lead, lead_row, code, fields) \
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT row FROM lead WHERE id = ?5), ?6, ?7)",
    )?;
    for line in lines {
        insert.execute((
            units::micros(line.at),
            line.level as i64,
            &line.function,
            &line.message,
            &line.lead,
            &line.code,
            &line.fields,
        ))?;
    }
    Ok(())
}
