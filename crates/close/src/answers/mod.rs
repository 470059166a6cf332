//! What Close's read API answers, as far as owners are looked up in it.
//!
//! Shapes: <https://developer.close.com/resources/leads/>, `/resources/organizations/`,
//! `/resources/custom-fields/`. Every field may be missing, of another type, or broken: each answer is read
//! by the lenient [`outside::Document`], and what is not understood is not there.

mod account;
mod field;
mod lead;
mod roster;

pub use account::{Account, Role, is_user, roles};
pub use field::{CustomField, FieldId, FieldSetting, custom_fields};
pub use lead::{LeadAnswer, Owned};
pub use roster::{Member, Roster, Who};
