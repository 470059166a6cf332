//! Which store a folder has. No other file of this crate knows.

use std::{path::Path, sync::Arc};

use embedded::{Running, Storage};
use ops::{Access, Ops};
use pipeline::Fault;
use sqlite::{Options, Store};

/// Opens the store of a folder.
///
/// # Errors
/// [`pipeline::Code::NoPipeline`] where there is none, or why it cannot be opened.
pub fn open_store(folder: &Path) -> Result<Arc<dyn Storage>, Fault> {
    Ok(Arc::new(Store::open(folder, Options::default())?))
}

/// The operator's view of a store, with the settings of the `leadops up` that works on it, or did so last.
pub fn view(store: &Arc<dyn Storage>, running: Option<&Running>, access: Access) -> Ops {
    let settings = running.map(|running| running.settings.clone()).unwrap_or_default();
    embedded::view(store.clone(), Arc::new(settings), host::user(), access)
}

/// Opens the store of a folder, and creates folder and store where there are none.
///
/// # Errors
/// Why it cannot be opened or created.
pub fn create_store(folder: &Path) -> Result<Arc<dyn Storage>, Fault> {
    Ok(Arc::new(Store::open(folder, Options::creating())?))
}
