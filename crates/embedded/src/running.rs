//! What a running pipeline reports about itself, for readers of its store.

use std::sync::Arc;

use async_trait::async_trait;
use lead::{Timestamp, keys};
use ops::{Condition, SetUpReport};
use pipeline::{
    Code, Fault, Settings,
    ports::{Objects, WriteCondition},
};
use serde::{Deserialize, Serialize};

/// How a pipeline is, or was last, set up: for commands that run beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// Its webhook.
    pub webhook: String,
    /// The figures and names it works by.
    pub settings: Settings,
    /// Since when.
    pub started_at: Timestamp,
    /// The version of leadops.
    pub version: String,
    /// What was wrong with its settings when it started.
    #[serde(default, rename = "doubts")]
    pub problems: Vec<Condition>,
}

impl Running {
    /// What the pipeline wrote when it started; `None` where none has run yet.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn read(objects: &(impl Objects + ?Sized)) -> Result<Option<Self>, Fault> {
        let Some(object) = objects.get(keys::RUNNING).await? else { return Ok(None) };
        // One written by another version, with other settings, is as good as none.
        Ok(serde_json::from_slice(&object.body).ok())
    }

    /// Writes it.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn write(&self, objects: &(impl Objects + ?Sized)) -> Result<(), Fault> {
        let body = serde_json::to_vec(self).map_err(|e| Fault::new(Code::Internal, e.to_string()))?;
        objects.put(keys::RUNNING, body.into(), WriteCondition::Always).await?;
        Ok(())
    }
}

/// What the `leadops up` that works on a store, or did so last, says of its settings.
pub(crate) struct OfRunning<S: ?Sized>(pub(crate) Arc<S>);

#[async_trait]
impl<S: Objects + ?Sized> SetUpReport for OfRunning<S> {
    async fn conditions(&self) -> Result<Vec<Condition>, Fault> {
        Ok(Running::read(&*self.0).await?.map(|running| running.problems).unwrap_or_default())
    }
}
