//! Messages of the queues: SQS batches, S3 events, jobs, journal keys.

use std::{collections::HashSet, time::Duration};

use aws::s3event::{self, Body};
use aws_lambda_events::sqs::SqsEvent;
use lambdas::batch::{Report, deliveries};
use lead::{Timestamp, keys};
use pipeline::job::{AlertJob, ProcessJob, lead_in};
use serde_json::json;

use super::readable;

/// How long a line about a bad message may be.
const LONGEST: usize = 400;

/// * A batch fails as a whole only for want of a message id; a report names each failed message once.
/// * A job that is read names a lead and a key of that lead's raw event, and survives a round trip;
///   what is none says why in one harmless line.
pub fn envelopes(data: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<SqsEvent>(data) {
        let nameless = event.records.iter().any(|m| m.message_id.as_deref().unwrap_or_default().is_empty());
        match deliveries(event) {
            Ok(found) => {
                assert!(!nameless && found.iter().all(|delivery| delivery.receives > 0));
                let ids: HashSet<&str> = found.iter().map(|delivery| delivery.id.as_str()).collect();
                let report = serde_json::to_value(Report::of(found.iter().map(|d| d.id.clone()))).unwrap();
                let failures = report["batchItemFailures"].as_array().unwrap();
                let reported: HashSet<&str> =
                    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
                assert_eq!((failures.len(), &reported), (ids.len(), &ids));
                found.iter().for_each(|delivery| message(&delivery.body));
            }
            Err(_) => assert!(nameless),
        }
    }
    let text = String::from_utf8_lossy(data);
    message(&text);
    if let Some(key) = keys::JournalKey::parse(&text) {
        // The same time again where it is one that an entry can have.
        if key.at >= Timestamp::UNIX_EPOCH {
            assert_eq!(keys::JournalKey::parse(&key.to_key()), Some(key));
        }
    }
    if let Some(lead) = keys::lead_of_raw("source/", &text) {
        assert_eq!(keys::raw("source/", &lead), *text);
    }
    let copy = keys::deleted(&text);
    assert!(copy.bytes().filter(|byte| *byte == b'/').count() == 1 && !copy.contains(".."), "{copy}");
    assert!(copy.len() <= 256);
    // The text as the key of an object, as S3 names it.
    message(
        &json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "eventTime": "2026-09-14T15:02:12.913Z",
            "s3": {"bucket": {"name": "leads"}, "object": {"key": text}},
        }]})
        .to_string(),
    );
}

fn message(body: &str) {
    let received = Timestamp::from_second(1_789_398_131).unwrap();
    let delay = Some(Duration::from_secs(600));
    match s3event::read(body, "leads", "source/", delay, received) {
        Body::Jobs(jobs) => {
            assert!(!jobs.is_empty());
            for job in jobs {
                match job {
                    Ok(job) => {
                        assert_eq!(keys::lead_of_raw("source/", &job.key), Some(job.lead_id.clone()));
                        round_trip(&job);
                    }
                    Err(why) => readable(&why, LONGEST),
                }
            }
        }
        Body::Test | Body::NotS3 => {}
    }
    match ProcessJob::parse(body) {
        Ok(job) => {
            assert_eq!(lead_in(body).as_ref(), Some(&job.lead_id));
            round_trip(&job);
        }
        Err(why) => readable(&why, LONGEST),
    }
    match AlertJob::parse(body) {
        Ok(job) => {
            assert_eq!(lead_in(body).as_ref(), Some(&job.lead_id));
            assert_eq!(AlertJob::parse(&job.message().body), Ok(job));
        }
        Err(why) => readable(&why, LONGEST),
    }
}

fn round_trip(job: &ProcessJob) {
    let now = Timestamp::from_second(1_789_398_131).unwrap();
    let message = job.message(now);
    assert!(message.delay <= pipeline::ports::MAX_DELAY);
    assert_eq!(ProcessJob::parse(&message.body).as_ref(), Ok(job));
}
