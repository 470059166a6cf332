//! Log lines as CloudWatch stores them: our own JSON, and Lambda's own lines.

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use outside::text;
use pipeline::{
    Function,
    ports::{Level, LogLine},
};
use serde_json::{Map, Value};

use super::found::Found;

/// How many characters of a message and of a field are shown, and how many fields.
const LONGEST_MESSAGE: usize = 2_000;
const LONGEST_FIELD: usize = 500;
const MOST_FIELDS: usize = 16;

/// How Lambda's own lines about the normal course of things begin.
const CHATTER: [&str; 8] =
    ["START ", "END ", "REPORT ", "INIT_START ", "INIT_REPORT ", "EXTENSION", "TELEMETRY", "XRAY "];
/// What marks a line, of Lambda's or of a crashing program's, as an error.
const ALARMING: [&str; 7] = [
    "Task timed out",
    "Status: timeout",
    "Status: error",
    "Runtime.",
    "Runtime exited",
    "panicked at",
    "Error Type:",
];

/// The line in an event. `None` for metrics in the embedded metric format, which are for CloudWatch, and for
/// an empty line.
pub(super) fn found(function: Function, event: FilteredLogEvent) -> Option<Found> {
    let at = event.timestamp?;
    let message = event.message?;
    let message = message.trim();
    let line = match serde_json::from_str::<Map<String, Value>>(message) {
        Ok(fields) if fields.contains_key("_aws") => return None,
        Ok(fields) if is_platform(&fields) => platform(function, at, &fields),
        Ok(fields) => parse_own_line(function, at, fields),
        Err(_) if message.is_empty() => return None,
        Err(_) => plain(function, at, message),
    };
    Some(Found { at, id: event.event_id.unwrap_or_default(), line })
}

/// A line that a program wrote as JSON.
fn parse_own_line(function: Function, at: i64, mut fields: Map<String, Value>) -> LogLine {
    let mut take = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        Some(other) => {
            // Not the kind of value that we write under this name.
            fields.insert(name.to_owned(), other);
            None
        }
        None => None,
    };
    let time = take("timestamp").and_then(|time| outside::parse_time(&time));
    let level = take("level").map_or(Level::Info, |level| level_of(&level));
    let (lead_id, code) = (take("lead_id"), take("code"));
    let written_by = take("function");
    let message = take("message");
    let message = message.unwrap_or_else(|| Value::Object(fields.clone()).to_string());
    let bounded =
        fields.into_iter().take(MOST_FIELDS).map(|(name, value)| (text::shorten(&name, 60), bound(value)));
    LogLine {
        function: written_by.map_or_else(|| function.as_str().to_owned(), |name| text::shorten(&name, 60)),
        at: time.unwrap_or_else(|| outside::from_millis(at)),
        level,
        lead_id: lead_id.map(|lead| text::shorten(&lead, 80)),
        code: code.map(|code| text::shorten(&code, 20)),
        fields: bounded.collect(),
        ..line(function, at, &message)
    }
}

fn bound(value: Value) -> Value {
    match value {
        Value::String(value) => text::shorten(&value, LONGEST_FIELD).into(),
        Value::Object(_) | Value::Array(_) => text::shorten(&value.to_string(), LONGEST_FIELD).into(),
        plain => plain,
    }
}

fn level_of(name: &str) -> Level {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" | "DEBUG" => Level::Debug,
        "WARN" | "WARNING" => Level::Warn,
        "ERROR" | "FATAL" | "CRITICAL" => Level::Error,
        _ => Level::Info,
    }
}

/// Lambda's own lines where they are JSON:
/// <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>.
fn is_platform(fields: &Map<String, Value>) -> bool {
    fields.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("platform."))
}

fn platform(function: Function, at: i64, fields: &Map<String, Value>) -> LogLine {
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    let record = fields.get("record");
    let of_record = |name: &str| record.and_then(|record| record.get(name)?.as_str());
    let status = of_record("status").unwrap_or("success");
    let error = of_record("errorType").map_or_else(String::new, |error| format!(", {error}"));
    let mut line = line(function, at, &format!("{kind}: {status}{error}"));
    line.level = if status == "success" { Level::Debug } else { Level::Error };
    with_request(line, of_record("requestId"))
}

/// Any other line.
fn plain(function: Function, at: i64, message: &str) -> LogLine {
    let mut line = line(function, at, message);
    line.level = if ALARMING.iter().any(|part| message.contains(part)) {
        Level::Error
    } else if CHATTER.iter().any(|start| message.starts_with(start)) {
        Level::Debug
    } else {
        Level::Info
    };
    let request = message.split_once("RequestId: ").and_then(|(_, rest)| rest.split_whitespace().next());
    with_request(line, request)
}

fn with_request(mut line: LogLine, request: Option<&str>) -> LogLine {
    if let Some(request) = request {
        line.fields.insert("request_id".to_owned(), text::shorten(request, 80).into());
    }
    line
}

/// A line of which no more is known.
pub(super) fn line(function: Function, at: i64, message: &str) -> LogLine {
    LogLine {
        cursor: String::new(),
        at: outside::from_millis(at),
        function: function.as_str().to_owned(),
        level: Level::Info,
        message: text::shorten(message, LONGEST_MESSAGE),
        lead_id: None,
        code: None,
        fields: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(message: &str) -> Option<LogLine> {
        let event = FilteredLogEvent::builder().timestamp(1_789_398_131_642).message(message).event_id("e");
        found(Function::LeadProcessor, event.build()).map(|found| found.line)
    }

    #[test]
    fn our_lines_are_read_back() {
        let line = read(&json!({
            "timestamp": "2026-09-14T15:02:11.642Z", "level": "WARN", "function": "lead-processor",
            "message": "two\nlines", "request_id": "r1", "lead_id": "lead_a", "code": "LO122", "attempt": 2,
        }).to_string()).unwrap();
        assert_eq!(line.at.as_millisecond(), 1_789_398_131_642);
        assert_eq!((line.level, line.message.as_str()), (Level::Warn, "two lines"));
        assert_eq!((line.lead_id.as_deref(), line.code.as_deref()), (Some("lead_a"), Some("LO122")));
        assert_eq!(Value::Object(line.fields), json!({"request_id": "r1", "attempt": 2}));
    }

    #[test]
    fn figures_are_no_lines() {
        assert!(read("{\"_aws\":{\"Timestamp\":1},\"Accepted\":1}").is_none());
        assert!(read(" \n").is_none());
    }

    #[test]
    fn what_lambda_says_has_a_level_and_its_request() {
        let id = "1b2c3d4e-0000-4000-8000-000000000000";
        for (message, level) in [
            (format!("START RequestId: {id} Version: $LATEST\n"), Level::Debug),
            (format!("REPORT RequestId: {id}\tDuration: 3.1 ms\tBilled Duration: 4 ms"), Level::Debug),
            (format!("REPORT RequestId: {id}\tDuration: 30000.00 ms\tStatus: timeout"), Level::Error),
            (format!("2026-09-14T15:02:11.642Z {id} Task timed out after 30.03 seconds"), Level::Error),
            (
                format!(
                    "RequestId: {id} Error: Runtime exited with error: exit status 101\nRuntime.ExitError"
                ),
                Level::Error,
            ),
            ("thread 'main' panicked at src/main.rs:3:5:".to_owned(), Level::Error),
            ("a line of a library".to_owned(), Level::Info),
            (
                json!({"time": "x", "type": "platform.start", "record": {"requestId": id}}).to_string(),
                Level::Debug,
            ),
            (
                json!({"type": "platform.report", "record": {"requestId": id, "status": "timeout"}})
                    .to_string(),
                Level::Error,
            ),
        ] {
            let line = read(&message).unwrap();
            assert_eq!(line.level, level, "{message}");
            assert_eq!(line.function, "lead-processor");
            if message.contains("equestId") {
                assert_eq!(line.fields.get("request_id").and_then(Value::as_str), Some(id), "{message}");
            }
        }
    }

    #[test]
    fn what_is_hostile_or_long_is_made_harmless() {
        let line = read(&format!("\u{1b}[31m{}", "x".repeat(100_000))).unwrap();
        assert!(line.message.starts_with("[31mx") && line.message.chars().count() <= LONGEST_MESSAGE);
        let many: Map<String, Value> = (0..100).map(|number| (number.to_string(), "y".into())).collect();
        assert_eq!(read(&Value::Object(many).to_string()).unwrap().fields.len(), MOST_FIELDS);
        assert_eq!(read("{\"level\":7,\"message\":\"m\"}").unwrap().level, Level::Info);
    }
}
