//! The program's log, in the store.

use std::sync::Arc;

use pipeline::{log_record::LogRecord, ports::Clock};
use serde_json::Value;
use tracing::{Event, Subscriber};
use tracing_subscriber::{Layer, layer::Context};

use crate::log_buffer::{Line, LogBuffer};

/// A layer that keeps events in the store, see [`crate::Store::log_layer`].
pub struct LogLayer {
    pub(crate) buffer: Arc<LogBuffer>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(LogRecord { level, function, lead_id: lead, code, message, fields }) = LogRecord::of(event)
        else {
            return;
        };
        let fields = (!fields.is_empty()).then(|| Value::Object(fields).to_string());
        self.buffer.push(Line { at: self.clock.now(), level, function, message, lead, code, fields });
    }
}
