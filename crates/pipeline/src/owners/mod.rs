//! The sources of owners: what their answers mean.
//!
//! [`Documents`] are one document a lead, as in the brief's public bucket. [`CloseOwners`] reads the owner
//! where a team that uses Close has it: in a custom field.

mod close;
mod documents;
mod interpret;

pub use close::{CloseOwners, Examination, Failure, OwnerFields, Retrieved, examine};
pub use documents::Documents;
pub use interpret::{LookupAnswer, element, interpret};
