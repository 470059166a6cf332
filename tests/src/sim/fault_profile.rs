//! Which faults there are in a run, and how often.
//!
//! Each seed has some kinds of faults and not others. A run with everything at once hardly gets anywhere, and
//! what is only broken where one kind of fault meets much ordinary work stays hidden in it.

use std::time::Duration;

use super::{Wiring, dice::Dice};

const MINUTE: Duration = Duration::from_secs(60);

/// The rates of faults, each a share of the occasions.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultProfile {
    /// A call of a port is the last that its process does: before it has happened, or after.
    pub crash: f64,
    /// A call fails, and nothing has happened.
    pub fail: f64,
    /// A call fails, and it has happened all the same.
    pub lose_answer: f64,
    /// A call takes seconds.
    pub slow: f64,
    /// A process stands still for minutes and goes on as if nothing had been.
    pub freeze: f64,
    /// A queue delivers a message to two receivers, or once more after it was deleted.
    pub duplicate_message: f64,
    /// S3 announces an object twice.
    pub duplicate_event: f64,
    /// S3 announces an object only after minutes.
    pub late_event: f64,
    /// AWS asks to slow down, or S3 answers a conditional write with 409.
    pub throttle: f64,
    /// Owners are in a custom field of Close, not in a bucket.
    pub owners_in_close: bool,
    /// A lead's owner document is late, missing, broken or about another lead.
    pub odd_owner: f64,
    /// A lead's owner changes, and changes back.
    pub changing_owner: f64,
    /// The source of owners has some fault for so much of the time.
    pub directory_down: f64,
    /// Slack has some fault for so much of the time.
    pub slack_faults: f64,
    /// The mail server is, for so many of the mails.
    pub mail_faults: f64,
    /// The answer to a webhook does not reach Close.
    pub lose_webhook_answer: f64,
    /// Close delivers once more what was accepted.
    pub duplicate_webhook: f64,
    /// Somebody who has seen a webhook repeats it again and again, for so many of the leads.
    pub replays: f64,
    /// The wall clock is set, in so many of the minutes.
    pub clock_step: f64,
    /// An operator does something, in so many of the minutes.
    pub operator: f64,
    /// From when on the store is away for an hour.
    pub away_from: Option<Duration>,
    /// In the fault-free phase one destination of several is slow for a while.
    pub one_is_slow: bool,
    /// How many leads there are.
    pub leads: u64,
    /// Whether they come all at once.
    pub burst: bool,
    /// How long the fault phase lasts.
    pub fault_phase: Duration,
}

/// How long a store is away.
const AWAY: Duration = Duration::from_secs(60 * 60);

impl FaultProfile {
    /// Whether the store is away at a time since the start.
    pub fn is_away(&self, now: Duration) -> bool {
        self.away_from.is_some_and(|from| (from..from + AWAY).contains(&now))
    }

    /// The fault profile of a run.
    pub fn of(dice: &Dice, wiring: Wiring) -> Self {
        // Half of the kinds of faults are absent from a run.
        let rate = |most: f64| {
            let present = dice.chance(0.5);
            let share = [0.1, 0.4, 1.0][usize::try_from(dice.below(3)).unwrap()];
            if present { most * share } else { 0.0 }
        };
        let aws = wiring == Wiring::Aws;
        let away_from = dice.chance(0.15).then(|| dice.between(MINUTE * 5, MINUTE * 20));
        let shortest = if away_from.is_some() { MINUTE * 85 } else { MINUTE * 15 };
        Self {
            crash: rate(0.02),
            fail: rate(0.05),
            lose_answer: rate(0.04),
            slow: rate(0.03),
            freeze: rate(0.006),
            duplicate_message: rate(if aws { 0.15 } else { 0.0 }),
            duplicate_event: rate(if aws { 0.4 } else { 0.0 }),
            late_event: rate(if aws { 0.3 } else { 0.0 }),
            throttle: rate(if aws { 0.05 } else { 0.0 }),
            owners_in_close: dice.chance(0.5),
            odd_owner: rate(0.9),
            changing_owner: rate(0.6),
            directory_down: rate(0.5),
            slack_faults: rate(0.6),
            mail_faults: rate(0.3),
            lose_webhook_answer: rate(0.3),
            duplicate_webhook: rate(0.5),
            replays: rate(0.5),
            clock_step: rate(0.1),
            operator: rate(0.4),
            away_from,
            leads: 2 + dice.below(9),
            burst: dice.chance(0.4),
            fault_phase: dice.between(shortest, MINUTE * 90),
            one_is_slow: dice.chance(0.2),
        }
    }
}
