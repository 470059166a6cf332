//! Signed webhooks, made before any clock starts.

use close::signature::Keys;
use lead::Timestamp;

use crate::{
    bodies::{Body, bodies},
    chance::Chance,
};

/// The key that all of them are signed with.
pub(crate) const KEY: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";

/// A webhook about a lead of its own.
pub(crate) struct Webhook {
    /// The lead's id.
    pub(crate) lead: String,
    /// The whole request, ready to be sent.
    pub(crate) request: Vec<u8>,
}

/// Makes webhooks.
pub(crate) struct Webhooks {
    keys: Keys,
    chance: Chance,
    bodies: Vec<Body>,
}

impl Webhooks {
    /// A maker that goes by a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let chance = Chance::new(seed);
        Self { keys: Keys::parse(KEY).unwrap(), bodies: bodies(&chance), chance }
    }

    /// How many bodies there are, and their sizes in bytes.
    pub(crate) fn describe(&self) -> String {
        let (lead, event) = ids(&Chance::new(0));
        let sizes: Vec<usize> = self.bodies.iter().map(|body| body.with_ids(&lead, &event).len()).collect();
        format!(
            "{} bodies of {} to {} bytes, {} on average",
            sizes.len(),
            sizes.iter().min().unwrap(),
            sizes.iter().max().unwrap(),
            sizes.iter().sum::<usize>() / sizes.len()
        )
    }

    /// The next `count`, signed now.
    pub(crate) fn batch(&self, count: usize) -> Vec<Webhook> {
        let timestamp = Timestamp::now().as_second().to_string();
        (0..count).map(|_| self.webhook(&timestamp)).collect()
    }

    fn webhook(&self, timestamp: &str) -> Webhook {
        let (lead, event) = ids(&self.chance);
        let body = self.chance.pick(&self.bodies).with_ids(&lead, &event);
        let hash = self.keys.sign(timestamp, body.as_bytes()).unwrap();
        let request = format!(
            "POST /crm/webhook HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             user-agent: Close Webhooks 2.0\r\nclose-sig-hash: {hash}\r\nclose-sig-timestamp: {timestamp}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        Webhook { lead, request: request.into_bytes() }
    }
}

/// Ids of a lead and of its event.
fn ids(chance: &Chance) -> (String, String) {
    (chance.id("lead_", 43), chance.id("ev_", 22))
}
