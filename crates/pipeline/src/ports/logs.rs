use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{Fault, Function, LogRecord};

/// The log lines of the functions.
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// # use pipeline::ports::{Clock, LogLine};
/// use pipeline::ports::{Level, LogQuery, Logs};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// # for (level, message) in [(Level::Info, "received"), (Level::Error, "refused")] {
/// #     let (cursor, function) = (String::new(), "webhook-ingestion".to_owned());
/// #     let (lead_id, code, fields) = (None, None, Default::default());
/// #     let message = message.to_owned();
/// #     store.log(LogLine { cursor, at: clock.now(), function, level, message, lead_id, code, fields });
/// # }
/// let query = LogQuery { level: Some(Level::Warn), limit: 10, ..LogQuery::default() };
/// assert_eq!(store.lines(&query).await?[0].message, "refused");
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Logs: Send + Sync {
    /// The lines that match, the oldest first: the newest `limit` of them without `after`, the first
    /// `limit` behind it with it.
    async fn lines(&self, query: &LogQuery) -> Result<Vec<LogLine>, Fault>;
}

/// The log's writing end.
pub trait LogSink: Send + Sync {
    /// Takes a line that is logged now. Never blocks: where lines come faster than they can be stored, some are dropped,
    /// and a line says how many.
    fn push(&self, record: LogRecord);
}

/// Which lines are wanted. An empty field does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Of this function.
    pub function: Option<Function>,
    /// About this lead.
    pub lead: Option<LeadId>,
    /// Of this level or a more serious one.
    pub level: Option<Level>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Behind this line ([`LogLine::cursor`]), to follow.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Where the line stands, for [`LogQuery::after`]. Not part of the line.
    #[serde(skip)]
    pub cursor: String,
    /// When.
    pub at: Timestamp,
    /// Which function wrote it.
    pub function: String,
    /// How serious it is.
    pub level: Level,
    /// The text.
    pub message: String,
    /// The lead it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<String>,
    /// The kind of failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Everything else that was logged with it.
    #[serde(flatten)]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// How serious a log line is, the least first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    IntoStaticStr,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE", ascii_case_insensitive)]
pub enum Level {
    /// For developers.
    Debug,
    /// The course of things.
    Info,
    /// Something failed that is handled.
    Warn,
    /// Something needs a person.
    Error,
}

impl Level {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
