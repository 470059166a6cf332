//! Actions: confirmed, reported item by item, stopped, followed.

use ops::{DeadDetail, Notification, Recipients};
use outbound::SlackDestination;
use pipeline::{
    Code, Fault,
    destination::{DestinationId, LeftOut},
};

use super::{
    super::{
        app::App,
        fixture::{NOW, answer_all, data, dispatch, fresh, leads, press},
        keymap::Press,
        msg::{Cmd, Event, Progress, Query, Step, Verb},
        window::{JobState, Window},
    },
    *,
};

/// A second destination.
const EMAIL: DestinationId = DestinationId::literal("email");

fn ids(operation: &Operation) -> Vec<&str> {
    operation
        .targets
        .iter()
        .filter_map(|target| target.letter.as_ref())
        .map(|letter| letter.id.as_str())
        .collect()
}

fn question(app: &App) -> String {
    match app.window() {
        Some(Window::Confirm(question)) => {
            let lines: Vec<&str> = question.lines.iter().map(|(_, text)| text.as_str()).collect();
            format!("{}\n{}", question.title, lines.join("\n"))
        }
        other => panic!("no question: {other:?}"),
    }
}

fn report(app: &mut App, job: u64, step: Step) -> Vec<Cmd> {
    dispatch(app, NOW + 2, Event::Progress(Progress { job, step }))
}

/// Shows the dead letters one by one.
fn one_by_one(app: &mut App) {
    press(app, &[Press::Char('2'), Press::Char('b')]);
}

#[test]
fn nothing_is_done_that_was_not_confirmed() {
    let mut app = fresh(SMALL);
    one_by_one(&mut app);
    let cmds = press(&mut app, &[Press::Char('R')]);
    assert!(operations(&cmds).is_empty());
    assert!(matches!(app.window(), Some(Window::Confirm(question)) if question.focus == 0));
    assert!(operations(&press(&mut app, &[ENTER])).is_empty(), "Cancel has the focus");
    assert!(app.windows.is_empty());
    for away in [Press::Esc, Press::Ctrl('c'), Press::Char('q')] {
        let cmds = press(&mut app, &[Press::Char('R'), Press::Tab, away]);
        assert!(operations(&cmds).is_empty() && !cmds.contains(&Cmd::Quit) && app.windows.is_empty());
    }
    let cmds = press(&mut app, &[Press::Char('R'), Press::Tab, ENTER]);
    assert_eq!((operations(&cmds).len(), ids(operations(&cmds)[0])), (1, vec!["dead-1"]));
}

#[test]
fn the_row_that_was_asked_about_is_the_one_that_is_redriven() {
    let mut app = fresh(SMALL);
    one_by_one(&mut app);
    press(&mut app, &[Press::Char('R'), Press::Tab]);
    next_second(&mut app, |answer| with_rows::<DeadRow>(answer, |rows| rows.rotate_left(1)));
    assert_eq!(ids(operations(&press(&mut app, &[ENTER]))[0]), ["dead-1"]);
}

#[test]
fn one_marked_a_kind_what_matches_and_all() {
    for (keys, wanted) in [
        // By kind: the code under the cursor.
        (vec![Press::Char('2'), Press::Char('R')], vec!["dead-1", "dead-2"]),
        (vec![Press::Char('2'), Press::Char('b'), DOWN, Press::Char('K')], vec!["dead-1", "dead-2"]),
        (
            vec![
                Press::Char('2'),
                Press::Char('b'),
                Press::Char(' '),
                DOWN,
                Press::Char(' '),
                Press::Char('R'),
            ],
            vec!["dead-1", "dead-3"],
        ),
        (vec![Press::Char('A')], vec!["dead-1", "dead-2", "dead-3"]),
        (
            [vec![Press::Char('2'), Press::Char('/')], typed("queue:delay"), vec![ENTER, Press::Char('F')]]
                .concat(),
            vec!["dead-3"],
        ),
    ] {
        let mut app = fresh(SMALL);
        press(&mut app, &keys);
        let text = question(&app);
        assert!(text.contains("prod (/srv/leadops), due immediately"), "{text}");
        let everything = wanted.len() == 3;
        let sure = if everything { Press::Char('3') } else { Press::Tab };
        let cmds = press(&mut app, &[sure, ENTER]);
        assert_eq!(
            (operations(&cmds)[0].verb.clone(), ids(operations(&cmds)[0])),
            (Verb::Redrive, wanted),
            "{keys:?}"
        );
    }
}

#[test]
fn letters_that_are_not_known_here_are_counted_before_the_question() {
    let mut app = fresh(SMALL);
    next_second(&mut app, |answer| with_rows::<DeadRow>(answer, |rows| rows.truncate(1)));
    let cmds = press(&mut app, &[Press::Char('A')]);
    assert!(cmds.iter().any(|cmd| matches!(cmd, Cmd::Ask { query: Query::Select(_), .. })));
    assert!(app.windows.is_empty());
    answer_all(&mut app, NOW + 2, data);
    assert!(question(&app).starts_with("Redrive 3 dead letters?"));
    assert_eq!(operations(&press(&mut app, &[Press::Char('3'), ENTER]))[0].targets.len(), 3);
}

#[test]
fn redriving_all_requires_typing_how_many_there_are() {
    let mut app = fresh(SMALL);
    let focus = |app: &App| match app.window() {
        Some(Window::Confirm(question)) => question.focus,
        other => panic!("no question: {other:?}"),
    };
    press(&mut app, &[Press::Char('A')]);
    // Neither the button without the number nor another number.
    assert!(operations(&press(&mut app, &[Press::Tab, ENTER])).is_empty());
    assert_eq!(last_notice(&app), "type the number of dead letters: this takes all of them");
    press(&mut app, &[Press::Char('2'), Press::Char('3')]);
    assert_eq!(focus(&app), 0, "a wrong number puts Cancel into focus again");
    press(&mut app, &[Press::Backspace, Press::Char('3'), Press::Char('3')]);
    assert_eq!(focus(&app), 1, "no more is typed than fits");
    press(&mut app, &[Press::Backspace]);
    assert_eq!(focus(&app), 0);
    // Letters stay keys.
    assert!(operations(&press(&mut app, &[Press::Char('3'), Press::Char('q')])).is_empty());
    assert!(app.windows.is_empty());
    assert_eq!(
        operations(&press(&mut app, &[Press::Char('A'), Press::Char('3'), ENTER]))[0].targets.len(),
        3
    );
}

#[test]
fn each_item_is_reported_and_many_do_not_drown_the_rest() {
    let mut app = fresh(SMALL);
    let cmds = press(&mut app, &[Press::Char('A'), Press::Char('3'), ENTER]);
    let Some(Cmd::Run { job, .. }) = cmds.iter().find(|cmd| matches!(cmd, Cmd::Run { .. })) else {
        panic!("{cmds:?}")
    };
    let job = *job;
    let before = app.notices.len();
    report(&mut app, job, Step::Done(0, Ok(None)));
    assert!(operations(&press(&mut app, &[Press::Char('A')])).is_empty());
    assert_eq!(last_notice(&app), "still redriving: X stops it");
    assert!(press(&mut app, &[Press::Char('X')]).contains(&Cmd::Stop(job)));
    let gone = Fault::new(Code::NoSuchDeadLetter, "there is no dead letter \"dead-2\"");
    report(&mut app, job, Step::Done(1, Err(gone)));
    report(&mut app, job, Step::Following);
    assert_eq!(last_notice(&app), "1 dead letter redriven, 1 failed, 1 unchanged (stopped)");
    report(&mut app, job, Step::Followed(0, Err("dead again: Slack says 404 no_service".to_owned())));
    report(&mut app, job, Step::Finished);
    assert_eq!(last_notice(&app), "of the 1 redriven: 0 notified, 1 dead again");
    assert_eq!(app.notices.len(), before + 3, "one line for each thing to know");
    assert!(app.jobs[0].state == JobState::Finished && !app.read);
    press(&mut app, &[Press::Char('e'), Press::Tab]);
    let text: Vec<String> = super::super::doc::windows::of(&app, app.windows.last().unwrap(), 76)
        .lines
        .iter()
        .map(super::super::line::plain)
        .collect();
    let text = text.join("\n");
    assert!(app.read && text.contains("LO502") && text.contains("dead again"), "{text}");
}

#[test]
fn one_redriven_letter_is_followed_to_its_end() {
    let mut app = fresh(SMALL);
    one_by_one(&mut app);
    press(&mut app, &[Press::Char('R'), Press::Tab, ENTER]);
    let job = app.jobs[0].id;
    report(&mut app, job, Step::Done(0, Ok(None)));
    assert_eq!(last_notice(&app), "Northwind GmbH is back in its queue");
    report(&mut app, job, Step::Following);
    report(&mut app, job, Step::Followed(0, Ok("sent: Slack took the alert".to_owned())));
    assert_eq!(last_notice(&app), "Northwind GmbH: sent: Slack took the alert");
    report(&mut app, job, Step::Finished);
    assert_eq!(last_notice(&app), "Northwind GmbH: sent: Slack took the alert");
}

#[test]
fn quitting_while_something_runs_asks_and_then_waits_for_the_current_item() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('A'), Press::Char('3'), ENTER]);
    let job = app.jobs[0].id;
    report(&mut app, job, Step::Done(0, Ok(None)));
    assert!(!press(&mut app, &[Press::Char('q')]).contains(&Cmd::Quit));
    assert!(question(&app).contains("1 done, 0 failed, 2 left"), "{}", question(&app));
    assert!(!press(&mut app, &[ENTER]).contains(&Cmd::Quit), "Cancel has the focus");
    let cmds = press(&mut app, &[Press::Char('q'), Press::Tab, ENTER]);
    assert!(cmds.contains(&Cmd::Stop(job)) && !cmds.contains(&Cmd::Quit));
    assert!(report(&mut app, job, Step::Following).contains(&Cmd::Quit));
    // A signal does not ask.
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('A'), Press::Char('3'), ENTER]);
    assert!(dispatch(&mut app, NOW + 2, Event::Terminate).contains(&Cmd::Quit));
}

#[test]
fn a_resend_goes_to_the_chosen_destination_and_its_receipt_arrives() {
    let mut app = fresh(SMALL);
    app.destinations = vec![SlackDestination::ID, EMAIL];
    let cmds = press(&mut app, &[Press::Char('3'), Press::Char('S'), Press::Tab, Press::Tab, ENTER]);
    let operation = operations(&cmds)[0];
    assert_eq!(operation.verb, Verb::Resend(EMAIL, Recipients::All));
    assert_eq!(operation.targets[0].lead, Some(leads(1)[0].lead.lead_id.clone()));
    let job = app.jobs[0].id;
    report(
        &mut app,
        job,
        Step::Done(0, Ok(Some("e-mail accepted the alert at 12:03:55, 1 attempt".to_owned()))),
    );
    assert_eq!(last_notice(&app), "Nova Labs: e-mail accepted the alert at 12:03:55, 1 attempt");
    report(&mut app, job, Step::Finished);
    assert_eq!(last_notice(&app), "Nova Labs: e-mail accepted the alert at 12:03:55, 1 attempt");
}

/// The question names the recipients that were left out, and has a button for them only.
#[test]
fn a_resend_can_go_only_to_those_whom_the_last_alert_did_not_reach() {
    let mut app = fresh(SMALL);
    app.destinations = vec![SlackDestination::ID, EMAIL];
    let left_out = LeftOut {
        recipient: "b@example.org".to_owned(),
        reason: "550 no such user".to_owned(),
        again: false,
    };
    let before = &app.panels.leads.shown.rows[0].notifications[0];
    let mail = Notification {
        destination: EMAIL,
        state: "partly_sent",
        code: Some(Code::PartlySent),
        left_out: vec![left_out],
        ..before.clone()
    };
    let mut rows = (*app.panels.leads.shown.rows).to_vec();
    rows[0].notifications.push(mail);
    app.panels.leads.shown.rows = rows.into();
    press(&mut app, &[Press::Char('3'), Press::Char('S')]);
    let text = question(&app);
    assert!(text.contains("e-mail partly sent"), "{text}");
    assert!(text.contains("not for b@example.org (550 no such user)"), "{text}");
    let recipients =
        "\"Left out only\" sends to those recipients whom it has not reached (left out were: b@example.org).";
    assert!(text.contains(recipients), "{text}");
    let cmds = press(&mut app, &[Press::Tab, Press::Tab, Press::Tab, ENTER]);
    assert_eq!(operations(&cmds)[0].verb, Verb::Resend(EMAIL, Recipients::LeftOut));
}

#[test]
fn a_test_alert_goes_to_the_chosen_destination_and_needs_no_lead() {
    let mut app = fresh(SMALL);
    app.destinations = vec![SlackDestination::ID, EMAIL];
    let cmds = press(&mut app, &[Press::Char('1'), Press::Char('T')]);
    assert!(operations(&cmds).is_empty() && question(&app).contains("in no list"), "{}", question(&app));
    let cmds = press(&mut app, &[Press::Tab, Press::Tab, ENTER]);
    assert_eq!(operations(&cmds)[0].verb, Verb::Try(EMAIL));
    let job = app.jobs[0].id;
    report(
        &mut app,
        job,
        Step::Done(0, Ok(Some("e-mail accepted the trial alert at 12:03:55, 1 attempt".to_owned()))),
    );
    assert_eq!(last_notice(&app), "trial alert: e-mail accepted the trial alert at 12:03:55, 1 attempt");
}

/// The notices about operations that failed.
#[test]
fn what_did_not_arrive_is_reported_as_it_is() {
    let (test_alert, alert) = (Press::Char('T'), Press::Char('S'));
    for (key, fault, notices) in [
        (
            test_alert,
            Fault::new(Code::TrialFailed, "left out: b (550 no)"),
            "trial alert failed: LO534 left out: b (550 no).",
        ),
        (
            test_alert,
            Fault::new(Code::NoReceipt, "none after 60 s"),
            "trial alert: no receipt yet: LO505 none after 60 s.",
        ),
        (
            alert,
            Fault::new(Code::NoReceipt, "none after 60 s"),
            "Nova Labs: no receipt yet: LO505 none after 60 s.",
        ),
        (
            alert,
            Fault::new(Code::PartlySent, "left out: b (550 no)"),
            "Nova Labs was resent, but not to everyone: LO235 left out: b (550 no).",
        ),
        (alert, Fault::new(Code::DeliveryFailed, "it failed"), "Nova Labs was not resent: LO510 it failed."),
    ] {
        let mut app = fresh(SMALL);
        app.destinations = vec![EMAIL];
        press(&mut app, &[Press::Char('3'), key, Press::Tab, ENTER]);
        let job = app.jobs[0].id;
        report(&mut app, job, Step::Done(0, Err(fault)));
        assert!(last_notice(&app).starts_with(notices), "{}", last_notice(&app));
        assert_eq!((app.jobs[0].done, app.jobs[0].failed), (0, 1));
    }
}

#[test]
fn an_edited_message_is_shown_by_its_changes_before_it_is_redriven() {
    let mut app = fresh(SMALL);
    one_by_one(&mut app);
    press(&mut app, &[Press::Char('E')]);
    let generation = app.editing.unwrap();
    let query = Query::Letter("dead-1".to_owned());
    let answer = data(&query);
    let cmds = dispatch(&mut app, NOW + 2, super::super::fixture::reply(generation, query, answer));
    let Some(Cmd::Edit(detail, text)) = cmds.into_iter().find(|cmd| matches!(cmd, Cmd::Edit(..))) else {
        panic!("no editor")
    };
    let edit = |app: &mut App, detail: &DeadDetail, text: String| {
        dispatch(app, NOW + 3, Event::Edited(Box::new(detail.clone()), Ok(text)));
    };
    edit(&mut app, &detail, text.clone());
    assert_eq!(last_notice(&app), "nothing was changed, so nothing was done");
    edit(&mut app, &detail, "{".to_owned());
    assert!(question(&app).contains("This is not JSON"));
    let cmds = press(&mut app, &[Press::Tab, ENTER]);
    assert!(
        cmds.iter().any(|cmd| matches!(cmd, Cmd::Edit(_, text) if text == "{")),
        "once more, as it was left"
    );
    edit(&mut app, &detail, text.replace("\"new\"", "\"again\""));
    let text = question(&app);
    assert!(text.contains("  - \"alert\": \"new\",") && text.contains("  + \"alert\": \"again\","), "{text}");
    let cmds = press(&mut app, &[Press::Tab, Press::Tab, ENTER]);
    assert!(matches!(&operations(&cmds)[0].verb, Verb::RedriveEdited(body) if body.contains("\"again\"")));
}

#[test]
fn leads_are_requeued_letters_deleted_and_exported_after_a_question_each() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('Q')]);
    assert!(question(&app).contains("not notified again"));
    assert_eq!(operations(&press(&mut app, &[Press::Tab, ENTER]))[0].verb, Verb::Requeue);
    one_by_one(&mut app);
    press(&mut app, &[Press::Char('D')]);
    assert!(question(&app).contains("A copy of each is stored"));
    assert_eq!(operations(&press(&mut app, &[Press::Tab, ENTER]))[0].verb, Verb::Delete);
    let job = app.jobs[1].id;
    report(&mut app, job, Step::Finished);
    press(&mut app, &[Press::Char('W'), Press::Ctrl('u')]);
    press(&mut app, &typed("/tmp/dead.ndjson"));
    press(&mut app, &[ENTER]);
    assert!(question(&app).contains("/tmp/dead.ndjson"));
    let cmds = press(&mut app, &[Press::Tab, ENTER]);
    assert_eq!(operations(&cmds)[0].verb, Verb::Export("/tmp/dead.ndjson".into()));
    assert_eq!(ids(operations(&cmds)[0]), ["dead-1", "dead-2", "dead-3"]);
}

#[test]
fn a_read_only_environment_refuses_with_its_reason() {
    let mut app = fresh(SMALL);
    app.refusal = Some(Fault::new(Code::ReadOnly, "this environment is read-only, so nothing was done"));
    press(&mut app, &[Press::Char('2')]);
    for binding in super::super::keymap::BINDINGS.iter().filter(|binding| binding.action.acts()) {
        app.notices.clear();
        assert!(operations(&press(&mut app, binding.keys)).is_empty());
        assert!(app.windows.is_empty() && last_notice(&app).starts_with("LO501"), "{}", binding.name);
    }
}
