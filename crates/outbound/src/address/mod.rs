//! The address that Close is given for the webhook: whether Close can reach it, what answers there, and whether two
//! addresses are one.

mod likeness;
mod reach;
mod trial;

pub use likeness::{Likeness, leads_to_webhook, likeness};
pub use reach::{obstacle, resolved_obstacle};
pub use trial::{Judged, PATIENCE, Tried, attempt};
