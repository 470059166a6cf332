use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use lead::LeadId;
use pipeline::ports::Clock;
use serde_json::{Value, json};
use system::SystemClock;

use super::{
    API_KEY,
    example::{ORGANIZATION, OWNER_FIELD, sample},
    forced::{ForcedAnswer, Rule},
    limits::{Limit, Used},
    switches::Switches,
};

/// What Close knows, and how it answers.
pub struct Account {
    /// The subscriptions, as Close answers them.
    pub subscriptions: Vec<Value>,
    /// Ids of subscriptions that are not listed, as those of others are not to somebody without their rights.
    pub unlisted: Vec<String>,
    /// Whether a key is shown again after it was made.
    pub shows_keys: bool,
    /// Repeats that come before the next answers: a status and the wait that is asked for.
    pub refusals: VecDeque<(u16, &'static str)>,
    /// Every request: its method and path, and what is to be changed.
    pub requests: Vec<String>,
    /// What came to the address that redirects lead to: the path, and the key where one came along.
    pub misdirected: Vec<(String, Option<String>)>,
    /// The API keys that it takes.
    pub keys: Vec<String>,
    /// How it answers what nobody has seen it answer.
    pub switches: Switches,
    /// How many requests it takes.
    pub limit: Limit,
    /// The time by which it counts them. It is the machine's until another is put here.
    pub clock: Arc<dyn Clock>,
    /// The organisation's id.
    pub organization: String,
    /// Its members, as memberships.
    pub members: Vec<Value>,
    /// Those who have left.
    pub former_members: Vec<Value>,
    /// The custom fields of leads, as the schema has them.
    pub fields: Vec<Value>,
    /// The roles.
    pub roles: Vec<Value>,
    /// Whose the keys are.
    pub me: Value,
    /// The leads by their ids, each without `custom`, which follows from the rest.
    pub leads: BTreeMap<String, Value>,
    pub(super) invited: Vec<Value>,
    /// Former memberships of those who came back.
    pub(super) returned: Vec<Value>,
    pub(super) gone: BTreeSet<String>,
    /// Leads and keys of values that were set after their creation.
    pub(super) set_later: BTreeSet<(String, String)>,
    /// How the paths start that the key's user may not read.
    pub(super) forbidden: Vec<String>,
    pub(super) rules: Vec<Rule>,
    pub(super) used: Used,
    /// How many requests are never answered.
    pub(super) unanswered: usize,
}

impl Default for Account {
    /// An organisation with an admin's key, the roles of the samples, and nothing else.
    fn default() -> Self {
        Self {
            subscriptions: Vec::new(),
            unlisted: Vec::new(),
            shows_keys: false,
            refusals: VecDeque::new(),
            requests: Vec::new(),
            misdirected: Vec::new(),
            keys: vec![API_KEY.to_owned()],
            switches: Switches::default(),
            limit: Limit::default(),
            clock: Arc::new(SystemClock),
            organization: ORGANIZATION.to_owned(),
            members: Vec::new(),
            former_members: Vec::new(),
            fields: Vec::new(),
            roles: sample("role_list_owner_field_hint")["data"].as_array().unwrap().clone(),
            me: sample("me_admin"),
            leads: BTreeMap::new(),
            invited: Vec::new(),
            returned: Vec::new(),
            gone: BTreeSet::new(),
            set_later: BTreeSet::new(),
            forbidden: Vec::new(),
            rules: Vec::new(),
            used: Used::default(),
            unanswered: 0,
        }
    }
}

/// Setting it up.
impl Account {
    /// Adds a lead as `GET /lead/{id}/` answers it.
    pub fn add(&mut self, mut lead: Value) {
        lead.as_object_mut().unwrap().remove("custom");
        self.leads.insert(lead["id"].as_str().unwrap().to_owned(), lead);
    }

    /// Adds so many leads that nobody owns, each with one contact, and returns their ids.
    pub fn add_leads(&mut self, count: usize) -> Vec<LeadId> {
        let numbers = self.leads.len()..self.leads.len() + count;
        let nobodys = sample("lead_no_owner");
        let ids = numbers.map(|number| {
            let id = format!("lead_{number:0>43}");
            let email = format!("lead{number}@customer.example");
            let mut lead = nobodys.clone();
            lead["name"] = format!("Lead {number}").into();
            lead["display_name"] = lead["name"].clone();
            lead["contacts"] = json!([{
                "id": format!("cont_{number:0>43}"), "lead_id": id, "name": lead["name"],
                "emails": [{"email": email, "type": "office", "is_unsubscribed": false}], "phones": [],
            }]);
            lead["id"] = id.as_str().into();
            self.add(lead);
            id.parse().unwrap()
        });
        ids.collect()
    }

    /// Sets a lead's owners in [`OWNER_FIELD`]: one as a text, several as a list.
    pub fn own(&mut self, lead: &str, owners: &[&str]) {
        self.set(
            lead,
            OWNER_FIELD,
            match owners {
                [] => Value::Null,
                [one] => (*one).into(),
                several => several.into(),
            },
        );
    }

    /// Sets a lead's owners as [`Self::own`] does, with a second request after that which creates the lead.
    pub fn own_later(&mut self, lead: &str, owners: &[&str]) {
        self.own(lead, owners);
        self.set_later.insert((lead.to_owned(), format!("custom.{OWNER_FIELD}")));
    }

    /// Sets a custom field of a lead; `null` takes its value away.
    ///
    /// # Panics
    /// Where there is no such lead.
    pub fn set(&mut self, lead: &str, field: &str, value: Value) {
        let values = self.leads.get_mut(lead).unwrap().as_object_mut().unwrap();
        let key = format!("custom.{field}");
        match value {
            Value::Null => drop(values.remove(&key)),
            value => drop(values.insert(key, value)),
        }
    }

    /// Takes a lead away: it is deleted, or merged into another.
    pub fn delete(&mut self, lead: &str) {
        self.leads.remove(lead);
        self.gone.insert(lead.to_owned());
    }

    /// Deletes a custom field, and with it the values of all leads.
    pub fn delete_field(&mut self, field: &str) {
        self.fields.retain(|known| known["id"] != field);
        let leads: Vec<String> = self.leads.keys().cloned().collect();
        leads.iter().for_each(|lead| self.set(lead, field, Value::Null));
    }

    /// Gives a custom field another name.
    pub fn rename_field(&mut self, field: &str, name: &str) {
        let found = self.fields.iter_mut().find(|known| known["id"] == field);
        found.unwrap()["name"] = name.into();
    }

    /// Adds a member, or somebody who was one.
    pub fn member(&mut self, id: &str, name: &str, active: bool) {
        let address = format!("{}@sales.example", name.to_lowercase().replace(' ', "."));
        let membership = membership(id, name, &address);
        let list = if active { &mut self.members } else { &mut self.former_members };
        list.push(membership);
    }

    /// Invites somebody of whom no more than an address is known.
    pub fn invite(&mut self, id: &str, address: &str) {
        self.invited.push(membership(id, "", address));
    }

    /// Has a member leave.
    pub fn leave(&mut self, id: &str) {
        let left = self.members.extract_if(.., |member| member["user_id"] == id);
        self.former_members.extend(left);
    }

    /// Has somebody come back who left.
    pub fn come_back(&mut self, id: &str) {
        for member in self.former_members.extract_if(.., |member| member["user_id"] == id) {
            self.members.push(member.clone());
            self.returned.push(member);
        }
    }

    /// Makes the keys those of a member whose role does not see all leads: Tamsin's.
    pub fn restrict(&mut self) {
        self.me = sample("me_restricted_role");
    }

    /// Forbids the key's user all paths that start like this.
    pub fn forbid(&mut self, path: &str) {
        self.forbidden.push(path.to_owned());
    }

    /// Answers the next `count` requests for paths that start like this with something else.
    pub fn next(&mut self, count: usize, path: &str, forced: ForcedAnswer) {
        self.rules.push(Rule { path: path.to_owned(), left: count, forced });
    }

    /// Forgets all forced answers: everything is answered as it should be again.
    pub fn forget_forced_answers(&mut self) {
        self.rules.clear();
    }
}

/// What was asked.
impl Account {
    /// How many requests were for paths that start like this.
    pub fn asked(&self, path: &str) -> usize {
        let paths = self.requests.iter().filter_map(|request| request.split(' ').nth(1));
        paths.filter(|asked| asked.starts_with(path)).count()
    }

    /// How many requests were about one lead.
    pub fn asked_for(&self, lead: &str) -> usize {
        self.asked(&format!("/lead/{lead}"))
    }

    /// How many requests were never answered.
    pub fn unanswered(&self) -> usize {
        self.unanswered
    }
}

/// The id of a user whom a test makes up.
pub fn user(number: usize) -> String {
    format!("user_{number:0>43}")
}

fn membership(id: &str, name: &str, address: &str) -> Value {
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    json!({
        "id": id.replacen("user_", "memb_", 1), "organization_id": ORGANIZATION, "user_id": id,
        "user_full_name": name, "user_first_name": first, "user_last_name": last, "user_email": address,
        "user_phone": null, "user_phone_formatted": null, "user_image": null, "role": "User", "role_id": "user",
        "permissions_granted": [],
    })
}
