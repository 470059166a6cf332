//! Trials: alerts about no lead.

use std::{cell::RefCell, io, sync::Once, time::Duration};

use lead::LeadId;
use ops::LeadQuery;
use pipeline::{
    Code, Fault, Settings,
    destination::{DestinationId, LeftOut, RetryDelay, Verdict},
};
use tests::{
    destinations::SLACK,
    doubles::{Reply, ScriptedDestination},
    harness::Harness,
};

use super::{
    HOUR, MINUTE, SECOND,
    destinations::{PAGER, with_pager},
    plain,
};

/// That nothing but receipts and lines in the log speaks of it.
async fn assert_unseen(harness: &Harness) {
    let status = harness.ops.status().await.unwrap();
    let day = status.last_24h;
    assert_eq!((status.pending, status.processing, day.accepted, day.notified, day.failed), (0, 0, 0, 0, 0));
    assert_eq!((status.speed.p50_ms, status.queues.notification.dead), (None, 0));
    assert!(status.health.is_empty(), "{:?}", status.health);
    assert_eq!(harness.ops.leads(&LeadQuery::default()).await.unwrap(), []);
    assert_eq!(harness.ops.lead(&LeadId::of_trial()).await.unwrap_err().code, Code::NoSuchLead);
    assert_eq!(harness.story(&LeadId::of_trial()).await, []);
    assert!(harness.ops.health().await.unwrap().destinations.is_empty());
}

#[tokio::test]
async fn it_arrives_with_a_receipt_and_is_seen_nowhere_else() {
    let harness = Harness::with(plain());
    let waiting = harness.ops.actions().unwrap().send_trial(&SLACK).await.unwrap();
    harness.work_for(SECOND * 10).await;
    let receipt = harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap().notification;
    assert_eq!((receipt.state, receipt.kind, receipt.attempts), ("sent", lead::AlertKind::Trial, 1));
    let shown = harness.slack.shown();
    assert_eq!(shown.len(), 1);
    assert!(shown[0].mentions("Trial Alert") && shown[0].mentions("this is no lead"));
    assert!(!shown[0].mentions("app.close.com"), "there is no such page");
    assert_unseen(&harness).await;
}

#[tokio::test]
async fn it_is_tried_again_like_any_other_and_given_up_without_a_dead_letter() {
    let harness = Harness::with(plain());
    harness.slack.answer([Reply::status(503, ""), Reply::status(404, "no_service")]);
    let actions = harness.ops.actions().unwrap();
    let waiting = actions.send_trial(&SLACK).await.unwrap();
    assert_eq!(harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap_err().code, Code::NoReceipt);
    assert!(harness.notify_ready().await);
    let fault = harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap_err();
    assert_eq!(fault.code, Code::TrialFailed);
    assert_eq!(fault.what, "the trial on Slack is still being tried: Slack says 503 without a word (LO202)");
    harness.work_for(MINUTE).await;
    let fault = harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap_err();
    assert_eq!(fault.code, Code::TrialFailed);
    assert_eq!(fault.what, "the trial on Slack was given up: Slack says 404 no_service (LO204)");
    assert_unseen(&harness).await;

    let nowhere: DestinationId = "email:desk".parse().unwrap();
    assert_eq!(actions.send_trial(&nowhere).await.unwrap_err().code, Code::NoSuchDestination);
}

/// One at a destination that the pipeline does not have is given up at once, and says why.
#[tokio::test]
async fn at_a_destination_that_is_not_set_up_it_fails() {
    let mut harness = Harness::with(Settings { destinations: vec![PAGER], ..plain() });
    harness.notify.destinations = [].into_iter().collect();
    let waiting = harness.ops.actions().unwrap().send_trial(&PAGER).await.unwrap();
    harness.work_for(MINUTE).await;
    let fault = harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap_err();
    assert!(fault.what.contains("LO230"), "{}", fault.what);
    assert_unseen(&harness).await;
}

thread_local! {
    /// What the log says of this thread, which is that of one test.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct OfThisThread;

impl io::Write for OfThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens to the log on all threads. Where one listens by itself, a place that another has logged from before may be taken
/// for one that nobody listens to.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_writer(|| OfThisThread).with_ansi(false).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

#[tokio::test]
async fn nobody_gets_one_for_which_nobody_waits_any_more() {
    let harness = Harness::with(plain());
    harness.ops.actions().unwrap().send_trial(&SLACK).await.unwrap();
    harness.clock.advance(MINUTE * 11);
    listen();
    harness.work_for(HOUR).await;
    assert_eq!(harness.slack.posted().len(), 0);
    let lines = String::from_utf8(LOG.take()).unwrap();
    let line = lines.lines().find(|line| line.contains("a trial on Slack is dropped")).unwrap();
    assert!(line.contains("INFO") && line.contains("more than 10 min ago"), "{line}");
    assert_unseen(&harness).await;
}

/// In the console as by the command: what did not arrive everywhere did not arrive.
#[tokio::test]
async fn one_that_some_do_not_get_has_failed() {
    let (harness, pager) = with_pager(ScriptedDestination::plain(), Duration::ZERO);
    let left_out = LeftOut { recipient: "b".to_owned(), reason: "550 no".to_owned(), again: false };
    pager.answer([Verdict::PartlySent { reached: vec!["a".to_owned()], left_out: vec![left_out] }]);
    let waiting = harness.ops.actions().unwrap().send_trial(&PAGER).await.unwrap();
    harness.work_for(MINUTE).await;
    let fault = harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap().fault().unwrap();
    assert_eq!(fault, Fault::new(Code::TrialFailed, "left out: b (550 no)"));
    assert_unseen(&harness).await;
}

/// Beside leads it has a message of its own, and takes nothing from their accounts.
#[tokio::test]
async fn it_is_in_no_digest() {
    let harness = Harness::with(plain());
    let leads = harness.enrich_many(30).await;
    let waiting = harness.ops.actions().unwrap().send_trial(&SLACK).await.unwrap();
    harness.work_for(HOUR).await;
    harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap();
    let trials = harness.slack.shown().into_iter().filter(|message| message.mentions("Trial Alert"));
    let trials: Vec<_> = trials.collect();
    assert_eq!(trials.len(), 1);
    assert!(leads.iter().all(|lead| !trials[0].mentions(lead.as_str())));
    assert_eq!(harness.ops.status().await.unwrap().last_24h.notified, 30);
}

/// What it may not do: hold up others, or be held up for good.
#[tokio::test]
async fn a_wait_that_is_asked_for_holds_for_it_too() {
    let (harness, pager) = with_pager(ScriptedDestination::plain(), Duration::ZERO);
    let again = Verdict::Retry {
        code: Code::DestinationUnavailable,
        reason: "away".to_owned(),
        pause: RetryDelay::Message(SECOND * 30),
        may_have_arrived: true,
    };
    pager.answer([again]);
    let waiting = harness.ops.actions().unwrap().send_trial(&PAGER).await.unwrap();
    harness.work_for(MINUTE * 2).await;
    assert_eq!(pager.received().len(), 2);
    assert_eq!(harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap().notification.attempts, 2);
    assert_unseen(&harness).await;
}
