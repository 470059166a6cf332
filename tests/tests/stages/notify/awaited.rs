//! What somebody learns who has asked for an alert and waits for its receipt.

use std::time::Duration;

use ops::Recipients;
use pipeline::{Code, Fault};
use tests::{destinations::SLACK, doubles::Reply, harness::Harness};

use super::{MINUTE, plain};

/// What there is to say of a resend and of a trial, after one look at the queue.
async fn learned(replies: [Reply; 2]) -> [Fault; 2] {
    let harness = Harness::with(plain());
    let lead = harness.enrich("a").await;
    harness.work_for(MINUTE).await;
    let actions = harness.ops.actions().unwrap();
    let mut learned = Vec::new();
    for (reply, is_trial) in replies.into_iter().zip([false, true]) {
        harness.slack.answer([reply]);
        let waiting = match is_trial {
            false => actions.resend(&lead, &SLACK, Recipients::All).await.unwrap(),
            true => actions.send_trial(&SLACK).await.unwrap(),
        };
        harness.notify_ready().await;
        learned.push(harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap_err());
    }
    learned.try_into().unwrap()
}

#[tokio::test]
async fn the_destinations_own_words_are_passed_on() {
    let gone = || Reply::status(404, "no_service");
    assert_eq!(
        learned([gone(), gone()]).await,
        [
            Fault::new(
                Code::DeliveryFailed,
                "the alert about lead_a on Slack was given up: Slack says 404 no_service (LO204)"
            ),
            Fault::new(
                Code::TrialFailed,
                "the trial on Slack was given up: Slack says 404 no_service (LO204)"
            ),
        ]
    );
    let down = || Reply::status(503, "");
    assert_eq!(
        learned([down(), down()]).await,
        [
            Fault::new(
                Code::NoReceipt,
                "the alert about lead_a on Slack is still being tried: Slack says 503 without a word (LO202)"
            ),
            Fault::new(
                Code::TrialFailed,
                "the trial on Slack is still being tried: Slack says 503 without a word (LO202)"
            ),
        ]
    );
}

/// Also where it was another alert that the destination has answered so.
#[tokio::test]
async fn a_silence_that_holds_it_up_is_named() {
    let [resend, trial] = learned([Reply::wait(MINUTE), Reply::status(200, "ok")]).await;
    let pause = "; nothing is sent there before 2026-09-14 ";
    assert_eq!((resend.code, trial.code), (Code::NoReceipt, Code::NoReceipt));
    assert!(resend.what.starts_with("the alert about lead_a on Slack is still being tried: "), "{resend:?}");
    assert!(resend.what.contains(pause), "{resend:?}");
    let no_receipt = "no receipt for the trial on Slack after 0 s";
    assert!(trial.what.starts_with(&format!("{no_receipt}{pause}")), "{trial:?}");
}
