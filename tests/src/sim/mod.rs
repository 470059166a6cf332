//! The simulator: one seed is one run of the real stages and the real operator's code, on simulated
//! neighbours that fail in every way they are known to, under virtual time, watched by an oracle that knows
//! what truly happened.
//!
//! A run has three parts. In the *fault phase* leads come in while everything goes wrong that the seed's
//! [`FaultProfile`] has in it. In the *fault-free phase* nothing fails any more, and every lead has to come to its
//! end in a bounded time; in some runs one destination is then slow while more leads come in; at last an operator
//! redrives what died, and all of it has to be sent. In the end some days pass, in which late owners have to be
//! found. After each step the [`oracle`] checks the promises.
//!
//! Everything runs on one thread, chance comes from the seed alone and nothing asks the machine for the time,
//! so two runs of a seed are equal to the byte.

pub mod bucket;
pub mod campaign;
pub mod close;
pub mod deployment;
pub mod dice;
pub mod embedded;
pub mod fault_profile;
pub mod functions;
pub mod limits;
pub mod messages;
pub mod mutation;
pub mod operator;
pub mod oracle;
pub mod organization;
pub mod others;
pub mod owners;
pub mod process;
pub mod run;
pub mod scheduler;
pub mod shown;
pub mod slack;
pub mod slow;
pub mod sqs;
pub mod stages;
pub mod trace;
pub mod truth;

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use pipeline::Settings;

pub use campaign::{Campaign, Figures};
pub use fault_profile::FaultProfile;
pub use mutation::Mutation;
pub use run::{Outcome, run};
pub use truth::{Promise, Violation};

use self::{dice::Dice, slow::Slow, trace::Trace, truth::Truth};
use crate::clock::VirtualClock;

/// How the stages are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wiring {
    /// One process on one store, whose transactions hold together what belongs together.
    Embedded,
    /// Functions on a bucket and queues: the intake is one put, S3 notifies the queue of it, and everything else
    /// is made up for.
    Aws,
}

impl Wiring {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Embedded, Self::Aws];

    fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Aws => "aws",
        }
    }
}

/// What a run is made of: `embedded:17`, `aws:4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// The wiring.
    pub wiring: Wiring,
    /// The number.
    pub number: u64,
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.wiring.as_str(), self.number)
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (wiring, number) = text.split_once(':')?;
            let wiring = Wiring::ALL.into_iter().find(|known| known.as_str() == wiring)?;
            Some(Self { wiring, number: number.parse().ok()? })
        };
        read().ok_or_else(|| format!("{text:?} is no seed such as embedded:17 or aws:4"))
    }
}

/// Looks into the store of a run, past all faults.
type Stored = Box<dyn Fn(&str) -> Option<Bytes> + Send + Sync>;

/// What everything in a run shares.
pub struct Model {
    /// The wiring.
    pub wiring: Wiring,
    /// The time.
    pub clock: Arc<VirtualClock>,
    /// Chance.
    pub dice: Dice,
    /// What goes wrong in it, and how often.
    pub fault_profile: FaultProfile,
    /// The pipeline's figures.
    pub settings: Arc<Settings>,
    /// What happens, for people.
    pub trace: Trace,
    /// What is broken on purpose.
    pub mutation: Option<Mutation>,
    truth: Mutex<Truth>,
    store: OnceLock<Stored>,
    fault_free: AtomicBool,
    slow: Mutex<Option<Slow>>,
    processes: AtomicU64,
}

impl Model {
    /// The model of a run.
    pub fn new(seed: Seed, mutation: Option<Mutation>, traced: bool) -> Arc<Self> {
        let Seed { wiring, number } = seed;
        // Both wirings of a number are different runs.
        let dice = Dice::new(number.wrapping_mul(2).wrapping_add(u64::from(wiring == Wiring::Aws)));
        let fault_profile = FaultProfile::of(&dice, wiring);
        let settings = Arc::new(stages::settings(&dice));
        Arc::new(Self {
            wiring,
            clock: VirtualClock::start(),
            dice,
            fault_profile,
            settings,
            trace: Trace::new(traced),
            mutation,
            truth: Mutex::default(),
            store: OnceLock::new(),
            fault_free: AtomicBool::new(false),
            slow: Mutex::default(),
            processes: AtomicU64::new(0),
        })
    }

    /// What truly happened.
    pub fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap()
    }

    /// Sets where objects are truly stored.
    pub fn set_store(&self, stored: impl Fn(&str) -> Option<Bytes> + Send + Sync + 'static) {
        let _ = self.store.set(Box::new(stored));
    }

    /// The content of an object, as it truly is.
    pub fn stored(&self, key: &str) -> Option<Bytes> {
        self.store.get().and_then(|stored| stored(key))
    }

    /// Counts a fault.
    pub fn count_fault(&self, kind: &'static str) {
        *self.truth().faults.entry(kind).or_default() += 1;
    }

    /// Whether the fault phase is over.
    pub fn is_fault_free(&self) -> bool {
        self.fault_free.load(Ordering::SeqCst)
    }

    /// Ends the fault phase.
    pub fn end_faults(&self) {
        self.fault_free.store(true, Ordering::SeqCst);
    }

    /// A name for a new process.
    pub fn name(&self, kind: &str) -> String {
        format!("{kind}#{}", self.processes.fetch_add(1, Ordering::SeqCst))
    }

    /// Writes what happens to the trace.
    pub fn note(&self, line: impl FnOnce() -> String) {
        self.trace.line(self.clock.elapsed(), line);
    }
}
