//! Actions under way: what each of their items comes to, and how they end.

use pipeline::{Code, Fault};

use super::{
    super::{
        app::{App, JOBS},
        format,
        msg::{Act, Cmd, Progress, Step, Verb},
        theme::Role,
        window::{Job, Outcome, Stage},
    },
    questions,
};

/// Begins a confirmed action.
pub(super) fn begin(app: &mut App, act: Act, cmds: &mut Vec<Cmd>) {
    let id = app.number();
    let text = match (act.targets.as_slice(), &act.verb) {
        ([one], Verb::Resend(destination, _)) => {
            format!("queueing a new alert about {} for {}", one.name, destination.label())
        }
        (_, Verb::Try(destination)) => format!("queueing a trial alert for {}", destination.label()),
        ([one], verb) => format!("{} {}", verb.doing(), one.name),
        (several, verb) => format!("{} {}", verb.doing(), items(verb, several.len())),
    };
    app.say(Role::Dim, text);
    app.jobs.push(Job::new(id, act.clone(), app.now));
    if app.jobs.len() > JOBS
        && let Some(over) = app.jobs.iter().position(|job| job.stage == Stage::Over)
    {
        app.jobs.remove(over);
    }
    if act.verb.takes_letters() {
        // What was marked has been dealt with.
        app.panels.dead.table.marks.clear();
    }
    cmds.push(Cmd::Act { job: id, act });
}

/// `3 dead letters`.
pub(super) fn items(verb: &Verb, count: usize) -> String {
    match verb {
        Verb::Resend(..) => format::count(count, "alert", "alerts"),
        Verb::Try(_) => format::count(count, "trial", "trials"),
        Verb::Requeue => format::count(count, "lead", "leads"),
        _ => format::count(count, "dead letter", "dead letters"),
    }
}

/// Stops what is running, the latest first.
pub(super) fn stop(app: &mut App, cmds: &mut Vec<Cmd>) {
    match app.jobs.iter_mut().rev().find(|job| job.stage == Stage::Running) {
        Some(job) => {
            job.stage = Stage::Stopping;
            cmds.push(Cmd::Stop(job.id));
        }
        None => app.say(Role::Dim, "nothing is running that could be stopped"),
    }
}

/// Ends, unless something would be left undone without a word.
pub(super) fn quit(app: &mut App, cmds: &mut Vec<Cmd>) {
    if app.quitting || !app.jobs.iter().any(Job::is_running) {
        return cmds.push(Cmd::Quit);
    }
    let mut lines: Vec<(Role, String)> = Vec::new();
    for job in app.jobs.iter().filter(|job| job.is_running()) {
        let (doing, total) = (job.act.verb.doing(), items(&job.act.verb, job.outcomes.len()));
        let (done, failed, left) = (job.done, job.failed, job.left());
        lines.push((Role::Strong, format!("{doing} {total}: {done} done, {failed} failed, {left} left")));
    }
    lines.push((Role::Base, String::new()));
    lines.push((Role::Base, "It stops between two items; the rest stays as it is.".to_owned()));
    questions::confirm_quit(app, lines);
}

/// Stops everything, and ends as soon as it has.
pub(super) fn stop_and_quit(app: &mut App, cmds: &mut Vec<Cmd>) {
    app.quitting = true;
    for job in app.jobs.iter_mut().filter(|job| job.is_running()) {
        job.stage = Stage::Stopping;
        cmds.push(Cmd::Stop(job.id));
    }
    if !app.jobs.iter().any(Job::is_running) {
        cmds.push(Cmd::Quit);
    }
}

/// An action has come a step further.
pub(super) fn progressed(app: &mut App, Progress { job: id, step }: Progress, cmds: &mut Vec<Cmd>) {
    let now = app.now;
    let known = app.jobs.iter().position(|known| known.id == id && known.stage != Stage::Over);
    let Some(at) = known else { return };
    let job = &mut app.jobs[at];
    let mut said: Option<(Role, String)> = None;
    // In the middle of many items the next second is soon enough.
    let hurried = !matches!(step, Step::Done(..)) || job.outcomes.len() == 1;
    match step {
        Step::Done(index, result) => {
            let name = job.act.targets.get(index).map_or("", |target| &target.name).to_owned();
            // Many items would drown everything else that is reported: they are told item by item in
            // the list of actions, and here in one line at the end.
            let alone = job.outcomes.len() == 1;
            match &result {
                Ok(word) => {
                    job.done += 1;
                    if alone {
                        said = Some((Role::Good, done(&job.act.verb, &name, word.as_deref())));
                    }
                }
                Err(fault) => {
                    job.failed += 1;
                    if alone {
                        said = Some((Role::Alarm, failed(&job.act.verb, &name, fault)));
                    }
                }
            }
            if let Some(outcome) = job.outcomes.get_mut(index) {
                let result = result.map_err(|fault| fault.line());
                *outcome = Some(Outcome { result, became: None });
            }
        }
        Step::Following => {
            let stopped = job.stage == Stage::Stopping;
            job.stage = Stage::Following;
            job.ended_at = Some(now);
            said = summary(job, stopped);
        }
        Step::Became(index, became) => {
            let name = job.act.targets.get(index).map_or("", |target| &target.name).to_owned();
            if job.outcomes.len() == 1 {
                said = Some(match &became {
                    Ok(what) => (Role::Good, format!("{name}: {what}")),
                    Err(what) => (Role::Alarm, format!("{name}: {what}")),
                });
            }
            if let Some(Some(outcome)) = job.outcomes.get_mut(index) {
                outcome.became = Some(became);
            }
        }
        Step::Refused(fault) => said = Some((Role::Alarm, fault.line())),
        Step::Over => {
            if job.is_running() {
                let stopped = job.stage == Stage::Stopping;
                job.ended_at = Some(now);
                said = summary(job, stopped);
            } else {
                said = followed(job);
            }
            job.stage = Stage::Over;
        }
    }
    if let Some((role, text)) = said {
        app.say(role, text);
    }
    if app.quitting && !app.jobs.iter().any(Job::is_running) {
        cmds.push(Cmd::Quit);
    }
    if hurried {
        app.hurry_counts();
    }
}

/// What one item came to.
fn done(verb: &Verb, name: &str, word: Option<&str>) -> String {
    let word = word.unwrap_or_default();
    match verb {
        Verb::Redrive | Verb::RedriveEdited(_) => format!("{name} is back in its queue"),
        Verb::Delete => format!("{name} is deleted, {word}"),
        Verb::Requeue => format!("{name} is processed again"),
        Verb::Resend(..) | Verb::Try(_) => format!("{name}: {word}"),
        Verb::Export(path) => format!("{name} is written to {}", path.display()),
    }
}

/// What one item did not come to.
fn failed(verb: &Verb, name: &str, fault: &Fault) -> String {
    let line = fault.line();
    match (verb, fault.code) {
        (Verb::Try(_) | Verb::Resend(..), Code::NoReceipt) => format!("{name}: no receipt yet: {line}"),
        (Verb::Try(_), _) => format!("{name} failed: {line}"),
        (Verb::Resend(..), Code::PartlySent) => format!("{name} was resent, but not to all: {line}"),
        _ => format!("{name} was not {}: {line}", verb.done()),
    }
}

/// What several items came to.
fn summary(job: &Job, stopped: bool) -> Option<(Role, String)> {
    let (done, failed, left) = (job.done, job.failed, job.left());
    if job.outcomes.len() == 1 && left == 0 {
        return None;
    }
    let mut text = format!("{} {}", items(&job.act.verb, done), job.act.verb.done());
    if let Verb::Export(path) = &job.act.verb {
        text += &format!(" to {}", path.display());
    }
    if failed > 0 {
        text += &format!(", {failed} failed");
    }
    if left > 0 {
        text += &format!(", {left} left as they were{}", if stopped { " (stopped)" } else { "" });
    }
    let role = match (failed, left) {
        (1.., _) => Role::Alarm,
        (_, 1..) => Role::Warn,
        _ => Role::Good,
    };
    Some((role, text))
}

/// What became of several items afterwards.
fn followed(job: &Job) -> Option<(Role, String)> {
    let became = || job.outcomes.iter().flatten().filter_map(|outcome| outcome.became.as_ref());
    let (well, ill) =
        (became().filter(|became| became.is_ok()).count(), became().filter(|became| became.is_err()).count());
    if well + ill == 0 || job.outcomes.len() == 1 {
        return None;
    }
    let open = job.done.saturating_sub(well + ill);
    let mut text = format!("of the {} {}: {well} told", job.done, job.act.verb.done());
    if ill > 0 {
        text += &format!(", {ill} dead again");
    }
    if open > 0 {
        text += &format!(", {open} still under way");
    }
    Some((if ill > 0 { Role::Alarm } else { Role::Good }, text))
}
