//! What all leads share: the organisation with its members, the custom fields, the roles, and whose the key is.
//! <https://developer.close.com/resources/organizations/>, `/custom-fields/`, `/roles/`, `/users/`.

use serde_json::{Map, Value, json};

use super::{
    account::Account,
    answer::Answer,
    switches::{Invited, MyOrganization, Returned},
};

impl Account {
    pub(super) fn organization(&self, id: &str, fields: Option<&str>) -> Answer {
        if id != self.organization {
            return Answer::absent();
        }
        let (mut members, mut former) = (self.members.clone(), self.former_members.clone());
        members.extend(self.invited.iter().filter_map(|invited| self.shown_invited(invited)));
        if self.switches.returned == Returned::Both {
            former.extend(self.returned.iter().cloned());
        }
        let organization = json!({
            "id": id, "name": "Example Academy (sample)", "currency": "USD",
            "memberships": members, "inactive_memberships": former,
        });
        Answer::json(200, &asked_for(organization, fields))
    }

    /// The membership of somebody who has not accepted it yet.
    fn shown_invited(&self, invited: &Value) -> Option<Value> {
        let mut shown = invited.clone();
        let names = shown.as_object_mut().unwrap();
        match self.switches.invited {
            Invited::Nameless => {}
            Invited::Absent => {
                names.remove("user_full_name");
                names.insert("user_first_name".to_owned(), Value::Null);
                names.insert("user_last_name".to_owned(), Value::Null);
            }
            Invited::Unlisted => return None,
        }
        Some(shown)
    }

    pub(super) fn schema(&self) -> Answer {
        Answer::json(200, &json!({"object_type": "lead", "fields": self.fields}))
    }

    pub(super) fn list_roles(&self) -> Answer {
        Answer::json(200, &json!({"data": self.roles, "has_more": false}))
    }

    pub(super) fn me(&self, fields: Option<&str>) -> Answer {
        let mut me = self.me.clone();
        let id = self.organization.as_str();
        let shown = me.as_object_mut().unwrap();
        shown.remove("organization_id");
        match self.switches.my_organization {
            MyOrganization::Top => drop(shown.insert("organization_id".to_owned(), id.into())),
            MyOrganization::Lists => {}
            MyOrganization::Ids => drop(shown.insert("organizations".to_owned(), json!([id]))),
            MyOrganization::Memberships => drop(shown.remove("organizations")),
        }
        Answer::json(200, &asked_for(me, fields))
    }

    /// The role of the key's user.
    pub(super) fn role(&self) -> Option<&Value> {
        self.roles.iter().find(|role| role["id"] == self.me["memberships"][0]["role_id"])
    }

    /// Whether the key's user sees every lead.
    pub(super) fn sees_all(&self) -> bool {
        self.role().is_none_or(|role| has(&role["permissions"], "view_all_leads"))
    }
}

/// Of an answer what `_fields` ask for.
fn asked_for(answer: Value, fields: Option<&str>) -> Value {
    let (Value::Object(answer), Some(fields)) = (&answer, fields) else { return answer };
    let asked = fields.split(',').filter_map(|field| Some((field.to_owned(), answer.get(field)?.clone())));
    asked.collect::<Map<_, _>>().into()
}

/// Whether a value is, or a list has, this text.
pub(super) fn has(value: &Value, text: &str) -> bool {
    value == text || value.as_array().is_some_and(|items| items.iter().any(|item| item == text))
}
