//! Faults between the functions and AWS: every accepted lead is notified exactly once, and nothing is lost.

use std::collections::BTreeSet;

use demo::Answer;
use lead::LeadId;
use pipeline::{Ended, ports::Queue};
use tests::{aws::ProxyFault, lambda::AwsTestbed, process::PATIENCE};
use tokio::time::Instant;

/// Enough attempts for whatever these tests have fail at once.
const PATIENT: &[(&str, &str)] = &[("ProcessAttempts", "8")];

/// Has so many leads accepted, as Close does that comes again until they are.
async fn accept(testbed: &mut AwsTestbed, count: usize) -> BTreeSet<LeadId> {
    let mut leads = BTreeSet::new();
    for _ in 0..count {
        let sample = testbed.sample();
        let give_up = Instant::now() + PATIENCE;
        while !matches!(testbed.deliver(&sample).await, Answer::Accepted | Answer::Duplicate) {
            assert!(Instant::now() < give_up, "{} is not accepted", sample.lead_id);
        }
        leads.insert(sample.lead_id);
    }
    leads
}

/// Waits until all of them have ended, while time passes in the queues.
async fn all_end(testbed: &AwsTestbed, leads: &BTreeSet<LeadId>) {
    let all_ended = || async {
        let mut ended = 0;
        for lead in leads {
            let progress = testbed.ops.history.progress(lead).await.unwrap();
            ended += usize::from(progress.is_some_and(|progress| progress.ended.is_some()));
        }
        ended == leads.len()
    };
    testbed.until_in_time("all of them end", all_ended).await;
    testbed.until_idle().await;
}

/// None is lost, none is dead, none is notified twice.
async fn each_is_notified_once(testbed: &AwsTestbed, leads: &BTreeSet<LeadId>) {
    assert!(testbed.to_aws.is_done(), "{:?}", testbed.to_aws.account());
    assert_eq!(testbed.not_notified_once(leads), []);
    for lead in leads {
        let ended = testbed.ops.history.progress(lead).await.unwrap().unwrap().ended.unwrap().0;
        assert_eq!(ended, Ended::Notified, "{lead}");
    }
    for queue in Queue::ALL {
        assert_eq!(testbed.depth(queue).await.dead, 0, "{queue:?}");
    }
    assert_eq!(testbed.keys("open/").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_that_asks_to_slow_down_or_races_loses_nothing() {
    let mut testbed = AwsTestbed::with(PATIENT).await;
    for folder in ["source/", "leads/", "journal/", "open/", "target/", "receipts/", "pace/"] {
        testbed.to_aws.next(6, ProxyFault::SlowDown, move |call| call.writes(folder));
        testbed.to_aws.next(2, ProxyFault::Conflict, move |call| call.writes(folder));
    }
    testbed.to_aws.next(6, ProxyFault::SlowDown, |call| call.service == "s3" && call.operation == "GET");
    let leads = accept(&mut testbed, 4).await;
    all_end(&testbed, &leads).await;
    each_is_notified_once(&testbed, &leads).await;
}

/// Longer than the lead has attempts: they are not used up.
#[tokio::test(flavor = "multi_thread")]
async fn s3_that_refuses_enriched_leads_for_long_delays_the_alert_and_makes_no_dead_letter() {
    let mut testbed = AwsTestbed::new().await;
    testbed.to_aws.next(24, ProxyFault::SlowDown, |call| call.writes("target/"));
    let leads = accept(&mut testbed, 1).await;
    all_end(&testbed, &leads).await;
    each_is_notified_once(&testbed, &leads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_were_carried_out_and_not_answered_are_found_done() {
    let mut testbed = AwsTestbed::with(PATIENT).await;
    for folder in ["source/", "leads/", "journal/", "open/", "target/", "receipts/"] {
        testbed.to_aws.next(2, ProxyFault::AnswerLost, move |call| call.writes(folder));
        testbed.to_aws.next(1, ProxyFault::DoneAndConflict, move |call| call.writes(folder));
    }
    for operation in ["SendMessage", "GetSecretValue"] {
        testbed.to_aws.next(1, ProxyFault::AnswerLost, move |call| call.operation == operation);
    }
    let leads = accept(&mut testbed, 4).await;
    all_end(&testbed, &leads).await;
    each_is_notified_once(&testbed, &leads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_throttle_break_or_hang_delay_and_lose_nothing() {
    let mut testbed = AwsTestbed::with(PATIENT).await;
    for operation in ["SendMessage", "GetSecretValue", "GetQueueAttributes"] {
        testbed.to_aws.next(2, ProxyFault::Throttled, move |call| call.operation == operation);
    }
    testbed.to_aws.next(6, ProxyFault::Broken, |call| call.operation == "SendMessage");
    testbed.to_aws.next(1, ProxyFault::Hangs, |call| call.writes("receipts/"));
    testbed.to_aws.next(1, ProxyFault::Hangs, |call| call.writes("source/"));
    let leads = accept(&mut testbed, 4).await;
    all_end(&testbed, &leads).await;
    each_is_notified_once(&testbed, &leads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_twice_and_in_any_order_make_one_alert_for_each_lead() {
    let mut testbed = AwsTestbed::with(PATIENT).await;
    testbed.stack.moto.deliver_events(4, 3).await;
    testbed.to_aws.next(3, ProxyFault::AnswerLost, |call| call.operation == "SendMessage");
    let leads = accept(&mut testbed, 6).await;
    all_end(&testbed, &leads).await;
    each_is_notified_once(&testbed, &leads).await;
}

/// The one window: Slack took the alert, and that was never learnt of.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_whose_answer_is_lost_is_sent_again_and_says_that_it_may_be_a_repeat() {
    let mut testbed = AwsTestbed::with(PATIENT).await;
    testbed.to_slack.next(1, ProxyFault::AnswerLost, |_| true);
    let leads = accept(&mut testbed, 1).await;
    all_end(&testbed, &leads).await;
    let messages = testbed.slack.messages();
    let labels: Vec<bool> =
        messages.iter().flat_map(|message| &message.leads).map(|mention| mention.possible_repeat).collect();
    assert_eq!(labels, [false, true]);
}
