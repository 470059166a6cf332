//! Opening the pipeline of a place, in a folder or on AWS.

use std::{sync::Arc, time::Duration};

use embedded::Running;
use ops::{Access, Ops};
use pipeline::{Fault, ports::Watch};
use tui::Banner;

use super::{on_aws, store::open_store};
use crate::config::{Location, Place};

/// An open pipeline.
pub struct OpenPipeline {
    /// The operator's view.
    pub ops: Ops,
    /// Its name and place.
    pub banner: Banner,
    /// Whether anything has changed.
    pub(super) watch: Arc<dyn Watch>,
    /// How often to repeat the same query at most, as AWS bills requests; the README says what that costs.
    pub(super) refresh_every: Duration,
    /// How often to poll for new log lines: CloudWatch takes seconds to have them, and bills requests.
    pub look_every: Duration,
}

impl OpenPipeline {
    /// Releases what was received for display, before the process ends: on AWS, dead letters that are briefly
    /// invisible to others.
    pub async fn close(self) {
        self.watch.let_go().await;
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
            let settings = Running::read(&*store).await?.map(|running| running.settings).unwrap_or_default();
            Ok(OpenPipeline {
                ops: embedded::view(store.clone(), Arc::new(settings), host::user(), access),
                banner: banner(place, access, folder.display().to_string()),
                watch: store,
                refresh_every: Duration::ZERO,
                look_every: Duration::from_millis(500),
            })
        }
        Location::Stack(stack) => Ok(on_aws(stack).await?.open(place, access)),
    }
}
