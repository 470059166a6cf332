//! Queries: when they are sent, and what happens with their answers.

use std::time::Duration;

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::Code;

use super::{
    super::{
        app::{App, Connection},
        doc,
        msg::{Answer, Cmd, QUERY_TIMEOUT, Query, Reply},
        panel::Panel,
        remote::{Polling, QueryError, Remote},
        table_view::{COUNTS_MAX_AGE, ROWS_MAX_AGE, mismatched_answer},
        theme::Role,
        view::{QueryReply, View},
        window::{LetterContent, OpenLetter, Window},
    },
    acting,
};

/// How many minutes the sparklines can show.
const MINUTES: u16 = 120;
/// How old the answer of the watch may be that nothing has changed, in seconds.
const WATCH_MAX_AGE: u64 = 3;

/// How long the counts by minute are current while nothing changes.
const MINUTES_MAX_AGE: SignedDuration = SignedDuration::from_secs(20);
/// The shortest time between queries for what changes slowly.
const SLOW_INTERVAL: SignedDuration = SignedDuration::from_secs(4);

// === Queries ===

struct Poller<'a> {
    counter: &'a mut u64,
    now: Timestamp,
    version: Option<u64>,
    min_interval: SignedDuration,
    cmds: &'a mut Vec<Cmd>,
}

impl Poller<'_> {
    /// Sends a query if it is due and something may have changed.
    fn due(&mut self, polling: &mut Polling, max_age: SignedDuration, query: impl FnOnce() -> Query) {
        if polling.is_too_soon(self.now, self.min_interval) || !polling.is_due(self.now) {
            return;
        }
        if polling.is_current(self.version, self.now, max_age) {
            return polling.confirmed(self.now);
        }
        *self.counter += 1;
        polling.sent(*self.counter, self.now);
        polling.version = self.version;
        self.cmds.push(Cmd::Ask { generation: *self.counter, query: query() });
    }

    /// The same for what need not be up to the second.
    fn slowly_due(&mut self, polling: &mut Polling, query: Query) {
        let slow_interval = SLOW_INTERVAL.max(self.min_interval * 4);
        if !polling.is_too_soon(self.now, slow_interval) {
            self.due(polling, MINUTES_MAX_AGE, || query);
        }
    }

    /// The same for the content of a dead letter, which does not change.
    fn content_due(&mut self, letter: &mut OpenLetter) {
        if letter.detail.get().is_none() {
            let query = || Query::Letter(letter.row.letter.id.clone());
            self.due(&mut letter.detail, ROWS_MAX_AGE, query);
        }
    }
}

/// Sends every query that is due.
pub(super) fn ask(app: &mut App, cmds: &mut Vec<Cmd>) {
    if app.connection != Connection::Open || app.paused {
        return;
    }
    let now = app.now;
    let (layout, has_focus) = (app.layout(), app.focus == Panel::Dead);
    cmds.extend(app.panels.dead.update_preview(&layout, has_focus).map(Cmd::Cancel));
    for panel in Panel::ALL {
        app.panels.view_mut(panel).load_more_for_filter();
    }
    let seen = app.watch.get().filter(|_| app.watch.error.is_none());
    let fresh = app.watch.age(now).is_some_and(|age| age <= WATCH_MAX_AGE);
    let version = seen.and_then(|seen| seen.version).filter(|_| fresh);
    let mut poller = Poller { counter: &mut app.counter, now, version, min_interval: app.min_interval, cmds };
    poller.due(&mut app.watch, SignedDuration::ZERO, || Query::Watch);
    if is_gone(&app.watch) {
        return;
    }
    poller.due(&mut app.status, COUNTS_MAX_AGE, || Query::Status);
    for panel in Panel::ALL {
        // Those outside of the overview are queried only while they are visible.
        if !Panel::OVERVIEW.contains(&panel) && app.focus != panel {
            continue;
        }
        let view = app.panels.view_mut(panel);
        if view.polling().is_too_soon(now, view.min_interval()) {
            continue;
        }
        let (query, max_age) = view.next_query();
        poller.due(view.polling_mut(), max_age, || query);
    }
    poller.slowly_due(&mut app.minutes, Query::Minutes(MINUTES));
    poller.slowly_due(&mut app.health, Query::Health);
    if let Some(letter) = &mut app.panels.dead.preview {
        poller.content_due(letter);
    }
    for open in &mut app.windows {
        match &mut open.window {
            Window::Story(story) => {
                let lead = story.lead.clone();
                poller.due(&mut story.history, COUNTS_MAX_AGE, || Query::Story(lead.clone()));
                // A raw event does not change: it is queried until it is known, and with `r`.
                if open.page == 2 && story.raw.get().is_none() {
                    poller.due(&mut story.raw, ROWS_MAX_AGE, || Query::Raw(lead));
                }
            }
            Window::Letter(letter) => poller.content_due(letter),
            _ => {}
        }
    }
}

/// Whether the pipeline itself no longer exists.
pub fn is_gone(watch: &Remote<pipeline::ports::Seen>) -> bool {
    let error = watch.error.as_ref().map(|failure| &failure.error);
    matches!(error, Some(QueryError::Fault(fault)) if fault.code == Code::StorageGone)
}

/// Gives up on queries without an answer.
pub(super) fn overdue(app: &mut App, cmds: &mut Vec<Cmd>) {
    let now = app.now;
    // A little more than the effect's own timeout, whose report is the better one.
    let timeout = SignedDuration::try_from(QUERY_TIMEOUT + Duration::from_secs(2)).unwrap_or_default();
    let mut check = |polling: &mut Polling| {
        if let Some(flight) = polling.in_flight
            && now.duration_since(flight.sent_at) > timeout
        {
            cmds.push(Cmd::Cancel(flight.generation));
            polling.failed(flight.generation, QueryError::NoAnswer(QUERY_TIMEOUT), now);
        }
    };
    app.for_each_polling(&mut check);
    if let Some(letter) = &mut app.panels.dead.preview {
        check(&mut letter.detail);
    }
}

// === Answers ===

/// Passes an answer on. One to an earlier query is returned, and dropped here.
fn take<T>(
    remote: &mut Remote<T>,
    (generation, took, now): (u64, Duration, Timestamp),
    answer: Result<T, QueryError>,
) {
    let _ = remote.answered(generation, answer, took, now);
}

pub(super) fn replied(app: &mut App, reply: Reply, cmds: &mut Vec<Cmd>) {
    let Reply { generation, query, took, answer } = reply;
    let now = app.now;
    let at = (generation, took, now);
    macro_rules! only {
        ($wanted:pat => $value:expr) => {
            answer.and_then(|answer| match answer {
                $wanted => Ok($value),
                _ => Err(mismatched_answer()),
            })
        };
    }
    match query {
        Query::Watch => take(&mut app.watch, at, only!(Answer::Watch(seen) => seen)),
        Query::Status => take(&mut app.status, at, only!(Answer::Status(status) => status)),
        Query::Health => take(&mut app.health, at, only!(Answer::Health(health) => health)),
        Query::Minutes(_) => take(&mut app.minutes, at, only!(Answer::Minutes(minutes) => minutes)),
        Query::Rows(panel, _) => {
            app.panels.view_mut(panel).answered(QueryReply { generation, answer, took, now });
        }
        Query::Logs(_) => app.panels.logs.answered(QueryReply { generation, answer, took, now }),
        Query::Story(_) => {
            let answer = only!(Answer::Story(story) => *story);
            for open in &mut app.windows {
                if let Window::Story(story) = &mut open.window
                    && story.history.in_flight.is_some_and(|flight| flight.generation == generation)
                {
                    if let Ok(found) = &answer {
                        story.name.clone_from(&found.display_name);
                    }
                    take(&mut story.history, at, answer.clone());
                }
            }
        }
        Query::Raw(_) => {
            let answer = only!(Answer::Raw(raw) => raw.map(|raw| doc::body(&raw)));
            for open in &mut app.windows {
                if let Window::Story(story) = &mut open.window {
                    take(&mut story.raw, at, answer.clone());
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
                Err(error) => app.notify(Role::Alarm, error.to_string()),
            }
        }
        Query::Letter(_) => {
            let answer = only!(Answer::Letter(detail) => *detail)
                .map(|detail| LetterContent { body: doc::body(&detail.body), detail });
            if let Some(letter) = &mut app.panels.dead.preview {
                take(&mut letter.detail, at, answer.clone());
            }
            for open in &mut app.windows {
                if let Window::Letter(letter) = &mut open.window {
                    take(&mut letter.detail, at, answer.clone());
                }
            }
        }
        Query::Select(_) => {
            let Some((_, purpose)) = app.selecting.take_if(|(wanted, _)| *wanted == generation) else {
                return;
            };
            match only!(Answer::Select(letters) => letters) {
                Ok(letters) => acting::selected(app, purpose, letters),
                Err(error) => app.notify(Role::Alarm, error.to_string()),
            }
        }
    }
}
