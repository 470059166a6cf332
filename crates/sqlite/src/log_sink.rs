//! The program's log, in the store.

use std::sync::Arc;

use pipeline::{
    LogRecord,
    ports::{Clock, LogSink},
};
use serde_json::Value;

use crate::log_buffer::{Line, LogBuffer};

/// Takes log lines to the writer. It does not hold the store open.
pub(crate) struct StoreLog {
    pub(crate) buffer: Arc<LogBuffer>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl LogSink for StoreLog {
    fn push(&self, record: LogRecord) {
        let LogRecord { level, function, lead_id: lead, code, message, fields } = record;
        let fields = (!fields.is_empty()).then(|| Value::Object(fields).to_string());
        self.buffer.push(Line { at: self.clock.now(), level, function, message, lead, code, fields });
    }
}
