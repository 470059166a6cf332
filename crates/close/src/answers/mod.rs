//! The answers of Close's API that the look-up of owners needs.
//!
//! Shapes: <https://developer.close.com/resources/leads/>, `/resources/organizations/`,
//! `/resources/custom-fields/`. Every field may be missing, of another type, or broken: each answer is read
//! by the lenient [`outside::Document`], and what is not understood is not there.

mod account;
mod field;
mod lead;
mod members;

pub use account::{Account, Role, is_user, roles};
pub use field::{CustomField, FieldId, FieldSetting, custom_fields};
pub use lead::{CustomFieldOwners, LeadAnswer};
pub use members::{Member, MemberList, MemberMatch};
