//! Processes that can die or stand still, and what becomes of their calls.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lead::LeadId;
use pipeline::{Code, Fault};

use super::{Model, Wiring, oracle};
use crate::faulty::{Call, Moment, Strike, Weather};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A process: `up`, a function's invocation, an operator's command.
pub struct Process {
    /// Its name and number, such as `notification#7`.
    pub name: String,
    dead: AtomicBool,
    frozen_until: Mutex<Duration>,
}

impl Process {
    /// A new one.
    pub fn new(name: String) -> Arc<Self> {
        Arc::new(Self { name, dead: AtomicBool::new(false), frozen_until: Mutex::default() })
    }

    /// Kills it. Its tasks are not polled again.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    /// Whether it has been killed.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Until when it stands still.
    pub fn frozen_until(&self) -> Duration {
        *self.frozen_until.lock().unwrap()
    }

    /// Has it stand still, or go on at once.
    pub fn freeze_until(&self, until: Duration) {
        *self.frozen_until.lock().unwrap() = until;
    }
}

/// What strikes the calls of one process.
pub struct ProcessWeather {
    /// The run.
    pub model: Arc<Model>,
    /// The process.
    pub process: Arc<Process>,
}

impl ProcessWeather {
    /// Strikes a call of something that has no adapter in [`crate::faulty`]. True where its answer is lost.
    pub async fn pass(&self, call: Call, moment: Moment, about: &str) -> bool {
        match self.strike(call, moment, about) {
            None => false,
            Some(Strike::Fail(_)) => true,
            Some(Strike::Hang) => std::future::pending().await,
            Some(Strike::Slow(duration)) => {
                pipeline::ports::Clock::sleep(self.model.clock.as_ref(), duration).await;
                false
            }
        }
    }

    /// What happens to a call, if anything out of the ordinary.
    fn fault(&self, call: Call, moment: Moment, about: &str) -> Option<Strike> {
        let (dice, climate) = (&self.model.dice, &self.model.climate);
        let failed = |kind: &'static str, code, what: &str| {
            self.model.struck(kind);
            Some(Strike::Fail(Fault::new(code, what)))
        };
        let aws = self.model.wiring == Wiring::Aws;
        let code = if aws { Code::AwsFailed } else { Code::StorageFailed };
        if dice.chance(climate.crash) {
            self.model.struck(match moment {
                Moment::Before => "crash before a call",
                Moment::After => "crash after a call",
            });
            self.process.kill();
            return Some(Strike::Hang);
        }
        if moment == Moment::Before
            && climate.is_away(self.model.clock.elapsed())
            && self.is_of_the_store(call, about)
        {
            return failed("store away", code, "simulated absence");
        }
        if dice.chance(climate.freeze) {
            self.model.struck("freeze");
            self.process.freeze_until(self.model.clock.elapsed() + dice.between(SECOND * 20, SECOND * 300));
            return Some(Strike::Slow(MILLI));
        }
        if dice.chance(climate.slow) {
            self.model.struck("slow call");
            return Some(Strike::Slow(dice.between(SECOND, SECOND * 15)));
        }
        match moment {
            Moment::Before if dice.chance(climate.fail) => failed("call failed", code, "simulated failure"),
            Moment::Before if dice.chance(climate.throttle) => match call {
                Call::Put => failed("409 or 503 of S3", Code::AwsThrottled, "simulated SlowDown"),
                _ => failed("throttled", Code::AwsThrottled, "simulated throttling"),
            },
            Moment::After if dice.chance(climate.lose_answer) => {
                failed("done, answer lost", code, "simulated loss of the answer")
            }
            _ => None,
        }
    }
}

impl ProcessWeather {
    /// Whether a call does not get through while the store is away: on AWS all of the bucket, on a machine of
    /// one's own what is written of enriched leads. The queues are there.
    fn is_of_the_store(&self, call: Call, about: &str) -> bool {
        match self.model.wiring {
            Wiring::Aws => matches!(call, Call::Get | Call::Put | Call::ListKeys | Call::Remove),
            Wiring::Embedded => call == Call::Put && about.starts_with(&self.model.settings.target_prefix),
        }
    }
}

impl Weather for ProcessWeather {
    fn strike(&self, call: Call, moment: Moment, about: &str) -> Option<Strike> {
        let model = &self.model;
        if (call, moment) == (Call::Put, Moment::After) && about.starts_with(&model.settings.target_prefix) {
            oracle::enriched(model, about);
        }
        if self.process.is_dead() {
            return Some(Strike::Hang);
        }
        let strike = if model.is_calm() { None } else { self.fault(call, moment, about) };
        if strike.is_some() || moment == Moment::Before {
            model.trace.line(model.clock.elapsed(), || {
                let outcome = match &strike {
                    None => String::new(),
                    Some(Strike::Fail(fault)) => format!(" ✗ {} ({})", fault.what, fault.code),
                    Some(Strike::Hang) => " ✗ killed".to_owned(),
                    Some(Strike::Slow(_)) if self.process.frozen_until() > model.clock.elapsed() => {
                        let left = self.process.frozen_until() - model.clock.elapsed();
                        format!(" … frozen for {} s", left.as_secs())
                    }
                    Some(Strike::Slow(wait)) => format!(" … slow by {} s", wait.as_secs()),
                };
                let when = if moment == Moment::After { " (done)" } else { "" };
                format!("{} {call:?} {about}{when}{outcome}", self.process.name)
            });
        }
        // Every call takes a moment, so that others come between any two of them.
        strike.or_else(|| {
            (moment == Moment::Before).then(|| Strike::Slow(model.dice.between(MILLI, MILLI * 40)))
        })
    }
}

/// A lead's id, for traces of what may be about none.
pub fn about(lead: Option<&LeadId>) -> &str {
    lead.map_or("-", LeadId::as_str)
}
