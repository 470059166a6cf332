//! Questions: when they are asked, and what is done with their answers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::SignedDuration;
use lead::Timestamp;
use ops::DeadRow;
use pipeline::{
    Code, Fault,
    ports::{LogLine, LogQuery},
};

use super::{
    super::{
        app::{App, Door, Kind, Panel},
        doc, format,
        msg::{Answer, Cmd, Query, Reply, page},
        remote::{Remote, Trouble},
        table::{MOST_ROWS, Row, Table},
        theme::Role,
        window::{Letter, Opened, Window},
    },
    LOG_PAGE, PATIENCE, acting,
};

/// How many minutes the sparklines can show.
const MINUTES: u16 = 120;
/// Up to so many rows a table grows by itself while a filter looks for something.
const SEARCHED: usize = 3_200;
/// How old a look may be that says that nothing has changed.
const LOOKED: u64 = 3;

/// How long an answer holds while nothing changes: some of them depend on the time of day as well.
const COUNTING: SignedDuration = SignedDuration::from_secs(5);
const MINUTELY: SignedDuration = SignedDuration::from_secs(20);
/// How often what changes slowly is asked for at most.
const SELDOM: SignedDuration = SignedDuration::from_secs(4);
const RESTING: SignedDuration = SignedDuration::from_secs(300);

/// Has everything asked for again, whether or not it has changed.
pub(super) fn hurry(app: &mut App) {
    app.watch.hurry();
    app.health.hurry();
    app.minutes.hurry();
    app.leads.remote.hurry();
    app.logs.source.hurry();
    hurry_tables(app);
    for open in &mut app.windows {
        match &mut open.window {
            Window::Story(story) => {
                story.story.hurry();
                story.raw.hurry();
            }
            Window::Letter(letter) => letter.detail.hurry(),
            _ => {}
        }
    }
}

/// Has what an action changes asked for again.
pub(super) fn hurry_tables(app: &mut App) {
    app.status.hurry();
    app.pending.remote.hurry();
    app.dead.remote.hurry();
}

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
    fn due<T>(&mut self, remote: &mut Remote<T>, longest: SignedDuration, query: impl FnOnce() -> Query) {
        let too_soon = remote.is_too_soon(self.now, self.every);
        if too_soon || !remote.is_due(self.now) {
            return;
        }
        if remote.holds(self.version, self.now, longest) {
            return remote.confirmed(self.now);
        }
        *self.counter += 1;
        remote.asked(*self.counter, self.now);
        remote.version = self.version;
        self.cmds.push(Cmd::Ask { generation: *self.counter, query: query() });
    }
}

/// Has the dead letter under the cursor fetched, where all of it is shown beside the list.
fn peek(app: &mut App, cmds: &mut Vec<Cmd>) {
    let layout = app.layout();
    let parts = layout.parts(Panel::Dead);
    let beside = layout.is_full() && parts.about.height > 0 && parts.about.y <= parts.rows.y;
    let row = match beside && app.focus == Panel::Dead && !app.grouped() {
        true => app.dead.row().cloned(),
        false => None,
    };
    let known = app.peek.as_ref().map(|letter| &letter.row.letter.id);
    if known == row.as_ref().map(|row| &row.letter.id) {
        return;
    }
    let flight = app.peek.as_ref().and_then(|letter| letter.detail.in_flight);
    cmds.extend(flight.map(|flight| Cmd::Forget(flight.generation)));
    app.peek = row.map(|row| Box::new(Letter { row, detail: Remote::default() }));
}

/// Asks for everything that is due.
pub(super) fn ask(app: &mut App, cmds: &mut Vec<Cmd>) {
    if app.door != Door::Open || app.paused {
        return;
    }
    let now = app.now;
    peek(app, cmds);
    search_on(&mut app.pending);
    search_on(&mut app.dead);
    search_on(&mut app.leads);
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
    asking.due(&mut app.pending.remote, COUNTING, || Query::Pending(app.pending.limit));
    asking.due(&mut app.dead.remote, RESTING, || Query::Dead(app.dead.limit));
    asking.due(&mut app.leads.remote, RESTING, || Query::Leads(app.leads.limit));
    let after = app.logs.lines.back().map(|line| line.cursor.clone());
    let logs = LogQuery { after, limit: LOG_PAGE, ..LogQuery::default() };
    asking.due(&mut app.logs.source, RESTING, || Query::Logs(logs));
    // Nobody looks at these by the second.
    let seldom = SELDOM.max(app.every * 4);
    if !app.minutes.is_too_soon(now, seldom) {
        asking.due(&mut app.minutes, MINUTELY, || Query::Minutes(MINUTES));
    }
    if !app.health.is_too_soon(now, seldom) {
        asking.due(&mut app.health, MINUTELY, || Query::Health);
    }
    if let Some(letter) = &mut app.peek
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

/// Has a table look further for what its filter wants.
fn search_on<T: Row>(table: &mut Table<T>) {
    let known = table.remote.get().map_or(0, |page| page.rows.len());
    let wants_more = !table.wanted.filter.is_empty() && known >= table.limit && !table.is_complete();
    if wants_more && table.limit < SEARCHED && table.remote.in_flight.is_none() {
        table.limit = (table.limit * 4).min(MOST_ROWS);
        table.remote.hurry();
    }
}

/// Gives up on answers that are not coming.
pub(super) fn overdue(app: &mut App, cmds: &mut Vec<Cmd>) {
    fn check<T>(remote: &mut Remote<T>, now: Timestamp, cmds: &mut Vec<Cmd>) {
        let Some(flight) = remote.in_flight else { return };
        // A little more than the effect's own patience, whose report is the better one.
        let patience = SignedDuration::try_from(PATIENCE + Duration::from_secs(2)).unwrap_or_default();
        if now.duration_since(flight.asked_at) > patience {
            cmds.push(Cmd::Forget(flight.generation));
            let _ = remote.answered(flight.generation, Err(Trouble::NoAnswer(PATIENCE)), PATIENCE, now);
        }
    }
    let now = app.now;
    check(&mut app.watch, now, cmds);
    check(&mut app.status, now, cmds);
    check(&mut app.health, now, cmds);
    check(&mut app.minutes, now, cmds);
    check(&mut app.pending.remote, now, cmds);
    check(&mut app.dead.remote, now, cmds);
    check(&mut app.leads.remote, now, cmds);
    check(&mut app.logs.source, now, cmds);
    if let Some(letter) = &mut app.peek {
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
        Query::Pending(limit) => {
            let rows = only!(Answer::Pending(rows) => rows).map(|mut rows| {
                rows.sort_by_key(|row| row.due_at);
                page(rows, None, limit)
            });
            if app.pending.remote.answered(generation, rows, took, now).is_ok() {
                app.pending.came();
            }
        }
        Query::Dead(limit) => {
            let rows = only!(Answer::Dead(rows, count) => page(rows, Some(count), limit));
            if app.dead.remote.answered(generation, rows, took, now).is_ok() {
                app.dead.came();
                app.kinds = app.dead.remote.get().map_or_else(Vec::new, |page| kinds(&page.rows));
            }
        }
        Query::Leads(limit) => {
            let rows = only!(Answer::Leads(rows) => page(rows, None, limit));
            if app.leads.remote.answered(generation, rows, took, now).is_ok() {
                app.leads.came();
            }
        }
        Query::Logs(_) => logged(app, generation, only!(Answer::Logs(lines) => lines), took),
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
            if let Some(letter) = &mut app.peek {
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

/// An answer to another question: a bug, shown rather than hidden.
fn mixed_up() -> Trouble {
    Fault::new(Code::Internal, "an answer does not fit its question").into()
}

fn logged(app: &mut App, generation: u64, answer: Result<Vec<LogLine>, Trouble>, took: Duration) {
    let (lines, answer) = match answer {
        Ok(lines) => (lines, Ok(())),
        Err(trouble) => (Vec::new(), Err(trouble)),
    };
    if app.logs.source.answered(generation, answer, took, app.now).is_ok() {
        // A full page: there is more.
        if lines.len() >= LOG_PAGE {
            app.logs.source.hurry();
        }
        app.logs.append(lines);
    }
}

/// The kinds of failure among dead letters, the most frequent first.
pub fn kinds(rows: &Arc<Vec<DeadRow>>) -> Vec<Kind> {
    let mut kinds: HashMap<Code, Kind> = HashMap::new();
    // The latest come first.
    for row in rows.iter() {
        let letter = &row.letter;
        let kind = kinds.entry(letter.code).or_insert_with(|| Kind {
            code: letter.code,
            count: 0,
            reason: letter.reason.clone(),
            same_reason: true,
            latest: letter.dead_at,
            oldest: letter.dead_at,
        });
        kind.count += 1;
        kind.same_reason &= kind.reason == letter.reason;
        kind.latest = kind.latest.max(letter.dead_at);
        kind.oldest = kind.oldest.min(letter.dead_at);
    }
    let mut kinds: Vec<Kind> = kinds.into_values().collect();
    kinds.sort_unstable_by_key(|kind| (std::cmp::Reverse(kind.count), kind.code));
    kinds
}

/// `12 of 340`, `12 of 3,200+`.
pub fn found(app: &App, panel: Panel) -> String {
    let (matched, of) = app.matched(panel);
    let more = match panel {
        Panel::Pending => app.pending.remote.get().is_some() && !app.pending.is_complete(),
        Panel::Dead => app.dead.remote.get().is_some() && !app.dead.is_complete(),
        Panel::Leads => app.leads.remote.get().is_some() && !app.leads.is_complete(),
        Panel::Logs => app.logs.first > 0,
    };
    format!(
        "{} of {}{}",
        format::number(matched as u64),
        format::number(of as u64),
        if more { "+" } else { "" }
    )
}
