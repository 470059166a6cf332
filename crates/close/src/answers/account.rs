//! The user an API key belongs to, and what their role may see: `GET /me/` and `GET /role/`.

use std::borrow::Cow;

use crate::{answers::FieldId, is_id};
use outside::{Document, Fields, Unreadable, document::Value, text};

/// The user to whom an API key belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Their name or e-mail address, one clean line.
    pub name: String,
    /// The organisation that the key is for. `None` where the answer names none, several, or contradicts itself.
    pub organization_id: Option<String>,
    /// Their role there.
    pub role_id: Option<String>,
}

/// Whether an answer is about a user, as a valid key gets.
///
/// # Errors
/// [`Unreadable`] where it is not an object.
pub fn is_user(body: &[u8]) -> Result<bool, Unreadable> {
    Ok(Document::read(body)?.fields()?.text("id").is_some_and(|id| is_id(&id, "user")))
}

impl Account {
    /// Reads the answer to `GET /me/`.
    ///
    /// The organisation is at the top level, the only one of `organizations`, or the only one of `memberships`: the first
    /// of these that is present.
    ///
    /// # Errors
    /// [`Unreadable`] where it is not a user.
    pub fn parse(body: &[u8]) -> Result<Self, Unreadable> {
        let document = Document::read(body)?;
        let me = document.fields()?;
        if !me.text("id").is_some_and(|id| is_id(&id, "user")) {
            return Err(Unreadable::new("it is not a user"));
        }
        let list = |name: &str| me.get(name).and_then(Value::items).unwrap_or_default();
        let memberships: Vec<Fields<'_>> =
            list("memberships").into_iter().filter_map(Value::fields).collect();
        let organizations = list("organizations");
        let only = match organizations[..] {
            [one] => id(one),
            _ => None,
        };
        let of_membership = || match &memberships[..] {
            [one] => one.text("organization_id"),
            _ => None,
        };
        let top = me.text("organization_id");
        let contradicts = top.as_ref().is_some_and(|top| {
            !organizations.is_empty() && organizations.iter().all(|one| id(*one).is_none_or(|id| id != *top))
        });
        let organization = if contradicts { None } else { top.or(only).or_else(of_membership) };
        let organization = organization.filter(|id| is_id(id, "orga")).map(Cow::into_owned);
        let role = memberships
            .iter()
            .find(|one| one.text("organization_id").as_deref() == organization.as_deref())
            .or_else(|| memberships.first().filter(|_| memberships.len() == 1))
            .and_then(|one| one.text("role_id"))
            .map(|role| text::shorten(&role, 100));
        let name =
            ["first_name", "last_name"].iter().filter_map(|name| me.text(name)).collect::<Vec<_>>().join(" ");
        let email = me.text("email").unwrap_or_default();
        Ok(Self {
            name: text::clean_or(&text::shorten(&name, 100), &text::shorten(&email, 100)),
            organization_id: organization,
            role_id: role,
        })
    }
}

/// The id of an organisation, which is an object or, in other answers, only its id.
fn id(organization: Value<'_>) -> Option<Cow<'_, str>> {
    match organization.fields() {
        Some(fields) => fields.text("id"),
        None => organization.text(),
    }
}

/// What a role may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its id: `admin`, `user`, `role_…`.
    pub id: String,
    /// Its name, one clean line.
    pub name: String,
    /// Whether it sees every lead. Otherwise the owner fields decide.
    pub sees_all: bool,
    /// Whether it also sees leads without an owner.
    pub sees_unassigned: bool,
    /// The owner fields that decide which leads it sees.
    pub owner_fields: Vec<FieldId>,
}

/// The roles in the answer to `GET /role/`.
///
/// # Errors
/// [`Unreadable`] where it has no list of them.
pub fn roles(body: &[u8]) -> Result<Vec<Role>, Unreadable> {
    let document = Document::read(body)?;
    let data = document.fields()?.get("data").and_then(Value::items);
    let data = data.ok_or_else(|| Unreadable::new("it has no list of roles"))?;
    let read = |value: Value<'_>| {
        let role = value.fields()?;
        let texts = |name: &str| {
            let items = role.get(name).and_then(Value::items).unwrap_or_default();
            items.into_iter().filter_map(Value::text).map(Cow::into_owned).collect::<Vec<_>>()
        };
        Some(Role {
            id: role.text("id")?.into_owned(),
            name: text::shorten(&role.text("name").unwrap_or_default(), 100),
            sees_all: texts("permissions").iter().any(|permission| permission == "view_all_leads"),
            sees_unassigned: role.text("visibility_user_lcf_behavior").as_deref() == Some("allow_unassigned"),
            owner_fields: texts("visibility_user_lcf_ids")
                .iter()
                .filter_map(|id| FieldId::parse(id))
                .collect(),
        })
    };
    Ok(data.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_organisation_is_found_in_each_of_its_places() {
        let admin = Account::parse(include_bytes!("../../../../tests/samples/close/me_admin.json")).unwrap();
        let restricted =
            Account::parse(include_bytes!("../../../../tests/samples/close/me_restricted_role.json"))
                .unwrap();
        let organization = Some("orga_PKSgUng4vUb2zXsiJCT9kcdhjmqParUFDPUkFhBt1nu".to_owned());
        assert_eq!((admin.organization_id, admin.role_id.as_deref()), (organization.clone(), Some("admin")));
        assert_eq!(restricted.organization_id, organization);
        assert!(restricted.role_id.is_some_and(|role| role.starts_with("role_")));
        assert_eq!(
            (admin.name.as_str(), restricted.name.as_str()),
            ("Rowan Testaverde", "Tamsin Okafor-Test")
        );
        let by_membership =
            br#"{"id":"user_1","memberships":[{"organization_id":"orga_1","role_id":"user"}]}"#;
        assert_eq!(Account::parse(by_membership).unwrap().organization_id.as_deref(), Some("orga_1"));
        let several = br#"{"id":"user_1","organizations":["orga_1","orga_2"],"memberships":[{"organization_id":"orga_1"},{"organization_id":"orga_2"}]}"#;
        assert_eq!(Account::parse(several).unwrap().organization_id, None);
        let other = br#"{"id":"user_1","organization_id":"orga_2","organizations":[{"id":"orga_1"}]}"#;
        assert_eq!(Account::parse(other).unwrap().organization_id, None);
        assert!(Account::parse(b"{\"id\":\"lead_1\"}").is_err());
    }

    #[test]
    fn roles_say_what_they_see_and_which_field_is_the_owner() {
        let roles =
            roles(include_bytes!("../../../../tests/samples/close/role_list_owner_field_hint.json")).unwrap();
        let seen: Vec<_> = roles.iter().map(|role| (role.sees_all, role.sees_unassigned)).collect();
        assert_eq!(seen, [(true, false), (true, false), (false, false)]);
        assert_eq!(roles[2].owner_fields.len(), 2);
    }
}
