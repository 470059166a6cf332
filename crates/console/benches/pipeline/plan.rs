//! How much is measured, and what is tolerated.

/// The extent of a run.
#[derive(Clone)]
pub(crate) struct Plan {
    /// How many leads the file holds before the intake is measured.
    pub(crate) held: usize,
    /// How often leadops and the null server are measured in turn.
    pub(crate) rounds: usize,
    /// Webhooks in a round at full load.
    pub(crate) at_full_load: usize,
    /// The fixed rates, in webhooks per second, each with the 99th percentile that is promised at it, in milliseconds.
    pub(crate) rates: &'static [(f64, f64)],
    /// Length of a round at a fixed rate, in seconds.
    pub(crate) seconds: usize,
    /// How many alerts are timed.
    pub(crate) alerts: usize,
    /// Leads per second for them. Slack's pace allows 30 alerts at once, and one a second from then on.
    pub(crate) alert_rate: f64,
    /// A promise counts as broken where it is missed by more than this factor.
    pub(crate) tolerance: f64,
    /// How often a figure that breaks a promise is measured again before it counts.
    pub(crate) retries: usize,
    /// What the null server reaches at full load where the promises are to hold, in webhooks per second: where it
    /// reaches less, on a slow machine or in an unoptimised build, as much less is expected of leadops. None where they
    /// are to hold here.
    pub(crate) reference: Option<f64>,
}

/// The figures that are published.
pub(crate) const FULL: Plan = Plan {
    held: 100_000,
    rounds: 5,
    at_full_load: 12_000,
    rates: &[(1_000.0, 8.0), (5_000.0, 15.0)],
    seconds: 3,
    alerts: 100,
    alert_rate: 1.35,
    tolerance: 1.0,
    retries: 0,
    reference: None,
};

/// Finds what has become much slower, even on a busy machine with a slow disk, and in the build that the tests run.
pub(crate) const SMOKE: Plan = Plan {
    held: 10_000,
    rounds: 3,
    at_full_load: 4_000,
    // Well below the lowest rate at full load that is tolerated: where more comes in than a machine can
    // take, nothing bounds the latency.
    rates: &[(1_000.0, 20.0), (2_000.0, 20.0)],
    seconds: 1,
    alerts: 30,
    alert_rate: 10.0,
    tolerance: 3.0,
    retries: 2,
    // README's figure.
    reference: Some(49_000.0),
};
