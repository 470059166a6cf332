//! What the console does about what it is told. Pure: the same messages make the same console.

use std::{collections::HashMap, time::Duration};

use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use ops::{DeadRow, LeadRow, PendingRow, Resent};
use pipeline::{Code, Fault, ports::LogLine};

use super::{
    app::{App, Confirm, Job, Letter, Open, Opened, Panel, Window},
    doc, format,
    keymap::{self, Action, Press},
    layout::{Shape, inside},
    msg::{Act, Answer, Cmd, Event, Msg, Progress, Query, Reply, Step},
    remote::{Remote, Trouble},
    theme::Role,
};

/// How long an answer is waited for. [`super::effect`] gives up after it; a source that holds its whole
/// thread cannot even do that, so that it is checked here as well.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How many log lines are asked for at once.
pub const LOG_PAGE: usize = 500;
/// How many minutes the sparklines can show.
const MINUTES: u16 = 120;
/// How many kinds of failure a question lists.
const KINDS: usize = 5;

/// Takes a message; what is to be done outside because of it.
pub fn update(app: &mut App, msg: Msg) -> Vec<Cmd> {
    app.now = msg.at;
    let mut cmds = Vec::new();
    match msg.event {
        Event::Press(press) => pressed(app, press, &mut cmds),
        Event::Resize(columns, rows) => app.size = (columns, rows),
        Event::Tick => overdue_answers(app, &mut cmds),
        Event::Reply(reply) => replied(app, *reply),
        Event::Progress(progress) => progressed(app, progress),
        Event::Terminate => cmds.push(Cmd::Quit),
        Event::Notice(text) => app.say(Role::Alarm, text),
    }
    settle(app);
    ask(app, &mut cmds);
    cmds
}

// === Keys ===

fn pressed(app: &mut App, press: Press, cmds: &mut Vec<Cmd>) {
    let Some(action) = keymap::action(press) else { return };
    match action {
        Action::Suspend => return cmds.push(Cmd::Suspend),
        Action::Refresh => return hurry(app),
        // Nothing may be done unseen.
        Action::Quit | Action::Interrupt if app.windows.is_empty() => return cmds.push(Cmd::Quit),
        _ if app.layout().shape == Shape::TooSmall => return,
        Action::Quit | Action::Interrupt | Action::Back => return close(app, cmds),
        _ => {}
    }
    if matches!(app.window(), Some(Window::Confirm(_))) {
        return answer(app, action, cmds);
    }
    match action {
        Action::Help => toggle(app, Window::Help),
        Action::Events => {
            app.read = true;
            toggle(app, Window::Events);
        }
        Action::Open => open(app),
        Action::Redrive => redrive(app),
        Action::RedriveAll => redrive_all(app),
        Action::Resend => resend(app),
        Action::Stop => stop(app, cmds),
        _ if app.windows.is_empty() => move_cursor(app, action),
        _ => scroll(app, action),
    }
}

fn close(app: &mut App, cmds: &mut Vec<Cmd>) {
    let flight = match app.windows.pop().map(|open| open.window) {
        Some(Window::Story { story, .. }) => story.in_flight,
        Some(Window::Letter(letter)) => letter.detail.in_flight,
        _ => None,
    };
    cmds.extend(flight.map(|flight| Cmd::Forget(flight.generation)));
}

fn toggle(app: &mut App, window: Window) {
    match app.windows.iter().position(|open| open.window == window) {
        Some(at) => {
            app.windows.remove(at);
        }
        None => app.windows.push(Open { window, scroll: 0 }),
    }
}

fn hurry(app: &mut App) {
    app.status.hurry();
    app.minutes.hurry();
    app.pending.hurry();
    app.dead.hurry();
    app.leads.hurry();
    app.logs.source.hurry();
    for open in &mut app.windows {
        match &mut open.window {
            Window::Story { story, .. } => story.hurry(),
            Window::Letter(letter) => letter.detail.hurry(),
            _ => {}
        }
    }
}

fn move_cursor(app: &mut App, action: Action) {
    let left_right = |app: &App, to_right: bool| match (app.focus, to_right) {
        (Panel::Pending | Panel::Leads, true) => Panel::Dead,
        (Panel::Dead, false) => Panel::Pending,
        (focus, _) => focus,
    };
    let by = |app: &App, by: usize| Panel::ALL[(app.focus.index() + by) % Panel::ALL.len()];
    app.focus = match action {
        Action::NextPanel => by(app, 1),
        Action::PreviousPanel => by(app, 3),
        Action::Left => left_right(app, false),
        Action::Right => left_right(app, true),
        Action::Panel(number) => {
            Panel::ALL.get(usize::from(number).wrapping_sub(1)).copied().unwrap_or(app.focus)
        }
        _ => {
            let visible = app.layout().visible(app.focus);
            let page = i64::try_from(visible.saturating_sub(1).max(1)).unwrap_or(1);
            let rows = match action {
                Action::Up => -1,
                Action::Down => 1,
                Action::PageUp => -page,
                Action::PageDown => page,
                Action::Top => i64::MIN / 2,
                Action::Bottom => i64::MAX / 2,
                _ => return,
            };
            return match app.focus {
                Panel::Logs => app.logs.go(rows, visible),
                Panel::Pending => {
                    let to = moved(app.pending_list.index, rows);
                    app.pending_list.go(to, pending_keys(&app.pending), visible);
                }
                Panel::Dead => {
                    let to = moved(app.dead_list.index, rows);
                    app.dead_list.go(to, dead_keys(&app.dead), visible);
                }
                Panel::Leads => {
                    let to = moved(app.leads_list.index, rows);
                    app.leads_list.go(to, lead_keys(&app.leads), visible);
                }
            };
        }
    };
}

fn moved(index: usize, rows: i64) -> usize {
    let by = usize::try_from(rows.unsigned_abs()).unwrap_or(usize::MAX);
    if rows < 0 { index.saturating_sub(by) } else { index.saturating_add(by) }
}

fn scroll(app: &mut App, action: Action) {
    let layout = app.layout();
    let area = inside(Shape::Grid, layout.window());
    let page = usize::from(area.height).max(1);
    let Some(open) = app.windows.last() else { return };
    let lines = doc::of(app, &open.window, usize::from(area.width).saturating_sub(2)).lines.len();
    let last = lines.saturating_sub(page);
    let Some(open) = app.windows.last_mut() else { return };
    let from = open.scroll.min(last);
    open.scroll = match action {
        Action::Up => from.saturating_sub(1),
        Action::Down => from + 1,
        Action::PageUp => from.saturating_sub(page - 1),
        Action::PageDown => from + page - 1,
        Action::Top => 0,
        Action::Bottom => last,
        _ => from,
    }
    .min(last);
}

fn open(app: &mut App) {
    let story = |lead: LeadId, name: String| Window::Story { lead, name, story: Box::default() };
    let letter = |row: DeadRow| Window::Letter(Box::new(Letter { row, detail: Remote::default() }));
    let window = match (app.window(), app.focus) {
        (Some(Window::Story { .. }), _) => None,
        (None, Panel::Dead) => app.dead_row().cloned().map(letter),
        (None, Panel::Logs) => app.log_row().cloned().map(|line| Window::Line(Box::new(line))),
        _ => app.lead_at_hand().map(|(lead, name)| story(lead, name)),
    };
    if let Some(window) = window {
        app.windows.push(Open { window, scroll: 0 });
    }
}

// === Actions ===

/// Whether actions are allowed; says why not.
fn allowed(app: &mut App) -> bool {
    let refusal = app.refusal.clone().or_else(|| {
        app.banner
            .read_only
            .then(|| Fault::new(Code::ReadOnly, "this environment is read-only, so nothing was done"))
    });
    if let Some(fault) = &refusal {
        app.say(Role::Warn, fault.line());
    }
    refusal.is_none()
}

fn place(app: &App) -> String {
    format!("{} ({})", app.banner.name, app.banner.place)
}

fn confirm(app: &mut App, title: String, lines: Vec<(Role, String)>, choices: Vec<(String, Act)>) {
    let window = Window::Confirm(Confirm { title, lines, choices, focus: 0 });
    app.windows.push(Open { window, scroll: 0 });
}

fn redrive(app: &mut App) {
    if !allowed(app) || redriving(app) {
        return;
    }
    let letters = app.letters_at_hand();
    match letters.as_slice() {
        [] => app.say(Role::Dim, "nothing to redrive here: 2 goes to the dead letters"),
        _ => ask_redrive(app, letters),
    }
}

fn redrive_all(app: &mut App) {
    if !allowed(app) || redriving(app) {
        return;
    }
    match app.dead.get().cloned() {
        None => app.say(Role::Dim, "the dead letters are not known yet"),
        Some((_, 0)) => app.say(Role::Dim, "there are no dead letters"),
        Some((rows, count)) if rows.len() as u64 >= count => ask_redrive(app, rows),
        Some((rows, count)) => {
            let mut lines = kinds(&rows);
            lines.push((Role::Dim, format!("as counted in the latest {} of {count}", rows.len())));
            where_to(app, &mut lines, &rows);
            let choice = (format!("Redrive all {count}"), Act::RedriveAll);
            confirm(app, format!("Redrive all {count} dead letters?"), lines, vec![choice]);
        }
    }
}

/// One redrive at a time: two would race for the same letters.
fn redriving(app: &mut App) -> bool {
    let busy = app.jobs.iter().any(|job| !matches!(job.act, Act::Resend { .. }));
    if busy {
        app.say(Role::Warn, "a redrive is still running: X stops it");
    }
    busy
}

fn ask_redrive(app: &mut App, letters: Vec<DeadRow>) {
    let number = letters.len();
    let mut lines = match letters.as_slice() {
        [row] => vec![
            (Role::Strong, doc::name_of(row)),
            (Role::Base, format!("{} {} {}", row.letter.code, app.glyphs.dot, row.letter.reason)),
            (Role::Dim, row.letter.code.remedy().to_owned()),
        ],
        rows => kinds(rows),
    };
    where_to(app, &mut lines, &letters);
    let title = match number {
        1 => "Redrive this dead letter?".to_owned(),
        _ => format!("Redrive {number} dead letters?"),
    };
    let label = if number == 1 { "Redrive".to_owned() } else { format!("Redrive {number}") };
    confirm(app, title, lines, vec![(label, Act::Redrive(letters))]);
}

fn where_to(app: &App, lines: &mut Vec<(Role, String)>, letters: &[DeadRow]) {
    let mut queues: Vec<_> = letters.iter().map(|row| row.letter.queue).collect();
    queues.sort_unstable();
    queues.dedup();
    let queues: Vec<&str> = queues.iter().map(|queue| queue.as_str()).collect();
    let them = if letters.len() == 1 { "It goes" } else { "They go" };
    let s = if queues.len() == 1 { "" } else { "s" };
    lines.push((Role::Base, String::new()));
    let (queue, place) = (queues.join(" and "), place(app));
    lines.push((Role::Base, format!("{them} back to the {queue} queue{s} of {place}, due at once.")));
    if letters.iter().any(|row| matches!(row.letter.code, Code::SlackUnknown | Code::MailUnknown)) {
        lines.push((
            Role::Warn,
            "An alert that may have arrived is sent again, labelled as a possible repeat.".to_owned(),
        ));
    }
}

/// How many of which kind.
fn kinds(rows: &[DeadRow]) -> Vec<(Role, String)> {
    let mut counts: HashMap<Code, usize> = HashMap::new();
    for row in rows {
        *counts.entry(row.letter.code).or_default() += 1;
    }
    let mut counts: Vec<(Code, usize)> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    let more = counts.len().saturating_sub(KINDS);
    let mut lines: Vec<(Role, String)> = counts
        .iter()
        .take(KINDS)
        .map(|(code, count)| (Role::Base, format!("{count:>5}  {code}  {}", code.cause())))
        .collect();
    if more > 0 {
        lines.push((Role::Dim, format!("and {} more", format::count(more, "kind", "kinds"))));
    }
    lines
}

fn resend(app: &mut App) {
    if !allowed(app) {
        return;
    }
    let Some((lead, name)) = app.lead_at_hand() else {
        return app.say(Role::Dim, "no lead under the cursor: 3 goes to the leads");
    };
    if app.jobs.iter().any(|job| matches!(&job.act, Act::Resend { lead: other, .. } if *other == lead)) {
        return app.say(Role::Warn, format!("an alert about {name} is on its way already"));
    }
    let row = app.leads.get().into_iter().flatten().find(|row| row.lead.lead_id == lead);
    let mut lines = vec![(Role::Strong, name.clone()), (Role::Dim, lead.to_string())];
    if let Some(row) = row {
        lines.push((Role::Base, format!("owner {}", row.lead.lead_owner)));
        for notification in &row.notifications {
            lines.push((Role::Base, doc::delivery(notification, app.now)));
        }
    }
    lines.push((Role::Base, String::new()));
    let several = app.channels.len() > 1;
    lines.push((Role::Base, format!("One new alert goes out from {}.", place(app))));
    let choices = app
        .channels
        .iter()
        .map(|channel| {
            let label = if several { format!("Send to {}", channel.label()) } else { "Send".to_owned() };
            (label, Act::Resend { lead: lead.clone(), name: name.clone(), channel: *channel })
        })
        .collect();
    let title = match app.channels.as_slice() {
        [only] => format!("Send the alert to {} again?", only.label()),
        _ => "Send the alert again?".to_owned(),
    };
    confirm(app, title, lines, choices);
}

fn answer(app: &mut App, action: Action, cmds: &mut Vec<Cmd>) {
    let Some(Open { window: Window::Confirm(question), .. }) = app.windows.last_mut() else { return };
    let answers = question.choices.len() + 1;
    match action {
        Action::Left | Action::PreviousPanel | Action::Up => {
            question.focus = (question.focus + answers - 1) % answers;
        }
        Action::Right | Action::NextPanel | Action::Down => question.focus = (question.focus + 1) % answers,
        Action::Open => {
            let chosen = question.focus.checked_sub(1).and_then(|at| question.choices.get(at)).cloned();
            app.windows.pop();
            if let Some((_, act)) = chosen {
                begin(app, act, cmds);
            }
        }
        _ => {}
    }
}

fn begin(app: &mut App, act: Act, cmds: &mut Vec<Cmd>) {
    let id = app.number();
    let rows: &[DeadRow] = match &act {
        Act::Redrive(rows) => rows,
        Act::RedriveAll => app.dead.get().map_or(&[], |(rows, _)| rows),
        Act::Resend { .. } => &[],
    };
    let names = rows.iter().map(|row| (row.letter.id.clone(), doc::name_of(row))).collect();
    app.jobs.push(Job { id, act: act.clone(), total: None, done: 0, failed: 0, names, stopping: false });
    if let Act::Resend { name, channel, .. } = &act {
        let text = format!("queueing a new alert about {name} for {}", channel.label());
        app.say(Role::Dim, text);
    }
    cmds.push(Cmd::Act { job: id, act });
}

fn stop(app: &mut App, cmds: &mut Vec<Cmd>) {
    match app.jobs.iter_mut().find(|job| !matches!(job.act, Act::Resend { .. })) {
        Some(job) => {
            job.stopping = true;
            cmds.push(Cmd::Stop(job.id));
        }
        None => app.say(Role::Dim, "nothing is running that could be stopped"),
    }
}

fn progressed(app: &mut App, Progress { job, step }: Progress) {
    let Some(at) = app.jobs.iter().position(|known| known.id == job) else { return };
    match step {
        Step::Counted(total) => app.jobs[at].total = Some(total),
        Step::Redriven(letter, result) => {
            let job = &mut app.jobs[at];
            let name = job.names.get(&letter.id).cloned();
            let name = name
                .unwrap_or_else(|| letter.lead_id.as_ref().map_or(letter.id.clone(), ToString::to_string));
            match result {
                Ok(()) => {
                    job.done += 1;
                    let text = format!("{name} is back in the {} queue", letter.queue.as_str());
                    app.say(Role::Good, text);
                }
                Err(fault) => {
                    job.failed += 1;
                    app.say(Role::Alarm, format!("{name} was not redriven: {}", fault.line()));
                }
            }
        }
        Step::Queued => {
            if let Act::Resend { name, channel, .. } = app.jobs[at].act.clone() {
                let channel = channel.label();
                app.say(
                    Role::Base,
                    format!("alert about {name} queued for {channel}, waiting for its receipt"),
                );
            }
        }
        Step::Receipt(receipt) => {
            if let Act::Resend { name, .. } = app.jobs[at].act.clone() {
                match receipt {
                    Ok(Resent { notification, .. }) => {
                        let (channel, at) = (notification.channel.label(), format::clock(notification.at));
                        let tries = format::count(notification.attempts as usize, "attempt", "attempts");
                        app.say(
                            Role::Good,
                            format!("{channel} took the alert about {name} at {at}, {tries}"),
                        );
                    }
                    Err(fault) => app.say(Role::Alarm, format!("alert about {name}: {}", fault.line())),
                }
            }
        }
        Step::Refused(fault) => app.say(Role::Alarm, fault.line()),
        Step::Over => {
            let job = app.jobs.remove(at);
            let left = job.total.map_or(0, |total| total.saturating_sub(job.done + job.failed));
            if job.total.is_some_and(|total| total > 1) || left > 0 {
                let role = if job.failed > 0 { Role::Alarm } else { Role::Good };
                let mut text = format!("redrive over: {} done, {} failed", job.done, job.failed);
                if left > 0 {
                    text += &format!(", {left} left as they were");
                }
                app.say(role, text);
            }
        }
    }
    hurry(app);
}

// === Answers ===

fn replied(app: &mut App, Reply { generation, query, took, answer }: Reply) {
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
        Query::Status => {
            let _ = app.status.answered(generation, only!(Answer::Status(status) => status), took, now);
        }
        Query::Minutes(_) => {
            let _ = app.minutes.answered(generation, only!(Answer::Minutes(minutes) => minutes), took, now);
        }
        Query::Pending => {
            let rows = only!(Answer::Pending(rows) => rows).map(|mut rows| {
                rows.sort_by_key(|row| row.due_at);
                rows
            });
            let _ = app.pending.answered(generation, rows, took, now);
        }
        Query::Dead => {
            let _ =
                app.dead.answered(generation, only!(Answer::Dead(rows, count) => (rows, count)), took, now);
        }
        Query::Leads => {
            let _ = app.leads.answered(generation, only!(Answer::Leads(rows) => rows), took, now);
        }
        Query::Logs(_) => logged(app, generation, only!(Answer::Logs(lines) => lines), took),
        Query::Story(_) => {
            let answer = only!(Answer::Story(story) => *story);
            for open in &mut app.windows {
                if let Window::Story { name, story, .. } = &mut open.window
                    && story.in_flight.is_some_and(|flight| flight.generation == generation)
                {
                    if let Ok(found) = &answer {
                        name.clone_from(&found.display_name);
                    }
                    let _ = story.answered(generation, answer.clone(), took, now);
                }
            }
        }
        Query::Letter(_) => {
            let answer = only!(Answer::Letter(detail) => *detail)
                .map(|detail| Opened { body: doc::body(&detail.body), detail });
            for open in &mut app.windows {
                if let Window::Letter(letter) = &mut open.window {
                    let _ = letter.detail.answered(generation, answer.clone(), took, now);
                }
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

/// Gives up on answers that are not coming.
fn overdue_answers(app: &mut App, cmds: &mut Vec<Cmd>) {
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
    check(&mut app.status, now, cmds);
    check(&mut app.minutes, now, cmds);
    check(&mut app.pending, now, cmds);
    check(&mut app.dead, now, cmds);
    check(&mut app.leads, now, cmds);
    check(&mut app.logs.source, now, cmds);
    for open in &mut app.windows {
        match &mut open.window {
            Window::Story { story, .. } => check(story, now, cmds),
            Window::Letter(letter) => check(&mut letter.detail, now, cmds),
            _ => {}
        }
    }
}

// === Questions ===

/// Asks for everything that is due.
fn ask(app: &mut App, cmds: &mut Vec<Cmd>) {
    fn due<T>(remote: &mut Remote<T>, counter: &mut u64, now: Timestamp, query: Query, cmds: &mut Vec<Cmd>) {
        if remote.is_due(now) {
            *counter += 1;
            remote.asked(*counter, now);
            cmds.push(Cmd::Ask { generation: *counter, query });
        }
    }
    let now = app.now;
    let counter = &mut app.counter;
    due(&mut app.status, counter, now, Query::Status, cmds);
    due(&mut app.pending, counter, now, Query::Pending, cmds);
    due(&mut app.dead, counter, now, Query::Dead, cmds);
    due(&mut app.leads, counter, now, Query::Leads, cmds);
    let last = app.logs.lines.back().map(|line| line.cursor.clone());
    due(&mut app.logs.source, counter, now, Query::Logs(last), cmds);
    due(&mut app.minutes, counter, now, Query::Minutes(MINUTES), cmds);
    for open in &mut app.windows {
        match &mut open.window {
            Window::Story { lead, story, .. } => due(story, counter, now, Query::Story(lead.clone()), cmds),
            // A dead letter does not change: it is asked for until it has come, and with `r`.
            Window::Letter(letter) if letter.detail.get().is_none() => {
                due(&mut letter.detail, counter, now, Query::Letter(letter.row.letter.id.clone()), cmds);
            }
            _ => {}
        }
    }
}

// === Cursors ===

fn pending_keys(pending: &Remote<Vec<PendingRow>>) -> impl ExactSizeIterator<Item = &LeadId> + Clone {
    pending.get().map_or(&[][..], Vec::as_slice).iter().map(|row| &row.lead_id)
}

fn dead_keys(dead: &Remote<(Vec<DeadRow>, u64)>) -> impl ExactSizeIterator<Item = &String> + Clone {
    dead.get().map_or(&[][..], |(rows, _)| rows.as_slice()).iter().map(|row| &row.letter.id)
}

fn lead_keys(leads: &Remote<Vec<LeadRow>>) -> impl ExactSizeIterator<Item = &LeadId> + Clone {
    leads.get().map_or(&[][..], Vec::as_slice).iter().map(|row| &row.lead.lead_id)
}

/// Puts every cursor back on its row.
fn settle(app: &mut App) {
    let layout = app.layout();
    app.pending_list.settle(pending_keys(&app.pending), layout.visible(Panel::Pending));
    app.dead_list.settle(dead_keys(&app.dead), layout.visible(Panel::Dead));
    app.leads_list.settle(lead_keys(&app.leads), layout.visible(Panel::Leads));
    app.logs.settle(layout.visible(Panel::Logs));
}
