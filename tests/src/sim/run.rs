//! One run.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use lead::{LeadId, Timestamp};

use super::{
    Model, Mutation, Seed, Violation, Wiring,
    bucket::true_time,
    campaign::Figures,
    close::Close,
    deployment::Deployment,
    embedded::Embedded,
    functions::Functions,
    operator,
    oracle::Oracle,
    process::{Process, ProcessFaults},
    scheduler::{Deadline, Scheduler, Spawner, Step},
    slow::{self, Slow},
    stages::Neighbours,
    truth::Promise,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// By when after the fault phase every lead has ended: Close comes back after 20 minutes, a lead waits for ten,
/// and an alert that has failed often is tried again after twelve. The wall clock may be set as far again.
const BOUND: Duration = Duration::from_secs(80 * 60);
/// How far the wall clock is set at most.
const CLOCK_STEP: Duration = Duration::from_secs(15 * 60);
/// By when all that was redriven has been sent.
const REDRIVEN: Duration = Duration::from_secs(20 * 60);
/// By when the last look-up for an owner has been made: it comes some 33 hours after the alert.
const LAST: Duration = Duration::from_secs(40 * 60 * 60);
/// After so many steps without any time passing something goes round in circles.
const CIRCLES: u32 = 100_000;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The run.
    pub seed: Seed,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// What happened, where it was traced.
    pub trace: String,
    /// The figures.
    pub figures: Figures,
}

/// What happens to a pipeline from outside.
#[derive(Debug, Clone)]
enum Event {
    Lead,
    /// The owner of this lead has changed, and an operator says so.
    Changed(LeadId),
    Forgery,
    Mention,
    Junk,
    Operator,
    ClockStep,
}

/// Runs a seed, with a mistake planted or not.
pub fn run(seed: Seed, mutation: Option<Mutation>, traced: bool) -> Outcome {
    let model = Model::new(seed, mutation, traced);
    let mut simulation = Simulation::new(&model);
    simulation.run();
    let Simulation { oracle, .. } = simulation;
    let truth = model.truth();
    let mut figures = Figures::of(&truth, oracle.recovered, model.clock.elapsed());
    figures.judge(truth.violation.as_ref());
    Outcome { seed, violation: truth.violation.clone(), trace: model.trace.text(), figures }
}

struct Simulation {
    model: Arc<Model>,
    spawner: Spawner,
    scheduler: Scheduler,
    deployment: Box<dyn Deployment>,
    neighbours: Neighbours,
    close: Close,
    oracle: Oracle,
    events: VecDeque<(Duration, Event)>,
    fault_phase_ended: Option<Duration>,
    leads: u64,
}

impl Simulation {
    fn new(model: &Arc<Model>) -> Self {
        let spawner = Spawner::default();
        let neighbours = Neighbours::new(model);
        let deployment: Box<dyn Deployment> = match model.wiring {
            Wiring::Embedded => Box::new(Embedded::new(model.clone(), spawner.clone(), neighbours.clone())),
            Wiring::Aws => Box::new(Functions::new(model.clone(), spawner.clone(), neighbours.clone())),
        };
        let close = Close {
            model: model.clone(),
            endpoint: deployment.endpoint(),
            spawner: spawner.clone(),
            process: Process::new("close".to_owned()),
        };
        model.note(|| format!("{:?}", model.fault_profile));
        Self {
            model: model.clone(),
            scheduler: Scheduler::new(model.clone(), spawner.clone()),
            spawner,
            deployment,
            neighbours,
            close,
            oracle: Oracle::new(model.clone()),
            events: schedule(model),
            fault_phase_ended: None,
            leads: 0,
        }
    }

    /// The three parts of a run, or as much of them as goes well.
    fn run(&mut self) {
        let fault_phase = self.model.fault_profile.fault_phase;
        if !self.go_on(fault_phase) {
            return;
        }
        self.end_faults();
        if !self.go_on(fault_phase + BOUND) {
            return;
        }
        self.oracle.check_ends(self.deployment.as_ref());
        if !self.one_is_slow()
            || !self.redrive()
            || !self.requeue_changing()
            || !self.go_on(fault_phase + LAST)
        {
            return;
        }
        let neighbours = self.neighbours.clone();
        self.oracle.check_last(self.deployment.as_ref(), |lead| neighbours.end(lead));
    }

    fn end_faults(&mut self) {
        let model = &self.model;
        model.note(|| "the fault phase is over".to_owned());
        model.end_faults();
        self.scheduler.thaw();
        set_clock(model, true_time(&model.clock));
        self.deployment.end_faults();
        self.fault_phase_ended = Some(model.clock.elapsed());
        self.oracle.fault_phase_ended(self.deployment.as_ref());
    }

    /// Leads come in while one destination of several is slow. Whether all promises hold.
    fn one_is_slow(&mut self) -> bool {
        let model = Arc::clone(&self.model);
        let Some(slow) = Slow::of(&model) else { return true };
        model.note(|| slow.to_string());
        let began = model.clock.elapsed();
        for at in slow.leads(&model) {
            self.plan(began + at, Event::Lead);
        }
        model.slow_down(Some(slow.clone()));
        if !self.go_on(began + model.settings.delay + slow::LASTS) {
            return false;
        }
        slow.check(&model, began);
        model.slow_down(None);
        self.holds()
    }

    /// An operator puts back what died, until nothing dies any more. Whether all promises hold.
    fn redrive(&mut self) -> bool {
        for _ in 0..3 {
            let (process, faults) = self.operator();
            let ops = self.deployment.ops(&faults);
            let work = operator::redrive_all(self.model.clone(), ops);
            self.spawner.spawn(&process, None, work);
            if !self.go_on(self.model.clock.elapsed() + REDRIVEN) {
                return false;
            }
        }
        self.oracle.check_redriven(self.deployment.as_ref());
        self.holds()
    }

    /// An operator has all leads whose owners change processed again. Whether all promises hold.
    fn requeue_changing(&mut self) -> bool {
        let changing = self.neighbours.changing();
        if changing.is_empty() {
            return true;
        }
        changing.iter().for_each(|lead| self.requeue(lead.clone()));
        if !self.go_on(self.model.clock.elapsed() + REDRIVEN) {
            return false;
        }
        self.oracle.check_last_owners(&changing);
        self.holds()
    }

    fn holds(&self) -> bool {
        self.model.truth().violation.is_none()
    }

    fn operator(&self) -> (Arc<Process>, Arc<ProcessFaults>) {
        let process = Process::new(self.model.name("operator"));
        let faults = ProcessFaults { model: self.model.clone(), process: process.clone() };
        (process, Arc::new(faults))
    }

    /// Lets everything go on until then, or until a promise is broken. Whether all hold.
    fn go_on(&mut self, until: Duration) -> bool {
        let mut circles = 0;
        loop {
            self.happen();
            let given_up = self.deployment.pump();
            let step = self.scheduler.step();
            if step == Step::Ended || given_up {
                self.oracle.look(self.deployment.as_ref(), self.fault_phase_ended);
            }
            if !self.holds() {
                return false;
            }
            circles += 1;
            if circles > CIRCLES {
                let what = "it goes round in circles, and no time passes".to_owned();
                self.model.truth().broken(Promise::Ends, None, self.model.clock.elapsed(), what);
                return false;
            }
            if step != Step::Idle {
                continue;
            }
            let now = self.model.clock.elapsed();
            if now >= until {
                return true;
            }
            circles = 0;
            let event = self.events.front().map(|(at, _)| at.saturating_sub(now));
            let changes = [
                event,
                self.model.clock.next_wake(),
                self.scheduler.next_change(),
                self.deployment.next_change(),
                Some(until - now),
            ];
            let next = changes.into_iter().flatten().min().unwrap_or_default();
            // Times are in milliseconds; a wait of less is none.
            self.model.clock.advance(next.max(Duration::from_micros(1)));
            if self.scheduler.expire() {
                self.oracle.look(self.deployment.as_ref(), self.fault_phase_ended);
            }
        }
    }

    /// Has happen what is to happen by now.
    fn happen(&mut self) {
        let now = self.model.clock.elapsed();
        while let Some((_, event)) = self.events.pop_front_if(|(at, _)| *at <= now) {
            let model = self.model.clone();
            match event {
                Event::Lead => {
                    let lead = self.new_lead("lead_s");
                    let expected = self.neighbours.expect(&lead);
                    for change in expected.changes {
                        self.plan(
                            change + model.dice.between(SECOND, MINUTE * 4),
                            Event::Changed(lead.clone()),
                        );
                    }
                    self.close.create(&lead, expected.carried.as_deref());
                }
                Event::Changed(lead) => self.requeue(lead),
                Event::Forgery => {
                    let lead = self.new_lead("lead_forged");
                    self.close.forge(&lead);
                }
                Event::Mention => {
                    let lead = self.new_lead("lead_other");
                    self.close.mention(&lead);
                }
                Event::Junk => {
                    model.count_fault("junk in the delay queue");
                    self.deployment.put_by_hand("this is no job");
                }
                Event::Operator => {
                    let (process, faults) = self.operator();
                    let ops = self.deployment.ops(&faults);
                    let patience = model.dice.between(SECOND / 5, MINUTE * 2);
                    let deadline = Deadline { at: now + patience, kind: "operator stopped" };
                    self.spawner.spawn(&process, Some(deadline), operator::act(model, ops));
                }
                Event::ClockStep => step_clock(&model),
            }
        }
    }

    /// Has something more happen.
    fn plan(&mut self, at: Duration, event: Event) {
        let place = self.events.partition_point(|(other, _)| *other <= at);
        self.events.insert(place, (at, event));
    }

    /// An operator has a lead processed again.
    fn requeue(&self, lead: LeadId) {
        let (process, faults) = self.operator();
        let ops = self.deployment.ops(&faults);
        self.spawner.spawn(&process, None, operator::requeue(self.model.clone(), ops, lead));
    }

    fn new_lead(&mut self, name: &str) -> LeadId {
        self.leads += 1;
        format!("{name}{:03}", self.leads).parse().unwrap()
    }
}

/// Sets the wall clock: far on a machine of one's own, by a few seconds in AWS.
fn step_clock(model: &Model) {
    let most = if model.wiring == Wiring::Aws { SECOND * 3 } else { CLOCK_STEP };
    let (by, forth) = (model.dice.between(Duration::ZERO, most), model.dice.chance(0.5));
    let now = pipeline::ports::Clock::now(model.clock.as_ref());
    // Never further from the true time than the most, or a lead would be due in days.
    let truth = true_time(&model.clock);
    let to = if forth { (now + by).min(truth + most) } else { (now - by).max(truth - most) };
    model.count_fault(if to > now { "clock set forward" } else { "clock set back" });
    set_clock(model, to);
}

fn set_clock(model: &Model, to: Timestamp) {
    let now = pipeline::ports::Clock::now(model.clock.as_ref());
    model.truth().clock_sets += 1;
    model.truth().forward += outside::time_left(to, now);
    model.note(|| format!("the wall clock is set from {now} to {to}"));
    model.clock.set(to);
}

/// What happens when.
fn schedule(model: &Model) -> VecDeque<(Duration, Event)> {
    let (dice, fault_profile) = (&model.dice, &model.fault_profile);
    let mut events = Vec::new();
    let burst = dice.between(Duration::ZERO, fault_profile.fault_phase / 2);
    for _ in 0..fault_profile.leads {
        let at =
            if fault_profile.burst { burst } else { dice.between(Duration::ZERO, fault_profile.fault_phase) };
        events.push((at, Event::Lead));
    }
    for event in [Event::Forgery, Event::Forgery, Event::Mention] {
        events.push((dice.between(Duration::ZERO, fault_profile.fault_phase), event));
    }
    if dice.chance(0.1) {
        events.push((dice.between(Duration::ZERO, fault_profile.fault_phase), Event::Junk));
    }
    let minutes = u32::try_from(fault_profile.fault_phase.as_secs() / 60).unwrap_or(u32::MAX);
    for minute in 0..minutes {
        for (rate, event) in
            [(fault_profile.operator, Event::Operator), (fault_profile.clock_step, Event::ClockStep)]
        {
            if dice.chance(rate) {
                events.push((MINUTE * minute + dice.between(Duration::ZERO, MINUTE), event));
            }
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events.into()
}
