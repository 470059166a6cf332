//! Many runs, on all cores, and their figures.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lead::LeadId;

use super::{
    Mutation, Outcome, Seed, Wiring, run,
    truth::{Promise, Truth, Violation},
};

/// How many failing seeds are described.
const MOST_DESCRIBED: usize = 3;
/// How many of the last lines of a trace belong to a report without a lead.
const LAST_LINES: usize = 60;

/// Seeds to run.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The wirings that are run.
    pub wirings: Vec<Wiring>,
    /// The first number.
    pub first: u64,
    /// How many numbers, in each wiring.
    pub count: u64,
}

/// What runs came to.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Runs.
    pub seeds: u64,
    /// The virtual time that passed in them.
    pub time: Duration,
    /// Leads whose webhook was answered 2xx.
    pub accepted: u64,
    /// Of these, lost.
    pub lost: u64,
    /// Leads of which a destination was notified twice without a label.
    pub doubled: u64,
    /// Other promises broken.
    pub broken: u64,
    /// Alerts that destinations took.
    pub taken: u64,
    /// Of these, labelled as possible repeats, and those that were repeats.
    pub labelled: (u64, u64),
    /// Faults, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What operators did, by kind.
    pub acts: BTreeMap<&'static str, u64>,
    /// How long after the last fault leads ended that were due and open by then.
    pub recovered: Vec<Duration>,
}

impl Figures {
    /// The figures of one run.
    pub fn of(truth: &Truth, recovered: Vec<Duration>, time: Duration) -> Self {
        let leads = truth.leads.values();
        Self {
            seeds: 1,
            time,
            accepted: leads.clone().filter(|lead| lead.accepted.is_some()).count() as u64,
            taken: leads.map(|lead| lead.alerts.len() as u64).sum(),
            labelled: truth.labelled,
            faults: truth.faults.clone(),
            acts: truth.acts.clone(),
            recovered,
            ..Self::default()
        }
    }

    /// Counts a broken promise.
    pub fn judge(&mut self, violation: Option<&Violation>) {
        match violation.map(|violation| violation.promise) {
            None => {}
            Some(Promise::Stored | Promise::Operator) => self.lost += 1,
            Some(Promise::Once) => self.doubled += 1,
            Some(_) => self.broken += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.time += other.time;
        self.accepted += other.accepted;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.broken += other.broken;
        self.taken += other.taken;
        self.labelled.0 += other.labelled.0;
        self.labelled.1 += other.labelled.1;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (kind, count) in other.acts {
            *self.acts.entry(kind).or_default() += count;
        }
        self.recovered.extend(other.recovered);
    }

    /// The percentile of the times to recovery, by nearest rank.
    fn recovery(&self, percent: usize) -> Option<Duration> {
        let mut recovered = self.recovered.clone();
        recovered.sort_unstable();
        let rank = (recovered.len() * percent).div_ceil(100).max(1);
        recovered.get(rank - 1).copied()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds =
            |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{} s", time.as_secs()));
        writeln!(f, "seeds run             {:>10}", self.seeds)?;
        writeln!(f, "virtual time          {:>10} days", self.time.as_secs() / 86_400)?;
        writeln!(f, "leads accepted        {:>10}", self.accepted)?;
        writeln!(f, "  lost                {:>10}", self.lost)?;
        writeln!(f, "  doubled, unlabelled {:>10}", self.doubled)?;
        writeln!(f, "  other promises      {:>10} broken", self.broken)?;
        writeln!(f, "alerts taken          {:>10}", self.taken)?;
        writeln!(
            f,
            "  labelled            {:>10} as possible repeats, {} were",
            self.labelled.0, self.labelled.1
        )?;
        let [p50, p99, most] = [50, 99, 100].map(|percent| seconds(self.recovery(percent)));
        writeln!(
            f,
            "time to recovery      {:>10} p50, {p99} p99, {most} max ({} leads due and open when the faults stop)",
            p50,
            self.recovered.len()
        )?;
        for (title, counts) in [("faults injected", &self.faults), ("acts of operators", &self.acts)] {
            writeln!(f, "{title:<22}{:>10}", counts.values().sum::<u64>())?;
            for (kind, count) in counts {
                writeln!(f, "  {kind:<28}{count:>10}")?;
            }
        }
        Ok(())
    }
}

impl Campaign {
    /// Runs all seeds. The figures; and reports of the first that broke a promise.
    ///
    /// # Errors
    /// What broke, and how to see it again.
    pub fn run(&self) -> (Figures, Result<(), String>) {
        let wirings = self.wirings.len() as u64;
        let (next, total) = (AtomicU64::new(0), self.count * wirings);
        let (figures, failed) = (Mutex::new(Figures::default()), Mutex::new(Vec::new()));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::SeqCst);
                        if index >= total {
                            return;
                        }
                        let wiring = self.wirings[usize::try_from(index % wirings).unwrap()];
                        let seed = Seed { wiring, number: self.first + index / wirings };
                        let outcome = caught(seed, None, false);
                        figures.lock().unwrap().add(outcome.figures);
                        if outcome.violation.is_some() {
                            failed.lock().unwrap().push(seed);
                        }
                    }
                });
            }
        });
        let (figures, mut failed) = (figures.into_inner().unwrap(), failed.into_inner().unwrap());
        failed.sort_by_key(|seed| (seed.number, seed.to_string()));
        let mut text = String::new();
        for seed in failed.iter().take(MOST_DESCRIBED) {
            text += &report(&caught(*seed, None, true));
        }
        if failed.is_empty() {
            return (figures, Ok(()));
        }
        let seeds: Vec<String> = failed.iter().map(Seed::to_string).collect();
        let took = began.elapsed().as_secs();
        (
            figures,
            Err(format!(
                "{text}\n{} of {total} runs in {took} s broke a promise: {}",
                failed.len(),
                seeds.join(" ")
            )),
        )
    }
}

/// Runs a seed; a panic is a broken promise, too.
pub fn caught(seed: Seed, mutation: Option<Mutation>, traced: bool) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| run(seed, mutation, traced))).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(|what| (*what).to_owned()));
        let what = format!("it panicked: {}", what.unwrap_or_default());
        let violation = Violation { promise: Promise::Ends, lead: None, at: Duration::ZERO, what };
        let mut figures = Figures { seeds: 1, ..Figures::default() };
        figures.judge(Some(&violation));
        Outcome { seed, violation: Some(violation), trace: String::new(), figures }
    })
}

/// What happened to the lead of a broken promise, and how to see it again.
pub fn report(outcome: &Outcome) -> String {
    let Some(violation) = &outcome.violation else { return String::new() };
    let mut text = format!(
        "\nseed {}: {violation}\nreplay: LEADOPS_SEED={} cargo test --workspace --test simulation replay -- --nocapture\n",
        outcome.seed, outcome.seed
    );
    let lines = outcome.trace.lines();
    let of_lead = |lead: &LeadId| lines.clone().filter(|line| mentions(line, lead)).collect::<Vec<_>>();
    let report = match &violation.lead {
        Some(lead) => of_lead(lead),
        None => lines.clone().skip(lines.count().saturating_sub(LAST_LINES)).collect(),
    };
    for line in report {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Whether a line is about a lead, or about everybody.
fn mentions(line: &str, lead: &LeadId) -> bool {
    let about_all =
        ["the fault phase", "wall clock", "is up", "✗ killed", "timed out", "slack is", "is slow"];
    line.contains(lead.as_str()) || about_all.iter().any(|text| line.contains(text))
}
