//! Where log lines go: into the store, and the serious ones to stderr as well.

use embedded::Store;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging. `LEADOPS_LOG` says what stderr shows, as in `info` or `warn,pipeline=debug`; only
/// warnings and errors where it is not set.
pub fn start(store: &Store) {
    let filter = EnvFilter::try_from_env("LEADOPS_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        // It would panic where stderr cannot be written; the store has the line as well.
        .log_internal_errors(false);
    // A second start, as in a test that runs two pipelines, changes nothing.
    let _ =
        tracing_subscriber::registry().with(store.log_layer()).with(stderr.with_filter(filter)).try_init();
}

/// Starts logging into the store alone.
pub fn start_quietly(store: &Store) {
    let _ = tracing_subscriber::registry().with(store.log_layer()).try_init();
}
