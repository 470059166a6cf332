//! Where the console's pipelines come from: what wiring gives it for each place.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ops::Ops;
use pipeline::Fault;
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
    /// A word on it, such as that it is a demonstration.
    pub note: Option<String>,
    /// The colour of its name.
    pub colour: Option<Color>,
}

/// A pipeline, opened for the console.
pub struct Source {
    /// What can be seen and done.
    pub ops: Arc<Ops>,
    /// What it is called.
    pub banner: Banner,
    /// Whether anything has changed.
    pub watch: Arc<dyn Watch>,
    /// The shortest time between two questions of a kind: where questions cost money, seconds.
    pub every: Duration,
}

/// What a cheap look shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Another number after every change; `None` where the place cannot tell.
    pub version: Option<u64>,
    /// Whether anybody works the queues; `None` where that cannot be told.
    pub worked: Option<bool>,
}

/// A cheap look at a pipeline, so that nothing is read again that has not changed.
#[async_trait]
pub trait Watch: Send + Sync {
    /// Looks.
    ///
    /// # Errors
    /// Where the pipeline itself is gone.
    async fn look(&self) -> Result<Seen, Fault>;

    /// The console ends, or looks at another pipeline: gives back what was taken for a look.
    async fn let_go(&self) {}
}

/// For places that cannot tell.
pub struct Unwatched;

#[async_trait]
impl Watch for Unwatched {
    async fn look(&self) -> Result<Seen, Fault> {
        Ok(Seen::default())
    }
}

#[async_trait]
impl Watch for embedded::Store {
    async fn look(&self) -> Result<Seen, Fault> {
        let glance = self.glance().await?;
        Ok(Seen { version: Some(glance.version), worked: Some(glance.worked) })
    }
}

/// The pipelines that can be switched to, by their names in the config file.
#[async_trait]
pub trait Places: Send + Sync {
    /// Their names.
    fn names(&self) -> Vec<String>;

    /// Opens one.
    ///
    /// # Errors
    /// Why it cannot be opened.
    async fn open(&self, name: &str) -> Result<Source, Fault>;
}

/// None at all.
pub struct Nowhere;

#[async_trait]
impl Places for Nowhere {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn open(&self, name: &str) -> Result<Source, Fault> {
        let what = format!("there is no environment {:?}", lead::text::shorten(name, 60));
        Err(Fault::new(pipeline::Code::NoSuchEnvironment, what))
    }
}
