//! A log event, cleaned and bounded, for every place that stores it.

use std::fmt::{Debug, Write as _};

use outside::text;
use serde_json::{Map, Value};
use tracing::{
    Event, Metadata,
    field::{Field, Visit},
};

use crate::ports::Level;

/// The most characters of a message.
const LONGEST_MESSAGE: usize = 2_000;
/// The most characters of another field, and how many such fields.
const LONGEST_FIELD: usize = 500;
const MOST_FIELDS: usize = 16;

/// A log event.
#[derive(Debug)]
pub struct LogRecord {
    /// How serious it is.
    pub level: Level,
    /// Whose it is: the function's name, else the module's.
    pub function: String,
    /// The lead it is about.
    pub lead_id: Option<String>,
    /// The kind of failure.
    pub code: Option<String>,
    /// The text.
    pub message: String,
    /// Everything else.
    pub fields: Map<String, Value>,
}

impl LogRecord {
    /// Whether events from this place are recorded: our own, and those of dependencies from a warning on. A filter that
    /// asks this once for each place spares the process their spans and the rest of their events.
    pub fn is_of(place: &Metadata<'_>) -> bool {
        // Dependencies do not know our functions.
        let is_ours = place.fields().field("function").is_some();
        place.is_event() && (is_ours || *place.level() <= tracing::Level::WARN)
    }

    /// What an event says that [is recorded](Self::is_of).
    pub fn of(event: &Event<'_>) -> Option<Self> {
        if !Self::is_of(event.metadata()) {
            return None;
        }
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        Some(Self {
            level,
            function: fields.function.unwrap_or_else(|| text::shorten(event.metadata().target(), 60)),
            lead_id: fields.lead,
            code: fields.code,
            message: fields.message,
            fields: fields.others,
        })
    }
}

#[derive(Default)]
struct Fields {
    function: Option<String>,
    lead: Option<String>,
    code: Option<String>,
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => self.message = bounded(text, LONGEST_MESSAGE),
            "function" => self.function = Some(bounded(text, 60)),
            "lead_id" => self.lead = Some(bounded(text, 80)),
            "code" => self.code = Some(bounded(text, 20)),
            _ => self.other(field, Value::String(bounded(text, LONGEST_FIELD))),
        }
    }

    fn other(&mut self, field: &Field, value: Value) {
        if self.others.len() < MOST_FIELDS {
            self.others.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Whatever was written before an error is better than nothing.
        let _ = write!(text, "{value:?}");
        self.text(field, &text);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.other(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.other(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.other(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.other(field, value.into());
    }
}

/// Cleaned, and cut where it is long: finding out where to cut costs more than cleaning.
fn bounded(text: &str, longest: usize) -> String {
    let cleaned = text::clean(text);
    if cleaned.len() <= longest { cleaned } else { text::shorten(&cleaned, longest) }
}
