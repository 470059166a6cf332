//! The pipelines that the console can show, as the wiring provides them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ops::Ops;
use pipeline::{Fault, ports::Watch};
use ratatui::style::Color;

/// Which pipeline it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Banner {
    /// Its name.
    pub name: String,
    /// Where it is: its folder, or its account, region and stack.
    pub place: String,
    /// Whether actions are refused.
    pub read_only: bool,
    /// A remark, such as that it is a demonstration.
    pub note: Option<String>,
    /// The colour of its name.
    pub colour: Option<Color>,
}

/// A pipeline, opened for the console.
pub struct Source {
    /// What can be seen and done.
    pub ops: Arc<Ops>,
    /// Its name and place.
    pub banner: Banner,
    /// Whether anything has changed.
    pub watch: Arc<dyn Watch>,
    /// The shortest time between two queries of a kind: seconds where queries cost money.
    pub min_interval: Duration,
}

/// The pipelines that can be switched to, by their names in the config file.
#[async_trait]
pub trait Environments: Send + Sync {
    /// Their names.
    fn names(&self) -> Vec<String>;

    /// Opens one.
    ///
    /// # Errors
    /// Why it cannot be opened.
    async fn open(&self, name: &str) -> Result<Source, Fault>;
}

/// No other pipelines.
pub struct NoEnvironments;

#[async_trait]
impl Environments for NoEnvironments {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn open(&self, name: &str) -> Result<Source, Fault> {
        let what = format!("there is no environment {:?}", outside::text::shorten(name, 60));
        Err(Fault::new(pipeline::Code::NoSuchEnvironment, what))
    }
}
