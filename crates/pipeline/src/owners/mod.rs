//! The sources of owners: what their answers mean.
//!
//! [`Documents`] are one document a lead, as in the brief's public bucket. [`CloseOwners`] reads the owner
//! where a team that uses Close has it: in a custom field.

mod close;
mod documents;
mod interpret;

use std::{future::Future, pin::pin, time::Duration};

use futures_util::future::{Either, select};

use crate::ports::Clock;

pub use close::{CloseOwners, Examination, Failure, OwnerFields, Retrieved, examine};
pub use documents::Documents;
pub use interpret::{LookupAnswer, element, interpret};

/// The outcome of `work`, or `None` where it takes longer than `limit`.
async fn within<T>(clock: &dyn Clock, limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    let work = pin!(work);
    let Some(limit) = limit else { return Some(work.await) };
    match select(work, pin!(clock.sleep(limit))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
