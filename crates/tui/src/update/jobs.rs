//! Operations in progress: the results of their targets, and how they end.

use pipeline::{Code, Fault};

use super::{
    super::{
        app::{App, JOBS},
        format,
        msg::{Cmd, Operation, Progress, Step, Verb},
        theme::Role,
        window::{Choice, Job, JobState, Outcome},
    },
    questions::confirm,
};

/// Starts a confirmed operation.
pub(super) fn begin(app: &mut App, operation: Operation, cmds: &mut Vec<Cmd>) {
    let id = app.number();
    let text = match (operation.targets.as_slice(), &operation.verb) {
        ([one], Verb::Resend(destination, _)) => {
            format!("queueing a new alert about {} for {}", one.name, destination.label())
        }
        (_, Verb::Try(destination)) => format!("queueing a trial alert for {}", destination.label()),
        ([one], verb) => format!("{} {}", verb.doing(), one.name),
        (several, verb) => format!("{} {}", verb.doing(), items(verb, several.len())),
    };
    app.notify(Role::Dim, text);
    app.jobs.push(Job::new(id, operation.clone(), app.now));
    if app.jobs.len() > JOBS
        && let Some(finished) = app.jobs.iter().position(|job| job.state == JobState::Finished)
    {
        app.jobs.remove(finished);
    }
    if operation.verb.takes_letters() {
        // The marked letters have been processed.
        app.panels.dead.table.marks.clear();
    }
    cmds.push(Cmd::Run { job: id, operation });
}

/// `3 dead letters`.
pub(super) fn items(verb: &Verb, count: usize) -> String {
    match verb {
        Verb::Resend(..) => format::count(count, "alert", "alerts"),
        Verb::Try(_) => format::count(count, "trial alert", "trial alerts"),
        Verb::Requeue => format::count(count, "lead", "leads"),
        _ => format::count(count, "dead letter", "dead letters"),
    }
}

/// Stops what is running, the latest first.
pub(super) fn stop(app: &mut App, cmds: &mut Vec<Cmd>) {
    match app.jobs.iter_mut().rev().find(|job| job.state == JobState::Running) {
        Some(job) => {
            job.state = JobState::Stopping;
            cmds.push(Cmd::Stop(job.id));
        }
        None => app.notify(Role::Dim, "nothing to stop"),
    }
}

/// Quits, or asks first if an operation is running.
pub(super) fn quit(app: &mut App, cmds: &mut Vec<Cmd>) {
    if app.quitting || !app.jobs.iter().any(Job::is_running) {
        return cmds.push(Cmd::Quit);
    }
    let mut lines: Vec<(Role, String)> = Vec::new();
    for job in app.jobs.iter().filter(|job| job.is_running()) {
        let (doing, total) = (job.operation.verb.doing(), items(&job.operation.verb, job.outcomes.len()));
        let (done, failed, left) = (job.done, job.failed, job.left());
        lines.push((Role::Strong, format!("{doing} {total}: {done} done, {failed} failed, {left} left")));
    }
    lines.push((Role::Base, String::new()));
    lines.push((Role::Base, "It stops after the current item; the rest is unchanged.".to_owned()));
    let choices = vec![("Stop and quit".to_owned(), Choice::Quit)];
    confirm(app, "Quit while something runs?".to_owned(), lines, choices);
}

/// Stops everything, and then quits.
pub(super) fn stop_and_quit(app: &mut App, cmds: &mut Vec<Cmd>) {
    app.quitting = true;
    for job in app.jobs.iter_mut().filter(|job| job.is_running()) {
        job.state = JobState::Stopping;
        cmds.push(Cmd::Stop(job.id));
    }
    if !app.jobs.iter().any(Job::is_running) {
        cmds.push(Cmd::Quit);
    }
}

/// An operation has made a step.
pub(super) fn progressed(app: &mut App, Progress { job: id, step }: Progress, cmds: &mut Vec<Cmd>) {
    let now = app.now;
    let known = app.jobs.iter().position(|known| known.id == id && known.state != JobState::Finished);
    let Some(at) = known else { return };
    let job = &mut app.jobs[at];
    // Many targets would drown all other notices: they are reported one by one in the list of actions, and
    // here in one line at the end.
    let single = job.outcomes.len() == 1;
    // Amid many targets the next second is soon enough.
    let refresh_now = single || !matches!(step, Step::Done(..));
    let notice = match step {
        Step::Done(index, result) => {
            let notice = single.then(|| {
                let (verb, name) = (&job.operation.verb, name(job, index));
                match &result {
                    Ok(detail) => (Role::Good, done(verb, &name, detail.as_deref())),
                    Err(fault) => (Role::Alarm, failed(verb, &name, fault)),
                }
            });
            *(if result.is_ok() { &mut job.done } else { &mut job.failed }) += 1;
            if let Some(outcome) = job.outcomes.get_mut(index) {
                let result = result.map_err(|fault| fault.line());
                *outcome = Some(Outcome { result, followed: None });
            }
            notice
        }
        Step::Following => {
            let notice = summary(job);
            (job.state, job.ended_at) = (JobState::Following, Some(now));
            notice
        }
        Step::Followed(index, followed) => {
            let notice = single.then(|| {
                let name = name(job, index);
                match &followed {
                    Ok(what) => (Role::Good, format!("{name}: {what}")),
                    Err(what) => (Role::Alarm, format!("{name}: {what}")),
                }
            });
            if let Some(Some(outcome)) = job.outcomes.get_mut(index) {
                outcome.followed = Some(followed);
            }
            notice
        }
        Step::Refused(fault) => Some((Role::Alarm, fault.line())),
        Step::Finished => {
            let notice = if job.is_running() {
                job.ended_at = Some(now);
                summary(job)
            } else {
                followed(job)
            };
            job.state = JobState::Finished;
            notice
        }
    };
    if let Some((role, text)) = notice {
        app.notify(role, text);
    }
    if app.quitting && !app.jobs.iter().any(Job::is_running) {
        cmds.push(Cmd::Quit);
    }
    if refresh_now {
        app.refresh_counts();
    }
}

fn name(job: &Job, index: usize) -> String {
    job.operation.targets.get(index).map_or_else(String::new, |target| target.name.clone())
}

/// The notice about a target that succeeded.
fn done(verb: &Verb, name: &str, detail: Option<&str>) -> String {
    let detail = detail.unwrap_or_default();
    match verb {
        Verb::Redrive | Verb::RedriveEdited(_) => format!("{name} is back in its queue"),
        Verb::Delete => format!("{name} is deleted, {detail}"),
        Verb::Requeue => format!("{name} was requeued"),
        Verb::Resend(..) | Verb::Try(_) => format!("{name}: {detail}"),
        Verb::Export(path) => format!("{name} is written to {}", path.display()),
    }
}

/// The notice about a target that failed.
fn failed(verb: &Verb, name: &str, fault: &Fault) -> String {
    let line = fault.line();
    match (verb, fault.code) {
        (Verb::Try(_) | Verb::Resend(..), Code::NoReceipt) => format!("{name}: no receipt yet: {line}"),
        (Verb::Try(_), _) => format!("{name} failed: {line}"),
        (Verb::Resend(..), Code::PartlySent) => format!("{name} was resent, but not to everyone: {line}"),
        _ => format!("{name} was not {}: {line}", verb.done()),
    }
}

/// The notice about several targets.
fn summary(job: &Job) -> Option<(Role, String)> {
    let (done, failed, left) = (job.done, job.failed, job.left());
    if job.outcomes.len() == 1 && left == 0 {
        return None;
    }
    let mut text = format!("{} {}", items(&job.operation.verb, done), job.operation.verb.done());
    if let Verb::Export(path) = &job.operation.verb {
        text += &format!(" to {}", path.display());
    }
    if failed > 0 {
        text += &format!(", {failed} failed");
    }
    if left > 0 {
        let stopped = if job.state == JobState::Stopping { " (stopped)" } else { "" };
        text += &format!(", {left} unchanged{stopped}");
    }
    let role = match (failed, left) {
        (1.., _) => Role::Alarm,
        (_, 1..) => Role::Warn,
        _ => Role::Good,
    };
    Some((role, text))
}

/// The notice on how several targets ended afterwards.
fn followed(job: &Job) -> Option<(Role, String)> {
    let followed = job.outcomes.iter().flatten().filter_map(|outcome| outcome.followed.as_ref());
    let (notified, dead) = followed.fold((0, 0), |(notified, dead), followed| match followed {
        Ok(_) => (notified + 1, dead),
        Err(_) => (notified, dead + 1),
    });
    if notified + dead == 0 || job.outcomes.len() == 1 {
        return None;
    }
    let open = job.done.saturating_sub(notified + dead);
    let mut text = format!("of the {} {}: {notified} notified", job.done, job.operation.verb.done());
    if dead > 0 {
        text += &format!(", {dead} dead again");
    }
    if open > 0 {
        text += &format!(", {open} in progress");
    }
    Some((if dead > 0 { Role::Alarm } else { Role::Good }, text))
}
