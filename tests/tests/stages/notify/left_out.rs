//! Alerts that reach some of those whom they are for.

use std::sync::Arc;

use lead::{AlertKind, LeadId};
use ops::Recipients;
use pipeline::{
    Code, Ended, JournalEvent, Settings,
    destination::{LeftOut, RetryDelay, Verdict},
    job::AlertId,
    receipt::{Receipt, ReceiptState},
};
use tests::{doubles::ScriptedDestination, harness::Harness};

use super::{
    HOUR, MINUTE,
    destinations::{PAGER, with_pager},
    ended, notified,
};

fn left_out(recipient: &str, again: bool) -> LeftOut {
    let reason = if again { "450 later" } else { "550 no such user" };
    LeftOut { recipient: recipient.to_owned(), reason: reason.to_owned(), again }
}

/// A message has reached these, and left those out.
fn partly(reached: &[&str], recipients: &[(&str, bool)]) -> Verdict {
    let left_out = recipients.iter().map(|(recipient, again)| left_out(recipient, *again)).collect();
    Verdict::PartlySent { reached: reached.iter().map(|one| (*one).to_owned()).collect(), left_out }
}

fn failed(may_have_arrived: bool) -> Verdict {
    let (code, reason) = (Code::DestinationUnavailable, "away".to_owned());
    Verdict::Retry { code, reason, pause: RetryDelay::Backoff, may_have_arrived }
}

async fn harness(answers: Vec<Verdict>) -> (Harness, Arc<ScriptedDestination>, LeadId) {
    let (harness, pager) = with_pager(ScriptedDestination::plain(), std::time::Duration::ZERO);
    pager.answer(answers);
    let lead = harness.enrich("a").await;
    harness.work_for(HOUR).await;
    (harness, pager, lead)
}

async fn receipt(harness: &Harness, lead: &LeadId) -> Receipt {
    harness.notify.receipts.get(lead, &PAGER, &AlertId::new_lead()).await.unwrap().unwrap()
}

/// The team.
const TEAM: [&str; 4] = ["a", "b", "c", "d"];

/// Whom of the team each message was for.
fn meant(pager: &ScriptedDestination) -> Vec<String> {
    let meant =
        |done: Vec<String>| TEAM.iter().filter(|one| !done.contains(&(**one).to_owned())).copied().collect();
    pager.received().into_iter().map(|received| meant(received.done)).collect()
}

#[tokio::test]
async fn a_refused_recipient_is_named_and_the_others_have_the_alert() {
    let (harness, pager, lead) = harness(vec![partly(&["a", "c", "d"], &[("b", false)])]).await;
    assert_eq!((meant(&pager), harness.dead().await.len()), (vec!["abcd".to_owned()], 0));
    let written = receipt(&harness, &lead).await;
    assert_eq!((written.state, written.partly_sent), (ReceiptState::Sent, true));
    assert_eq!((written.code, written.left_out), (Some(Code::PartlySent), vec![left_out("b", false)]));
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified));
    let story = harness.ops.lead(&lead).await.unwrap();
    assert_eq!(story.notifications[0].state, "partly_sent");
    let last = story.timeline.last().unwrap();
    assert_eq!(last.code, Some(Code::PartlySent));
    assert!(last.detail.contains("not for b (550 no such user)"), "{}", last.detail);
    let status = harness.ops.status().await.unwrap();
    let condition = status.health.iter().find(|one| one.what == PAGER.as_str()).unwrap();
    assert!(condition.reason.contains("b (550 no such user)"), "{condition:?}");
    assert_eq!(harness.ops.health().await.unwrap().destinations[0].code, Some(Code::PartlySent));
}

#[tokio::test]
async fn a_resend_can_go_to_those_alone_who_were_left_out() {
    let (harness, pager, lead) = harness(vec![partly(&["a", "d"], &[("b", false), ("c", false)])]).await;
    pager.answer([partly(&["b"], &[("c", false)])]);
    let actions = harness.ops.actions().unwrap();
    for missing in ["bc", "c"] {
        let waiting = actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap();
        harness.work_for(MINUTE).await;
        harness.ops.receipt(&waiting, MINUTE).await.unwrap();
        assert_eq!(meant(&pager).last().unwrap(), missing);
    }
    let refused = actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap_err();
    assert_eq!(refused.code, Code::NobodyLeftOut);
    actions.resend(&lead, &PAGER, Recipients::All).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!(meant(&pager).last().unwrap(), "abcd");
    let asked = harness.story(&lead).await.into_iter().filter_map(|entry| match entry.event {
        JournalEvent::Resent { only, .. } => Some(only.len()),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), [2, 1, 0]);
    assert!(harness.ops.status().await.unwrap().health.is_empty());
}

/// One that is refused stays dead, and can be redriven for the same people.
#[tokio::test]
async fn a_resend_to_those_who_were_left_out_may_fail_like_any_other() {
    let (harness, pager, lead) = harness(vec![partly(&["a", "c", "d"], &[("b", false)])]).await;
    let (code, reason) = (Code::DestinationRefused, "no".to_owned());
    pager.answer([Verdict::Refused { code, reason, payload: false }]);
    let actions = harness.ops.actions().unwrap();
    actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap();
    harness.work_for(MINUTE).await;
    let letters = harness.dead().await;
    assert_eq!(letters.len(), 1);
    actions.redrive(&letters[0], pipeline::ports::Body::AsIs).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!(meant(&pager), ["abcd", "b", "b"]);
    assert_eq!(harness.ops.left_out(&lead, &PAGER).await.unwrap_err().code, Code::NobodyLeftOut);
}

/// What is said of each end of an alert.
async fn reports_of_sending(harness: &Harness, lead: &LeadId) -> Vec<String> {
    let story = harness.story(lead).await.into_iter();
    let sent = story.filter(|entry| matches!(entry.event, JournalEvent::Notified { .. }));
    sent.map(|entry| entry.detail()).collect()
}

/// Whoever was left out is none of the recipients any more: nothing is sent, nothing dies, and nobody is asked to try again.
#[tokio::test]
async fn where_nobody_is_left_whom_it_is_for_the_alert_is_over() {
    let (harness, pager, lead) = harness(vec![partly(&["a", "c", "d"], &[("b", false)])]).await;
    pager.answer([partly(&[], &[])]);
    let actions = harness.ops.actions().unwrap();
    let waiting = actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap();
    harness.work_for(MINUTE).await;
    let fault = harness.ops.receipt(&waiting, MINUTE).await.unwrap_err();
    assert_eq!(fault.code, Code::NobodyLeftOut);
    assert!(fault.what.contains("none of the recipients is left out"), "{fault}");
    assert_eq!(harness.dead().await, []);
    assert!(harness.ops.status().await.unwrap().health.is_empty());
    assert_eq!(
        reports_of_sending(&harness, &lead).await[1],
        "none of the recipients is left out on pager:on-call, nothing was sent"
    );
    let after = actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap_err();
    assert!(after.code == Code::NobodyLeftOut && after.what.contains("reached all recipients"), "{after}");

    // The same of an alert that waits for somebody who is taken off the list meanwhile.
    let (harness, _, lead) =
        self::harness(vec![partly(&["a", "c", "d"], &[("b", true)]), partly(&[], &[])]).await;
    let written = receipt(&harness, &lead).await;
    assert_eq!((written.state, written.partly_sent, written.code), (ReceiptState::Sent, false, None));
    assert_eq!((written.left_out, harness.dead().await), (vec![], vec![]));
    assert!(harness.ops.status().await.unwrap().health.is_empty());
}

/// An answer of its own for each, though none of them was taken, and no word of an alert that was.
#[tokio::test]
async fn a_recipient_whom_a_later_attempt_refuses_is_named_with_their_own_answer() {
    let first = partly(&["a", "d"], &[("b", true), ("c", true)]);
    let (harness, pager, lead) = harness(vec![first, partly(&[], &[("b", false), ("c", false)])]).await;
    assert_eq!((meant(&pager), harness.dead().await.len()), (vec!["abcd".to_owned(), "bc".to_owned()], 0));
    assert_eq!(receipt(&harness, &lead).await.left_out, [left_out("b", false), left_out("c", false)]);
    assert_eq!(
        reports_of_sending(&harness, &lead).await[1],
        "pager:on-call took the alert for nobody else, attempt 2, left out: b (550 no such user), c (550 no such user) (LO235)"
    );
}

/// One for those alone who were left out has reached nobody until somebody is taken: it fails like any other.
#[tokio::test]
async fn a_resend_that_is_refused_by_all_whom_it_is_for_is_a_dead_letter() {
    let (harness, pager, lead) = harness(vec![partly(&["a", "c", "d"], &[("b", false)])]).await;
    pager.answer([partly(&[], &[("b", true)]), partly(&[], &[("b", false)])]);
    let actions = harness.ops.actions().unwrap();
    let waiting = actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap();
    harness.work_for(HOUR).await;
    assert_eq!(harness.ops.receipt(&waiting, MINUTE).await.unwrap_err().code, Code::DeliveryFailed);
    let letters = harness.dead().await;
    assert_eq!((letters.len(), letters[0].code, letters[0].attempts), (1, Code::PartlySent, 2));
    assert!(letters[0].reason.contains("b (550 no such user)"), "{}", letters[0].reason);
    assert_eq!(reports_of_sending(&harness, &lead).await.len(), 1);
    let failed = harness.ops.lead(&lead).await.unwrap().notifications.pop().unwrap();
    assert_eq!((failed.state, failed.left_out), ("failed", vec![left_out("b", false)]));
    actions.redrive(&letters[0], pipeline::ports::Body::AsIs).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!(meant(&pager), ["abcd", "b", "b", "b"]);
}

/// The destination knows who they are by now.
#[tokio::test]
async fn the_history_names_whom_a_resend_has_reached() {
    let (harness, pager, lead) = harness(vec![partly(&["a", "c", "d"], &[("b", false)])]).await;
    pager.answer([partly(&["bob"], &[])]);
    let actions = harness.ops.actions().unwrap();
    let waiting = actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!(harness.ops.receipt(&waiting, MINUTE).await.unwrap().notification.state, "sent");
    assert_eq!(reports_of_sending(&harness, &lead).await[1], "pager:on-call took the alert again for bob");
    let asked = harness
        .story(&lead)
        .await
        .into_iter()
        .find(|entry| matches!(entry.event, JournalEvent::Resent { .. }));
    let asked = asked.unwrap().detail();
    assert!(asked.contains("to those recipients whom it has not reached (left out were: b)"), "{asked}");
}

#[tokio::test]
async fn a_deferred_recipient_gets_the_alert_later_and_nobody_gets_it_twice() {
    let first = partly(&["a"], &[("b", true), ("c", false), ("d", true)]);
    let (harness, pager, lead) = harness(vec![first, failed(false), partly(&["b"], &[("d", true)])]).await;
    assert_eq!(meant(&pager), ["abcd", "bd", "bd", "d"]);
    assert_eq!(
        notified(&harness, &lead).await,
        [(AlertKind::New, 1, false, 1), (AlertKind::New, 1, false, 4)]
    );
    assert_eq!(receipt(&harness, &lead).await.left_out, [left_out("c", false)]);
    // What is left is for c alone: d has it since the last attempt.
    let actions = harness.ops.actions().unwrap();
    actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!(meant(&pager).last().unwrap(), "c");
}

/// The lead has ended with the first who have its alert, and is counted once.
#[tokio::test]
async fn a_lead_ends_with_the_first_recipients_who_have_its_alert() {
    let (harness, pager) = with_pager(ScriptedDestination::plain(), std::time::Duration::ZERO);
    pager.answer([partly(&["a"], &[("b", true), ("c", false)]), failed(false)]);
    let lead = harness.enrich("a").await;
    assert!(harness.notify_ready().await);
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified));
    let actions = harness.ops.actions().unwrap();
    let early = actions.resend(&lead, &PAGER, Recipients::LeftOut).await.unwrap_err();
    assert_eq!(early.code, Code::NobodyLeftOut);
    assert!(early.what.ends_with("is still being sent to b (450 later)"), "{early}");
    harness.work_for(HOUR).await;
    let status = harness.ops.status().await.unwrap();
    assert_eq!((status.last_24h.notified, status.speed.p99_ms), (1, Some(0)));
    assert!(!status.health[0].reason.contains("b ("), "{:?}", status.health);
}

#[tokio::test]
async fn a_recipient_deferred_for_too_long_is_left_out_and_makes_no_dead_letter() {
    let attempts = 3;
    let put_off = partly(&["a", "c", "d"], &[("b", true)]);
    let (code, reason) = (Code::DestinationRefused, "no".to_owned());
    let refused = Verdict::Refused { code, reason, payload: false };
    for (others, tries) in [
        (vec![put_off.clone(), put_off.clone()], 3),
        (vec![failed(true), failed(false)], 3),
        (vec![refused], 2),
    ] {
        let (mut harness, pager) = with_pager(ScriptedDestination::plain(), std::time::Duration::ZERO);
        harness.notify.settings =
            Arc::new(Settings { notify_attempts: attempts, ..(*harness.notify.settings).clone() });
        pager.answer([vec![put_off.clone()], others.clone()].concat());
        let lead = harness.enrich("a").await;
        harness.work_for(HOUR).await;
        assert_eq!((pager.received().len(), harness.dead().await.len()), (tries, 0), "{others:?}");
        let receipt = receipt(&harness, &lead).await;
        let left_out: Vec<_> =
            receipt.left_out.iter().map(|one| (one.recipient.as_str(), one.again)).collect();
        assert_eq!((receipt.state, left_out), (ReceiptState::Sent, vec![("b", false)]), "{others:?}");
    }
}
