//! The console with a clock that panics after a while: for the test that a bug leaves the terminal restored.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;

use lead::Timestamp;
use pipeline::{Settings, ports::Clock};
use sqlite::{Options, Store};
use system::SystemClock;

/// How often the time can be asked for before it breaks: some seconds of the console's life.
const READINGS: usize = 40;

struct BreakingClock(AtomicUsize);

#[async_trait]
impl Clock for BreakingClock {
    fn now(&self) -> Timestamp {
        let readings = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(readings < READINGS, "the clock broke on purpose");
        SystemClock.now()
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    let store = Store::open(Path::new(&folder), Options::creating())?;
    let mut ops = embedded::view(
        Arc::new(store.clone()),
        Arc::new(Settings::default()),
        host::user(),
        ops::Access::Full,
    );
    ops.recorder.clock = Arc::new(BreakingClock(AtomicUsize::new(0)));
    let banner = tui::Banner { name: "breaking".to_owned(), place: folder, ..tui::Banner::default() };
    let watch = Arc::new(store.clone());
    let source = tui::Source { ops: Arc::new(ops), banner, watch, min_interval: Duration::ZERO };
    tui::run(source, Arc::new(tui::NoEnvironments), tui::Options::default()).await
}
