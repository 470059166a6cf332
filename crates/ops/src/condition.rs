//! Conditions: problems of the pipeline and what is around it, beyond single leads.

use async_trait::async_trait;
use lead::Timestamp;
use pipeline::{Code, Fault};
use serde::{Deserialize, Serialize};

/// How severe a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionState {
    /// Nothing is wrong.
    Ok,
    /// A person should look at it.
    Warn,
    /// It needs a person.
    Fail,
    /// It was not checked.
    #[serde(other)]
    Unknown,
}

/// The state of one part of a pipeline, or of what is around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Which part: a destination's id such as `slack`, or a word such as `owners`.
    pub what: String,
    /// Its state.
    pub state: ConditionState,
    /// Since when, if known.
    pub since: Option<Timestamp>,
    /// Why, one line.
    pub reason: String,
    /// The code of the failure, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

impl Condition {
    /// Something that a person should look at.
    pub(crate) fn warning(
        what: impl Into<String>,
        since: Option<Timestamp>,
        reason: String,
        code: Option<Code>,
    ) -> Self {
        Self { what: what.into(), state: ConditionState::Warn, since, reason, code }
    }
}

/// What a pipeline reports about its own set-up.
#[async_trait]
pub trait SetUpReport: Send + Sync {
    /// What was wrong with its settings when it started.
    ///
    /// # Errors
    /// The fault of the store.
    async fn conditions(&self) -> Result<Vec<Condition>, Fault>;
}

/// For a pipeline that reports nothing about its set-up, as on AWS: `leadops doctor` checks it instead.
#[derive(Debug, Clone, Copy)]
pub struct NoSetUpReport;

#[async_trait]
impl SetUpReport for NoSetUpReport {
    async fn conditions(&self) -> Result<Vec<Condition>, Fault> {
        Ok(Vec::new())
    }
}
