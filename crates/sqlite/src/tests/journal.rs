//! The journal and what is folded from it.

use lead::{LeadId, OwnerStatus, Timestamp};
use pipeline::{
    Code, Entry, JournalEvent, Stage,
    ports::{Clock, History, Intake, Journal, OpenLead, Queue},
};

use crate::testing::{TestStore, event, lead, notified};

fn entry(at: Timestamp, about: Option<LeadId>, nonce: u32, event: JournalEvent) -> Entry {
    Entry { at, lead_id: about, nonce, event }
}

fn enriched() -> JournalEvent {
    let (name, owner, owner_status) = ("A".to_owned(), "B".to_owned(), OwnerStatus::Assigned);
    JournalEvent::Enriched { name, owner, owner_status, code: None, reason: None, lead_is_known: false }
}

fn exported() -> JournalEvent {
    JournalEvent::Exported { by: "x".to_owned(), count: 1 }
}

fn dead() -> JournalEvent {
    let (queue, code) = (Queue::Delay, Code::JobUnreadable);
    JournalEvent::Dead { queue, destination: None, alert: None, code, reason: "x".to_owned(), attempts: 1 }
}

#[tokio::test]
async fn the_newest_come_first_and_pages_meet_without_gap_or_overlap() {
    let bench = TestStore::new();
    let store = bench.store();
    let start = bench.clock.now();
    let mut all = Vec::new();
    for n in 0..60_u32 {
        let at = start + jiff::SignedDuration::from_micros(i64::from(n / 12));
        let about = (n % 4 != 0).then(|| lead(n as usize % 3));
        let event = match n % 3 {
            0 => enriched(),
            1 => exported(),
            _ => notified(),
        };
        let entry = entry(at, about, n % 5 * 1_000_000_000, event);
        if all.iter().any(|other: &Entry| other.key() == entry.key()) {
            continue;
        }
        store.append(entry.clone()).await.unwrap();
        all.push(entry);
    }
    all.sort_by_key(Entry::key);
    let both = [Stage::Notified, Stage::Enriched];
    let three = [Stage::Enriched, Stage::Exported, Stage::Notified];
    for stages in [&both[..], &three, &[Stage::Exported], &[Stage::Received], &[]] {
        let expected: Vec<Entry> =
            all.iter().filter(|e| stages.contains(&e.event.stage())).cloned().collect();
        for page in [1, 2, 7, 100] {
            let mut found: Vec<Entry> = Vec::new();
            loop {
                let before = found.last().map(Entry::key);
                let next = store.recent(stages, None, before.as_deref(), page).await.unwrap();
                if next.is_empty() {
                    break;
                }
                found.extend(next);
            }
            assert_eq!(found, expected, "{stages:?} {page}");
        }
    }
    // A key whose stage is not among those asked for is a place as well.
    for place in &all {
        let expected: Vec<&Entry> =
            all.iter().filter(|e| e.key() > place.key() && e.event.stage() == Stage::Exported).collect();
        let found = store.recent(&[Stage::Exported], None, Some(&place.key()), 100).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }
    let since = start + jiff::SignedDuration::from_micros(3);
    let found = store.recent(&three, Some(since), None, 100).await.unwrap();
    assert_eq!(found.len(), all.iter().filter(|e| e.at >= since).count());
    assert!(store.recent(&three, None, Some("nonsense"), 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn progress_and_counts_follow_the_journal() {
    let bench = TestStore::new();
    let store = bench.store();
    let now = bench.clock.now();
    for number in [2, 1, 0] {
        store.accept(event(&*bench.clock, number)).await.unwrap();
    }
    for (number, event) in
        [(0, enriched()), (0, notified()), (1, enriched()), (1, enriched()), (2, dead()), (9, notified())]
    {
        let about = Some(lead(number));
        let entry = entry(now, about, store_nonce(), event);
        store.append(entry.clone()).await.unwrap();
        // Written again, because the answer was lost.
        store.append(entry).await.unwrap();
    }
    let open = store.open_leads(9).await.unwrap();
    assert_eq!(open.len(), 1);
    let progress = store.progress(&lead(1)).await.unwrap().unwrap();
    assert!(progress.enriched);
    assert_eq!(OpenLead::of(&lead(1), &progress).as_ref(), open.first());
    assert_eq!(store.progress(&lead(9)).await.unwrap(), None);
    let minutes = store.minutes(now).await.unwrap();
    assert_eq!(minutes.len(), 1);
    let minute = minutes[0];
    assert_eq!((minute.accepted, minute.enriched, minute.notified, minute.failed), (3, 2, 1, 1));
    assert!(minute.at <= now && now.duration_since(minute.at).as_secs() < 60);
    let story = store.of_lead(&lead(0)).await.unwrap();
    let stages: Vec<Stage> = story.iter().map(|entry| entry.event.stage()).collect();
    assert_eq!(stages, [Stage::Received, Stage::Enriched, Stage::Notified]);
}

fn store_nonce() -> u32 {
    use pipeline::ports::Random;
    let bits = system::SystemRandom.bits();
    u32::try_from(bits >> 32).unwrap()
}
