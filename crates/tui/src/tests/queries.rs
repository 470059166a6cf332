//! Queries and answers: their ages, failures, and other pipelines.

use ops::LeadStory;
use pipeline::{Code, Fault, State, ports::Seen};

use super::{
    super::{
        app::Connection,
        doc,
        fixture::{
            NOW, answer_all, at, broken, data, dispatch, fresh, in_flight, info, leads, loading, press, reply,
        },
        keymap::Press,
        layout::Shape,
        line,
        msg::{Answer, Cmd, Event, Query},
        remote::{Freshness, QueryError},
    },
    *,
};

#[test]
fn each_panel_has_one_query_in_flight_and_a_late_answer_is_dropped() {
    let mut app = loading(SMALL);
    let old = in_flight(&app);
    assert_eq!(old.len(), 8);
    for second in 1..12 {
        let queries = dispatch(&mut app, NOW + second, Event::Tick);
        assert!(queries.is_empty(), "{queries:?}");
    }
    // The console gives up, says so, and asks again later.
    let cmds = dispatch(&mut app, NOW + 13, Event::Tick);
    assert_eq!(cmds.iter().filter(|cmd| matches!(cmd, Cmd::Cancel(_))).count(), 8);
    assert!(matches!(app.panels.pending.remote.error.as_ref().unwrap().error, QueryError::NoAnswer(_)));
    dispatch(&mut app, NOW + 14, Event::Tick);
    for (generation, query) in old {
        let answer = data(&query);
        dispatch(&mut app, NOW + 14, reply(generation, query, answer));
    }
    assert_eq!(
        (app.panels.pending.remote.get(), app.panels.dead.table.remote.get(), app.panels.logs.lines.len()),
        (None, None, 0)
    );
    answer_all(&mut app, NOW + 14, data);
    assert_eq!(app.panels.pending.shown.len(), 17);
}

#[test]
fn a_failure_keeps_the_rows_and_counts_down_to_the_next_try() {
    let mut app = fresh(SMALL);
    dispatch(&mut app, NOW + 2, Event::Tick);
    answer_all(&mut app, NOW + 2, |_| Err(broken()));
    assert_eq!(app.panels.pending.shown.len(), 17);
    assert_eq!(app.panels.pending.remote.freshness(app.now), Freshness::Failed(Some(2)));
    assert!(in_flight(&app).is_empty());
    dispatch(&mut app, NOW + 3, Event::Tick);
    assert_eq!(in_flight(&app).len(), 6, "the first retry comes after a second, but for what changes slowly");
    answer_all(&mut app, NOW + 3, |_| Err(broken()));
    dispatch(&mut app, NOW + 4, Event::Tick);
    let slow = |query: &Query| matches!(query, Query::Health | Query::Minutes(_));
    assert!(in_flight(&app).iter().all(|(_, query)| slow(query)), "the second after two");
    press(&mut app, &[Press::Char('r')]);
    assert_eq!(in_flight(&app).len(), 8, "or at once, when asked to");
    answer_all(&mut app, NOW + 4, data);
    assert_eq!(app.panels.pending.remote.freshness(app.now), Freshness::Fresh);
}

#[test]
fn expired_credentials_are_no_common_failure() {
    let mut app = fresh(SMALL);
    dispatch(&mut app, NOW + 2, Event::Tick);
    answer_all(&mut app, NOW + 2, |_| {
        Err(Fault::new(Code::CredentialsExpired, "the token has expired").into())
    });
    assert_eq!(app.status.freshness(app.now), Freshness::NotPermitted(Some(2)));
}

/// Answers like a pipeline that knows whether anything has changed.
fn watched(version: u64) -> impl Fn(&Query) -> Result<Answer, QueryError> {
    move |query| match query {
        Query::Watch => Ok(Answer::Watch(Seen { version: Some(version), worked: Some(true) })),
        other => data(other),
    }
}

#[test]
fn nothing_is_queried_again_that_has_not_changed() {
    let mut app = loading(SMALL);
    let mut queries = Vec::new();
    for second in 0..60 {
        answer_all(&mut app, NOW + second, watched(if second < 30 { 1 } else { 2 }));
        for cmd in dispatch(&mut app, NOW + second + 1, Event::Tick) {
            if let Cmd::Ask { query, .. } = cmd {
                queries.push(query);
            }
        }
    }
    let count = |wanted: fn(&Query) -> bool| queries.iter().filter(|query| wanted(query)).count();
    assert!(count(|query| matches!(query, Query::Watch)) > 50, "the look itself is cheap");
    assert_eq!(
        count(|query| matches!(query, Query::Rows(Panel::Leads, _))),
        2,
        "once when it was first known, and once it had changed"
    );
    assert_eq!(count(|query| matches!(query, Query::Rows(Panel::Dead, _))), 2);
    assert!(count(|query| matches!(query, Query::Status)) <= 14, "counts depend on the time of day");
    assert_eq!(
        app.panels.leads.remote.freshness(app.now),
        Freshness::Fresh,
        "what has not changed is not old"
    );
}

#[test]
fn a_place_that_costs_money_is_asked_less_often() {
    let mut app = fresh(SMALL);
    app.min_interval = jiff::SignedDuration::from_secs(3);
    let mut queries = 0;
    for second in 1..=30 {
        queries += dispatch(&mut app, NOW + second, Event::Tick).len();
        answer_all(&mut app, NOW + second, data);
    }
    assert!(queries <= 8 * 11, "{queries}");
}

#[test]
fn rows_come_as_far_as_somebody_goes() {
    let mut app = fresh(SMALL);
    let many = |answer| with_rows(answer, |rows| *rows = leads(100));
    next_second(&mut app, many);
    assert!(!app.panels.leads.is_complete(), "a full page: there may be more");
    press(&mut app, &[Press::Char('3'), Press::Char('G')]);
    next_second(&mut app, many);
    dispatch(&mut app, NOW + 4, Event::Tick);
    assert!(
        in_flight(&app).iter().any(|(_, query)| *query == Query::Rows(Panel::Leads, 400)),
        "{:?}",
        in_flight(&app)
    );
}

#[test]
fn pausing_stops_every_query() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('p')]);
    answer_all(&mut app, NOW + 1, data);
    for second in 2..60 {
        assert!(dispatch(&mut app, NOW + second, Event::Tick).is_empty());
    }
    let cmds = press(&mut app, &[Press::Char('p')]);
    assert_eq!(cmds.len(), 8);
}

#[test]
fn another_pipeline_clears_at_once_and_late_answers_of_the_old_one_are_dropped() {
    let mut app = fresh(SMALL);
    app.environments = vec!["prod".to_owned(), "staging".to_owned()];
    dispatch(&mut app, NOW + 2, Event::Tick);
    let old = in_flight(&app);
    press(&mut app, &[Press::Char(':')]);
    press(&mut app, &typed("env staging"));
    let cmds = press(&mut app, &[ENTER]);
    let Some(Cmd::Switch(generation, name)) = cmds.iter().find(|cmd| matches!(cmd, Cmd::Switch(..))) else {
        panic!("{cmds:?}");
    };
    assert_eq!((name.as_str(), app.banner.name.as_str()), ("staging", "staging"));
    assert!(
        app.panels.leads.shown.is_empty() && app.status.get().is_none() && app.panels.logs.lines.is_empty()
    );
    for (generation, query) in old {
        let answer = data(&query);
        dispatch(&mut app, NOW + 2, reply(generation, query, answer));
    }
    assert!(app.panels.leads.shown.is_empty() && app.panels.logs.lines.is_empty());
    assert!(dispatch(&mut app, NOW + 3, Event::Tick).is_empty(), "the old one is not asked any more");
    // Nothing can be done to a pipeline that is not there.
    assert!(press(&mut app, &[Press::Char('2'), Press::Char('A'), Press::Char('3'), ENTER]).is_empty());
    let generation = *generation;
    let failed = Fault::new(Code::StackMissing, "there is no stack staging");
    dispatch(&mut app, NOW + 4, Event::Switched(generation, Box::new(Err(failed.clone()))));
    assert_eq!(app.connection, Connection::Failed(failed));
    let cmds = press(&mut app, &[Press::Char('r')]);
    let Some(Cmd::Switch(again, _)) = cmds.first() else { panic!("{cmds:?}") };
    let mut info = info();
    info.banner.name = "staging".to_owned();
    // An answer to the first try, which is over.
    dispatch(&mut app, NOW + 5, Event::Switched(generation, Box::new(Ok(info.clone()))));
    assert!(matches!(app.connection, Connection::Opening(_)));
    let cmds = dispatch(&mut app, NOW + 5, Event::Switched(*again, Box::new(Ok(info))));
    assert_eq!((app.connection == Connection::Open, cmds.len()), (true, 8));
    answer_all(&mut app, NOW + 5, data);
    assert_eq!(app.panels.leads.shown.len(), 30);
}

#[test]
fn a_deleted_pipeline_is_not_queried_and_not_called_live() {
    let mut app = fresh(SMALL);
    dispatch(&mut app, NOW + 2, Event::Tick);
    answer_all(&mut app, NOW + 2, |query| match query {
        Query::Watch => Err(Fault::new(Code::StorageGone, "/srv/leadops/leadops.db has been deleted").into()),
        other => data(other),
    });
    for second in 3..30 {
        let cmds = dispatch(&mut app, NOW + second, Event::Tick);
        assert!(cmds.iter().all(|cmd| matches!(cmd, Cmd::Ask { query: Query::Watch, .. })), "{cmds:?}");
        answer_all(&mut app, NOW + second, |_| Err(Fault::new(Code::StorageGone, "gone").into()));
    }
    assert!(matches!(app.status.freshness(app.now), Freshness::Stale(_)));
}

#[test]
fn panels_outside_of_the_overview_are_queried_only_while_visible_and_once_a_minute() {
    let mut app = fresh(LARGE);
    let deleted = |cmds: &[Cmd]| {
        cmds.iter()
            .filter(|cmd| matches!(cmd, Cmd::Ask { query: Query::Rows(Panel::Deleted, _), .. }))
            .count()
    };
    let queries = |app: &mut App, seconds: std::ops::Range<i64>| -> usize {
        let second = |second| {
            let cmds = dispatch(app, NOW + second, Event::Tick);
            answer_all(app, NOW + second, data);
            deleted(&cmds)
        };
        seconds.map(second).sum()
    };
    assert_eq!(queries(&mut app, 2..130), 0);
    let cmds = press(&mut app, &[Press::Char('5')]);
    assert_eq!(deleted(&cmds), 1);
    answer_all(&mut app, NOW + 130, data);
    assert_eq!((app.layout().shape, app.panels.deleted.shown.len()), (Shape::Single, 2));
    assert_eq!(queries(&mut app, 131..240), 1);
    press(&mut app, &[Press::Char('0')]);
    assert_eq!((app.focus, app.layout().shape), (Panel::Pending, Shape::Grid));
}

/// What was answered is an hour old where nothing answers any more: an open window goes by the time, as the list does.
#[test]
fn an_open_lead_becomes_due_and_overdue_in_its_window_as_in_the_list() {
    let mut app = fresh(WIDE);
    press(&mut app, &[Press::Char('3'), ENTER]);
    answer_all(&mut app, NOW, |query| match (query, data(query)) {
        (Query::Story(_), Ok(Answer::Story(story))) => {
            let (state, due_at) = (State::Pending, at(NOW + 60));
            Ok(Answer::Story(Box::new(LeadStory { state, due_at, ..*story })))
        }
        (_, answer) => answer,
    });
    for (now, expected) in [
        (0, "state       pending, due in 1:00"),
        (60, "state       processing"),
        (60 + 120, "state       processing"),
        (60 + 121, "state       ▲ overdue by 2:01"),
    ] {
        dispatch(&mut app, NOW + now, Event::Tick);
        let doc = doc::windows::of(&app, app.windows.last().unwrap(), 100);
        let lines: Vec<String> = doc.lines.iter().map(line::plain).collect();
        assert!(lines.contains(&expected.to_owned()), "{lines:?}");
    }
}
