//! Leads: <https://developer.close.com/resources/leads/>, and what a webhook carries of one:
//! <https://developer.close.com/topics/webhooks/>.

use serde_json::{Map, Value, json};

use super::{
    account::Account,
    answer::Answer,
    organization::has,
    switches::{Denied, Gone, SecondRequest, SmallRole, UnknownField, Users},
};

/// What of a lead is answered where nobody says what they want; `primary_…` and `source` are younger.
const KEYS: [&str; 24] = [
    "id",
    "name",
    "display_name",
    "description",
    "url",
    "html_url",
    "organization_id",
    "status_id",
    "status_label",
    "addresses",
    "contacts",
    "contact_ids",
    "opportunities",
    "tasks",
    "integration_links",
    "source",
    "primary_email",
    "primary_phone",
    "created_by",
    "created_by_name",
    "updated_by",
    "updated_by_name",
    "date_created",
    "date_updated",
];

impl Account {
    pub(super) fn lead(&self, id: &str, fields: Option<&str>, elsewhere: &str) -> Answer {
        let Some(lead) = self.leads.get(id) else {
            return match self.switches.gone {
                _ if !self.gone.contains(id) => Answer::absent(),
                Gone::NotFound => Answer::absent(),
                Gone::NotFoundInList => Answer::error("error_404_errors_list"),
                Gone::Unauthorized => Answer::refusal(401, self.switches),
                Gone::Forbidden => Answer::refusal(403, self.switches),
                Gone::Moved => Answer::moved(format!("{elsewhere}/lead/{id}/")),
            };
        };
        if !self.sees(lead) {
            return match self.switches.denied {
                Denied::NotFound => Answer::absent(),
                _ => self.denial(),
            };
        }
        let mut shown = self.values(lead);
        if !self.sees_all() && self.switches.small_role == SmallRole::LeavesOut {
            shown.retain(|key, _| !key.starts_with("custom."));
        }
        shown.insert("custom".to_owned(), self.by_name(&shown));
        let Some(fields) = fields else { return Answer::json(200, &Value::Object(shown)) };
        let mut asked = Map::new();
        for field in fields.split(',') {
            match shown.get(field) {
                Some(value) => drop(asked.insert(field.to_owned(), value.clone())),
                None if self.has_field(field) => {}
                None if self.switches.unknown_field == UnknownField::Skipped => {}
                None => {
                    let why = json!({"errors": [], "field-errors": {"_fields": format!("{field} does not exist.")}});
                    return Answer::json(400, &why);
                }
            }
        }
        Answer::json(200, &Value::Object(asked))
    }

    /// What is answered for what the key's user may not see.
    pub(super) fn denial(&self) -> Answer {
        match self.switches.denied {
            Denied::Unauthorized => Answer::refusal(401, self.switches),
            Denied::Forbidden | Denied::NotFound => Answer::refusal(403, self.switches),
        }
    }

    /// The body of the webhook that says that a lead was created.
    ///
    /// # Panics
    /// Where there is no such lead.
    pub fn webhook(&self, id: &str) -> Vec<u8> {
        let lead = &self.leads[id];
        let mut data = self.values(lead);
        data.remove("contacts");
        if self.switches.second_request == SecondRequest::Missed {
            data.retain(|key, _| !self.set_later.contains(&(id.to_owned(), key.clone())));
        }
        let event = json!({
            "id": format!("ev_{}", id.trim_start_matches("lead_")), "organization_id": self.organization,
            "date_created": "2026-09-14T15:02:11.674000", "date_updated": "2026-09-14T15:02:11.674000",
            "user_id": self.me["id"], "request_id": null, "api_key_id": null, "oauth_client_id": null,
            "oauth_scope": null, "object_type": "lead", "object_id": id, "lead_id": id, "action": "created",
            "changed_fields": [], "meta": {}, "data": data, "previous_data": {},
        });
        json!({"subscription_id": "whsub_2l329YJ4Ds2RiLBHVBGS55", "event": event}).to_string().into_bytes()
    }

    /// A lead's values, those of fields of users in the form that they are answered in.
    fn values(&self, lead: &Value) -> Map<String, Value> {
        let mut values = lead.as_object().unwrap().clone();
        for field in self.fields.iter().filter(|field| field["type"] == "user") {
            let id = format!("custom.{}", field["id"].as_str().unwrap());
            if let Some(value) = values.get_mut(&id) {
                let mut users = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                let is_list = value.is_array();
                *value = match self.switches.users {
                    Users::AsSet => continue,
                    Users::Lists => users.into(),
                    Users::First => users.remove(0),
                    Users::Reversed if is_list => users.into_iter().rev().collect(),
                    Users::Reversed => continue,
                };
            }
        }
        values
    }

    /// The custom values by the names of their fields, as they once were.
    fn by_name(&self, values: &Map<String, Value>) -> Value {
        let named = self.fields.iter().filter_map(|field| {
            let value = values.get(&format!("custom.{}", field["id"].as_str()?))?;
            Some((field["name"].as_str()?.to_owned(), value.clone()))
        });
        named.collect::<Map<_, _>>().into()
    }

    /// Whether leads have such a field, filled or not.
    fn has_field(&self, field: &str) -> bool {
        let id = field.strip_prefix("custom.");
        KEYS.contains(&field)
            || field == "custom"
            || id.is_some_and(|id| self.fields.iter().any(|field| field["id"] == id))
    }

    /// Whether the key's user may see a lead: by its role's owner fields, where that does not see all.
    fn sees(&self, lead: &Value) -> bool {
        let Some(role) = self.role().filter(|_| !self.sees_all()) else { return true };
        let fields = role["visibility_user_lcf_ids"].as_array().unwrap();
        let mut owners =
            fields.iter().filter_map(|id| lead.get(format!("custom.{}", id.as_str()?))).peekable();
        let is_unassigned = owners.peek().is_none();
        let me = self.me["id"].as_str().unwrap();
        owners.any(|owners| has(owners, me))
            || (is_unassigned && role["visibility_user_lcf_behavior"] == "allow_unassigned")
    }
}
