//! What happened in a run, in the order in which it happened.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A trace. Clones write to the same one; one that is switched off keeps nothing.
#[derive(Clone)]
pub struct Trace(Option<Arc<Mutex<String>>>);

impl Trace {
    /// A trace, enabled or not.
    pub fn new(enabled: bool) -> Self {
        Self(enabled.then(Arc::default))
    }

    /// Writes a line, made only where it is enabled.
    pub fn line(&self, at: Duration, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.0 {
            let (seconds, millis) = (at.as_secs(), at.subsec_millis());
            let line = line();
            let mut trace = trace.lock().unwrap();
            writeln!(
                trace,
                "{:02}:{:02}:{:02}.{millis:03} {line}",
                seconds / 3_600,
                seconds / 60 % 60,
                seconds % 60
            )
            .unwrap();
        }
    }

    /// Everything.
    pub fn text(&self) -> String {
        self.0.as_ref().map(|trace| trace.lock().unwrap().clone()).unwrap_or_default()
    }
}
