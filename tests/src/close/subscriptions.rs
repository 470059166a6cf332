//! Webhook subscriptions: <https://developer.close.com/resources/webhook-subscriptions/>.

use serde_json::{Value, json};

use super::{account::Account, answer::Answer, example::sample};

/// The key of the subscription with this number.
pub fn key(number: usize) -> String {
    format!("{:064x}", 0x00c1_05e0 + number)
}

impl Account {
    pub(super) fn list_subscriptions(&self) -> Answer {
        let listed =
            self.subscriptions.iter().filter(|it| self.unlisted.iter().all(|id| it["id"] != *id.as_str()));
        let rows: Vec<Value> = listed.map(|it| self.shown(it)).collect();
        Answer::json(200, &json!({"has_more": false, "data": rows}))
    }

    /// Refuses a second active subscription for the same address, as others have seen it.
    pub(super) fn subscribe(&mut self, wish: &Value) -> Answer {
        let is_it = |it: &&Value| it["url"] == wish["url"] && it["status"] == "active";
        if let Some(duplicate) = self.subscriptions.iter().find(is_it) {
            let mut error = sample("error_400_duplicate_subscription");
            error["body"]["errors"][0] =
                format!("Duplicate active subscription: {}", duplicate["id"].as_str().unwrap()).into();
            return Answer::json(400, &error["body"]);
        }
        let number = self.subscriptions.len() + 1;
        let made = json!({
            "id": format!("whsub_{number}"), "url": wish["url"], "events": wish["events"], "status": "active",
            "health_status": "healthy", "pause_reason": null, "latest_error": null,
            "signature_key": key(number), "verify_ssl": wish["verify_ssl"],
        });
        self.subscriptions.push(made.clone());
        Answer::json(201, &made)
    }

    pub(super) fn subscription(&self, id: &str) -> Answer {
        let found = self.subscriptions.iter().find(|it| it["id"] == id);
        found.map_or_else(Answer::absent, |it| Answer::json(200, &self.shown(it)))
    }

    pub(super) fn change_subscription(&mut self, id: &str, wish: &Value) -> Answer {
        let Some(found) = self.subscriptions.iter_mut().find(|it| it["id"] == id) else {
            return Answer::absent();
        };
        for (name, value) in wish.as_object().unwrap() {
            found[name] = value.clone();
        }
        Answer::json(200, found)
    }

    pub(super) fn unsubscribe(&mut self, id: &str) -> Answer {
        self.subscriptions.retain(|it| it["id"] != id);
        Answer::json(200, &json!({}))
    }

    fn shown(&self, subscription: &Value) -> Value {
        let mut shown = subscription.clone();
        if !self.shows_keys {
            shown.as_object_mut().unwrap().remove("signature_key");
        }
        shown
    }
}
