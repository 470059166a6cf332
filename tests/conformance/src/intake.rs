//! [`Intake`](pipeline::ports::Intake).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use lead::LeadId;
use pipeline::{
    Entry, Stage,
    job::{Cause, ProcessJob},
    ports::{Accepted, Depth, NewEvent, Queue, WriteCondition},
};

use super::{INTAKE_DELAY as DELAY, SECOND, Subject, TICK, lead, received};

fn event(subject: &Subject, lead_id: &LeadId, body: &'static [u8]) -> NewEvent {
    let due_at = subject.now() + DELAY;
    let (event, key) = (received("A", due_at), format!("source/crm_event_{lead_id}.json"));
    let job = ProcessJob::new(lead_id.clone(), key.clone(), due_at, Cause::Arrival);
    NewEvent {
        lead: lead_id.clone(),
        key,
        body: Bytes::from_static(body),
        delay: DELAY,
        job: job.message(subject.now()).body,
        entry: Entry { at: subject.now(), lead_id: Some(lead_id.clone()), nonce: 1, event },
        repeated: false,
    }
}

/// All of it is there when the acceptance is returned: the exact bytes, the job, the entry, the progress.
pub async fn an_event_is_stored_queued_and_journaled(subject: Subject) {
    let lead_id = lead("a");
    let event = event(&subject, &lead_id, b"{ \"exact\" :  \"bytes\xff\" }");
    let accepted_at = subject.now();
    assert_eq!(subject.intake.accept(event.clone()).await.unwrap(), Accepted::New);

    let object = subject.objects.get(&event.key).await.unwrap().unwrap();
    assert_eq!((object.body, object.stored_at), (event.body, accepted_at));
    let depth = subject.inbox.depth(Queue::Delay).await.unwrap();
    assert_eq!(depth, Depth { waiting: 1, ..Depth::default() });
    assert_eq!(subject.history.of_lead(&lead_id).await.unwrap(), std::slice::from_ref(&event.entry));
    let recent = subject.history.recent(&[Stage::Received], None, None, 10).await.unwrap();
    assert_eq!(recent, [event.entry]);
    let progress = subject.history.progress(&lead_id).await.unwrap().unwrap();
    assert_eq!((progress.received_at, progress.due_at), (accepted_at, accepted_at + DELAY));
    assert_eq!(subject.history.open_leads(10).await.unwrap().len(), 1);
    let minutes = subject.history.minutes(accepted_at).await.unwrap();
    assert_eq!(minutes.iter().map(|minute| minute.accepted).sum::<u64>(), 1);
}

/// The job comes out of the delay queue when its delay is over, not earlier.
pub async fn a_jobs_delay_is_kept(subject: Subject) {
    subject.intake.accept(event(&subject, &lead("a"), b"{}")).await.unwrap();
    subject.pass(DELAY - TICK);
    assert_eq!(subject.receive(Queue::Delay).await, []);
    subject.pass(TICK);
    let delivery = subject.receive_one(Queue::Delay).await;
    let of_lead = subject.dead_letters.lead_in(Queue::Delay, &delivery.body);
    assert_eq!((of_lead, delivery.receives), (Ok(lead("a")), 1));
}

/// The first bytes stay, no second job is queued, the journal has nothing new; before the lead is due
/// and after it was processed.
pub async fn a_duplicate_changes_nothing(subject: Subject) {
    let first = event(&subject, &lead("a"), b"first");
    subject.intake.accept(first.clone()).await.unwrap();
    for delay in [SECOND, DELAY] {
        subject.pass(delay);
        let again = event(&subject, &lead("a"), b"again");
        assert_eq!(subject.intake.accept(again).await.unwrap(), Accepted::Duplicate);
        let object = subject.objects.get(&first.key).await.unwrap().unwrap();
        assert_eq!((object.body.as_ref(), object.stored_at), (&b"first"[..], first.entry.at));
        assert_eq!(subject.history.of_lead(&lead("a")).await.unwrap().len(), 1);
    }
    let delivery = subject.receive_one(Queue::Delay).await;
    subject.settle(Queue::Delay, &delivery, pipeline::ports::Disposition::Done).await;
    assert_eq!(
        subject.intake.accept(event(&subject, &lead("a"), b"late")).await.unwrap(),
        Accepted::Duplicate
    );
    assert_eq!(subject.inbox.depth(Queue::Delay).await.unwrap(), Depth::default());
    let minutes = subject.history.minutes(first.entry.at).await.unwrap();
    assert_eq!(minutes.iter().map(|minute| minute.accepted).sum::<u64>(), 1);
}

/// The object decides, whoever wrote it.
pub async fn a_key_that_exists_already_is_a_duplicate(subject: Subject) {
    let event = event(&subject, &lead("a"), b"new");
    subject.objects.put(&event.key, Bytes::from_static(b"old"), WriteCondition::Always).await.unwrap();
    // S3 itself queues whatever is written there.
    let before = subject.inbox.depth(Queue::Delay).await.unwrap();
    assert_eq!(subject.intake.accept(event).await.unwrap(), Accepted::Duplicate);
    assert_eq!(subject.inbox.depth(Queue::Delay).await.unwrap(), before);
    assert_eq!(subject.history.progress(&lead("a")).await.unwrap(), None);
}

/// Eight deliveries of one event at once make one job; other leads are not held up by them.
pub async fn of_racing_deliveries_exactly_one_is_new(subject: Subject) {
    for round in 0..10 {
        let deliveries = (0..8).map(|_| {
            let intake = Arc::clone(&subject.intake);
            let event = event(&subject, &lead(&format!("r{round}")), b"{}");
            tokio::spawn(async move { intake.accept(event).await.unwrap() })
        });
        let outcomes = join_all(deliveries).await.into_iter().map(Result::unwrap);
        assert_eq!(outcomes.filter(|accepted| *accepted == Accepted::New).count(), 1);
    }
    assert_eq!(subject.inbox.depth(Queue::Delay).await.unwrap(), Depth { waiting: 10, ..Depth::default() });
    assert_eq!(subject.history.recent(&[Stage::Received], None, None, 100).await.unwrap().len(), 10);
}
