//! A console with deterministic data, for tests.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use lead::{
    AlertKind, EnrichedLead, LeadId, Owner, OwnerStatus, Timestamp, UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL,
};
use ops::{
    DeadDetail, DeadRow, DeletedRow, DestinationHealth, Health, Last24h, LeadRow, LeadStory, Notification,
    PendingRow, Queues, Refused, Selection, Speed, Status, Step,
};
use outbound::SlackDestination;
use pipeline::{
    Code, Fault, Settings, Stage, State,
    ports::{DeadLetter, Depth, Level, LogLine, Minute, Queue, Seen},
};

use super::{
    app::App,
    keymap::Press,
    msg::{Answer, Cmd, Event, Msg, PipelineInfo, Query, Reply},
    panel::Panel,
    remote::QueryError,
    rows::Rows,
    source::Banner,
    table::Row,
    text,
    update::update,
};

/// The time of a fresh console: 2026-03-02 12:04:31 UTC.
pub(super) const NOW: i64 = 1_772_453_071;

const COMPANIES: [&str; 12] = [
    "Harbour Logistics",
    "Acme Robotics",
    "Zoë & Söhne",
    "Nova Labs",
    "株式会社みなと",
    "Kite & Sons",
    "Northwind GmbH",
    "Brightwater Schools Trust",
    "Łódź Textile Works",
    "Panadería La Espiga",
    "Granite Peak Outfitters",
    "Cedar & Slate Architects",
];
const DESKS: [&str; 4] = ["Inbound EMEA", "Sales North", "Partner Desk", "Key Accounts"];
const FUNNELS: [&str; 3] = ["Website form", "Trade fair", "Newsletter"];

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn id(number: usize) -> LeadId {
    format!("lead_8fJ2k4Lm9Pq2T7w{number:03}").parse().unwrap()
}

fn company(number: usize) -> String {
    COMPANIES[number % COMPANIES.len()].to_owned()
}

pub(super) fn banner() -> Banner {
    Banner { name: "prod".to_owned(), place: "/srv/leadops".to_owned(), ..Banner::default() }
}

pub(super) fn info() -> PipelineInfo {
    PipelineInfo {
        banner: banner(),
        refusal: None,
        settings: Arc::new(Settings::default()),
        min_interval: Duration::ZERO,
    }
}

/// A console of a size that has sent its first queries and has no data yet.
pub(super) fn loading(size: (u16, u16)) -> App {
    let mut app = App::new(info(), &text::UTF8);
    dispatch(&mut app, NOW, Event::Resize(size.0, size.1));
    app
}

/// The same with an answer to each query.
pub(super) fn fresh(size: (u16, u16)) -> App {
    let mut app = loading(size);
    answer_all(&mut app, NOW, data);
    dispatch(&mut app, NOW + 1, Event::Tick);
    app
}

/// A console on a pipeline without leads.
pub(super) fn empty(size: (u16, u16)) -> App {
    let mut app = loading(size);
    answer_all(&mut app, NOW, |query| {
        Ok(match query {
            Query::Status => Answer::Status(status(0, 0, 0, 0)),
            Query::Minutes(_) => Answer::Minutes(vec![]),
            Query::Health => Answer::Health(Health::default()),
            Query::Rows(Panel::Pending, _) => rows_of::<PendingRow>(vec![]),
            Query::Rows(Panel::Dead, _) => Answer::Rows(Rows::of::<DeadRow>(vec![], Some(0))),
            Query::Rows(Panel::Leads, _) => rows_of::<LeadRow>(vec![]),
            Query::Logs(_) => Answer::Logs(vec![]),
            other => data(other)?,
        })
    });
    app
}

pub(super) fn broken() -> QueryError {
    Fault::new(Code::StorageFailed, "the storage failed: disk I/O error").into()
}

pub(super) fn dispatch(app: &mut App, second: i64, event: Event) -> Vec<Cmd> {
    update(app, Msg { at: at(second), event })
}

pub(super) fn press(app: &mut App, keys: &[Press]) -> Vec<Cmd> {
    let now = app.now.as_second();
    keys.iter().flat_map(|key| dispatch(app, now, Event::Press(*key))).collect()
}

pub(super) fn reply(generation: u64, query: Query, answer: Result<Answer, QueryError>) -> Event {
    let took = Duration::from_millis(2);
    Event::Reply(Box::new(Reply { generation, query, took, answer }))
}

/// Answers every query in flight.
pub(super) fn answer_all(app: &mut App, second: i64, answer: impl Fn(&Query) -> Result<Answer, QueryError>) {
    for (generation, query) in in_flight(app) {
        let answer = answer(&query);
        dispatch(app, second, reply(generation, query, answer));
    }
}

/// The queries in flight.
pub(super) fn in_flight(app: &App) -> Vec<(u64, Query)> {
    use super::window::Window;
    let mut flights = vec![
        (app.watch.in_flight, Query::Watch),
        (app.status.in_flight, Query::Status),
        (app.health.in_flight, Query::Health),
        (app.minutes.in_flight, Query::Minutes(120)),
    ];
    for view in app.panels.all() {
        flights.push((view.polling().in_flight, view.next_query().0));
    }
    for open in &app.windows {
        match &open.window {
            Window::Story(story) => {
                flights.push((story.history.in_flight, Query::Story(story.lead.clone())));
                flights.push((story.raw.in_flight, Query::Raw(story.lead.clone())));
            }
            Window::Letter(letter) => {
                flights.push((letter.detail.in_flight, Query::Letter(letter.row.letter.id.clone())));
            }
            _ => {}
        }
    }
    if let Some(letter) = &app.panels.dead.preview {
        flights.push((letter.detail.in_flight, Query::Letter(letter.row.letter.id.clone())));
    }
    let mut queries: Vec<(u64, Query)> =
        flights.into_iter().filter_map(|(flight, query)| Some((flight?.generation, query))).collect();
    if let Some((generation, _)) = app.selecting {
        queries.push((generation, Query::Select(Selection::All)));
    }
    queries
}

/// An answer with rows.
pub(super) fn rows_of<T: Row>(rows: Vec<T>) -> Answer {
    Answer::Rows(Rows::of(rows, None))
}

/// The same answer with its rows changed, if they are of this type.
pub(super) fn with_rows<T: Row>(answer: Answer, change: impl FnOnce(&mut Vec<T>)) -> Answer {
    match &answer {
        Answer::Rows(rows) => match rows.get::<T>() {
            Some(found) => {
                let mut changed = (*found).clone();
                change(&mut changed);
                Answer::Rows(Rows::of(changed, rows.total))
            }
            None => answer,
        },
        _ => answer,
    }
}

/// A rich answer to any query.
pub(super) fn data(query: &Query) -> Result<Answer, QueryError> {
    Ok(match query {
        Query::Watch => Answer::Watch(Seen { version: None, worked: Some(true) }),
        Query::Health => Answer::Health(health()),
        Query::Raw(_) => Answer::Raw(Some(RAW.to_owned())),
        Query::Select(_) => Answer::Select(dead().into_iter().map(|row| row.letter).collect()),
        Query::Status => Answer::Status(status(14, 2, 1, 3)),
        Query::Minutes(count) => Answer::Minutes(minutes(i64::from(*count))),
        Query::Rows(Panel::Pending, _) => rows_of(pending(17)),
        Query::Rows(Panel::Dead, _) => Answer::Rows(Rows::of(dead(), Some(3))),
        Query::Rows(Panel::Leads, _) => rows_of(leads(30)),
        Query::Rows(Panel::Deleted, _) => Answer::Rows(Rows::of(deleted(), Some(2))),
        Query::Rows(Panel::Logs, _) => panic!("{query:?}"),
        Query::Logs(query) if query.after.is_none() => Answer::Logs(logs(0, 40)),
        Query::Logs(_) => Answer::Logs(vec![]),
        Query::Story(lead) => Answer::Story(Box::new(story(lead.clone()))),
        Query::Letter(id) => Answer::Letter(Box::new(letter(id))),
    })
}

fn deleted() -> Vec<DeletedRow> {
    let by = ["ada@ops-1", "root@ops-1 (sudo by ada)"];
    let of = |(index, row): (usize, DeadRow)| DeletedRow {
        deleted_at: at(NOW - 400 - 4_000 * i64::try_from(index).unwrap()),
        deleted_by: by[index % 2].to_owned(),
        body: "{}".to_owned(),
        display_name: row.display_name,
        dead_letter: row.letter,
    };
    dead().into_iter().take(2).enumerate().map(of).collect()
}

/// A webhook's body.
const RAW: &str = r#"{"subscription_id":"whsub_1","event":{"id":"ev_1","object_type":"lead","action":"created","data":{"display_name":"Brightwater Schools Trust","name":"Brightwater"}}}"#;

fn health() -> Health {
    Health {
        destinations: vec![DestinationHealth {
            destination: SlackDestination::ID,
            at: at(NOW - 540),
            code: Some(Code::SlackWebhookGone),
        }],
        webhook_at: Some(at(NOW - 4)),
        lookup_at: Some(at(NOW - 12)),
        lookup_code: None,
        fruitless_lookups: None,
    }
}

fn status(pending: u64, processing: u64, overdue: u64, dead: u64) -> Status {
    let some = pending > 0;
    Status {
        pending,
        processing,
        overdue,
        approximate: false,
        queues: Queues {
            delay: Depth { waiting: pending, ready: overdue, in_flight: processing, dead: dead / 3 },
            notification: Depth { waiting: 0, ready: 1, in_flight: 0, dead: dead - dead / 3 },
        },
        oldest_dead_seconds: some.then_some(11_000),
        last_24h: if some {
            Last24h { accepted: 412, enriched: 410, notified: 408, failed: 3 }
        } else {
            Last24h::default()
        },
        refused: Refused::default(),
        health: Vec::new(),
        speed: if some {
            Speed { p50_ms: Some(1_240), p95_ms: Some(2_900), p99_ms: Some(4_100) }
        } else {
            Speed::default()
        },
        as_of: at(NOW),
    }
}

fn minutes(count: i64) -> Vec<Minute> {
    let this = NOW - NOW.rem_euclid(60);
    (0..count)
        .map(|index| {
            let accepted = [3, 5, 8, 2, 0, 1, 12, 7][usize::try_from(index % 8).unwrap()];
            let at = at(this - (count - 1 - index) * 60);
            Minute { at, accepted, enriched: accepted, notified: accepted.saturating_sub(1), failed: 0 }
        })
        .collect()
}

pub(super) fn pending(count: usize) -> Vec<PendingRow> {
    let due = |number: usize| match number {
        0 => -160,
        1 | 2 => -3 + number as i64,
        number => 41 * (number as i64 - 2),
    };
    (0..count)
        .map(|number| PendingRow {
            lead_id: id(number),
            display_name: company(number),
            received_at: at(NOW + due(number) - 600),
            due_at: at(NOW + due(number)),
            due_in_seconds: due(number),
            state: match due(number) {
                1.. => State::Pending,
                -120..=0 => State::Processing,
                _ => State::Overdue,
            },
        })
        .collect()
}

pub(super) fn dead() -> Vec<DeadRow> {
    let letter = |number: usize, queue, code, reason: &str, attempts, ago| DeadRow {
        letter: DeadLetter {
            id: format!("dead-{number}"),
            queue,
            lead_id: (number != 3).then(|| id(100 + number)),
            code,
            reason: reason.to_owned(),
            attempts,
            first_failed_at: at(NOW - ago - 120),
            dead_at: at(NOW - ago),
        },
        display_name: (number != 3).then(|| company(number + 5)),
    };
    vec![
        letter(1, Queue::Notification, Code::SlackWebhookGone, "Slack says 404 no_service", 1, 540),
        letter(2, Queue::Notification, Code::SlackWebhookGone, "Slack says 404 no_service", 1, 700),
        letter(3, Queue::Delay, Code::JobUnreadable, "expected value at line 1 column 1", 3, 11_000),
    ]
}

pub(super) fn leads(count: usize) -> Vec<LeadRow> {
    (0..count)
        .map(|number| {
            let owned = number % 4 != 1;
            let enriched_at = NOW - 12 - 25 * number as i64;
            let state = match number {
                0 => "queued",
                5 => "failed",
                _ => "sent",
            };
            let owners = owners(number);
            let owner_status = match owners.iter().find(|owner| owner.name == DESKS[number % 4]) {
                Some(owner) if !owner.active => OwnerStatus::Departed,
                _ if owned => OwnerStatus::Assigned,
                _ => OwnerStatus::Missing,
            };
            LeadRow {
                lead: EnrichedLead {
                    lead_phone: owned.then(|| "+1 202-555-0141".to_owned()),
                    owners,
                    lead_id: id(200 + number),
                    display_name: company(number + 3),
                    status_label: "Potential".to_owned(),
                    date_created: "2026-03-02T11:54:19Z".to_owned(),
                    lead_email: if owned {
                        "inbound@example.com".to_owned()
                    } else {
                        UNKNOWN_EMAIL.to_owned()
                    },
                    lead_owner: if owned { DESKS[number % 4].to_owned() } else { UNASSIGNED.to_owned() },
                    funnel: if owned { FUNNELS[number % 3].to_owned() } else { UNKNOWN.to_owned() },
                    enriched_at: at(enriched_at),
                    event_id: None,
                    received_at: at(enriched_at - 600),
                    owner_status,
                    custom: Default::default(),
                },
                notifications: vec![Notification {
                    destination: SlackDestination::ID,
                    kind: AlertKind::New,
                    state,
                    at: at(enriched_at + 1),
                    attempts: 1,
                    code: (state == "failed").then_some(Code::SlackWebhookGone),
                    left_out: Vec::new(),
                }],
            }
        })
        .collect()
}

/// For most leads only the owner's name is known; one has two owners, of whom one has left, and the only
/// owner of another has left.
fn owners(number: usize) -> Vec<Owner> {
    let owner = |name: &str, active| Owner {
        id: Some(format!("user_{}", name.replace(' ', ""))),
        name: name.to_owned(),
        active,
        unknown: false,
    };
    match number {
        2 => vec![owner("Renewals Desk", false), owner("Partner Desk", true)],
        4 => vec![owner("Inbound EMEA", false)],
        _ => Vec::new(),
    }
}

pub(super) fn logs(first: usize, count: usize) -> Vec<LogLine> {
    (first..first + count)
        .map(|number| {
            let (function, level, message, code) = match number % 5 {
                0 => ("webhook-ingestion", Level::Info, format!("received: {}", company(number)), None),
                1 => (
                    "lead-processor",
                    Level::Info,
                    format!("enriched: {}, owner Sales North", company(number)),
                    None,
                ),
                2 => (
                    "notification",
                    Level::Info,
                    "notified: Slack took the alert, 1.2 s after due".to_owned(),
                    None,
                ),
                3 => (
                    "notification",
                    Level::Warn,
                    "retrying: Slack asks to wait (LO201), attempt 1".to_owned(),
                    Some("LO201"),
                ),
                _ => (
                    "notification",
                    Level::Error,
                    "dead: Slack says 404 no_service (LO204)".to_owned(),
                    Some("LO204"),
                ),
            };
            LogLine {
                cursor: number.to_string(),
                at: at(NOW - 40) + SignedDuration::from_secs(number as i64),
                function: function.to_owned(),
                level,
                message,
                lead_id: Some(id(number).to_string()),
                code: code.map(str::to_owned),
                fields: Default::default(),
            }
        })
        .collect()
}

fn story(lead: LeadId) -> LeadStory {
    let row = leads(6).pop().unwrap();
    let step = |ago: i64, stage, detail: &str, code| Step {
        at: at(NOW - ago),
        stage,
        detail: detail.to_owned(),
        code,
    };
    LeadStory {
        lead_id: lead,
        display_name: "Brightwater Schools Trust".to_owned(),
        state: State::Dead,
        due_at: at(NOW - 540),
        owner_status: Some(OwnerStatus::Assigned),
        lead: Some(row.lead),
        notifications: row.notifications,
        timeline: vec![
            step(1_140, Stage::Received, "Brightwater Schools Trust, due at 11:55:31 UTC", None),
            step(540, Stage::Enriched, "Brightwater Schools Trust, owner Sales North", None),
            step(
                539,
                Stage::Retrying,
                "Slack: no answer (LO202), attempt 1, again at 11:55:34 UTC",
                Some(Code::SlackUnavailable),
            ),
            step(
                530,
                Stage::Dead,
                "Slack: Slack says 404 no_service (LO204), after 2 attempts",
                Some(Code::SlackWebhookGone),
            ),
        ],
        raw_key: "source/crm_event_lead_8fJ2k4Lm9Pq2T7w106.json".to_owned(),
        target_key: "target/enriched_lead_8fJ2k4Lm9Pq2T7w106.json".to_owned(),
    }
}

fn letter(id: &str) -> DeadDetail {
    let row = dead().into_iter().find(|row| row.letter.id == id).unwrap();
    DeadDetail {
        row,
        body: r#"{"alert":"new","lead_id":"lead_8fJ2k4Lm9Pq2T7w101","channel":"slack"}"#.to_owned(),
        logs: logs(1, 4),
    }
}
