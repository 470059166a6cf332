//! Opening the pipeline of a place, in a folder or on AWS.

use std::{sync::Arc, time::Duration};

use embedded::Running;
use ops::Access;
use pipeline::Fault;
use tui::{Banner, Source};

use super::{
    on_aws,
    store::{open_store, view},
};
use crate::config::{Location, Place};

/// An open pipeline.
pub struct OpenPipeline {
    /// What the console shows.
    pub source: Source,
    /// How often to poll for new log lines.
    pub look_every: Duration,
}

impl OpenPipeline {
    /// Releases what was received for display, before the process ends: on AWS, dead letters that are briefly
    /// invisible to others.
    pub async fn close(self) {
        self.source.watch.let_go().await;
    }
}

/// The header of a pipeline that is `at` this place.
pub(super) fn banner(place: &Place, access: Access, at: String) -> Banner {
    let colour = place.color.as_deref().and_then(|color| color.parse().ok());
    Banner { name: place.name.clone(), place: at, read_only: access == Access::ReadOnly, note: None, colour }
}

/// Opens the pipeline of a place; `access` becomes read-only if the place is.
///
/// On AWS this asks CloudFormation and STS concurrently, each bounded by the timeouts of `aws`.
///
/// # Errors
/// [`pipeline::Code::NoPipeline`] or why the folder cannot be opened; or as [`on_aws`].
pub async fn open_place(place: &Place, access: Access) -> Result<OpenPipeline, Fault> {
    let access = if place.read_only { Access::ReadOnly } else { access };
    match &place.at {
        Location::Folder(folder) => {
            let store = open_store(folder)?;
            let running = Running::read(&*store).await?;
            let source = Source {
                ops: Arc::new(view(&store, running.as_ref(), access)),
                banner: banner(place, access, folder.display().to_string()),
                watch: store,
                min_interval: Duration::ZERO,
            };
            Ok(OpenPipeline { source, look_every: Duration::from_millis(500) })
        }
        Location::Stack(stack) => Ok(on_aws(stack).await?.open(place, access)),
    }
}
