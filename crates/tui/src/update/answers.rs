//! Questions: when they are asked, and what is done with their answers.

use std::time::Duration;

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::Code;

use super::{
    super::{
        app::{App, Door},
        doc,
        msg::{Answer, Cmd, PATIENCE, Query, Reply},
        panel::Panel,
        remote::{Polling, Remote, Trouble},
        table_view::{COUNTING, RESTING, mixed_up},
        theme::Role,
        view::{Came, View},
        window::{Opened, Window},
    },
    acting,
};

/// How many minutes the sparklines can show.
const MINUTES: u16 = 120;
/// How old a look may be that says that nothing has changed.
const LOOKED: u64 = 3;

/// How long an answer about minutes holds while nothing changes.
const MINUTELY: SignedDuration = SignedDuration::from_secs(20);
/// How often what changes slowly is asked for at most.
const SELDOM: SignedDuration = SignedDuration::from_secs(4);

// === Asking ===

struct Asking<'a> {
    counter: &'a mut u64,
    now: Timestamp,
    version: Option<u64>,
    every: SignedDuration,
    cmds: &'a mut Vec<Cmd>,
}

impl Asking<'_> {
    /// Asks where it is time to and something may have changed.
    fn due(&mut self, polling: &mut Polling, longest: SignedDuration, query: impl FnOnce() -> Query) {
        let too_soon = polling.is_too_soon(self.now, self.every);
        if too_soon || !polling.is_due(self.now) {
            return;
        }
        if polling.holds(self.version, self.now, longest) {
            return polling.confirmed(self.now);
        }
        *self.counter += 1;
        polling.asked(*self.counter, self.now);
        polling.version = self.version;
        self.cmds.push(Cmd::Ask { generation: *self.counter, query: query() });
    }
}

/// Asks for everything that is due.
pub(super) fn ask(app: &mut App, cmds: &mut Vec<Cmd>) {
    if app.door != Door::Open || app.paused {
        return;
    }
    let now = app.now;
    let (layout, has_focus) = (app.layout(), app.focus == Panel::Dead);
    cmds.extend(app.panels.dead.peek_at(&layout, has_focus).map(Cmd::Forget));
    for panel in Panel::ALL {
        app.panels.view_mut(panel).search_on();
    }
    let seen = app.watch.get().filter(|_| app.watch.error.is_none());
    let fresh = app.watch.age(now).is_some_and(|age| age <= LOOKED);
    let version = seen.and_then(|seen| seen.version).filter(|_| fresh);
    let mut asking = Asking { counter: &mut app.counter, now, version, every: app.every, cmds };
    asking.due(&mut app.watch, SignedDuration::ZERO, || Query::Watch);
    if is_gone(&app.watch) {
        return;
    }
    let asking = &mut asking;
    asking.due(&mut app.status, COUNTING, || Query::Status);
    for panel in Panel::ALL {
        // Those beside the overview are asked for while they are looked at.
        if !Panel::OVERVIEW.contains(&panel) && app.focus != panel {
            continue;
        }
        let view = app.panels.view_mut(panel);
        if view.polling().is_too_soon(now, view.pause()) {
            continue;
        }
        let (query, holds) = view.question();
        asking.due(view.polling_mut(), holds, || query);
    }
    // Nobody looks at these by the second.
    let seldom = SELDOM.max(app.every * 4);
    if !app.minutes.is_too_soon(now, seldom) {
        asking.due(&mut app.minutes, MINUTELY, || Query::Minutes(MINUTES));
    }
    if !app.health.is_too_soon(now, seldom) {
        asking.due(&mut app.health, MINUTELY, || Query::Health);
    }
    if let Some(letter) = &mut app.panels.dead.peek
        && letter.detail.get().is_none()
    {
        let id = letter.row.letter.id.clone();
        asking.due(&mut letter.detail, RESTING, || Query::Letter(id));
    }
    for open in &mut app.windows {
        match &mut open.window {
            Window::Story(story) => {
                let lead = story.lead.clone();
                asking.due(&mut story.story, COUNTING, || Query::Story(lead.clone()));
                // A raw event does not change: it is asked for until it has come, and with `r`.
                if open.page == 2 && story.raw.get().is_none() {
                    asking.due(&mut story.raw, RESTING, || Query::Raw(lead));
                }
            }
            // Nor does a dead letter.
            Window::Letter(letter) if letter.detail.get().is_none() => {
                let id = letter.row.letter.id.clone();
                asking.due(&mut letter.detail, RESTING, || Query::Letter(id));
            }
            _ => {}
        }
    }
}

/// Whether the pipeline itself has gone from under us.
pub fn is_gone(watch: &Remote<pipeline::ports::Seen>) -> bool {
    let trouble = watch.error.as_ref().map(|failure| &failure.trouble);
    matches!(trouble, Some(Trouble::Fault(fault)) if fault.code == Code::StorageGone)
}

/// Gives up on answers that are not coming.
pub(super) fn overdue(app: &mut App, cmds: &mut Vec<Cmd>) {
    fn check(polling: &mut Polling, now: Timestamp, cmds: &mut Vec<Cmd>) {
        let Some(flight) = polling.in_flight else { return };
        // A little more than the effect's own patience, whose report is the better one.
        let patience = SignedDuration::try_from(PATIENCE + Duration::from_secs(2)).unwrap_or_default();
        if now.duration_since(flight.asked_at) > patience {
            cmds.push(Cmd::Forget(flight.generation));
            polling.failed(flight.generation, Trouble::NoAnswer(PATIENCE), now);
        }
    }
    let now = app.now;
    check(&mut app.watch, now, cmds);
    check(&mut app.status, now, cmds);
    check(&mut app.health, now, cmds);
    check(&mut app.minutes, now, cmds);
    for panel in Panel::ALL {
        check(app.panels.view_mut(panel).polling_mut(), now, cmds);
    }
    if let Some(letter) = &mut app.panels.dead.peek {
        check(&mut letter.detail, now, cmds);
    }
    for open in &mut app.windows {
        match &mut open.window {
            Window::Story(story) => {
                check(&mut story.story, now, cmds);
                check(&mut story.raw, now, cmds);
            }
            Window::Letter(letter) => check(&mut letter.detail, now, cmds),
            _ => {}
        }
    }
}

// === Answers ===

pub(super) fn replied(app: &mut App, reply: Reply, cmds: &mut Vec<Cmd>) {
    let Reply { generation, query, took, answer } = reply;
    macro_rules! only {
        ($wanted:pat => $value:expr) => {
            answer.and_then(|answer| match answer {
                $wanted => Ok($value),
                _ => Err(mixed_up()),
            })
        };
    }
    let now = app.now;
    // An answer to a question of long ago is handed back by `answered`, and dropped here.
    match query {
        Query::Watch => {
            let _ = app.watch.answered(generation, only!(Answer::Watch(seen) => seen), took, now);
        }
        Query::Status => {
            let _ = app.status.answered(generation, only!(Answer::Status(status) => status), took, now);
        }
        Query::Health => {
            let _ = app.health.answered(generation, only!(Answer::Health(health) => health), took, now);
        }
        Query::Minutes(_) => {
            let _ = app.minutes.answered(generation, only!(Answer::Minutes(minutes) => minutes), took, now);
        }
        Query::Rows(panel, _) => {
            app.panels.view_mut(panel).answered(Came { generation, answer, took, now });
        }
        Query::Logs(_) => app.panels.logs.answered(Came { generation, answer, took, now }),
        Query::Story(_) => {
            let answer = only!(Answer::Story(story) => *story);
            for open in &mut app.windows {
                if let Window::Story(story) = &mut open.window
                    && story.story.in_flight.is_some_and(|flight| flight.generation == generation)
                {
                    if let Ok(found) = &answer {
                        story.name.clone_from(&found.display_name);
                    }
                    let _ = story.story.answered(generation, answer.clone(), took, now);
                }
            }
        }
        Query::Raw(_) => {
            let answer = only!(Answer::Raw(raw) => raw.map(|raw| doc::body(&raw)));
            for open in &mut app.windows {
                if let Window::Story(story) = &mut open.window {
                    let _ = story.raw.answered(generation, answer.clone(), took, now);
                }
            }
        }
        Query::Letter(_) if app.editing == Some(generation) => {
            app.editing = None;
            match only!(Answer::Letter(detail) => detail) {
                Ok(detail) => {
                    let text = doc::body(&detail.body).join("\n");
                    cmds.push(Cmd::Edit(detail, text));
                }
                Err(trouble) => app.say(Role::Alarm, trouble.to_string()),
            }
        }
        Query::Letter(_) => {
            let answer = only!(Answer::Letter(detail) => *detail)
                .map(|detail| Opened { body: doc::body(&detail.body), detail });
            if let Some(letter) = &mut app.panels.dead.peek {
                let _ = letter.detail.answered(generation, answer.clone(), took, now);
            }
            for open in &mut app.windows {
                if let Window::Letter(letter) = &mut open.window {
                    let _ = letter.detail.answered(generation, answer.clone(), took, now);
                }
            }
        }
        Query::Select(_) => {
            let Some((_, purpose)) = app.selecting.take_if(|(wanted, _)| *wanted == generation) else {
                return;
            };
            match only!(Answer::Select(letters) => letters) {
                Ok(letters) => acting::selected(app, purpose, letters),
                Err(trouble) => app.say(Role::Alarm, trouble.to_string()),
            }
        }
    }
}
