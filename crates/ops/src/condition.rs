//! Conditions: what is not as it should be, beyond single leads.

use async_trait::async_trait;
use lead::Timestamp;
use pipeline::{Code, Fault};
use serde::{Deserialize, Serialize};

/// How something fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionState {
    /// As it should.
    Ok,
    /// Somebody should look at it.
    Warn,
    /// It needs a person.
    Fail,
    /// It was not looked at.
    #[serde(other)]
    Unknown,
}

/// How one part of a pipeline, or of what is around it, fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Which part: a destination's id such as `slack`, or a word such as `owners`.
    pub what: String,
    /// How it fares.
    pub state: ConditionState,
    /// Since when, as far as it is known.
    pub since: Option<Timestamp>,
    /// Why, one line.
    pub reason: String,
    /// The code of the failure, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

/// What a pipeline says of its own set-up.
#[async_trait]
pub trait SetUp: Send + Sync {
    /// What was wrong with its settings when it started.
    ///
    /// # Errors
    /// The fault of the store.
    async fn conditions(&self) -> Result<Vec<Condition>, Fault>;
}

/// The set-up of a pipeline that says nothing of it by itself, as one on AWS: `leadops doctor` looks.
#[derive(Debug, Clone, Copy)]
pub struct SaysNothing;

#[async_trait]
impl SetUp for SaysNothing {
    async fn conditions(&self) -> Result<Vec<Condition>, Fault> {
        Ok(Vec::new())
    }
}
