//! What the console needs: an open pipeline, and access to the others of the config file.

use async_trait::async_trait;
use ops::Access;
use pipeline::Fault;
use tui::{Environments, Source};

use super::open_place;
use crate::config::{Config, Place};

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
        let mut names: Vec<String> = self.config.environments.keys().cloned().collect();
        if !names.contains(&self.start.name) {
            names.push(self.start.name.clone());
        }
        names
    }

    async fn open(&self, name: &str) -> Result<Source, Fault> {
        let place =
            if name == self.start.name { self.start.clone() } else { self.config.environment(name)? };
        Ok(open_place(&place, self.access).await?.source)
    }
}
