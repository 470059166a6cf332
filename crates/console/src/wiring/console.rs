//! What the console needs: an open pipeline, and access to the others of the config file.

use std::sync::Arc;

use async_trait::async_trait;
use ops::Access;
use pipeline::{
    Fault,
    ports::{Seen, Unwatched, Watch},
};

use super::{OpenPipeline, PipelineInfo, on_aws::Queues, open_place};
use tui::{Banner, Environments, Source};

use crate::config::{Config, Place};

impl From<OpenPipeline> for Source {
    fn from(opened: OpenPipeline) -> Self {
        let OpenPipeline { ops, facts, store, queues } = opened;
        let watch: Arc<dyn Watch> = match (store, queues) {
            (Some(store), _) => Arc::new(store),
            (None, Some(queues)) => Arc::new(StackWatch(queues)),
            (None, None) => Arc::new(Unwatched),
        };
        let place = facts.place();
        let min_interval = facts.site.refresh_every();
        let PipelineInfo { name, read_only, color: colour, .. } = facts;
        let banner = Banner { name, place, read_only, note: None, colour };
        Self { ops: Arc::new(ops), banner, watch, min_interval }
    }
}

/// A pipeline on AWS: changes cannot be detected without asking for everything.
struct StackWatch(Queues);

#[async_trait]
impl Watch for StackWatch {
    async fn look(&self) -> Result<Seen, Fault> {
        Ok(Seen::default())
    }

    async fn let_go(&self) {
        self.0.release_dead_letters().await;
    }
}

/// The environments of the config file, and the place that the console was started on.
pub struct ConfigEnvironments {
    /// The configuration.
    pub config: Config,
    /// What the flags allow: environments cannot allow more.
    pub access: Access,
    /// Where the console was started.
    pub start: Place,
}

#[async_trait]
impl Environments for ConfigEnvironments {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.config.environments().map(str::to_owned).collect();
        if !names.contains(&self.start.name) {
            names.push(self.start.name.clone());
        }
        names
    }

    async fn open(&self, name: &str) -> Result<Source, Fault> {
        let place = match name == self.start.name {
            true => self.start.clone(),
            false => self.config.environment(name)?,
        };
        Ok(open_place(&place, self.access).await?.into())
    }
}
