//! The settings of the stages.

mod prefixes;
mod secret_text;
mod variables;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use secret_text::SecretText;
pub use variables::Variables;

use crate::{
    destination::{DestinationId, KINDS},
    store_retry::doubled,
};

/// The figures and names that the stages work by. Names and defaults are those of the original's
/// environment variables, where it has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `SOURCE_PREFIX`: where raw events are.
    pub source_prefix: String,
    /// `TARGET_PREFIX`: where enriched leads are.
    pub target_prefix: String,
    /// `DELAY_SECONDS`: how long a lead waits for its owner, 0 to 900 s.
    pub delay: Duration,
    /// Where new leads are announced: each kind of destination has a switch, such as `USE_SLACK`.
    #[serde(rename = "channels")]
    pub destinations: Vec<DestinationId>,
    /// How often a lead is processed before its message is a dead letter. On the last of them a lead
    /// whose owner cannot be looked up is announced without one.
    pub process_attempts: u32,
    /// How often an alert is tried before it is a dead letter. Waits that Slack asks for do not count.
    pub notify_attempts: u32,
    /// How often the owner of a lead that was announced without one is looked up again.
    pub rechecks: u32,
    /// How old a signature may be.
    ///
    /// Close does not say whether a retry, up to three days later, is signed afresh: the window is twice that
    /// and a day. Within it, whoever has seen a webhook can repeat it. That makes no second lead, as the raw
    /// event makes every further delivery a duplicate, but each delivery costs something.
    pub signature_max_age: Duration,
    /// How long after its due time a lead without an end counts as overdue.
    pub overdue_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            source_prefix: "source/".to_owned(),
            target_prefix: "target/".to_owned(),
            delay: Duration::from_secs(600),
            destinations: KINDS.iter().filter(|kind| kind.is_default).map(DestinationId::of_kind).collect(),
            process_attempts: 3,
            notify_attempts: 12,
            rechecks: 12,
            signature_max_age: Duration::from_secs(7 * 24 * 60 * 60),
            overdue_after: Duration::from_secs(120),
        }
    }
}

impl Settings {
    /// How long after the last look-up the owner is looked for again, `number` counting from 1: the
    /// delay, doubled each time, at most four hours. With the default delay the twelfth and last
    /// look-up is some 33 hours after the alert, as owners are known to appear a day late.
    pub fn recheck_wait(&self, number: u32) -> Duration {
        let first = self.delay.max(Duration::from_secs(1));
        doubled(first, number, Duration::from_secs(4 * 60 * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rechecks_reach_past_the_next_day_and_end() {
        let settings = Settings::default();
        let total: Duration = (1..=settings.rechecks).map(|number| settings.recheck_wait(number)).sum();
        assert!((30..36).contains(&(total.as_secs() / 3_600)), "{total:?}");
    }
}
