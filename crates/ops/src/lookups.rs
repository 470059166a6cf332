//! Whether owner look-ups find anything at all.
//!
//! A wrong directory looks like one in which nobody is assigned yet: every lead is announced without an owner, and
//! nothing fails. The only sign is that nothing is ever found.

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{Code, Fault, Stage};
use serde::Serialize;

use crate::{Condition, Ops};

/// How many look-ups in a row have to have found nothing.
const LEAST: usize = 20;
/// How long ago the first of the last [`LEAST`] has to be. It is measured until now, as look-ups are repeated
/// automatically: leads that arrived all at once and still have no owner hours later prove as much as leads that arrived
/// one by one.
const LONG: SignedDuration = SignedDuration::from_hours(3);
/// How recent a successful look-up has to be to prove that the source of owners is the right one.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How many entries are read at a time after that.
const PAGE: usize = 200;

/// The latest look-ups, none of which found anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FruitlessLookups {
    /// How many: the last twenty, and all others of the last 24 hours.
    pub count: usize,
    /// When the first of them was.
    pub since: Timestamp,
    /// [`Code::OwnersNeverFound`].
    pub code: Code,
}

impl FruitlessLookups {
    /// The same as a condition of the pipeline.
    pub fn condition(&self) -> Condition {
        let Fault { code, what } = self.fault();
        Condition::warning("owners", Some(self.since), what, Some(code))
    }

    /// The same as a fault.
    pub fn fault(&self) -> Fault {
        let Self { count, since, code } = self;
        let since = since.strftime("%Y-%m-%d %H:%M UTC");
        Fault::new(*code, format!("the last {count} look-ups of an owner, since {since}, found nothing"))
    }
}

impl Ops {
    /// The last twenty look-ups and all others of the last 24 hours, where the last twenty began three hours ago or
    /// earlier, and none of them found anything: no owner, and no answer of the source that it knows the lead and
    /// nobody owns it. `None` otherwise.
    ///
    /// Reads one entry of the journal if that found something; twenty if one of these did, or they are more recent; all of
    /// the day, until one that found something, only if the last twenty found nothing for three hours.
    ///
    /// # Errors
    /// The fault of the journal.
    pub async fn fruitless_lookups(&self) -> Result<Option<FruitlessLookups>, Fault> {
        let now = self.recorder.clock.now();
        let (mut times, mut before) = (Vec::new(), None::<String>);
        // The last twenty whenever they were: a team may have that many leads in a week.
        let last = [(1, None), (LEAST - 1, None)];
        for (limit, since) in last.into_iter().chain(std::iter::repeat((PAGE, Some(now - DAY)))) {
            let stages = [Stage::Enriched, Stage::OwnerFound];
            let page = self.history.recent(&stages, since, before.as_deref(), limit).await?;
            if page.iter().any(|entry| entry.event.found_an_owner() == Some(true)) {
                return Ok(None);
            }
            // A page may be short because of an unreadable entry, so only an empty one is the last.
            let Some(oldest) = page.last() else { break };
            before = Some(oldest.key());
            times.extend(page.iter().map(|entry| entry.at));
            if times.get(LEAST - 1).is_some_and(|at| now.duration_since(*at) < LONG) {
                return Ok(None);
            }
        }
        let (count, since) = (times.len(), times.last().filter(|_| times.len() >= LEAST));
        Ok(since.map(|since| FruitlessLookups { count, since: *since, code: Code::OwnersNeverFound }))
    }
}
