//! The demo as the console shows it.

use std::{sync::Arc, time::Duration};

use sqlite::Store;

/// The console's view of the demo.
pub(crate) fn watched(ops: Arc<ops::Ops>, store: &Store) -> tui::Source {
    let banner = tui::Banner {
        name: "demo".to_owned(),
        place: "a throw-away folder".to_owned(),
        note: Some("sample leads, local Slack and Close".to_owned()),
        ..tui::Banner::default()
    };
    tui::Source { ops, banner, watch: Arc::new(store.clone()), min_interval: Duration::ZERO }
}
