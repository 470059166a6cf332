//! The sample organisation in Close: its members, its custom fields, its leads, and the API's answers about them.
//!
//! Shapes: <https://developer.close.com/resources/leads/>, `/resources/organizations/`, `/resources/custom-fields/`.

use close::FieldSetting;
use lead::LeadId;
use outside::text;
use pipeline::owners::OwnerFields;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Sample;

/// The organisation.
pub(crate) const ID: &str = "orga_ECcNQf2suOoOOsgAwpIYiIP9K2zzSxxnF1eKUpTXYgw";
/// The custom field that names a lead's owners: its name, and its id.
pub(crate) const OWNER_FIELD: (&str, &str) = ("Lead Owner", "cf_i4oPLMaajn5dY9DUaPNqLJaqpQJk5JsxSssmIkhFuJ1");
/// The custom field that names its funnel.
pub(crate) const FUNNEL_FIELD: (&str, &str) = ("Funnel", "cf_mLGb4kWzZlDB5mpWe7iZ24A6pJmoQkL0pIxCjrABYCN");

/// An owner of leads: a desk, whose inbox is a user in Close.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) id: &'static str,
    membership: &'static str,
}

const fn member(name: &'static str, id: &'static str, membership: &'static str) -> Member {
    Member { name, id, membership }
}

/// The members.
pub(crate) const MEMBERS: [Member; 7] = [
    member(
        "Sales North",
        "user_MzqHxqcAsblDvliin8NvY40XDNXvzMWKYCBf1BTHaFi",
        "memb_mtS0UCeKgicXs7aDOulnUUIqBtAUm8SscuzM2fwc3gs",
    ),
    member(
        "Sales South",
        "user_MPMcImI4JfAPXrSLU0FhEQBKuzK8UXgrsqlvYQqGL9T",
        "memb_TIG02FE2xNh4yblVdHnOm27ZrE2ke02Ne6gfEHUZIGU",
    ),
    member(
        "Partner Desk",
        "user_MknwnJNH6nysbCjCwBZWJOBrUgazX5M4W4Nc8OHuiXz",
        "memb_dIKSxr2Hv9Y1v9UF8kF6JMvBiTCMbkAhGdOTUXcMILJ",
    ),
    member(
        "Inbound EMEA",
        "user_Sj9Cofgi4WZr1LcdOc0ND0UaJdiZqlOOYGmHkeF7Cqu",
        "memb_Fbi8xIvSBwQOO1ExqCtgfSHg0G3FH85Hw0XuXppcrSX",
    ),
    member(
        "Inbound Americas",
        "user_rdb5w2HYItbI9C9wXsPYeZW2qgwPzEkgu70fENG6mUM",
        "memb_U176W33VFoF4FB7fDn1abrDUQftwH5MeDRmitmDXJTH",
    ),
    member(
        "Key Accounts",
        "user_aatI5bDOkSWPJ42J2A0VepElDtJpJP8it5yTDrm7I35",
        "memb_BLv47aF1PvrCNg0jzs8jaDkjQWL3Ecs0HniBxXUGfze",
    ),
    member(
        "Mid-Market Desk",
        "user_wMkMp4t3skn2H7sCB2jZ5uK8pRA2pocvvDvkzkdfPBS",
        "memb_JMH8NHH7wgaINy2zYNHHc5cmoRq6qcXtD4wFoqPRGd9",
    ),
];

/// A former member.
pub(crate) const DEPARTED: Member = member(
    "Renewals Desk",
    "user_cRTaQES2kQU8KhDetUPPDABkRQlOh2f5QjRJDRZUmaS",
    "memb_oL1BRrTeMpNkB9nscFryRPfkKVSrusG1IwhXSY3Z7Pc",
);

/// The settings that name the fields: the owner's by its name, the funnel's by its id.
pub(crate) fn owner_fields() -> OwnerFields {
    OwnerFields { owner: FieldSetting::parse(OWNER_FIELD.0), funnel: FieldSetting::parse(FUNNEL_FIELD.1) }
}

/// The API's answer to `GET {path}`, relative to its base. `lead` looks up leads.
pub(crate) fn answer(path: &str, lead: impl FnOnce(&LeadId) -> Option<Value>) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').collect();
    let found = match parts[..] {
        ["me", ""] => Some(me()),
        ["role", ""] => Some(roles()),
        ["organization", ID, ""] => Some(organization()),
        ["custom_field_schema", "lead", ""] => Some(fields()),
        ["lead", id, ""] => id.parse().ok().and_then(|id| lead(&id)),
        _ => None,
    };
    match found {
        Some(found) => (200, chosen(found, query)),
        None => (404, json!({"error": "Empty query: Lead matching query does not exist."})),
    }
}

/// The fields of an object that `_fields` names; Close omits those that it does not have.
fn chosen(mut object: Value, query: &str) -> Value {
    let wanted = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "_fields");
    if let (Some((_, wanted)), Some(fields)) = (wanted, object.as_object_mut()) {
        fields.retain(|name, _| wanted.split(',').any(|one| one == name));
    }
    object
}

impl Sample {
    /// The lead in Close, with its owners, or without them as long as nobody is assigned.
    pub(crate) fn in_close(&self, is_owned: bool) -> Value {
        let mut lead = json!({
            "id": self.lead_id,
            "organization_id": ID,
            "name": self.display_name,
            "display_name": self.display_name,
            "html_url": self.lead_id.close_url(),
            "status_label": self.status_label,
            "date_created": self.date_created,
            "contacts": [{"emails": [self.email_in_close()], "phones": [self.phone_in_close()]}],
        });
        lead[format!("custom.{}", FUNNEL_FIELD.1)] = self.funnel.into();
        if is_owned {
            lead[format!("custom.{}", OWNER_FIELD.1)] = self.owner_value();
        }
        lead
    }

    /// Its e-mail address, in the API and in webhooks.
    pub(crate) fn email_in_close(&self) -> Value {
        json!({"email": self.email, "type": "office", "is_unsubscribed": false})
    }

    /// Its phone number, in the API and in webhooks.
    pub(crate) fn phone_in_close(&self) -> Value {
        json!({
            "phone": self.phone.replace([' ', '-'], ""), "phone_formatted": self.phone, "type": "office",
            "country": "US",
        })
    }

    /// The value of the owner field.
    pub(crate) fn owner_value(&self) -> Value {
        match self.owners[..] {
            [one] => one.id.into(),
            ref several => several.iter().map(|owner| owner.id).collect(),
        }
    }
}

fn organization() -> Value {
    let membership = |member: &Member| {
        json!({
            "id": member.membership,
            "organization_id": ID,
            "user_id": member.id,
            "user_full_name": member.name,
            "user_email": email(member),
            "role_id": "user",
        })
    };
    json!({
        "id": ID,
        "name": "Sample organisation",
        "memberships": MEMBERS.iter().map(membership).collect::<Value>(),
        "inactive_memberships": [membership(&DEPARTED)],
    })
}

/// An address in a reserved domain (RFC 2606).
fn email(member: &Member) -> String {
    format!("{}@sales.example", text::ascii(member.name).to_lowercase().replace(' ', "-"))
}

fn fields() -> Value {
    let field = |(name, id): (&str, &str), kind: &str, is_multiple: bool| {
        json!({
            "id": id, "organization_id": ID, "name": name, "type": kind, "choices": null,
            "accepts_multiple_values": is_multiple, "is_shared": false,
        })
    };
    json!({
        "object_type": "lead",
        "fields": [field(OWNER_FIELD, "user", true), field(FUNNEL_FIELD, "text", false)],
    })
}

fn me() -> Value {
    let [first, ..] = &MEMBERS;
    json!({
        "id": first.id,
        "email": email(first),
        "first_name": first.name,
        "last_name": "",
        "organizations": [{"id": ID, "name": "Sample organisation"}],
        "memberships": [{
            "id": first.membership, "user_id": first.id, "organization_id": ID, "role_id": "admin",
        }],
    })
}

fn roles() -> Value {
    let role = |id: &str, name: &str| {
        json!({
            "id": id, "organization_id": ID, "name": name, "permissions": ["view_all_leads"],
            "visibility_user_lcf_ids": [], "visibility_user_lcf_behavior": null,
            "date_created": "0001-01-01T00:00:00",
        })
    };
    json!({"data": [role("admin", "Admin"), role("user", "User")], "has_more": false})
}

#[cfg(test)]
mod tests {
    use close::{Account, FieldId, LeadAnswer, MemberList, MemberMatch, custom_fields, roles};

    use super::*;
    use crate::Scenario;

    fn body(path: &str) -> Vec<u8> {
        let (status, body) = answer(path, |_| None);
        assert_eq!(status, 200, "{path}");
        body.to_string().into_bytes()
    }

    #[test]
    fn everything_is_read_as_what_it_is() {
        let roster = MemberList::parse(&body(&format!(
            "organization/{ID}/?_fields=name,memberships,inactive_memberships"
        )));
        let roster = roster.unwrap();
        assert_eq!(roster.counts(), (7, 1));
        for member in &MEMBERS {
            assert!(
                matches!(roster.who(member.id), MemberMatch::Member(found) if found.name == member.name && found.active)
            );
            assert!(
                matches!(roster.who(&email(member)), MemberMatch::Member(found) if found.id == member.id)
            );
        }
        assert!(matches!(roster.who(DEPARTED.name), MemberMatch::Member(found) if !found.active));
        let fields = custom_fields(&body("custom_field_schema/lead/")).unwrap();
        let setting = FieldSetting::parse(OWNER_FIELD.0).unwrap();
        let owner = setting.find(&fields).unwrap();
        assert!(owner.id.as_str() == OWNER_FIELD.1 && owner.is_of_users() && owner.is_multiple);
        let account = Account::parse(&body("me/")).unwrap();
        assert_eq!(account.organization_id.as_deref(), Some(ID));
        assert!(roles(&body("role/")).unwrap().iter().all(|role| role.sees_all));
    }

    #[test]
    fn a_lead_has_what_is_asked_for_and_an_unknown_one_is_not_there() {
        let sample = Scenario::new(1).next("2026-09-14T15:02:11Z".parse().unwrap());
        let (owner, funnel) = (OWNER_FIELD.1, FUNNEL_FIELD.1);
        let path =
            format!("lead/{}/?_fields=id,contacts,nothing,custom.{owner},custom.{funnel}", sample.lead_id);
        let ask = |is_owned| answer(&path, |_| Some(sample.in_close(is_owned))).1;
        let names: Vec<String> = ask(true).as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["contacts", &format!("custom.{owner}"), &format!("custom.{funnel}"), "id"]);
        let field = |id: &str| (FieldSetting::parse(id).unwrap(), FieldId::parse(id).unwrap());
        let (owner, funnel) = (field(owner), field(funnel));
        let read = |is_owned| {
            let body = ask(is_owned).to_string();
            let funnel = Some((&funnel.0, &funnel.1));
            LeadAnswer::parse(body.as_bytes(), (&owner.0, &owner.1), funnel).unwrap()
        };
        assert_eq!(read(true).owned.owners, [sample.owners[0].id]);
        assert!(read(false).owned.owners.is_empty());
        assert_eq!(read(true).email.as_ref(), Some(&sample.email));
        assert_eq!(read(true).phone.as_ref(), Some(&sample.phone));
        assert_eq!(read(true).owned.funnel.as_deref(), Some(sample.funnel));
        for path in ["lead/lead_other/", "lead/../", "lead/lead_a", "organization/orga_other/", "", "lead//"]
        {
            assert_eq!(answer(path, |_| None).0, 404, "{path}");
        }
    }
}
