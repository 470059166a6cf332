//! [`Objects`](pipeline::ports::Objects).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use pipeline::ports::{PutError, Version, WriteCondition};

use super::{SECOND, Subject};

async fn put(subject: &Subject, key: &str, body: &str, when: WriteCondition) -> Result<Version, PutError> {
    subject.objects.put(key, Bytes::from(body.to_owned()), when).await
}

async fn read(subject: &Subject, key: &str) -> Option<String> {
    let object = subject.objects.get(key).await.unwrap()?;
    Some(String::from_utf8(object.body.to_vec()).unwrap())
}

async fn fill(subject: &Subject, keys: &[&str]) {
    for key in keys {
        put(subject, key, "x", WriteCondition::Always).await.unwrap();
    }
}

async fn list(subject: &Subject, prefix: &str, after: Option<&str>) -> Vec<String> {
    subject.objects.list(prefix, after, 100).await.unwrap()
}

/// A key without an object reads as none, whatever is beside it.
pub async fn what_was_never_written_is_not_there(subject: Subject) {
    fill(&subject, &["source/a"]).await;
    for key in ["source/b", "source/", "source/a/", "source", "SOURCE/A", "source/a ", ""] {
        assert_eq!(subject.objects.get(key).await.unwrap(), None, "{key:?}");
    }
}

/// A finished write is seen by every later read, with its version and the time of the write.
pub async fn what_was_written_is_read_back_with_its_time(subject: Subject) {
    let written_at = subject.now();
    let version = put(&subject, "k", "body", WriteCondition::Always).await.unwrap();
    subject.pass(SECOND);
    let object = subject.objects.get("k").await.unwrap().unwrap();
    assert_eq!((object.body.as_ref(), object.version), (&b"body"[..], version));
    assert_eq!(object.stored_at, written_at);
}

/// Keys are taken byte for byte: nothing in them is a pattern, a quote or a folder.
pub async fn a_key_is_any_text(subject: Subject) {
    let keys =
        ["a%b", "a_b", "a\\b", "a'b", "a\"b", "a*b", "a/../b", "é", "e\u{301}", "株式会社", "🚀", "A%B"];
    for key in keys {
        put(&subject, key, key, WriteCondition::Absent).await.unwrap();
    }
    for key in keys {
        assert_eq!(read(&subject, key).await.as_deref(), Some(key));
    }
}

/// Bodies come back byte for byte: empty, binary, and of the largest size that a webhook may have.
pub async fn bodies_are_any_bytes(subject: Subject) {
    let large: Vec<u8> = (0..1024 * 1024u32).map(|n| n.to_le_bytes()[0]).collect();
    for (key, body) in [("empty", vec![]), ("binary", vec![0, 255, 13, 10, 0]), ("large", large)] {
        subject.objects.put(key, body.clone().into(), WriteCondition::Always).await.unwrap();
        assert!(subject.objects.get(key).await.unwrap().unwrap().body == body, "{key}");
    }
}

/// [`WriteCondition::Always`] replaces whatever is there, and the time with it.
pub async fn a_write_replaces_the_whole_object(subject: Subject) {
    put(&subject, "k", "a long first body", WriteCondition::Always).await.unwrap();
    subject.pass(SECOND);
    put(&subject, "k", "short", WriteCondition::Always).await.unwrap();
    let object = subject.objects.get("k").await.unwrap().unwrap();
    assert_eq!((object.body.as_ref(), object.stored_at), (&b"short"[..], subject.now()));
}

/// [`WriteCondition::Absent`] holds once; after that nothing is written.
pub async fn absent_writes_only_the_first_time(subject: Subject) {
    put(&subject, "k", "first", WriteCondition::Absent).await.unwrap();
    assert_eq!(put(&subject, "k", "second", WriteCondition::Absent).await, Err(PutError::Precondition));
    assert_eq!(read(&subject, "k").await.as_deref(), Some("first"));
}

/// [`WriteCondition::Unchanged`] holds for the current version of that key alone.
pub async fn unchanged_writes_only_over_the_version_that_was_read(subject: Subject) {
    let first = put(&subject, "k", "1", WriteCondition::Always).await.unwrap();
    let second = put(&subject, "k", "2", WriteCondition::Unchanged(first.clone())).await.unwrap();
    assert_ne!(first, second);
    let late = put(&subject, "k", "3", WriteCondition::Unchanged(first.clone())).await;
    assert_eq!(late, Err(PutError::Precondition));
    let nowhere = put(&subject, "none", "3", WriteCondition::Unchanged(first)).await;
    assert_eq!(nowhere, Err(PutError::Precondition));
    let foreign =
        put(&subject, "k", "3", WriteCondition::Unchanged(Version("no version of ours".to_owned()))).await;
    assert_eq!(foreign, Err(PutError::Precondition));
    assert_eq!(read(&subject, "k").await.as_deref(), Some("2"));
    assert_eq!(read(&subject, "none").await, None);
}

/// Of eight writers that race for a new key, exactly one succeeds, and its bytes are there.
pub async fn of_racing_creators_exactly_one_wins(subject: Subject) {
    for round in 0..20 {
        race(&subject, &format!("k{round}"), WriteCondition::Absent).await;
    }
}

/// Of eight writers that race to replace the version they all have read, exactly one succeeds.
pub async fn of_racing_updaters_exactly_one_wins(subject: Subject) {
    for round in 0..20 {
        let key = format!("k{round}");
        let version = put(&subject, &key, "old", WriteCondition::Always).await.unwrap();
        race(&subject, &key, WriteCondition::Unchanged(version)).await;
    }
}

async fn race(subject: &Subject, key: &str, when: WriteCondition) {
    let writers = (0..8).map(|number| {
        let (objects, key, when) = (Arc::clone(&subject.objects), key.to_owned(), when.clone());
        tokio::spawn(async move { objects.put(&key, number.to_string().into(), when).await })
    });
    let outcomes = join_all(writers).await.into_iter().map(Result::unwrap);
    let mut winners = Vec::new();
    for (number, outcome) in outcomes.enumerate() {
        match outcome {
            Ok(_) => winners.push(number.to_string()),
            Err(error) => assert_eq!(error, PutError::Precondition),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(read(subject, key).await.as_ref(), winners.first());
}

/// Ascending by the bytes of UTF-8: neither by language nor without case.
pub async fn listings_ascend_in_order_of_bytes(subject: Subject) {
    fill(&subject, &["p/é", "p/a", "p/B", "p/🚀", "p/10", "p/9", "p/\u{ffff}", "p/_", "p/a/1", "p/a-1"])
        .await;
    let expected = ["p/10", "p/9", "p/B", "p/_", "p/a", "p/a-1", "p/a/1", "p/é", "p/\u{ffff}", "p/🚀"];
    assert_eq!(list(&subject, "p/", None).await, expected);
}

/// A prefix is plain bytes; the key that equals it is one of its keys.
pub async fn listings_hold_exactly_the_keys_with_the_prefix(subject: Subject) {
    let keys = ["a", "a%", "a%b", "a_b", "a\u{10ffff}", "a\u{10ffff}b", "ab", "A", "b", "axb", "'", "\\"];
    fill(&subject, &keys).await;
    let mut all: Vec<&str> = keys.into();
    all.sort_unstable();
    for prefix in
        ["", "a", "a%", "a_", "a\u{10ffff}", "ab", "A", "c", "'", "\\", "*", "a*", "[ab]", "\u{10ffff}"]
    {
        let expected: Vec<&str> = all.iter().copied().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(list(&subject, prefix, None).await, expected, "{prefix:?}");
    }
}

/// `after` need not exist, may lie before the prefix, and is itself left out.
pub async fn listings_continue_behind_a_key(subject: Subject) {
    fill(&subject, &["o", "p/1", "p/2", "p/3", "q"]).await;
    for (after, expected) in [
        ("", &["p/1", "p/2", "p/3"][..]),
        ("a", &["p/1", "p/2", "p/3"]),
        ("p/", &["p/1", "p/2", "p/3"]),
        ("p/1", &["p/2", "p/3"]),
        ("p/15", &["p/2", "p/3"]),
        ("p/3", &[]),
        ("z", &[]),
    ] {
        assert_eq!(list(&subject, "p/", Some(after)).await, expected, "{after:?}");
    }
    let mut paged = Vec::new();
    while let [key] =
        subject.objects.list("p/", paged.last().map(String::as_str), 1).await.unwrap().as_slice()
    {
        paged.push(key.clone());
    }
    assert_eq!(paged, ["p/1", "p/2", "p/3"]);
}

/// At most `limit` keys, the first ones.
pub async fn a_listing_is_no_longer_than_wanted(subject: Subject) {
    fill(&subject, &["c", "b", "a"]).await;
    for (limit, expected) in
        [(0, &[][..]), (2, &["a", "b"]), (3, &["a", "b", "c"]), (1_000_000, &["a", "b", "c"])]
    {
        assert_eq!(subject.objects.list("", None, limit).await.unwrap(), expected);
    }
}
