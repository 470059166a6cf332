//! Destinations of a kind that nobody has heard of: the stage knows none by name.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use lead::AlertKind;
use ops::Recipients;
use pipeline::{
    Code, Ended, Settings,
    destination::{Destination, DestinationId, Limits, MessageFormat, RateLimit, RetryDelay, Verdict},
    job::{AlertId, AlertJob},
    ports::{Clock as _, Disposition, Queue},
    receipt::claim_for,
};
use tests::{
    destinations::{EMAIL, SLACK},
    doubles::{Reply, ScriptedDestination},
    faulty::Call,
    harness::Harness,
};

use super::{MINUTE, SECOND, ended, notified, overtaken, plain};

pub(super) const PAGER: DestinationId = DestinationId::literal("pager:on-call");

/// A harness in which new leads go to a pager alone, and the pager.
pub(super) fn with_pager(limits: Limits, takes: Duration) -> (Harness, Arc<ScriptedDestination>) {
    let mut harness = Harness::with(Settings { destinations: vec![PAGER], ..plain() });
    let mut pager = ScriptedDestination::new(Arc::clone(&harness.clock), limits);
    pager.takes = takes;
    let pager = Arc::new(pager);
    let known = harness.notify.destinations.iter().map(|(id, known)| (id.clone(), Arc::clone(known)));
    let all: Vec<_> = known.chain([(PAGER, Arc::clone(&pager) as Arc<dyn Destination>)]).collect();
    harness.notify.destinations = all.into_iter().collect();
    (harness, pager)
}

fn alert(harness: &Harness, lead: &str, destination: DestinationId) -> String {
    let job = AlertJob {
        lead_id: lead.parse().unwrap(),
        destination,
        alert: AlertId::new_lead(),
        kind: AlertKind::New,
        due_at: None,
        owner: None,
    };
    assert!(harness.settings.notify_attempts > 1);
    job.message().body
}

#[tokio::test]
async fn it_is_sent_to_with_a_receipt_of_its_own_and_the_same_at_each_attempt() {
    let (harness, pager) = with_pager(ScriptedDestination::plain(), Duration::ZERO);
    let again = Verdict::Retry {
        code: Code::DestinationUnavailable,
        reason: "away".to_owned(),
        pause: RetryDelay::Backoff,
        may_have_arrived: false,
    };
    pager.answer([again]);
    let lead = harness.enrich("a").await;
    harness.work_for(MINUTE).await;
    let receipts: Vec<_> = pager.received().into_iter().flat_map(|received| received.receipts).collect();
    assert_eq!(receipts, ["receipts/lead_a/pager:on-call/new.json"; 2]);
    assert_eq!(notified(&harness, &lead).await, [(AlertKind::New, 1, false, 2)]);
    assert_eq!((harness.slack.posted().len(), harness.mailer.tried().len()), (0, 0));
}

/// Somebody in between may have answered one alert and let the next pass; who asks for a pause means them all.
#[tokio::test]
async fn a_pause_holds_up_its_own_message_or_all_of_the_destination() {
    let least = Duration::from_secs(30);
    for (pause, holds_up) in [(RetryDelay::Message(least), false), (RetryDelay::Destination(least), true)] {
        let pace = Some(RateLimit { rate: 10, burst: 10 });
        let limits = Limits { pace, at_once: 1, ..ScriptedDestination::plain() };
        let (harness, pager) = with_pager(limits, Duration::ZERO);
        let again = Verdict::Retry {
            code: Code::DestinationUnavailable,
            reason: "a page".to_owned(),
            pause,
            may_have_arrived: false,
        };
        pager.answer([again]);
        harness.enrich_many(2).await;
        harness.work_for(MINUTE).await;
        let received = pager.received();
        let (first, others) = received.split_first().unwrap();
        assert_eq!(others.len(), 2, "{received:?}");
        for one in others {
            let is_held_up = one.at - first.at >= least;
            assert_eq!(is_held_up, holds_up || one.leads == first.leads, "{pause:?}: {received:?}");
        }
    }
}

/// A destination that lets each message hang keeps the batch, and with it alerts to others, for one of them alone.
#[tokio::test]
async fn a_message_that_hangs_does_not_hold_up_a_batch_for_each_of_its_alerts() {
    let limits = Limits { at_once: 1, ..ScriptedDestination::plain() };
    let (harness, pager) = with_pager(limits, SECOND * 10);
    let again = Verdict::Retry {
        code: Code::DestinationUnknown,
        reason: "timed out".to_owned(),
        pause: RetryDelay::Backoff,
        may_have_arrived: true,
    };
    pager.answer(vec![again; 3]);
    harness.enrich_many(20).await;
    let began = harness.clock.elapsed();
    assert!(harness.notify_ready().await);
    assert_eq!((harness.clock.elapsed() - began, pager.received().len()), (SECOND * 10, 1));
    // What was left is tried before long, and has lost no attempt.
    harness.work_for(MINUTE * 10).await;
    assert_eq!(pager.received().len(), 23);
    assert!(harness.dead().await.is_empty());
}

/// A function works on a batch for all destinations. One that takes its time over each message gets no more of it than
/// five seconds, and what has begun by then; a process that works for this destination alone goes on.
#[tokio::test]
async fn a_slow_destination_gets_no_more_of_a_functions_batch_than_its_turn() {
    for (has_deadline, sent) in [(true, 3), (false, 8)] {
        let limits = Limits { at_once: 1, ..ScriptedDestination::plain() };
        let (harness, pager) = with_pager(limits, SECOND * 2);
        harness.enrich_many(8).await;
        let deliveries = harness.take_alerts().await;
        assert_eq!(deliveries.len(), 8);
        let deadline = has_deadline.then(|| harness.clock.now() + MINUTE);
        let began = harness.clock.elapsed();
        let outcomes = harness.clock.run(harness.notify.handle_until(&deliveries, deadline)).await;
        assert_eq!(
            (harness.clock.elapsed() - began, pager.received().len()),
            (SECOND * 2 * sent, sent as usize)
        );
        let done = outcomes.iter().filter(|outcome| **outcome == Disposition::Done).count();
        let left = outcomes.iter().filter(|outcome| **outcome == Disposition::Retry(SECOND)).count();
        assert_eq!((done, left), (sent as usize, 8 - sent as usize), "{outcomes:?}");
    }
}

#[tokio::test]
async fn one_that_is_not_there_makes_a_dead_letter_and_no_mail() {
    let harness = Harness::with(Settings { destinations: vec![PAGER], ..plain() });
    let lead = harness.enrich("a").await;
    harness.work_for(MINUTE).await;
    let letters = harness.dead().await;
    assert_eq!(letters[0].code, Code::DestinationNotConfigured);
    assert!(letters[0].reason.contains("pager:on-call"), "{}", letters[0].reason);
    assert_eq!((harness.slack.posted().len(), harness.mailer.tried().len()), (0, 0));
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Dead));
}

/// Destinations, messages that are no alerts, and alerts that fail, in one batch and in no order.
#[tokio::test]
async fn each_alert_of_a_batch_has_a_slot_of_its_own() {
    let (harness, pager) = with_pager(ScriptedDestination::plain(), Duration::ZERO);
    for name in ["a", "b", "c"] {
        harness.enrich(name).await;
    }
    while !harness.take_alerts().await.is_empty() {}
    let refused =
        Verdict::Refused { code: Code::DestinationRefused, reason: "no".to_owned(), payload: false };
    pager.answer([refused]);
    harness.slack.answer([Reply::wait(MINUTE)]);
    let bodies = [
        alert(&harness, "lead_a", SLACK),
        "garbage".to_owned(),
        alert(&harness, "lead_a", EMAIL),
        alert(&harness, "lead_a", PAGER),
        alert(&harness, "lead_none", EMAIL),
        alert(&harness, "lead_b", "nobody".parse().unwrap()),
        alert(&harness, "lead_b", PAGER),
        alert(&harness, "lead_c", EMAIL),
    ];
    for body in &bodies {
        harness.send(Queue::Notification, body).await;
    }
    let deliveries = harness.take_alerts().await;
    assert_eq!(deliveries.len(), bodies.len());
    let outcomes = harness.notify_these(&deliveries).await;
    let code = |at: usize| match &outcomes[at] {
        Disposition::Dead(why) => Some(why.code),
        _ => None,
    };
    let at = |body: &str| deliveries.iter().position(|delivery| delivery.body == body).unwrap();
    for (body, expected) in bodies.iter().zip([
        None,
        Some(Code::AlertUnreadable),
        None,
        Some(Code::DestinationRefused),
        Some(Code::EnrichedLeadGone),
        Some(Code::DestinationNotConfigured),
        None,
        None,
    ]) {
        assert_eq!(code(at(body)), expected, "{body}: {outcomes:?}");
    }
    assert_eq!(outcomes[at(&bodies[0])], Disposition::Retry(MINUTE));
    for done in [&bodies[2], &bodies[6], &bodies[7]] {
        assert_eq!(outcomes[at(done)], Disposition::Done);
    }
}

#[tokio::test]
async fn a_claim_lasts_as_long_as_its_destination_may_take() {
    let longest_send = SECOND * 100;
    let limits = Limits { longest_send, ..ScriptedDestination::plain() };
    let (harness, pager) = with_pager(limits, SECOND * 95);
    let lead = harness.enrich("a").await;
    let deliveries = harness.take_alerts().await;
    let (first, second) = overtaken(&harness, &deliveries).await;
    assert_eq!(first, [Disposition::Done]);
    // A minute after the first it is claimed still, for all that the claim lasts.
    assert_eq!(second, [Disposition::Retry(claim_for(longest_send) - MINUTE)]);
    assert_eq!((pager.received().len(), notified(&harness, &lead).await.len()), (1, 1));
}

#[tokio::test]
async fn its_pace_its_digests_and_its_plain_form_are_kept() {
    let pace = Some(RateLimit { rate: 1, burst: 2 });
    let limits =
        Limits { pace, together: 3, at_once: 1, has_plain_form: true, ..ScriptedDestination::plain() };
    let (harness, pager) = with_pager(limits, Duration::ZERO);
    let refused =
        Verdict::Refused { code: Code::DestinationRefused, reason: "unreadable".to_owned(), payload: true };
    pager.answer([refused]);
    let leads = harness.enrich_many(7).await;
    harness.work_for(MINUTE).await;
    let received = pager.received();
    let mut sizes: Vec<usize> = received.iter().map(|message| message.leads.len()).collect();
    // The refused digest's leads go one by one, the others together as far as they may.
    assert_eq!(sizes[0], 3);
    assert!(sizes.iter().all(|size| *size <= 3));
    sizes.retain(|size| *size == 1);
    assert!(sizes.len() >= 3, "{received:?}");
    for pair in received.windows(3) {
        assert!(pair[2].at - pair[0].at >= SECOND, "two at once, and one a second: {received:?}");
    }
    for lead in &leads {
        assert_eq!(notified(&harness, lead).await.len(), 1, "{lead}");
    }

    let (harness, pager) = with_pager(limits, Duration::ZERO);
    let refused =
        Verdict::Refused { code: Code::DestinationRefused, reason: "unreadable".to_owned(), payload: true };
    pager.answer([refused]);
    harness.enrich("a").await;
    harness.work_for(MINUTE).await;
    let forms: Vec<MessageFormat> = pager.received().iter().map(|message| message.form).collect();
    assert_eq!(forms, [MessageFormat::Rich, MessageFormat::Plain]);
}

/// On AWS each is a request. One alert takes one turn, however many messages may be under way at once.
#[tokio::test]
async fn an_alert_takes_one_turn_of_the_pace() {
    let pace = Some(RateLimit { rate: 4, burst: 4 });
    let limits = Limits { pace, at_once: 4, ..ScriptedDestination::plain() };
    for (alerts, takes) in [(1, Duration::ZERO), (1, SECOND), (4, SECOND * 2)] {
        let (harness, pager) = with_pager(limits, takes);
        harness.enrich_many(alerts).await;
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        harness.faults.rule(move |call, about| {
            let is_turn = call == Call::Put && about.starts_with("pace/");
            counted.fetch_add(usize::from(is_turn), Ordering::SeqCst);
            None
        });
        assert!(harness.notify_ready().await);
        assert_eq!((turns.load(Ordering::SeqCst), pager.received().len()), (alerts, alerts));
        let last = pager.received().last().unwrap().at - pager.received()[0].at;
        assert!(last < SECOND, "four are under way at once: {last:?}");
    }
}

#[tokio::test]
async fn nobody_can_ask_for_an_alert_where_it_could_only_die() {
    let (harness, pager) = with_pager(ScriptedDestination::plain(), Duration::ZERO);
    let lead = harness.enrich("a").await;
    harness.work_for(MINUTE).await;
    let actions = harness.ops.actions().unwrap();
    for id in ["slcak", "slack:emea", "pager"] {
        let refused = actions.resend(&lead, &id.parse().unwrap(), Recipients::All).await.unwrap_err();
        assert_eq!(refused.code, Code::NoSuchDestination);
        assert!(refused.what.contains("slack, email") && refused.what.contains("pager:on-call"), "{refused}");
    }
    actions.resend(&lead, &PAGER, Recipients::All).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!((pager.received().len(), harness.dead().await.len()), (2, 0));
}

#[tokio::test]
async fn a_long_silence_is_reported_and_is_of_the_address_that_has_asked_for_it() {
    const DAY: Duration = Duration::from_secs(86_400);
    let limits = Limits { pace: Some(RateLimit { rate: 1, burst: 1 }), ..ScriptedDestination::plain() };
    let (harness, pager) = with_pager(limits, Duration::ZERO);
    pager.move_to("first");
    let reason = "asks to wait 86400 s".to_owned();
    pager.answer([Verdict::Wait { pause: DAY, code: Code::DestinationBusy, reason }]);
    let lead = harness.enrich("a").await;
    harness.work_for(MINUTE).await;
    let later = harness.enrich("b").await;
    harness.work_for(MINUTE * 60).await;
    assert_eq!(pager.received().len(), 1, "it has asked for a day of silence");
    assert_eq!(
        harness.retries(&lead).await,
        [(Code::DestinationBusy, 1, DAY)],
        "and is tried after it, not before"
    );
    let health = harness.ops.status().await.unwrap().health;
    let [silent] = health.as_slice() else { panic!("{health:?}") };
    assert_eq!((silent.what.as_str(), silent.code), (PAGER.as_str(), Some(Code::DestinationBusy)));
    assert!(silent.reason.starts_with("nothing is sent there before 20"), "{}", silent.reason);
    pager.move_to("second");
    harness.work_for(MINUTE * 15).await;
    assert_eq!(pager.received().len(), 3, "another address has asked for nothing");
    for lead in [&lead, &later] {
        assert!(matches!(harness.progress(lead).await.unwrap().ended, Some((Ended::Notified, _))));
    }
    assert_eq!(harness.ops.status().await.unwrap().health, []);
}
