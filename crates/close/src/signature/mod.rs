//! Close's webhook signature.
//!
//! `close-sig-hash` is `hex(HMAC-SHA256(key = hex_decode(signature_key), close-sig-timestamp ‖ raw
//! body))`, without a separator: <https://developer.close.com/resources/webhook-subscriptions/>.
//! The most common mistake is to use the key as text instead of decoding it.

mod forms;

use std::{fmt, time::Duration};

use aws_lc_rs::hmac;
use jiff::Timestamp;

use forms::WrittenKey;

pub use forms::{BadKey, merged, with_key};

/// The keys that webhooks may be signed with. Never prints them.
#[derive(Clone)]
pub struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    /// The only subscription that it is valid for.
    subscription: Option<String>,
    hmac: hmac::Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} signature key{}", self.0.len(), if self.0.len() == 1 { "" } else { "s" })
    }
}

/// The two headers of a request, as sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignatureHeaders<'a> {
    /// `close-sig-hash`.
    pub hash: Option<&'a str>,
    /// `close-sig-timestamp`.
    pub timestamp: Option<&'a str>,
}

impl SignatureHeaders<'_> {
    /// Whether either is present.
    pub fn is_any(&self) -> bool {
        self.hash.is_some() || self.timestamp.is_some()
    }
}

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is missing or malformed.
    #[error("a header of the signature is missing, or not of its form")]
    Missing,
    /// No key matches.
    #[error("no key matches the signature")]
    Wrong,
    /// It is valid, but its timestamp is too old or in the future.
    #[error("the signature's timestamp is outside the freshness window")]
    Stale,
}

/// A valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The subscriptions that the matching keys are valid for; `None` is any.
    scopes: Vec<Option<String>>,
    /// How old the signature is; zero where its time is ahead of ours.
    pub age: Duration,
}

impl Verified {
    /// Whether the matching key may sign for this subscription.
    pub fn is_good_for(&self, subscription: Option<&str>) -> bool {
        self.scopes.iter().any(|scope| scope.as_deref().is_none_or(|scope| Some(scope) == subscription))
    }
}

impl Key {
    fn sign(&self, timestamp: &str, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.hmac);
        context.update(timestamp.as_bytes());
        context.update(body);
        hex::encode(context.sign())
    }
}

impl Keys {
    /// Reads keys in any of the forms in which people and secret stores write them: 64 hex digits each, separated by commas
    /// or lines or as JSON; with the id of the subscription (`whsub_…`) where a key is valid only for that. Two keys for one
    /// subscription allow its rotation.
    ///
    /// # Errors
    /// [`BadKey`] for the first invalid one. A text without a key is not an error.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let of = |WrittenKey { subscription, bytes, .. }: WrittenKey| Key {
            subscription,
            hmac: hmac::Key::new(hmac::HMAC_SHA256, &bytes),
        };
        Ok(Self(forms::read(text)?.into_iter().map(of).collect()))
    }

    /// No key.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// These keys and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this key is among them, as the subscription's own or as one that is valid for any.
    pub fn has(&self, subscription: &str, key: &str) -> bool {
        self.scopes_of(key).iter().any(|of| of.is_none_or(|of| of == subscription))
    }

    /// The subscriptions that this key is valid for, where it is among them; `None` in the list is any.
    pub fn scopes_of(&self, key: &str) -> Vec<Option<&str>> {
        let (timestamp, body) = ("0", b"");
        let Some(wanted) = Self::parse(key).ok().and_then(|key| key.sign(timestamp, body)) else {
            return Vec::new();
        };
        let same = self.0.iter().filter(|key| key.sign(timestamp, body) == wanted);
        same.map(|key| key.subscription.as_deref()).collect()
    }

    /// Whether one of them is this subscription's own.
    pub fn has_own(&self, subscription: &str) -> bool {
        self.subscriptions().any(|of| of == subscription)
    }

    /// The subscriptions that have a key of their own among them.
    pub fn subscriptions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|key| key.subscription.as_deref())
    }

    /// Whether one of them is valid for any subscription.
    pub fn has_general(&self) -> bool {
        self.0.iter().any(|key| key.subscription.is_none())
    }

    /// Checks a signature over the raw bytes, in constant time, against every key.
    ///
    /// # Errors
    /// [`Refusal::Missing`] where a header is missing or malformed,
    /// [`Refusal::Wrong`] where no key matches, [`Refusal::Stale`] where the timestamp is
    /// further from `now` than `max_age`.
    pub fn verify(
        &self,
        presented: SignatureHeaders<'_>,
        body: &[u8],
        now: Timestamp,
        max_age: Duration,
    ) -> Result<Verified, Refusal> {
        let (Some(hash), Some(timestamp)) = (presented.hash, presented.timestamp) else {
            return Err(Refusal::Missing);
        };
        let mut tag = [0; 32];
        hex::decode_to_slice(hash, &mut tag).map_err(|_| Refusal::Missing)?;
        let digits = !timestamp.is_empty() && timestamp.bytes().all(|b| b.is_ascii_digit());
        let signed_at =
            timestamp.parse::<i64>().ok().filter(|_| digits).and_then(|s| Timestamp::from_second(s).ok());
        let signed_at = signed_at.ok_or(Refusal::Missing)?;

        let mut signed = Vec::with_capacity(timestamp.len() + body.len());
        signed.extend_from_slice(timestamp.as_bytes());
        signed.extend_from_slice(body);
        let matching = self.0.iter().filter(|key| hmac::verify(&key.hmac, &signed, &tag).is_ok());
        let scopes: Vec<_> = matching.map(|key| key.subscription.clone()).collect();
        if scopes.is_empty() {
            return Err(Refusal::Wrong);
        }
        let age = now.duration_since(signed_at);
        if age.unsigned_abs() > max_age {
            return Err(Refusal::Stale);
        }
        Ok(Verified { scopes, age: Duration::try_from(age).unwrap_or(Duration::ZERO) })
    }

    /// Signs a body as Close does, with the first key: the hash for `close-sig-hash`.
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> Option<String> {
        self.0.first().map(|key| key.sign(timestamp, body))
    }

    /// The same with the first key that is valid for a subscription; `None` where there is none.
    pub fn sign_for(&self, subscription: Option<&str>, timestamp: &str, body: &[u8]) -> Option<String> {
        let is_good = |key: &&Key| key.subscription.is_none() || key.subscription.as_deref() == subscription;
        self.0.iter().find(is_good).map(|key| key.sign(timestamp, body))
    }

    /// Whether each key verifies what it signs itself.
    pub fn prove_themselves(&self) -> bool {
        let (timestamp, body) = ("1789398131", b"{}");
        let now = outside::from_millis(1_789_398_131_000);
        self.0.iter().all(|key| {
            let hash = key.sign(timestamp, body);
            let presented = SignatureHeaders { hash: Some(&hash), timestamp: Some(timestamp) };
            self.verify(presented, body, now, Duration::from_secs(1)).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        signature_key: String,
        subscription_id: String,
        vectors: Vec<Vector>,
        negative_vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        #[serde(default)]
        why: String,
        file: String,
        #[serde(rename = "close-sig-timestamp")]
        timestamp: String,
        #[serde(rename = "close-sig-hash")]
        hash: String,
    }

    impl Vector {
        fn body(&self) -> Vec<u8> {
            std::fs::read(format!("{}/../../tests/samples/{}", env!("CARGO_MANIFEST_DIR"), self.file))
                .unwrap()
        }

        fn presented(&self) -> SignatureHeaders<'_> {
            SignatureHeaders { hash: Some(&self.hash), timestamp: Some(&self.timestamp) }
        }
    }

    fn vectors() -> Vectors {
        serde_json::from_str(include_str!("../../../../tests/samples/signatures.json")).unwrap()
    }

    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    fn now() -> Timestamp {
        Timestamp::from_second(1_789_398_200).unwrap()
    }

    #[test]
    fn the_vectors_hold_and_the_negative_ones_do_not() {
        let vectors = vectors();
        let keys = Keys::parse(&vectors.signature_key).unwrap();
        for vector in &vectors.vectors {
            let verified = keys.verify(vector.presented(), &vector.body(), now(), YEAR);
            assert!(verified.is_ok(), "{}", vector.file);
            assert_eq!(keys.sign(&vector.timestamp, &vector.body()).as_ref(), Some(&vector.hash));
        }
        for vector in &vectors.negative_vectors {
            let refused = keys.verify(vector.presented(), &vector.body(), now(), YEAR);
            assert_eq!(refused, Err(Refusal::Wrong), "{}", vector.why);
        }
    }

    #[test]
    fn a_key_of_one_subscription_signs_for_no_other() {
        let vectors = vectors();
        let other = "0f".repeat(32);
        let keys =
            Keys::parse(&format!("{other}, {}={}", vectors.subscription_id, vectors.signature_key)).unwrap();
        let vector = &vectors.vectors[0];
        let verified = keys.verify(vector.presented(), &vector.body(), now(), YEAR).unwrap();
        assert!(verified.is_good_for(Some(&vectors.subscription_id)));
        assert!(!verified.is_good_for(Some("whsub_other")));
        assert!(!verified.is_good_for(None));
    }

    #[test]
    fn the_window_is_kept_on_both_sides() {
        let vectors = vectors();
        let keys = Keys::parse(&vectors.signature_key).unwrap();
        let vector = &vectors.vectors[0];
        let signed_at: i64 = vector.timestamp.parse().unwrap();
        let verify = |offset: i64| {
            let now = Timestamp::from_second(signed_at + offset).unwrap();
            keys.verify(vector.presented(), &vector.body(), now, Duration::from_secs(300))
                .map(|v| v.age.as_secs())
        };
        assert_eq!([verify(300), verify(-300)], [Ok(300), Ok(0)]);
        assert_eq!([verify(301), verify(-301)], [Err(Refusal::Stale); 2]);
    }

    #[test]
    fn headers_that_are_missing_or_of_another_form_are_no_signature() {
        let keys = Keys::parse(&vectors().signature_key).unwrap();
        let hash = "ab".repeat(32);
        for (hash, timestamp) in [
            (None, Some("1789398131")),
            (Some(hash.as_str()), None),
            (Some(""), Some("1789398131")),
            (Some("zz"), Some("1789398131")),
            (Some(hash.as_str()), Some("")),
            (Some(hash.as_str()), Some("-1")),
            (Some(hash.as_str()), Some("1e9")),
            (Some(hash.as_str()), Some("99999999999999999999")),
        ] {
            let refused = keys.verify(SignatureHeaders { hash, timestamp }, b"{}", now(), YEAR);
            assert_eq!(refused, Err(Refusal::Missing), "{hash:?} {timestamp:?}");
        }
    }

    #[test]
    fn a_key_is_found_for_its_subscription_and_proves_itself() {
        let [a, b] = ["a1", "b2"].map(|pair| pair.repeat(32));
        let keys = Keys::parse(&format!("whsub_1={a},whsub_2={b}")).unwrap();
        let signed = |subscription| keys.sign_for(subscription, "1", b"x");
        assert_eq!(signed(Some("whsub_2")), Keys::parse(&b).unwrap().sign("1", b"x"));
        assert_eq!((signed(Some("whsub_3")), signed(None)), (None, None));
        let with_general = Keys::parse(&format!("whsub_1={a},whsub_2={a},{b}")).unwrap();
        assert_eq!(with_general.scopes_of(&a.to_uppercase()), [Some("whsub_1"), Some("whsub_2")]);
        assert_eq!(with_general.scopes_of(&b), [None]);
        assert_eq!(
            (with_general.scopes_of(&"c".repeat(64)), with_general.scopes_of("junk")),
            (vec![], vec![])
        );
        assert!(keys.prove_themselves());
    }

    #[test]
    fn keys_print_as_their_number() {
        let good = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";
        assert_eq!(format!("{:?}", Keys::parse(good).unwrap()), "1 signature key");
        assert!(Keys::parse(" , ").unwrap().is_empty());
    }
}
