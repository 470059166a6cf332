//! [`Journal`](pipeline::ports::Journal) and [`History`](pipeline::ports::History).

use std::time::Duration;

use lead::{AlertKind, LeadId, OwnerStatus, Timestamp};
use pipeline::{
    Ended, Entry, JournalEvent, Stage,
    ports::{Minute, OpenCounts, OpenLead, Queue},
};

use super::{SECOND, SLACK, Subject, dead, lead, received};

const MINUTE: Duration = Duration::from_secs(60);
const ALL: &[Stage] = &[
    Stage::Received,
    Stage::Duplicate,
    Stage::Enriched,
    Stage::OwnerFound,
    Stage::Retrying,
    Stage::Notified,
    Stage::AlreadyNotified,
    Stage::Dead,
    Stage::Redriven,
    Stage::Deleted,
    Stage::Exported,
    Stage::Resent,
    Stage::Requeued,
];

fn enriched() -> JournalEvent {
    let owner_status = OwnerStatus::Assigned;
    JournalEvent::Enriched {
        name: "A".to_owned(),
        owner: "B".to_owned(),
        owner_status,
        code: None,
        reason: None,
        lead_is_known: false,
    }
}

fn notified() -> JournalEvent {
    let (destination, kind) = (SLACK, AlertKind::New);
    JournalEvent::Notified {
        destination,
        kind,
        after_ms: Some(5),
        together: 1,
        repeat: false,
        attempts: 1,
        left_out: Vec::new(),
        reached: None,
    }
}

fn redriven() -> JournalEvent {
    let (by, dead_letter) = ("op".to_owned(), "1".to_owned());
    JournalEvent::Redriven { queue: Queue::Notification, by, dead_letter, edited: true }
}

/// One entry of several kinds each second.
async fn story(subject: &Subject) -> Vec<Entry> {
    let mut written = Vec::new();
    let requeued = JournalEvent::Requeued { by: "op".to_owned() };
    let kinds = [
        received("A", subject.now()),
        enriched(),
        dead(Queue::Notification),
        redriven(),
        notified(),
        requeued,
    ];
    for event in kinds {
        written.push(subject.happen(&lead("a"), event).await);
        subject.pass(SECOND);
    }
    written
}

/// Whatever the lead, and with everything that was written.
pub async fn the_newest_come_first(subject: Subject) {
    let mut written = story(&subject).await;
    written.push(subject.happen(&lead("b"), received("B", subject.now())).await);
    written.reverse();
    assert_eq!(subject.history.recent(ALL, None, None, 100).await.unwrap(), written);
    assert_eq!(subject.history.recent(ALL, None, None, 2).await.unwrap(), written[..2]);
    assert_eq!(subject.history.recent(ALL, None, None, 0).await.unwrap(), []);
}

/// The limit counts those alone.
pub async fn only_the_stages_asked_for_come(subject: Subject) {
    let written = story(&subject).await;
    let of = |stages: &[Stage]| -> Vec<Entry> {
        written.iter().rev().filter(|entry| stages.contains(&entry.event.stage())).cloned().collect()
    };
    for stages in [&[Stage::Dead][..], &[Stage::Received, Stage::Notified], &[Stage::Exported]] {
        let found = subject.history.recent(stages, None, None, 2).await.unwrap();
        assert_eq!(found, of(stages), "{stages:?}");
    }
}

/// Page by page the whole list, also while new entries come in front.
pub async fn pages_continue_behind_an_entry_and_miss_none(subject: Subject) {
    let mut written = story(&subject).await;
    written.reverse();
    let (mut paged, mut before) = (Vec::<Entry>::new(), None);
    loop {
        let page = subject.history.recent(ALL, None, before.as_deref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.key());
        paged.extend(page);
        subject.happen(&lead("b"), received("B", subject.now())).await;
        subject.pass(SECOND);
    }
    assert_eq!(paged, written);
}

/// `since` is itself wanted.
pub async fn entries_older_than_wanted_stay_away(subject: Subject) {
    let written = story(&subject).await;
    let since = written[2].at;
    let mut expected = written[2..].to_vec();
    expected.reverse();
    assert_eq!(subject.history.recent(ALL, Some(since), None, 100).await.unwrap(), expected);
    let before = expected[1].key();
    let page = subject.history.recent(ALL, Some(since), Some(&before), 100).await.unwrap();
    assert_eq!(page, expected[2..]);
}

/// Their stage, lead or nonce distinguishes them; pages miss none of them.
pub async fn entries_of_one_moment_are_all_stored(subject: Subject) {
    let at = subject.now();
    for (name, nonce) in [("a", 1), ("a", 2), ("b", 1)] {
        for event in [received("A", at), enriched()] {
            let entry = Entry { at, lead_id: Some(lead(name)), nonce, event };
            subject.journal.append(entry).await.unwrap();
        }
    }
    let all = subject.history.recent(ALL, None, None, 100).await.unwrap();
    assert_eq!(all.len(), 6);
    let (mut paged, mut before) = (Vec::new(), None);
    while let [entry] = subject.history.recent(ALL, None, before.as_deref(), 1).await.unwrap().as_slice() {
        before = Some(entry.key());
        paged.push(entry.clone());
    }
    assert_eq!(paged, all);
}

/// The oldest first, and nothing of another lead, not even of one whose id it starts with.
pub async fn a_leads_history_is_read_from_its_start(subject: Subject) {
    subject.happen(&lead("aa"), received("AA", subject.now())).await;
    let written = story(&subject).await;
    subject.happen(&lead("b"), received("B", subject.now())).await;
    assert_eq!(subject.history.of_lead(&lead("a")).await.unwrap(), written);
    assert_eq!(subject.history.of_lead(&lead("unknown")).await.unwrap(), []);
}

/// An export, for one.
pub async fn an_entry_without_a_lead_is_stored(subject: Subject) {
    let event = JournalEvent::Exported { by: "op".to_owned(), count: 3 };
    let entry = Entry { at: subject.now(), lead_id: None, nonce: 9, event };
    subject.journal.append(entry.clone()).await.unwrap();
    assert_eq!(subject.history.recent(&[Stage::Exported], None, None, 10).await.unwrap(), [entry]);
    assert_eq!(subject.history.open_leads(10).await.unwrap(), []);
}

/// The same as [`pipeline::Progress::after`] over the lead's entries, at every step.
pub async fn progress_is_folded_from_the_entries(subject: Subject) {
    assert_eq!(subject.history.progress(&lead("a")).await.unwrap(), None);
    subject.happen(&lead("b"), dead(Queue::Delay)).await;
    assert_eq!(subject.history.progress(&lead("b")).await.unwrap(), None, "nobody has received it");

    let due_at = subject.now() + MINUTE;
    let kinds =
        [received("A", due_at), enriched(), dead(Queue::Notification), redriven(), notified(), enriched()];
    let mut expected = None;
    for event in kinds {
        subject.pass(SECOND);
        let entry = subject.happen(&lead("a"), event).await;
        (expected, _) = pipeline::Progress::after(expected, &entry);
        assert_eq!(subject.history.progress(&lead("a")).await.unwrap(), expected);
    }
    let progress = expected.unwrap();
    assert!(progress.enriched && progress.notified && matches!(progress.ended, Some((Ended::Notified, _))));
}

async fn receive(subject: &Subject, name: &str, due_at: Timestamp) -> LeadId {
    let lead_id = lead(name);
    subject.happen(&lead_id, received(name, due_at)).await;
    lead_id
}

async fn open(subject: &Subject, limit: usize) -> Vec<String> {
    let open = subject.history.open_leads(limit).await.unwrap();
    for lead in &open {
        let progress = subject.history.progress(&lead.lead).await.unwrap().unwrap();
        assert_eq!(OpenLead::of(&lead.lead, &progress).as_ref(), Some(lead));
    }
    open.into_iter().map(|open| open.name).collect()
}

/// Up to the limit, those that need somebody first.
pub async fn open_leads_come_soonest_due_first(subject: Subject) {
    let now = subject.now();
    for (name, due) in [("c", 30), ("a", 10), ("d", 40), ("b", 20)] {
        receive(&subject, name, now + SECOND * due).await;
    }
    assert_eq!(open(&subject, 10).await, ["a", "b", "c", "d"]);
    assert_eq!(open(&subject, 2).await, ["a", "b"]);
    assert_eq!(open(&subject, 0).await, Vec::<String>::new());
}

/// Ended well or as a dead letter; a redriven one is open again, due from then on.
pub async fn a_lead_that_ended_is_not_open_until_it_is_redriven(subject: Subject) {
    let now = subject.now();
    let sent = receive(&subject, "told", now).await;
    let died = receive(&subject, "died", now).await;
    receive(&subject, "open", now + SECOND).await;
    subject.happen(&sent, notified()).await;
    subject.happen(&died, dead(Queue::Delay)).await;
    assert_eq!(open(&subject, 10).await, ["open"]);
    subject.pass(MINUTE);
    subject.happen(&died, redriven()).await;
    assert_eq!(open(&subject, 10).await, ["open", "died"]);
}

/// Overdue before that time, due from then on until now, and waiting after it.
pub async fn open_leads_are_counted_by_how_late_they_are(subject: Subject) {
    let now = subject.now();
    let none = OpenCounts { waiting: 0, due: 0, overdue: 0, exact: true };
    assert_eq!(subject.history.count_open(now, now).await.unwrap(), none);
    for (name, due) in [("a", 10), ("b", 20), ("c", 30)] {
        receive(&subject, name, now + SECOND * due).await;
    }
    let ended = receive(&subject, "ended", now).await;
    subject.happen(&ended, notified()).await;
    for (at, overdue_before, waiting, due, overdue) in
        [(9, 0, 3, 0, 0), (10, 10, 2, 1, 0), (25, 11, 1, 1, 1), (30, 30, 0, 1, 2), (31, 31, 0, 0, 3)]
    {
        let counts =
            subject.history.count_open(now + SECOND * at, now + SECOND * overdue_before).await.unwrap();
        assert_eq!(counts, OpenCounts { waiting, due, overdue, exact: true }, "after {at} s");
    }
}

/// The first time it is enriched, the first time it is notified, and when it dies; minutes in which
/// nothing was counted do not show.
pub async fn minutes_count_each_thing_once_a_lead(subject: Subject) {
    let first = minute_of(&subject);
    let a = receive(&subject, "a", subject.now()).await;
    let b = receive(&subject, "b", subject.now()).await;
    subject.pass(MINUTE * 2);
    for lead_id in [&a, &a, &b] {
        subject.happen(lead_id, enriched()).await;
        subject.pass(TICK_OF_JOURNAL);
    }
    let second = minute_of(&subject);
    for event in [notified(), notified()] {
        subject.happen(&a, event).await;
        subject.pass(TICK_OF_JOURNAL);
    }
    subject.happen(&b, dead(Queue::Notification)).await;
    let minutes = subject.history.minutes(first).await.unwrap();
    assert_eq!(
        minutes,
        [
            Minute { at: first, accepted: 2, ..Minute::default() },
            Minute { at: second, accepted: 0, enriched: 2, notified: 1, failed: 1 },
        ]
    );
}

/// Keeps entries of the same kind apart.
const TICK_OF_JOURNAL: Duration = Duration::from_millis(1);

/// The start of the present minute.
fn minute_of(subject: &Subject) -> Timestamp {
    Timestamp::from_second(subject.now().as_second() / 60 * 60).unwrap()
}

/// The minute that `since` starts is the first.
pub async fn minutes_start_where_wanted(subject: Subject) {
    let mut starts = Vec::new();
    for name in ["a", "b", "c"] {
        starts.push(minute_of(&subject));
        receive(&subject, name, subject.now()).await;
        subject.pass(MINUTE);
    }
    let minutes = subject.history.minutes(starts[1]).await.unwrap();
    assert_eq!(minutes.iter().map(|minute| minute.at).collect::<Vec<_>>(), starts[1..]);
    assert_eq!(subject.history.minutes(subject.now() + MINUTE).await.unwrap(), []);
}
