//! Going from one pipeline to another.

use pipeline::Fault;

use super::super::{
    app::{App, Door},
    keymap::Action,
    msg::{Cmd, Facts},
    source::Banner,
    theme::Role,
    window::{Job, Stage},
};

/// Leaves this pipeline for another one. Nothing of the old one is shown from this moment on.
pub(super) fn switch(app: &mut App, name: String, cmds: &mut Vec<Cmd>) {
    if app.jobs.iter().any(Job::is_running) {
        let key = app.keymap.key(Action::Stop);
        return app.say(Role::Warn, format!("an action is still running here: {key} stops it"));
    }
    // What becomes of leads over there is for whoever goes back.
    for job in app.jobs.iter_mut().filter(|job| job.stage == Stage::Following) {
        job.stage = Stage::Over;
        cmds.push(Cmd::Stop(job.id));
    }
    app.forget();
    app.refusal = None;
    app.banner = Banner { name: name.clone(), ..Banner::default() };
    let generation = app.number();
    app.door = Door::Opening(generation);
    cmds.push(Cmd::Switch(generation, name));
}

/// Tries once more.
pub(super) fn again(app: &mut App, cmds: &mut Vec<Cmd>) {
    let name = app.banner.name.clone();
    switch(app, name, cmds);
}

/// It is open, or not; an answer for another one than the last that was asked for is dropped.
pub(super) fn switched(app: &mut App, generation: u64, facts: Result<Facts, Fault>) {
    if app.door != Door::Opening(generation) {
        return;
    }
    match facts {
        Ok(facts) => {
            app.moved_to(facts);
            let (name, place) = (&app.banner.name, &app.banner.place);
            app.say(Role::Good, format!("now on {name} ({place})"));
        }
        Err(fault) => {
            app.say(Role::Alarm, fault.line());
            app.door = Door::Closed(fault);
        }
    }
}
