//! A destination that is slow for a while, and the others beside it.
//!
//! Only in the fault-free phase can it be said of an alert that nothing but the slow destination may have held it up.

use std::{fmt, time::Duration};

use lead::AlertKind;
use pipeline::{destination::DestinationId, ports::Clock as _};

use super::{
    Model, Wiring,
    truth::{Promise, SentAlert},
};

const SECOND: Duration = Duration::from_secs(1);
/// How long the slow one takes over a message that it answers: nearly as long as a client waits, or not so long that
/// anybody would call a single one slow.
const SLOW: [Duration; 3] = [Duration::from_secs(9), Duration::from_millis(4_800), Duration::from_secs(2)];
/// How long it is slow after the first of the leads is due that come in meanwhile.
pub const LASTS: Duration = Duration::from_secs(300);
/// Leads come in by fours, every five seconds: more than the slow one gets done with, and no more than the others do by
/// their own pace.
const TOGETHER: u32 = 4;
const EVERY: u32 = 5;
const LEADS: u32 = 24;
/// Where a batch has alerts for all destinations, so many leads come in at once as well, which fill it.
const BURST: usize = 80;

/// A slow destination.
#[derive(Debug, Clone)]
pub struct Slow {
    destination: DestinationId,
    /// After how long it takes the message; else the client gives up.
    answers_after: Option<Duration>,
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is slow from now on: it answers ", self.destination.label())?;
        match self.answers_after {
            Some(after) => write!(f, "after {} ms", after.as_millis()),
            None => f.write_str("nothing"),
        }
    }
}

impl Slow {
    /// That of a run, where there is one and another beside it.
    pub fn of(model: &Model) -> Option<Self> {
        let destinations = &model.settings.destinations;
        if !model.fault_profile.one_is_slow || destinations.len() < 2 {
            return None;
        }
        let destination = model.dice.pick(destinations).clone();
        let answers_after = model.dice.chance(0.6).then(|| *model.dice.pick(&SLOW));
        Some(Self { destination, answers_after })
    }

    /// When leads come in, since it began.
    pub fn leads(&self, model: &Model) -> Vec<Duration> {
        let burst = if model.wiring == Wiring::Aws { BURST } else { 0 };
        let trickle = (0..LEADS).map(|lead| SECOND * (lead / TOGETHER * EVERY));
        trickle
            .chain(std::iter::repeat_n(SECOND * 3, burst))
            .map(|at| at + model.dice.between(Duration::ZERO, SECOND))
            .collect()
    }

    /// Checks that each lead that was enriched since `began` was announced at every other destination soon after.
    pub fn check(&self, model: &Model, began: Duration) {
        let at = model.clock.elapsed();
        let soon = soon(model.wiring);
        let mut truth = model.truth();
        let mut held_up = None;
        for (lead, known) in &truth.leads {
            let Some(enriched) = known.enriched.filter(|then| (began..at - soon).contains(then)) else {
                continue;
            };
            for other in model.settings.destinations.iter().filter(|other| **other != self.destination) {
                let is_first =
                    |alert: &&SentAlert| alert.destination == *other && alert.shown.kind == AlertKind::New;
                let took = known.alerts.iter().find(is_first).map_or(at, |alert| alert.at) - enriched;
                if took > soon {
                    held_up.get_or_insert((lead.clone(), other.clone(), took));
                }
            }
        }
        if let Some((lead, other, took)) = held_up {
            let (took, other, slow) = (took.as_secs(), other.label(), self.destination.label());
            let what = format!("{other} was notified {took} s after it was enriched, as {slow} is slow");
            truth.broken(Promise::Beside, Some(&lead), at, what);
        }
    }
}

/// How soon an alert goes out beside a slow destination. In one process each destination has workers of its own, and what
/// is waited for is the pace of the destination itself, as several leads may be due together once their owners are known. An
/// invocation of a function works for all of them, and the two that there are at a time may be waiting for the slow one; the
/// burst makes half a dozen batches, and each of them may last as long as one message takes.
fn soon(wiring: Wiring) -> Duration {
    match wiring {
        Wiring::Embedded => SECOND * 8,
        Wiring::Aws => SECOND * 45,
    }
}

impl Model {
    /// Has a destination be slow, or none any more.
    pub fn slow_down(&self, slow: Option<Slow>) {
        *self.slow.lock().unwrap() = slow;
    }

    /// Waits as long as a slow destination takes; whether it then takes the message. None where it is not slow.
    pub async fn slowness(&self, destination: &DestinationId) -> Option<bool> {
        let answers_after = match &*self.slow.lock().unwrap() {
            Some(slow) if slow.destination == *destination => slow.answers_after,
            _ => return None,
        };
        self.count_fault("a destination is slow");
        if let Some(after) = answers_after {
            self.clock.sleep(after).await;
        }
        Some(answers_after.is_some())
    }
}
