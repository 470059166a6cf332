//! [`Logs`](pipeline::ports::Logs).

use pipeline::{
    Function,
    ports::{Level, LogLine, LogQuery},
};
use serde_json::json;

use super::{SECOND, Subject, lead};

/// Writes a line a second, each with its number as message.
fn write(subject: &Subject, function: Function, level: Level, lead_id: Option<&str>, message: &str) {
    (subject.log)(LogLine {
        cursor: String::new(),
        at: subject.now(),
        function: function.as_str().to_owned(),
        level,
        message: message.to_owned(),
        lead_id: lead_id.map(|name| lead(name).to_string()),
        code: None,
        fields: serde_json::Map::new(),
    });
    subject.pass(SECOND);
}

fn fill(subject: &Subject) {
    use Function::{LeadProcessor, Notification, WebhookIngestion};
    write(subject, WebhookIngestion, Level::Info, Some("a"), "0");
    write(subject, WebhookIngestion, Level::Warn, None, "1");
    write(subject, LeadProcessor, Level::Debug, Some("a"), "2");
    write(subject, LeadProcessor, Level::Info, Some("b"), "3");
    write(subject, Notification, Level::Error, Some("a"), "4");
    write(subject, Notification, Level::Info, Some("aa"), "5");
}

async fn messages(subject: &Subject, query: LogQuery) -> String {
    let lines = subject.logs.lines(&query).await.unwrap();
    lines.into_iter().map(|line| line.message).collect()
}

fn all() -> LogQuery {
    LogQuery { limit: 100, ..LogQuery::default() }
}

/// The end of the log, in the order in which it was written.
pub async fn without_a_cursor_the_newest_come_the_oldest_first(subject: Subject) {
    assert_eq!(messages(&subject, all()).await, "");
    fill(&subject);
    assert_eq!(messages(&subject, all()).await, "012345");
    assert_eq!(messages(&subject, LogQuery { limit: 2, ..all() }).await, "45");
}

/// Function, lead, level or a more serious one, and time, that time itself included.
pub async fn each_filter_restricts(subject: Subject) {
    let start = subject.now();
    fill(&subject);
    for (query, expected) in [
        (LogQuery { function: Some(Function::LeadProcessor), ..all() }, "23"),
        (LogQuery { function: Some(Function::Operator), ..all() }, ""),
        (LogQuery { lead: Some(lead("a")), ..all() }, "024"),
        (LogQuery { lead: Some(lead("c")), ..all() }, ""),
        (LogQuery { level: Some(Level::Debug), ..all() }, "012345"),
        (LogQuery { level: Some(Level::Info), ..all() }, "01345"),
        (LogQuery { level: Some(Level::Warn), ..all() }, "14"),
        (LogQuery { level: Some(Level::Error), ..all() }, "4"),
        (LogQuery { since: Some(start + SECOND * 4), ..all() }, "45"),
    ] {
        assert_eq!(messages(&subject, query.clone()).await, expected, "{query:?}");
    }
}

/// And the limit counts what is left.
pub async fn filters_are_joined_with_and(subject: Subject) {
    let start = subject.now();
    fill(&subject);
    let query = LogQuery {
        lead: Some(lead("a")),
        level: Some(Level::Info),
        since: Some(start + SECOND),
        function: Some(Function::Notification),
        ..all()
    };
    assert_eq!(messages(&subject, query).await, "4");
    assert_eq!(messages(&subject, LogQuery { lead: Some(lead("a")), limit: 2, ..all() }).await, "24");
}

/// The first lines behind it, page by page, with filters and without; at the end nothing, until a new
/// line is written.
pub async fn following_goes_on_behind_the_cursor_and_misses_none(subject: Subject) {
    fill(&subject);
    for (lead_id, expected) in [(None, "12345"), (Some(lead("a")), "24")] {
        let first = subject.logs.lines(&all()).await.unwrap().remove(0);
        let mut query =
            LogQuery { lead: lead_id, after: Some(first.cursor), limit: 2, ..LogQuery::default() };
        let mut followed = String::new();
        loop {
            let page = subject.logs.lines(&query).await.unwrap();
            let Some(last) = page.last() else { break };
            query.after = Some(last.cursor.clone());
            followed.extend(page.iter().map(|line| line.message.as_str()));
        }
        assert_eq!(followed, expected);
    }
    let last = subject.logs.lines(&all()).await.unwrap().pop().unwrap();
    let query = LogQuery { after: Some(last.cursor), ..all() };
    assert_eq!(messages(&subject, query.clone()).await, "");
    write(&subject, Function::LeadProcessor, Level::Info, None, "6");
    assert_eq!(messages(&subject, query).await, "6");
}

/// Code, text of any kind, and whatever else was logged.
pub async fn lines_keep_their_fields(subject: Subject) {
    let written = LogLine {
        cursor: String::new(),
        at: subject.now(),
        function: Function::Notification.as_str().to_owned(),
        level: Level::Error,
        message: "it's 株 \"quoted\" 🚀".to_owned(),
        lead_id: Some("lead_a".to_owned()),
        code: Some("LO204".to_owned()),
        fields: serde_json::from_value(json!({"attempt": 3, "url": "x"})).unwrap(),
    };
    (subject.log)(written.clone());
    let mut lines = subject.logs.lines(&all()).await.unwrap();
    let line = lines.remove(0);
    assert!(!line.cursor.is_empty());
    assert_eq!(line, LogLine { cursor: line.cursor.clone(), ..written });
}
