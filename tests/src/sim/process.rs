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
use crate::faulty::{Call, FaultInjector, InjectedFault, Moment};

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

/// The faults of one process's calls.
pub struct ProcessFaults {
    /// The run.
    pub model: Arc<Model>,
    /// The process.
    pub process: Arc<Process>,
}

impl ProcessFaults {
    /// Injects a fault, if any, into a call of something that has no adapter in [`crate::faulty`]. True where its
    /// answer is lost.
    pub async fn pass(&self, call: Call, moment: Moment, about: &str) -> bool {
        match self.inject(call, moment, about) {
            None => false,
            Some(InjectedFault::Fail(_)) => true,
            Some(InjectedFault::Hang) => std::future::pending().await,
            Some(InjectedFault::Slow(duration)) => {
                pipeline::ports::Clock::sleep(self.model.clock.as_ref(), duration).await;
                false
            }
        }
    }

    /// What happens to a call, if anything out of the ordinary.
    fn fault(&self, call: Call, moment: Moment, about: &str) -> Option<InjectedFault> {
        let (dice, fault_profile) = (&self.model.dice, &self.model.fault_profile);
        let failed = |kind: &'static str, code, what: &str| {
            self.model.count_fault(kind);
            Some(InjectedFault::Fail(Fault::new(code, what)))
        };
        let aws = self.model.wiring == Wiring::Aws;
        let code = if aws { Code::AwsFailed } else { Code::StorageFailed };
        if dice.chance(fault_profile.crash) {
            self.model.count_fault(match moment {
                Moment::Before => "crash before a call",
                Moment::After => "crash after a call",
            });
            self.process.kill();
            return Some(InjectedFault::Hang);
        }
        if moment == Moment::Before
            && fault_profile.is_away(self.model.clock.elapsed())
            && self.is_of_the_store(call, about)
        {
            return failed("store away", code, "simulated absence");
        }
        if dice.chance(fault_profile.freeze) {
            self.model.count_fault("freeze");
            self.process.freeze_until(self.model.clock.elapsed() + dice.between(SECOND * 20, SECOND * 300));
            return Some(InjectedFault::Slow(MILLI));
        }
        if dice.chance(fault_profile.slow) {
            self.model.count_fault("slow call");
            return Some(InjectedFault::Slow(dice.between(SECOND, SECOND * 15)));
        }
        match moment {
            Moment::Before if dice.chance(fault_profile.fail) => {
                failed("call failed", code, "simulated failure")
            }
            Moment::Before if dice.chance(fault_profile.throttle) => match call {
                Call::Put => failed("409 or 503 of S3", Code::AwsThrottled, "simulated SlowDown"),
                _ => failed("throttled", Code::AwsThrottled, "simulated throttling"),
            },
            Moment::After if dice.chance(fault_profile.lose_answer) => {
                failed("done, answer lost", code, "simulated loss of the answer")
            }
            _ => None,
        }
    }
}

impl ProcessFaults {
    /// Whether a call does not get through while the store is away: on AWS all of the bucket, on a machine of
    /// one's own what is written of enriched leads. The queues are there.
    fn is_of_the_store(&self, call: Call, about: &str) -> bool {
        match self.model.wiring {
            Wiring::Aws => matches!(call, Call::Get | Call::Put | Call::ListKeys | Call::Remove),
            Wiring::Embedded => call == Call::Put && about.starts_with(&self.model.settings.target_prefix),
        }
    }
}

impl FaultInjector for ProcessFaults {
    fn inject(&self, call: Call, moment: Moment, about: &str) -> Option<InjectedFault> {
        let model = &self.model;
        if (call, moment) == (Call::Put, Moment::After) && about.starts_with(&model.settings.target_prefix) {
            oracle::enriched(model, about);
        }
        if self.process.is_dead() {
            return Some(InjectedFault::Hang);
        }
        let fault = if model.is_fault_free() { None } else { self.fault(call, moment, about) };
        if fault.is_some() || moment == Moment::Before {
            model.trace.line(model.clock.elapsed(), || {
                let outcome = match &fault {
                    None => String::new(),
                    Some(InjectedFault::Fail(why)) => format!(" ✗ {} ({})", why.what, why.code),
                    Some(InjectedFault::Hang) => " ✗ killed".to_owned(),
                    Some(InjectedFault::Slow(_)) if self.process.frozen_until() > model.clock.elapsed() => {
                        let left = self.process.frozen_until() - model.clock.elapsed();
                        format!(" … frozen for {} s", left.as_secs())
                    }
                    Some(InjectedFault::Slow(wait)) => format!(" … slow by {} s", wait.as_secs()),
                };
                let when = if moment == Moment::After { " (done)" } else { "" };
                format!("{} {call:?} {about}{when}{outcome}", self.process.name)
            });
        }
        // Every call takes a moment, so that others come between any two of them.
        fault.or_else(|| {
            (moment == Moment::Before).then(|| InjectedFault::Slow(model.dice.between(MILLI, MILLI * 40)))
        })
    }
}

/// A lead's id, for traces of what may be about none.
pub fn about(lead: Option<&LeadId>) -> &str {
    lead.map_or("-", LeadId::as_str)
}
