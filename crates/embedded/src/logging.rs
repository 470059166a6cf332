//! Where log lines go: into the store, and the serious ones to stderr as well.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};

use pipeline::{LogRecord, ports::LogSink};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::MakeWriter,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// How many lines wait for stderr at most. What comes on top is dropped and counted.
const WAITING: usize = 1_000;
/// How long the last lines may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Sees to it, when it is dropped, that stderr has all lines, if it takes any.
pub struct Logging(SyncSender<Waiting>);

/// Starts logging. `LEADOPS_LOG` says what stderr shows, as in `info` or `warn,pipeline=debug`; only
/// warnings and errors where it is not set.
pub fn start(sink: Arc<dyn LogSink>) -> Logging {
    let filter = EnvFilter::try_from_env("LEADOPS_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let (lines, waiting) = mpsc::sync_channel(WAITING);
    // Without it stderr shows nothing; the store has the lines as well.
    let _ = thread::Builder::new().name("stderr".to_owned()).spawn(move || print(&waiting));
    let logging = Logging(lines.clone());
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(Stderr { lines, dropped: AtomicUsize::new(0) })
        .with_target(false)
        .with_ansi(false)
        // It would panic where stderr cannot be written.
        .log_internal_errors(false);
    // A second start, as in a test that runs two pipelines, changes nothing.
    let _ = subscriber(sink).with(stderr.with_filter(filter)).try_init();
    logging
}

/// Starts logging into the store alone.
pub fn start_quietly(sink: Arc<dyn LogSink>) {
    let _ = subscriber(sink).try_init();
}

/// Passes all events with our field `function` on to a store, and warnings and errors of others.
pub fn subscriber(sink: Arc<dyn LogSink>) -> impl Subscriber + for<'span> LookupSpan<'span> + Send + Sync {
    tracing_subscriber::registry().with(ToStore(sink).with_filter(filter_fn(LogRecord::is_of)))
}

struct ToStore(Arc<dyn LogSink>);

impl<S: Subscriber> Layer<S> for ToStore {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(record) = LogRecord::of(event) {
            self.0.push(record);
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let (done, printed) = mpsc::sync_channel(1);
        // Where so many wait that this does not fit, nobody reads them.
        if self.0.try_send(Waiting::End(done)).is_ok() {
            let _ = printed.recv_timeout(FAREWELL);
        }
    }
}

/// What waits for stderr.
enum Waiting {
    Line(Vec<u8>),
    /// Says that all before it are printed.
    End(SyncSender<()>),
}

/// Prints what waits. A pipe that is full and that nobody reads, or a terminal that was stopped with ctrl-s,
/// keeps this thread waiting and no other.
fn print(waiting: &mpsc::Receiver<Waiting>) {
    for next in waiting {
        match next {
            // Where it cannot be written there is nobody to hear of that.
            Waiting::Line(line) => {
                let _ = io::stderr().write_all(&line);
            }
            Waiting::End(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

/// Takes lines for stderr without ever waiting.
struct Stderr {
    lines: SyncSender<Waiting>,
    dropped: AtomicUsize,
}

impl Write for &Stderr {
    /// Takes a line: the layer writes each at once. What is said of a request or a lead in it steers no terminal.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let mut text = Vec::with_capacity(line.len());
        if dropped > 0 {
            text.extend(format!("{dropped} lines were dropped, as nobody read them\n").into_bytes());
        }
        let said = String::from_utf8_lossy(line);
        text.extend(outside::text::printable(said.trim_end_matches('\n')).as_bytes());
        text.push(b'\n');
        if self.lines.try_send(Waiting::Line(text)).is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_steers_nothing() {
        let (lines, waiting) = mpsc::sync_channel(1);
        let stderr = Stderr { lines, dropped: AtomicUsize::new(0) };
        let said = "WARN refused\u{1b}[2J\u{9b}31m\u{202e}\r\nleadops: all is well\n";
        assert_eq!((&stderr).write(said.as_bytes()).unwrap(), said.len());
        // There is room for one.
        assert_eq!((&stderr).write(said.as_bytes()).unwrap(), said.len());
        let next = || match waiting.try_recv().unwrap() {
            Waiting::Line(line) => String::from_utf8(line).unwrap(),
            Waiting::End(_) => panic!("nobody asked for it"),
        };
        let printed = "WARN refused [2J 31m  leadops: all is well\n";
        assert_eq!(next(), printed);
        assert_eq!((&stderr).write(said.as_bytes()).unwrap(), said.len());
        assert_eq!(next(), format!("1 lines were dropped, as nobody read them\n{printed}"));
    }
}
