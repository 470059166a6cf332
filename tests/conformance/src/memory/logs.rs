use async_trait::async_trait;
use lead::LeadId;
use pipeline::{
    Fault,
    ports::{LogLine, LogQuery, Logs},
};

use super::Memory;

/// Lines in the order in which they were written.
pub(super) type Content = Vec<LogLine>;

impl Memory {
    /// Writes a log line; its cursor is given here.
    pub fn log(&self, line: LogLine) {
        let logs = &mut self.state().logs;
        let cursor = (logs.len() + 1).to_string();
        logs.push(LogLine { cursor, ..line });
    }
}

#[async_trait]
impl Logs for Memory {
    async fn lines(&self, query: &LogQuery) -> Result<Vec<LogLine>, Fault> {
        let matches = |line: &&LogLine| {
            query.function.is_none_or(|function| line.function == function.as_str())
                && query
                    .lead
                    .as_ref()
                    .is_none_or(|lead| line.lead_id.as_deref() == Some(LeadId::as_str(lead)))
                && query.level.is_none_or(|level| line.level >= level)
                && query.since.is_none_or(|since| line.at >= since)
        };
        let behind = query.after.as_ref().map_or(0, |cursor| cursor.parse().unwrap_or(0));
        let state = self.state();
        let lines: Vec<&LogLine> = state.logs.iter().skip(behind).filter(matches).collect();
        let spare = lines.len().saturating_sub(query.limit);
        // Following goes on from the cursor; a first look shows the end.
        let skip = if query.after.is_none() { spare } else { 0 };
        Ok(lines.into_iter().skip(skip).take(query.limit).cloned().collect())
    }
}
