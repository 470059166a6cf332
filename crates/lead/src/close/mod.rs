//! What Close's read API answers, as far as owners are looked up in it.
//!
//! Shapes: <https://developer.close.com/resources/leads/>, `/resources/organizations/`,
//! `/resources/custom-fields/`. Every field may be missing, of another type, or broken: each answer is read
//! by the lenient [`crate::Document`], and what is not understood is not there.

mod account;
mod field;
mod lead;
mod roster;

pub use account::{Account, Role, roles};
pub use field::{CustomField, FieldId, FieldSetting, custom_fields};
pub use lead::{LeadAnswer, Owned};
pub use roster::{Member, Roster, Who};

/// Whether `text` is an identity of Close's with this prefix, such as `user_…`. Their lengths are not promised.
pub fn is_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    rest.is_some_and(|rest| (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// How a user is named whom nobody knows: by what people can compare with Close, and not by a whole id. `None` for
/// what is no user's id.
pub fn unnamed(user: &str) -> Option<String> {
    is_id(user, "user")
        .then(|| format!("Close user …{}", user.get(user.len().saturating_sub(6)..).unwrap_or(user)))
}
