//! Signature keys and other secrets, as people and secret stores write them.

use std::fmt::Debug;

use aws::secrets::keys_in;
use close::signature::{Keys, Refusal, SignatureHeaders};
use lead::Timestamp;
use outbound::{OwnersBase, SecretUrl, SmtpSettings};
use pipeline::Code;

use super::{readable, texts};

/// Stands somewhere in each secret. Nothing that is said of the secret may hold a part of it.
const MARK: &str = "Tr0ub4dor-hUnt3r2";
/// How many of its characters are a part.
const REVEALING: usize = 5;

/// * What cannot be read says so in one line that holds no part of it; what can be prints nothing of it.
/// * A key signs what it verifies, and nothing else verifies.
pub fn secrets(data: &[u8]) {
    let texts = texts(data);
    let text = texts.first().map(String::as_str).unwrap_or_default();
    read(text, &texts, data);
    let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
    if !places.is_empty() {
        let mut marked = text.to_owned();
        marked.insert_str(places[data.len() % places.len()], MARK);
        read(&marked, &texts, data);
    }
}

fn read(text: &str, texts: &[String], data: &[u8]) {
    let of = |place: usize| texts.get(place).map_or("a@example.com", String::as_str);
    match Keys::parse(text) {
        Ok(keys) => {
            assert!(keys.len() <= text.split([',', '\n', '\r']).count());
            shows_no_secret(&keys);
            signs(&keys, data);
        }
        Err(bad) => {
            readable(&bad.to_string(), 200);
            shows_no_secret(&bad);
            holds_no_secret(&bad.to_string());
        }
    }
    match keys_in(text) {
        Ok(keys) => {
            assert!(!keys.is_empty());
            shows_no_secret(&keys);
        }
        Err(fault) => {
            assert!(matches!(fault.code, Code::SignatureKeyBad | Code::SecretUnusable));
            readable(&fault.what, 300);
            holds_no_secret(&fault.what);
        }
    }
    match SecretUrl::parse(text) {
        // Its host is no secret, and may be anything.
        Ok(url) => readable(&url.to_string(), 400),
        Err(why) => {
            readable(&why, 300);
            holds_no_secret(&why);
        }
    }
    if let Err(why) = SmtpSettings::parse(text, of(1), of(2)) {
        readable(&why, 600);
        if why.starts_with("SMTP_URL") {
            holds_no_secret(&why);
        }
    }
    match OwnersBase::parse(text) {
        Ok(base) => assert!(!base.to_string().contains('@') || !text.contains("//")),
        Err(why) => readable(&why, 300),
    }
}

/// No part of a secret stands in a line about it.
#[track_caller]
fn holds_no_secret(line: &str) {
    for start in 0..=MARK.len() - REVEALING {
        let part = MARK.get(start..start + REVEALING).unwrap_or_default();
        assert!(!line.contains(part), "{part:?} stands in {line:?}");
    }
}

#[track_caller]
fn shows_no_secret(value: &impl Debug) {
    holds_no_secret(&format!("{value:?}"));
}

fn signs(keys: &Keys, body: &[u8]) {
    let now = Timestamp::from_second(1_789_398_131).unwrap();
    let (timestamp, age) = (now.as_second().to_string(), std::time::Duration::from_secs(60));
    let Some(hash) = keys.sign(&timestamp, body) else { return assert!(keys.is_empty()) };
    let verify = |hash: &str, timestamp: &str, body: &[u8]| {
        keys.verify(SignatureHeaders { hash: Some(hash), timestamp: Some(timestamp) }, body, now, age)
    };
    assert!(verify(&hash, &timestamp, body).is_ok());
    assert!(verify(&hash.to_uppercase(), &timestamp, body).is_ok());
    let longer = [body, b" "].concat();
    assert_eq!(verify(&hash, &timestamp, &longer), Err(Refusal::Wrong));
    assert_eq!(verify(&hash, "1789398132", body), Err(Refusal::Wrong));
}
