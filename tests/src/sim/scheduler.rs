//! One thread that decides who goes on: of all tasks that can, the dice pick one.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use super::{Model, process::Process};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// When a process is stopped that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Duration,
    /// What kind of fault that is.
    pub kind: &'static str,
}

/// A piece of work of a process.
struct Task {
    /// The process. Killed, it takes its tasks with it.
    process: Arc<Process>,
    deadline: Option<Deadline>,
    work: Work,
}

/// Where new tasks go, also from inside of others.
#[derive(Clone, Default)]
pub struct Spawner(Arc<Mutex<Vec<Task>>>);

impl Spawner {
    /// Adds a task.
    pub fn spawn(
        &self,
        process: &Arc<Process>,
        deadline: Option<Deadline>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = Task { process: Arc::clone(process), deadline, work: Box::pin(work) };
        self.0.lock().unwrap().push(task);
    }
}

/// The tasks of a run.
pub struct Scheduler {
    model: Arc<Model>,
    spawner: Spawner,
    tasks: BTreeMap<u64, Running>,
    started: u64,
}

struct Running {
    task: Task,
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A task went on.
    WentOn,
    /// A task ended, or died.
    Ended,
    /// None can go on now.
    Idle,
}

impl Scheduler {
    /// Without any task.
    pub fn new(model: Arc<Model>, spawner: Spawner) -> Self {
        Self { model, spawner, tasks: BTreeMap::new(), started: 0 }
    }

    /// Lets one task go on that can.
    pub fn step(&mut self) -> Step {
        self.take_in();
        let now = self.model.clock.elapsed();
        let ready: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, running)| running.woken.0.load(Ordering::SeqCst) && !running.is_frozen(now))
            .map(|(number, _)| *number)
            .collect();
        if ready.is_empty() {
            return Step::Idle;
        }
        let number = *self.model.dice.pick(&ready);
        let Some(running) = self.tasks.get_mut(&number) else { return Step::Idle };
        running.woken.0.store(false, Ordering::SeqCst);
        let ended = running.task.work.as_mut().poll(&mut Context::from_waker(&running.waker)).is_ready();
        if ended {
            self.tasks.remove(&number);
        }
        let died = self.bury();
        if ended || died { Step::Ended } else { Step::WentOn }
    }

    /// Kills whoever has used up its time. Whether there was somebody.
    pub fn expire(&mut self) -> bool {
        let now = self.model.clock.elapsed();
        for running in self.tasks.values() {
            let Task { process, deadline, .. } = &running.task;
            let over = deadline.filter(|deadline| deadline.at <= now && !process.is_dead());
            if let Some(Deadline { kind, .. }) = over {
                self.model.count_fault(kind);
                self.model.note(|| format!("{} ✗ {kind}", process.name));
                process.kill();
            }
        }
        self.bury()
    }

    /// How long it is until somebody times out or goes on after a freeze.
    pub fn next_change(&self) -> Option<Duration> {
        let now = self.model.clock.elapsed();
        let changes = self.tasks.values().flat_map(|running| {
            let frozen = running.is_frozen(now).then(|| running.task.process.frozen_until());
            [running.task.deadline.map(|deadline| deadline.at), frozen]
        });
        changes.flatten().map(|at| at.saturating_sub(now)).min()
    }

    /// Ends all that stands still.
    pub fn thaw(&self) {
        self.tasks.values().for_each(|running| running.task.process.freeze_until(Duration::ZERO));
    }

    fn take_in(&mut self) {
        for task in std::mem::take(&mut *self.spawner.0.lock().unwrap()) {
            let woken = Arc::new(Woken(AtomicBool::new(true)));
            let waker = Waker::from(Arc::clone(&woken));
            self.started += 1;
            self.tasks.insert(self.started, Running { task, woken, waker });
        }
    }

    /// Drops the tasks of the dead: they stop where they are.
    fn bury(&mut self) -> bool {
        let before = self.tasks.len();
        self.tasks.retain(|_, running| !running.task.process.is_dead());
        self.tasks.len() < before
    }
}

impl Running {
    fn is_frozen(&self, now: Duration) -> bool {
        self.task.process.frozen_until() > now
    }
}
