//! The webhook URL that Close is given: whether Close can reach it, what answers there, and whether two URLs lead to
//! the same webhook.

mod probe;
mod reachability;
mod similarity;

pub use probe::{PROBE_TIMEOUT, ProbeOutcome, ProbeVerdict, probe};
pub use reachability::{resolved_unreachable_reason, unreachable_reason};
pub use similarity::{Similarity, leads_to_webhook, similarity};
