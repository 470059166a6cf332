//! Log lines of a function: one JSON object a line on stdout, as CloudWatch Logs takes them.

use std::io::{self, Write as _};

use lead::Timestamp;
use pipeline::{Code, Function, LogRecord, ports::Level, recorder};
use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::{Layer, filter::filter_fn, layer::Context, layer::SubscriberExt, registry};

tokio::task_local! {
    /// The request that is being handled.
    static REQUEST: String;
}

/// Sends whatever is logged from now on to stdout, panics included.
pub fn start(function: Function) {
    // A second start changes nothing.
    let _ = tracing::subscriber::set_global_default(
        registry().with(Lines.with_filter(filter_fn(LogRecord::is_of))),
    );
    std::panic::set_hook(Box::new(move |panic| {
        let at = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        let message = format!("panic{at}: {}", panic.payload_as_str().unwrap_or("without a message"));
        recorder::line(function, Level::Error, &message, None, Some(Code::Internal.as_str()));
    }));
}

/// Runs `work` with the request's id in its log lines.
pub async fn in_request<T>(request_id: String, work: impl Future<Output = T>) -> T {
    REQUEST.scope(request_id, work).await
}

/// Writes a line to stdout, at once and in one piece.
pub fn print(line: &str) {
    let mut stdout = io::stdout().lock();
    // A failure of stdout cannot be reported anywhere.
    let _ = stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush());
}

struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(logged) = LogRecord::of(event) else { return };
        let request = REQUEST.try_with(Clone::clone).ok();
        print(&line(Timestamp::now(), logged, request));
    }
}

/// One line. `timestamp`, `level` and `message` are the names that Lambda's own JSON lines have:
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.
fn line(at: Timestamp, logged: LogRecord, request: Option<String>) -> String {
    let LogRecord { level, function, lead_id, code, message, fields } = logged;
    let mut line = Map::new();
    let ours = [
        ("timestamp", Some(format!("{at:.3}"))),
        ("level", Some(level.as_str().to_owned())),
        ("function", Some(function)),
        ("message", Some(message)),
        ("request_id", request),
        ("lead_id", lead_id),
        ("code", code),
    ];
    line.extend(ours.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    for (name, value) in fields {
        line.entry(name).or_insert(value);
    }
    Value::Object(line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object_whatever_is_said() {
        let logged = LogRecord {
            level: Level::Warn,
            function: "lead-processor".to_owned(),
            lead_id: Some("lead_a".to_owned()),
            code: None,
            message: "two\nlines \"quoted\"".to_owned(),
            fields: Map::from_iter([("level".to_owned(), "FAKE".into()), ("attempt".to_owned(), 2.into())]),
        };
        let at = Timestamp::from_millisecond(1_789_398_131_642).unwrap();
        let line = line(at, logged, Some("r1".to_owned()));
        assert!(!line.contains('\n'));
        let expected = serde_json::json!({
            "timestamp": "2026-09-14T15:02:11.642Z", "level": "WARN", "function": "lead-processor",
            "message": "two\nlines \"quoted\"", "request_id": "r1", "lead_id": "lead_a", "attempt": 2,
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }
}
