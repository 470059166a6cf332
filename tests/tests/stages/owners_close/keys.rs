//! Which key asks.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use close::client::{ApiKeys, KeySource};
use outbound::NoKeys;
use pipeline::{
    Code,
    owners::Retrieved,
    ports::{NextLookup, Objects, WriteCondition},
};
use tests::close::{API_KEY, FERROUS, ForcedAnswer, MARLOWE, OWNER_FIELD};

use super::testbed::{FRESH, LOOK, MINUTE, named, outcome, texts, under_every_switch};

const NEW: &str = "api_2neuerSchluessel.part2";

#[tokio::test]
async fn the_second_key_is_used_when_the_first_is_revoked() {
    under_every_switch(async |testbed| {
        let keys = ApiKeys::parse(&format!("{API_KEY},{NEW}")).unwrap();
        let owners = testbed.process_with(OWNER_FIELD, None, Arc::new(keys));
        let find = async || {
            let found = testbed.find(&owners, MARLOWE, FRESH).await;
            assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
            testbed.requests().len()
        };
        assert_eq!(find().await, 2, "the lead, the members");
        testbed.close.account().keys.push(NEW.to_owned());
        assert_eq!(find().await, 1);
        testbed.close.account().keys.retain(|key| key == NEW);
        assert_eq!(find().await, 2, "with the first key, with the second");
        assert_eq!(find().await, 1, "which is remembered");
        testbed.close.account().keys = vec![API_KEY.to_owned()];
        assert_eq!(find().await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_accepted_no_more_is_reported_and_shown_nowhere() {
    under_every_switch(async |testbed| {
        for keys in [API_KEY.to_owned(), format!("{API_KEY},{NEW}")] {
            let owners = testbed.process_with(OWNER_FIELD, None, Arc::new(ApiKeys::parse(&keys).unwrap()));
            testbed.memory.put(Retrieved::KEY, "".into(), WriteCondition::Always).await.unwrap();
            testbed.close.account().keys.clear();
            for (lead, look) in [(FERROUS, LOOK), (MARLOWE, LOOK), (MARLOWE, FRESH)] {
                let found = testbed.find(&owners, lead, look).await;
                assert_eq!(outcome(&found), (Some(Code::CloseKeyRefused), NextLookup::Done));
                assert!(!texts(&found).contains("chluessel"), "{}", texts(&found));
            }
            // A good one again, when it has been asked whose fault it is for the last time.
            testbed.close.account().keys = vec![API_KEY.to_owned()];
            testbed.clock.advance(MINUTE);
            let found = testbed.find(&owners, MARLOWE, FRESH).await;
            assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        }
    })
    .await;
}

#[tokio::test]
async fn another_key_is_not_tried_for_what_no_key_can_help() {
    under_every_switch(async |testbed| {
        let keys = ApiKeys::parse(&format!("{API_KEY},{NEW}")).unwrap();
        testbed.close.account().keys.push(NEW.to_owned());
        let owners = testbed.process_with(OWNER_FIELD, None, Arc::new(keys));
        for status in [402, 404, 429, 500] {
            testbed.close.account().next(1, "/lead/", ForcedAnswer::Status(status));
            testbed.find(&owners, FERROUS, LOOK).await;
            assert_eq!(testbed.requests().len(), 1, "{status}");
            testbed.clock.advance(MINUTE);
        }
    })
    .await;
}

/// Keys that somebody replaces where they are stored.
struct ReplacedKeys(Mutex<Vec<&'static str>>);

#[async_trait]
impl KeySource for ReplacedKeys {
    async fn keys(&self) -> Result<ApiKeys, close::Error> {
        ApiKeys::parse(self.0.lock().unwrap()[0])
    }

    async fn refresh(&self) -> bool {
        let mut keys = self.0.lock().unwrap();
        keys.len() > 1 && keys.pop().is_some_and(|new| std::mem::replace(&mut keys[0], new) != new)
    }
}

#[tokio::test]
async fn keys_that_were_replaced_are_read_again_within_the_look_up() {
    under_every_switch(async |testbed| {
        let keys = Arc::new(ReplacedKeys(Mutex::new(vec![API_KEY, NEW])));
        let owners = testbed.process_with(OWNER_FIELD, None, keys);
        testbed.close.account().keys = vec![NEW.to_owned()];
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(testbed.requests().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn without_a_key_nothing_is_asked() {
    under_every_switch(async |testbed| {
        let owners = testbed.process_with(OWNER_FIELD, None, Arc::new(NoKeys));
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(outcome(&found), (Some(Code::CloseKeyMissing), NextLookup::Done));
        assert_eq!(testbed.requests().len(), 0);
    })
    .await;
}
