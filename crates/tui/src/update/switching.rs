//! Switching to another pipeline.

use pipeline::Fault;

use super::super::{
    app::{App, Connection},
    keymap::Action,
    msg::{Cmd, PipelineInfo},
    source::Banner,
    theme::Role,
    window::{Job, JobState},
};

/// Switches to another pipeline. Nothing of the old one is shown from this moment on.
pub(super) fn switch(app: &mut App, name: String, cmds: &mut Vec<Cmd>) {
    if app.jobs.iter().any(Job::is_running) {
        let key = app.keymap.key(Action::Stop);
        return app.notify(Role::Warn, format!("an action is still running here: {key} stops it"));
    }
    // The leads of the old pipeline are no longer watched.
    for job in app.jobs.iter_mut().filter(|job| job.state == JobState::Following) {
        job.state = JobState::Finished;
        cmds.push(Cmd::Stop(job.id));
    }
    app.reset();
    app.refusal = None;
    app.banner = Banner { name: name.clone(), ..Banner::default() };
    let generation = app.number();
    app.connection = Connection::Opening(generation);
    cmds.push(Cmd::Switch(generation, name));
}

/// Retries.
pub(super) fn again(app: &mut App, cmds: &mut Vec<Cmd>) {
    let name = app.banner.name.clone();
    switch(app, name, cmds);
}

/// The other pipeline is open, or not; a result for any but the last one chosen is dropped.
pub(super) fn switched(app: &mut App, generation: u64, info: Result<PipelineInfo, Fault>) {
    if app.connection != Connection::Opening(generation) {
        return;
    }
    match info {
        Ok(info) => {
            app.reset_to(info);
            let (name, place) = (&app.banner.name, &app.banner.place);
            app.notify(Role::Good, format!("now on {name} ({place})"));
        }
        Err(fault) => {
            app.notify(Role::Alarm, fault.line());
            app.connection = Connection::Failed(fault);
        }
    }
}
