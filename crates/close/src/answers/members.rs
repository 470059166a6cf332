//! The members of an organisation: `GET /organization/{id}/?_fields=name,memberships,inactive_memberships`.

use serde::{Deserialize, Serialize};

use crate::{is_id, without_ids};
use outside::{Document, Fields, Unreadable, document::Value, is_placeholder, text};

/// A member or former member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `user_…`.
    pub id: String,
    /// Their full name, or their e-mail address where Close has no name yet: one clean line.
    pub name: String,
    /// Their e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether they are a member now.
    pub active: bool,
}

/// All members and former members of an organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberList {
    members: Vec<Member>,
}

/// The member that a value of an owner field means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberMatch<'a> {
    /// This member.
    Member(&'a Member),
    /// Not in the list.
    Unknown,
    /// More than one.
    Ambiguous,
}

impl MemberList {
    /// Reads the answer. A person in both lists was invited again and is a member.
    ///
    /// # Errors
    /// [`Unreadable`] where it has no list of memberships, or an empty one.
    pub fn parse(body: &[u8]) -> Result<Self, Unreadable> {
        let document = Document::read(body)?;
        let fields = document.fields()?;
        let list = |name: &str| fields.get(name).and_then(Value::items);
        let active = list("memberships").ok_or_else(|| Unreadable::new("it has no list of memberships"))?;
        let mut members: Vec<Member> = Vec::new();
        let all = active.into_iter().map(|member| (member, true));
        let all =
            all.chain(list("inactive_memberships").unwrap_or_default().into_iter().map(|left| (left, false)));
        for (membership, is_active) in all {
            let member = membership.fields().and_then(|fields| Member::read(&fields, is_active));
            members.extend(member.filter(|member| members.iter().all(|known| known.id != member.id)));
        }
        // The user of the API key is a member.
        if members.iter().all(|member| !member.active) {
            return Err(Unreadable::new("it lists no member"));
        }
        Ok(Self { members })
    }

    /// The number of members and of former members.
    pub fn counts(&self) -> (usize, usize) {
        let active = self.members.iter().filter(|member| member.active).count();
        (active, self.members.len() - active)
    }

    /// Finds a member by `user_…`, by e-mail address, or by full name, which has to be exact. Of people with the same name
    /// or address, current members take precedence.
    pub fn who(&self, value: &str) -> MemberMatch<'_> {
        let value = value.trim();
        if is_id(value, "user") {
            return self
                .members
                .iter()
                .find(|member| member.id == value)
                .map_or(MemberMatch::Unknown, MemberMatch::Member);
        }
        let address = value.to_lowercase();
        let by_address =
            |member: &&Member| member.email.as_ref().is_some_and(|email| email.to_lowercase() == address);
        let name = text::clean(value);
        match self.only(by_address) {
            MemberMatch::Unknown => self.only(|member| member.name == name),
            found => found,
        }
    }

    fn only(&self, is_meant: impl Fn(&&Member) -> bool) -> MemberMatch<'_> {
        let found: Vec<&Member> = self.members.iter().filter(is_meant).collect();
        let active: Vec<&Member> = found.iter().copied().filter(|member| member.active).collect();
        match (&active[..], &found[..]) {
            ([one], _) | ([], [one]) => MemberMatch::Member(one),
            ([], []) => MemberMatch::Unknown,
            _ => MemberMatch::Ambiguous,
        }
    }
}

impl Member {
    /// Reads a membership, whose user is nested or beside it.
    fn read(membership: &Fields<'_>, active: bool) -> Option<Self> {
        let user = membership.get("user").and_then(Value::fields).unwrap_or_default();
        let of_user = |name: &str| {
            let beside = membership.text(&format!("user_{name}")).or_else(|| user.text(name));
            let line = beside.map(|value| text::shorten(&without_ids(&value), 200));
            line.filter(|line| !is_placeholder(line))
        };
        let id = membership.text("user_id").or_else(|| user.text("id"))?.into_owned();
        let email = of_user("email");
        let parts = [of_user("first_name"), of_user("last_name")];
        let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let name = of_user("full_name").or_else(|| Some(parts).filter(|name| !name.is_empty()));
        let name = name.or_else(|| email.clone())?;
        is_id(&id, "user").then_some(Self { id, name, email, active })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAMSIN: &str = "user_bVVWtzQdhJbYngmRZ4Xxdl7C9LoQNX3XKrJPBEziMkt";
    const IVO: &str = "user_thsLES2Ru2DTY2cdXlVwM5myyf0d445IdXt6amZQeV8";

    fn roster() -> MemberList {
        MemberList::parse(include_bytes!("../../../../tests/samples/close/organization_members.json"))
            .unwrap()
    }

    fn name<'a>(roster: &'a MemberList, value: &str) -> Option<(&'a str, bool)> {
        match roster.who(value) {
            MemberMatch::Member(member) => Some((&member.name, member.active)),
            MemberMatch::Unknown | MemberMatch::Ambiguous => None,
        }
    }

    #[test]
    fn both_forms_of_the_answer_hold_the_same_people() {
        let expanded = include_bytes!("../../../../tests/samples/close/organization_members_expanded.json");
        assert_eq!(MemberList::parse(expanded).unwrap(), roster());
        assert_eq!(roster().counts(), (3, 1));
    }

    #[test]
    fn people_are_found_by_id_address_and_exact_name() {
        let roster = roster();
        for value in [TAMSIN, "tamsin@sales.example", "Tamsin@Sales.Example ", "Tamsin Okafor-Test"] {
            assert_eq!(name(&roster, value), Some(("Tamsin Okafor-Test", true)), "{value}");
        }
        assert_eq!(name(&roster, IVO), Some(("Ivo Sampleton", false)));
        for value in ["Tamsin", "tamsin okafor-test", "user_0123", "", "user_", "Sales North"] {
            assert_eq!(roster.who(value), MemberMatch::Unknown, "{value}");
        }
    }

    #[test]
    fn of_two_with_one_name_the_one_who_is_there_is_meant() {
        let two = |second: &str| {
            let member = |id: &str| format!(r#"{{"user_id":"{id}","user_full_name":"Alex Sample"}}"#);
            let body =
                format!(r#"{{"memberships":[{}],"{second}":[{}]}}"#, member("user_1"), member("user_2"));
            let both = body.replace("],\"memberships\":[", ",");
            MemberList::parse(both.as_bytes()).unwrap()
        };
        assert_eq!(name(&two("inactive_memberships"), "Alex Sample"), Some(("Alex Sample", true)));
        assert_eq!(two("memberships").who("Alex Sample"), MemberMatch::Ambiguous);
    }

    #[test]
    fn whoever_came_back_is_there_and_whoever_has_no_name_yet_has_an_address() {
        let body = br#"{"memberships":[{"user_id":"user_1","user_full_name":"","user_email":"new@example.org"}, 7, {"user_id":"x"}],
            "inactive_memberships":[{"user_id":"user_1","user_full_name":"Old"},{"user_id":"user_2","user":{"first_name":"Jo","last_name":"Doe"}}]}"#;
        let roster = MemberList::parse(body).unwrap();
        assert_eq!(name(&roster, "user_1"), Some(("new@example.org", true)));
        assert_eq!(name(&roster, "user_2"), Some(("Jo Doe", false)));
        for body in [&b"<html>"[..], b"{}", b"{\"memberships\":null}", b"{\"memberships\":[]}"] {
            assert!(MemberList::parse(body).is_err());
        }
    }
}
