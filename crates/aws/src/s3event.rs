//! S3's notifications to the delay queue about raw events.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use std::time::Duration;

use jiff::SignedDuration;
use lead::{Timestamp, keys};
use outside::text;
use pipeline::job::{Cause, ProcessJob};
use serde::Deserialize;

/// What a message of the delay queue is to S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// S3's test, which it sends when the notification is set up. Nothing to do.
    Test,
    /// Word of objects that were written: for each the job, or why there is none.
    Jobs(Vec<Result<ProcessJob, String>>),
    /// Nothing of S3's.
    NotS3,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    event: Option<String>,
    service: Option<String>,
    records: Option<Vec<serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_version: String,
    event_source: String,
    event_time: Option<String>,
    event_name: String,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Named,
    object: Keyed,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Keyed {
    key: String,
}

/// Reads a message's body. A lead is due `delay` after its object was written, or when its message was
/// `received` where no delay is known.
pub fn read(
    body: &str,
    bucket: &str,
    source_prefix: &str,
    delay: Option<Duration>,
    received: Timestamp,
) -> Body {
    let Ok(message) = serde_json::from_str::<Message>(body) else { return Body::NotS3 };
    if message.event.as_deref() == Some("s3:TestEvent") && message.service.as_deref() == Some("Amazon S3") {
        return Body::Test;
    }
    let Some(records) = message.records.filter(|records| !records.is_empty()) else { return Body::NotS3 };
    let jobs = records.into_iter().map(|record| {
        let record: Record = serde_json::from_value(record)
            .map_err(|error| format!("no record of S3's: {}", text::shorten(&error.to_string(), 200)))?;
        job(&record, bucket, source_prefix, delay, received)
    });
    Body::Jobs(jobs.collect())
}

fn job(
    record: &Record,
    bucket: &str,
    source_prefix: &str,
    delay: Option<Duration>,
    received: Timestamp,
) -> Result<ProcessJob, String> {
    let shown = |text: &str| text::shorten(text, 120);
    if record.event_source != "aws:s3" {
        return Err(format!("an event of {:?}, not of aws:s3", shown(&record.event_source)));
    }
    // A new minor version only adds: only a new major one may change what is read here.
    if !record.event_version.starts_with("2.") {
        return Err(format!("an S3 event of version {:?}, not 2", shown(&record.event_version)));
    }
    if !record.event_name.starts_with("ObjectCreated:") {
        return Err(format!(
            "an S3 event {:?}, not of an object that was written",
            shown(&record.event_name)
        ));
    }
    if record.s3.bucket.name != bucket {
        return Err(format!("an event of the bucket {:?}, not of {bucket}", shown(&record.s3.bucket.name)));
    }
    let Some(key) = decoded(&record.s3.object.key) else {
        return Err(format!("the key {:?} is not encoded as S3 does it", shown(&record.s3.object.key)));
    };
    let Some(lead_id) = keys::lead_of_raw(source_prefix, &key) else {
        return Err(format!("{:?} is not a key of a raw event", shown(&key)));
    };
    let written = record.event_time.as_deref().and_then(outside::parse_time);
    let due = written
        .zip(delay)
        .and_then(|(written, delay)| written.checked_add(SignedDuration::try_from(delay).ok()?).ok());
    Ok(ProcessJob::new(lead_id, key, due.unwrap_or(received), Cause::Arrival))
}

/// Decodes a key from the form encoding of S3's notification: `+` is a space, `%XX` a byte.
pub(crate) fn decoded(key: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const LEAD: &str = "lead_YeOvwVn9XDXT4sNWmWZQargtcJoaCKMuFOzIf1cAATp";

    fn record(key: &str) -> Value {
        json!({
            "eventVersion": "2.6", "eventSource": "aws:s3", "eventTime": "2026-09-14T15:02:12.913Z",
            "eventName": "ObjectCreated:Put", "awsRegion": "x",
            "s3": {"bucket": {"name": "leads", "arn": "x"}, "object": {"key": key, "size": 1, "sequencer": "0A"}},
        })
    }

    fn jobs(records: Value) -> Vec<Result<ProcessJob, String>> {
        let delay = Some(Duration::from_secs(600));
        let body = json!({"Records": records}).to_string();
        match read(&body, "leads", "source/", delay, Timestamp::UNIX_EPOCH) {
            Body::Jobs(jobs) => jobs,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_record_is_a_job_due_after_the_delay() {
        let found = jobs(json!([
            record(&format!("source/crm_event_{LEAD}.json")),
            record("source%2Fcrm_event_lead_a.json"),
        ]));
        let first = found[0].as_ref().unwrap();
        assert_eq!((first.lead_id.as_str(), first.cause), (LEAD, Cause::Arrival));
        assert_eq!(first.not_before.to_string(), "2026-09-14T15:12:12.913Z");
        assert_eq!(found[1].as_ref().unwrap().key, "source/crm_event_lead_a.json");
    }

    #[test]
    fn without_a_delay_a_lead_is_due_when_its_message_comes() {
        let received = Timestamp::from_second(7).unwrap();
        let body = json!({"Records": [record("source/crm_event_lead_a.json")]}).to_string();
        let Body::Jobs(jobs) = read(&body, "leads", "source/", None, received) else { panic!() };
        assert_eq!(jobs[0].as_ref().unwrap().not_before, received);
    }

    #[test]
    fn each_bad_record_says_why_and_leaves_the_others_alone() {
        let change = |pointer: &str, value: Value| {
            let mut record = record("source/crm_event_lead_a.json");
            *record.pointer_mut(pointer).unwrap() = value;
            record
        };
        let found = jobs(json!([
            record("source/crm_event_lead+with+space%2Band%C3%A9.json"),
            change("/s3/bucket/name", json!("other")),
            change("/eventVersion", json!("3.0")),
            change("/eventName", json!("ObjectRemoved:Delete")),
            change("/eventSource", json!("aws:ses")),
            change("/s3/object/key", json!("elsewhere/crm_event_lead_a.json")),
            change("/s3/object/key", json!("source/crm_event_lead_a.json%4")),
            json!("no record"),
            record("source/crm_event_lead_a.json"),
        ]));
        let reasons: Vec<&str> =
            found.iter().map(|job| job.as_ref().map_or_else(String::as_str, |_| "")).collect();
        for (reason, part) in reasons.iter().zip([
            "lead with space+andé",
            "other",
            "3.0",
            "Removed",
            "aws:ses",
            "elsewhere",
            "encoded",
            "record",
            "",
        ]) {
            assert!(reason.contains(part) && (part.is_empty() == reason.is_empty()), "{reason}: {part}");
        }
    }

    #[test]
    fn s3s_test_is_known_and_what_is_not_s3s_is_left_to_others() {
        let read = |body: &str| read(body, "leads", "source/", None, Timestamp::UNIX_EPOCH);
        let test = r#"{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "leads"}"#;
        assert_eq!(read(test), Body::Test);
        for body in
            ["this is not json", "", "[]", "{}", "7", r#"{"Records": []}"#, r#"{"lead_id": "lead_a"}"#]
        {
            assert_eq!(read(body), Body::NotS3, "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(body in any::<String>(), key in any::<String>()) {
            let record = json!({"Records": [record(&key)]}).to_string();
            for body in [body, record] {
                let _ = read(&body, "leads", "source/", Some(Duration::MAX), Timestamp::MAX);
            }
        }
    }
}
