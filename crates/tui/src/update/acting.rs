//! Actions, up to their confirmation: which items they affect, how many, and where.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ops::{DeadDetail, Notification, Recipients, Selection};
use outside::text::first_few;
use pipeline::{
    Code, Fault, RetryState,
    destination::{DestinationId, LeftOut},
    ports::DeadLetter,
};
use similar::{ChangeTag, TextDiff};

use super::{
    super::{
        app::App,
        doc, format,
        keymap::{Action, Press},
        msg::{Cmd, Operation, Purpose, Query, Target, Verb},
        panel::Panel,
        theme::Role,
        window::{Choice, Confirm, Input, OpenWindow, TypedCount, Window},
    },
    finding, jobs, moving,
    questions::{confirm, place},
};

/// How many kinds of failure a question lists at most.
const KINDS: usize = 5;
/// How many rows of it a page is taken to have.
const QUESTION_ROWS: usize = 9;
/// How many items it names at most.
const SAMPLES: usize = 3;

/// Starts an action: asks for confirmation, or says why it cannot.
pub(super) fn act(app: &mut App, action: Action, cmds: &mut Vec<Cmd>) {
    if !is_allowed(app) {
        return;
    }
    let takes_letters = !matches!(action, Action::Resend | Action::Try | Action::Requeue | Action::Export);
    if takes_letters && is_busy(app) {
        return;
    }
    let (kind, letters) = (selected_kind(app), &app.panels.dead.table);
    let is_selected = app.window().is_some() || !letters.marks.is_empty() || kind.is_some();
    match (action, kind) {
        (Action::Redrive, Some(code)) => select(app, Selection::Code(code), Purpose::Redrive, cmds),
        (Action::Redrive, None) => from_selection(app, Purpose::Redrive),
        (Action::Delete, Some(code)) => select(app, Selection::Code(code), Purpose::Delete, cmds),
        (Action::Delete, None) => from_selection(app, Purpose::Delete),
        (Action::RedriveKind, _) => match app.selected_letters().first().map(|row| row.letter.code) {
            Some(code) => select(app, Selection::Code(code), Purpose::Redrive, cmds),
            None => nothing(app, Purpose::Redrive),
        },
        (Action::RedriveShown, _) => from_shown(app, Purpose::Redrive),
        (Action::RedriveAll, _) => select(app, Selection::All, Purpose::RedriveAll, cmds),
        (Action::Export, _) if is_selected => from_selection(app, Purpose::Export),
        (Action::Export, _) if letters.wanted.filter.is_empty() => {
            select(app, Selection::All, Purpose::Export, cmds);
        }
        (Action::Export, _) => from_shown(app, Purpose::Export),
        (Action::Edit, _) => edit(app, cmds),
        (Action::Resend, _) => resend(app),
        (Action::Try, _) => send_trial(app),
        (Action::Requeue, _) => requeue(app),
        _ => {}
    }
}

/// The code of the kind that the cursor is on, if the action is about all of it.
fn selected_kind(app: &App) -> Option<Code> {
    let dead = app.windows.is_empty() && app.focus == Panel::Dead;
    Some(app.panels.dead.selected_kind().filter(|_| dead)?.code)
}

/// Whether actions are allowed; says why not.
fn is_allowed(app: &mut App) -> bool {
    let refusal = app.refusal.clone().or_else(|| {
        app.banner
            .read_only
            .then(|| Fault::new(Code::ReadOnly, "this environment is read-only, so nothing was done"))
    });
    if let Some(fault) = &refusal {
        app.notify(Role::Warn, fault.line());
    }
    refusal.is_none()
}

/// Only one action on dead letters at a time: two would compete for the same ones.
fn is_busy(app: &mut App) -> bool {
    let running = app.jobs.iter().find(|job| job.is_running() && job.operation.verb.takes_letters());
    if let Some(doing) = running.map(|job| job.operation.verb.doing()) {
        let key = app.keymap.key(Action::Stop);
        app.notify(Role::Warn, format!("still {doing}: {key} stops it"));
        return true;
    }
    false
}

fn nothing(app: &mut App, purpose: Purpose) {
    let key = app.keymap.key(Action::DeadLetters);
    app.notify(Role::Dim, format!("nothing to {} here: {key} goes to the dead letters", purpose.verb()));
}

// === What an action is about ===

/// A button that starts an operation.
fn button(label: impl Into<String>, verb: Verb, targets: &Arc<Vec<Target>>) -> (String, Choice) {
    (label.into(), Choice::Run(Operation { verb, targets: Arc::clone(targets) }))
}

/// A button's label, with the number of targets if there are several.
fn numbered(label: &str, targets: &[Target]) -> String {
    if targets.len() == 1 { label.to_owned() } else { format!("{label} {}", targets.len()) }
}

fn targets(app: &App, letters: Vec<DeadLetter>) -> Vec<Target> {
    let rows = app.panels.dead.table.known().iter();
    let names: HashMap<&str, &str> =
        rows.filter_map(|row| Some((row.letter.id.as_str(), row.display_name.as_deref()?))).collect();
    letters
        .into_iter()
        .map(|letter| Target {
            name: doc::name_of(&letter, names.get(letter.id.as_str()).copied()),
            lead: letter.lead_id.clone(),
            letter: Some(letter),
        })
        .collect()
}

/// Describes what an action is about: one item in full, several by some of their names, and dead letters by
/// kind.
fn describe(app: &App, targets: &[Target]) -> Vec<(Role, String)> {
    if let [Target { name, lead, letter }] = targets {
        let mut lines = vec![(Role::Strong, name.clone())];
        if let Some(letter) = letter {
            lines.push((Role::Alarm, format!("{} {} {}", letter.code, app.glyphs.dot, letter.reason)));
            lines.push((Role::Dim, letter.code.remedy(RetryState::Dead).to_owned()));
        } else if let Some(lead) = lead {
            lines.push((Role::Dim, lead.to_string()));
        }
        return lines;
    }
    let mut counts: HashMap<Code, usize> = HashMap::new();
    for letter in targets.iter().filter_map(|target| target.letter.as_ref()) {
        *counts.entry(letter.code).or_default() += 1;
    }
    let mut counts: Vec<(Code, usize)> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(code, count)| (Reverse(*count), *code));
    let more = counts.len().saturating_sub(KINDS);
    let mut lines: Vec<(Role, String)> = counts
        .iter()
        .take(KINDS)
        .map(|(code, count)| (Role::Base, format!("{count:>5}  {code}  {}", code.cause())))
        .collect();
    if more > 0 {
        lines.push((Role::Dim, format!("and {} more", format::count(more, "kind", "kinds"))));
    }
    let role = if counts.is_empty() { Role::Strong } else { Role::Dim };
    lines.push((role, first_few(targets, SAMPLES, |target| target.name.clone())));
    lines
}

// === Dead letters ===

fn from_selection(app: &mut App, purpose: Purpose) {
    let letters = app.selected_letters().into_iter().map(|row| row.letter).collect();
    ask(app, purpose, letters);
}

/// About every dead letter shown that matches the filter.
fn from_shown(app: &mut App, purpose: Purpose) {
    let letters = app.panels.dead.table.matching().map(|row| row.letter.clone()).collect();
    ask(app, purpose, letters);
}

/// Asks about the letters of a selection. If not all of them are known here, they are queried first, so that
/// the question is about exactly those that the action then affects.
fn select(app: &mut App, selection: Selection, purpose: Purpose, cmds: &mut Vec<Cmd>) {
    if !app.panels.dead.table.is_complete() {
        let generation = app.number();
        app.selecting = Some((generation, purpose));
        app.notify(Role::Dim, "counting the dead letters");
        return cmds.push(Cmd::Ask { generation, query: Query::Select(selection) });
    }
    let letters = app.panels.dead.table.known().iter().map(|row| &row.letter);
    let letters = letters.filter(|letter| selection.includes(letter)).cloned().collect();
    ask(app, purpose, letters);
}

/// The letters of a selection have been received.
pub(super) fn selected(app: &mut App, purpose: Purpose, letters: Vec<DeadLetter>) {
    // Another question has been opened meanwhile: this one does not cover it.
    if !matches!(app.window(), Some(Window::Confirm(_) | Window::File { .. } | Window::Palette { .. })) {
        ask(app, purpose, letters);
    }
}

/// Asks for confirmation.
fn ask(app: &mut App, purpose: Purpose, letters: Vec<DeadLetter>) {
    if letters.is_empty() {
        return nothing(app, purpose);
    }
    if purpose == Purpose::Export {
        let stamp = app.now.strftime("%Y%m%d-%H%M%S");
        let input = Input::of(format!("leadops-dead-{stamp}.ndjson"));
        return app.open(Window::File { input, letters });
    }
    let targets = Arc::new(targets(app, letters));
    let number = targets.len();
    let what = format::count(number, "dead letter", "dead letters");
    let mut lines = describe(app, &targets);
    lines.push((Role::Base, String::new()));
    let (title, label, verb) = match purpose {
        Purpose::Redrive | Purpose::RedriveAll | Purpose::Export => {
            describe_queues(app, &mut lines, &targets);
            (format!("Redrive {what}?"), "Redrive", Verb::Redrive)
        }
        Purpose::Delete => {
            let (them, place) = (if number == 1 { "It is" } else { "They are" }, place(app));
            lines.push((Role::Warn, format!("{them} removed from {place} and not retried.")));
            lines.push((Role::Base, "A copy of each is stored under deleted/.".to_owned()));
            (format!("Delete {what}?"), "Delete", Verb::Delete)
        }
    };
    let count = (purpose == Purpose::RedriveAll && number > 1).then(|| TypedCount::of(number));
    let choices = vec![button(numbered(label, &targets), verb, &targets)];
    app.open(Window::Confirm(Confirm { title, lines, choices, focus: 0, count }));
}

fn describe_queues(app: &App, lines: &mut Vec<(Role, String)>, targets: &[Target]) {
    let letters = || targets.iter().filter_map(|target| target.letter.as_ref());
    let mut queues: Vec<_> = letters().map(|letter| letter.queue).collect();
    queues.sort_unstable();
    queues.dedup();
    let queues: Vec<&str> = queues.iter().map(|queue| queue.as_str()).collect();
    let them = if targets.len() == 1 { "It returns" } else { "They return" };
    let s = if queues.len() == 1 { "" } else { "s" };
    let (queue, place) = (queues.join(" and "), place(app));
    lines.push((Role::Base, format!("{them} to the {queue} queue{s} of {place}, due immediately.")));
    if app.watch.get().is_some_and(|seen| seen.worked == Some(false)) {
        lines.push((Role::Warn, "No worker is running: start `leadops up` as well.".to_owned()));
    }
    if letters().any(|letter| matches!(letter.code, Code::SlackUnknown | Code::MailUnknown)) {
        lines.push((
            Role::Warn,
            "An alert that may have arrived is sent again, labelled as a possible repeat.".to_owned(),
        ));
    }
}

// === Editing ===

/// Queries the one selected letter for the editor.
fn edit(app: &mut App, cmds: &mut Vec<Cmd>) {
    let letters = app.selected_letters();
    match letters.as_slice() {
        [row] => {
            let generation = app.number();
            app.editing = Some(generation);
            cmds.push(Cmd::Ask { generation, query: Query::Letter(row.letter.id.clone()) });
        }
        [] => {
            let key = app.keymap.key(Action::DeadLetters);
            app.notify(Role::Dim, format!("no dead letter here: {key} goes to them"));
        }
        _ => app.notify(Role::Dim, "one dead letter at a time can be edited"),
    }
}

/// An editor has ended: its text is checked by the pipeline's own rule when it is redriven.
pub(super) fn edited(app: &mut App, detail: Box<DeadDetail>, edited: Result<String, Fault>) {
    let text = match edited {
        Ok(text) => text,
        Err(fault) => return app.notify(Role::Alarm, fault.line()),
    };
    let before = doc::body(&detail.body).join("\n");
    if text.trim_end() == before.trim_end() {
        return app.notify(Role::Dim, "nothing was changed, so nothing was done");
    }
    let again = ("Edit again".to_owned(), Choice::EditAgain(detail.clone(), text.clone()));
    let name = doc::name_of(&detail.row.letter, detail.row.display_name.as_deref());
    let body = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => value.to_string(),
        Err(error) => {
            let lines = vec![
                (Role::Strong, name),
                (Role::Alarm, format!("This is not JSON: {error}.")),
                (Role::Base, "Nothing has been changed.".to_owned()),
            ];
            return confirm(app, "Edit again?".to_owned(), lines, vec![again]);
        }
    };
    let mut lines = vec![(Role::Strong, name), (Role::Base, String::new())];
    lines.extend(difference(&before, text.trim_end()));
    lines.push((Role::Base, String::new()));
    let targets = Arc::new(targets(app, vec![detail.row.letter]));
    describe_queues(app, &mut lines, &targets);
    let redrive = button("Redrive edited", Verb::RedriveEdited(body), &targets);
    confirm(app, "Redrive the edited message?".to_owned(), lines, vec![again, redrive]);
}

/// The changed lines of a text, with a line of context around each.
fn difference(before: &str, after: &str) -> Vec<(Role, String)> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(1).iter().enumerate() {
        if index > 0 {
            lines.push((Role::Dim, "  …".to_owned()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (role, sign) = match change.tag() {
                ChangeTag::Delete => (Role::Alarm, '-'),
                ChangeTag::Insert => (Role::Good, '+'),
                ChangeTag::Equal => (Role::Dim, ' '),
            };
            // The sign behind the indentation, the only spaces that a question preserves.
            let text = change.value().trim_end();
            let inner = text.trim_start();
            lines.push((role, format!("{}{sign} {inner}", " ".repeat(text.len() - inner.len()))));
        }
    }
    lines
}

// === Leads ===

/// The leads that an action is about; says so if there are none.
fn lead_targets(app: &mut App) -> Option<Arc<Vec<Target>>> {
    let leads = app.selected_leads();
    if leads.is_empty() {
        let key = app.keymap.key(Action::Leads);
        app.notify(Role::Dim, format!("no lead under the cursor: {key} goes to the leads"));
        return None;
    }
    let target = |(lead, name)| Target { name, lead: Some(lead), letter: None };
    Some(Arc::new(leads.into_iter().map(target).collect()))
}

fn resend(app: &mut App) {
    let Some(targets) = lead_targets(app) else { return };
    let mut lines = describe(app, &targets);
    let mut left_out: Vec<(DestinationId, Vec<String>)> = Vec::new();
    if let [Target { lead: Some(lead), .. }] = targets.as_slice()
        && let Some(row) = app.panels.leads.shown.rows.iter().find(|row| row.lead.lead_id == *lead)
    {
        lines.push((Role::Base, format!("owner {}", row.lead.owner_label())));
        left_out = not_reached(&row.notifications);
        for notification in &row.notifications {
            lines.push((Role::Base, doc::delivery(notification, app.now)));
        }
    }
    lines.push((Role::Base, String::new()));
    let place = place(app);
    let (alerts, sent) = match targets.len() {
        1 => ("the alert".to_owned(), format!("One new alert is sent from {place}.")),
        number => (
            format!("{number} alerts"),
            format!("{number} new alerts are sent from {place}, one for each lead."),
        ),
    };
    lines.push((Role::Base, sent));
    for (_, whom) in &left_out {
        lines.push((Role::Base, format!("\"Left out only\" sends {}.", LeftOut::rest(whom))));
    }
    let several = app.destinations.len() > 1;
    let to_all = app.destinations.iter().map(|destination| {
        let label = if several { format!("Send to {}", destination.label()) } else { "Send".to_owned() };
        button(label, Verb::Resend(destination.clone(), Recipients::All), &targets)
    });
    let to_rest = left_out.into_iter().map(|(destination, _)| {
        let label = format!("Send to {}, left out only", destination.label());
        button(label, Verb::Resend(destination, Recipients::LeftOut), &targets)
    });
    let choices = to_all.chain(to_rest).collect();
    let title = match app.destinations.as_slice() {
        [only] => format!("Send {alerts} to {} again?", only.label()),
        _ => format!("Send {alerts} again?"),
    };
    confirm(app, title, lines, choices);
}

/// A trial alert has no lead: only its destination is to be chosen.
fn send_trial(app: &mut App) {
    let lines = vec![
        (Role::Base, format!("A trial alert is sent from {}, the same way as any alert.", place(app))),
        (Role::Dim, "It says that it is a test, and appears in no list, count or rate.".to_owned()),
    ];
    let targets = Arc::new(vec![Target { name: "trial alert".to_owned(), lead: None, letter: None }]);
    let choices = app.destinations.iter().map(|destination| {
        button(format!("Send to {}", destination.label()), Verb::Try(destination.clone()), &targets)
    });
    let choices = choices.collect();
    confirm(app, "Send a trial alert?".to_owned(), lines, choices);
}

/// The recipients whom the last alert at each destination did not reach.
fn not_reached(alerts: &[Notification]) -> Vec<(DestinationId, Vec<String>)> {
    let mut last: BTreeMap<&DestinationId, &Notification> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| ["sent", "partly_sent"].contains(&alert.state)) {
        last.entry(&alert.destination)
            .and_modify(|one| *one = if alert.at > one.at { alert } else { one })
            .or_insert(alert);
    }
    last.retain(|_, alert| !alert.left_out.is_empty());
    let whom = |alert: &Notification| alert.left_out.iter().map(|one| one.recipient.clone()).collect();
    last.into_iter().map(|(id, alert)| (id.clone(), whom(alert))).collect()
}

fn requeue(app: &mut App) {
    let Some(targets) = lead_targets(app) else { return };
    let number = targets.len();
    let mut lines = describe(app, &targets);
    lines.push((Role::Base, String::new()));
    let place = place(app);
    let them = if number == 1 { "Its owner is" } else { "Their owners are" };
    lines.push((Role::Base, format!("{them} looked up again from the raw event on {place}, now.")));
    lines.push((Role::Base, "Destinations already notified are not notified again.".to_owned()));
    let title = format!("Requeue {}?", format::count(number, "lead", "leads"));
    confirm(app, title, lines, vec![button(numbered("Requeue", &targets), Verb::Requeue, &targets)]);
}

// === Answers ===

/// A digit of the number that a question requires; the right number moves the focus to its button. Whether
/// the key was handled.
pub(super) fn type_count(app: &mut App, press: Press) -> bool {
    let Some(OpenWindow { window: Window::Confirm(question), .. }) = app.windows.last_mut() else {
        return false;
    };
    let Some(count) = &mut question.count else { return false };
    match press {
        Press::Char('0'..='9') if count.typed.text.len() < count.wanted.len() => {}
        Press::Char('0'..='9') => return true,
        Press::Backspace | Press::Ctrl('u') => {}
        _ => return false,
    }
    finding::edit(&mut count.typed, press);
    question.focus = usize::from(count.is_right());
    true
}

/// An action while a question is open.
pub(super) fn answer(app: &mut App, action: Action, cmds: &mut Vec<Cmd>) {
    let Some(OpenWindow { window: Window::Confirm(question), scroll, .. }) = app.windows.last_mut() else {
        return;
    };
    let answers = question.choices.len() + 1;
    match action {
        Action::Left | Action::PreviousPanel => question.focus = (question.focus + answers - 1) % answers,
        Action::Right | Action::NextPanel => question.focus = (question.focus + 1) % answers,
        Action::Up | Action::Down | Action::PageUp | Action::PageDown => {
            let to = moving::target(action, *scroll, QUESTION_ROWS);
            *scroll = to.unwrap_or(*scroll).min(question.lines.len());
        }
        Action::Open
            if question.focus > 0 && question.count.as_ref().is_some_and(|count| !count.is_right()) =>
        {
            app.notify(Role::Warn, "type the number of dead letters: this takes all of them");
        }
        Action::Open => {
            let chosen = question.focus.checked_sub(1).and_then(|at| question.choices.get(at)).cloned();
            app.windows.pop();
            match chosen {
                None => {}
                Some((_, Choice::Run(operation))) => jobs::begin(app, operation, cmds),
                Some((_, Choice::EditAgain(detail, text))) => cmds.push(Cmd::Edit(detail, text)),
                Some((_, Choice::Quit)) => jobs::stop_and_quit(app, cmds),
            }
        }
        _ => {}
    }
}

/// A key while a file's path is typed: Enter asks for confirmation, showing all of the path.
pub(super) fn typed(app: &mut App, press: Press) {
    let Some(OpenWindow { window: Window::File { input, letters }, .. }) = app.windows.last_mut() else {
        return;
    };
    match press {
        Press::Esc | Press::Ctrl('c') => {
            app.windows.pop();
        }
        Press::Enter if !input.text.trim().is_empty() => {
            let (path, letters) = (input.text.trim().to_owned(), std::mem::take(letters));
            app.windows.pop();
            let targets = Arc::new(targets(app, letters));
            let what = format::count(targets.len(), "dead letter", "dead letters");
            let mut lines = describe(app, &targets);
            lines.push((Role::Base, String::new()));
            lines.push((
                Role::Base,
                format!("They are read from {} and written, one per line, to", place(app)),
            ));
            lines.push((Role::Strong, path.clone()));
            lines.push((Role::Dim, "An existing file is not overwritten.".to_owned()));
            let write = button("Write", Verb::Export(path.into()), &targets);
            confirm(app, format!("Export {what}?"), lines, vec![write]);
        }
        press => finding::edit(input, press),
    }
}
