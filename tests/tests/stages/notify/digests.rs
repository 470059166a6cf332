//! The pace, and the digests that keep it.

use std::time::Duration;

use lead::{AlertKind, LeadId};
use ops::Recipients;
use pipeline::{Code, Ended, ports::Disposition};
use serde_json::Value;
use tests::{
    destinations::SLACK,
    doubles::Reply,
    faulty::{Call, InjectedFault, Moment},
    harness::{BURST, Harness},
};

use super::{HOUR, MINUTE, REPEAT, SECOND, ended, notified, overtaken, plain};

/// Ids that a message names in its links, once each.
fn leads_in(message: &Value) -> Vec<String> {
    let text = message["blocks"].to_string();
    let mut ids: Vec<String> = text
        .split("https://app.close.com/lead/")
        .skip(1)
        .map(|rest| rest.split('/').next().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_burst_folds_into_digests_that_carry_every_lead_exactly_once() {
    let harness = Harness::with(plain());
    let leads = harness.enrich_many(100).await;
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted();
    assert!(posted.len() < 30, "{} messages for 100 leads", posted.len());
    let mut sent: Vec<String> = posted.iter().flat_map(|posted| leads_in(&posted.message)).collect();
    sent.sort_unstable();
    assert_eq!(sent, leads.iter().map(LeadId::to_string).collect::<Vec<_>>());
    let digest = posted.iter().find(|posted| leads_in(&posted.message).len() > 1).unwrap();
    for id in leads_in(&digest.message) {
        assert!(digest.mentions(&format!("Name of {id}\\nLead ID: {id}\\nLead Owner: Sales North")));
    }
    for lead in &leads {
        let notified = notified(&harness, lead).await;
        assert!(matches!(notified[..], [(AlertKind::New, _, false, 1)]), "{notified:?}");
        assert_eq!(ended(&harness, lead).await, Some(Ended::Notified));
    }
    check_pace(&harness);
}

/// After the burst no more than one message a second, in every window.
fn check_pace(harness: &Harness) {
    let posted = harness.slack.posted();
    for (first, from) in posted.iter().enumerate() {
        for (last, to) in posted.iter().enumerate().skip(first) {
            let messages = u32::try_from(last - first + 1).unwrap();
            let allowed = BURST + u32::try_from((to.at - from.at).as_secs()).unwrap();
            assert!(messages <= allowed, "{messages} messages from {:?} to {:?}", from.at, to.at);
        }
    }
}

#[tokio::test]
async fn single_alerts_keep_the_pace_too() {
    let harness = Harness::with(plain());
    for number in 0..20 {
        harness.enrich(&format!("n{number}")).await;
        harness.notify_ready().await;
    }
    let actions = harness.ops.actions().unwrap();
    let lead = harness.enrich("a").await;
    for _ in 0..20 {
        actions.resend(&lead, &SLACK, Recipients::All).await.unwrap();
        harness.notify_ready().await;
    }
    harness.work_for(HOUR).await;
    assert_eq!(harness.shown(&lead), 21);
    check_pace(&harness);
}

#[tokio::test]
async fn a_few_alerts_within_the_pace_keep_their_details() {
    let harness = Harness::with(plain());
    let leads = harness.enrich_many(usize::try_from(BURST).unwrap()).await;
    harness.work_for(SECOND).await;
    assert_eq!(harness.slack.posted().len(), leads.len());
    assert!(harness.slack.posted().iter().all(|posted| posted.mentions("New Lead Alert")));
}

#[tokio::test]
async fn a_refused_digest_is_taken_apart_so_that_one_lead_harms_no_other() {
    let harness = Harness::with(plain());
    let leads = harness.enrich_many(10).await;
    let refused = leads[4].clone();
    let refused_id = refused.to_string();
    harness.slack.rule(move |message| {
        message.to_string().contains(&refused_id).then(|| Reply::status(400, "invalid_blocks"))
    });
    harness.work_for(HOUR).await;
    for lead in &leads {
        assert_eq!(harness.shown(lead), usize::from(*lead != refused), "{lead}");
    }
    let dead = harness.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].lead_id.as_ref(), dead[0].code), (Some(&refused), Code::SlackPayloadRefused));
    check_pace(&harness);

    harness.slack.recover();
    harness.redrive_all().await;
    harness.work_for(MINUTE).await;
    assert_eq!(harness.shown(&refused), 1);
}

#[tokio::test]
async fn a_digest_that_crashed_is_repeated_with_a_label_on_each_lead() {
    let harness = Harness::with(plain());
    let leads = harness.enrich_many(10).await;
    harness.slack.answer([Reply::Hang]);
    harness.notify_and_crash().await;
    harness.work_for(HOUR).await;
    for lead in &leads {
        let sent: Vec<_> = notified(&harness, lead).await;
        assert!(matches!(sent[..], [(AlertKind::New, _, true, 2)]), "{sent:?}");
    }
    let digests = harness.slack.shown().split_off(1);
    let labels: usize = digests.iter().map(|p| p.message["blocks"].to_string().matches(REPEAT).count()).sum();
    assert_eq!(labels, leads.len());
}

#[tokio::test]
async fn a_digest_whose_slowest_lead_used_up_the_claims_of_the_others_is_not_sent() {
    let harness = Harness::with(plain());
    let leads = harness.enrich_many(10).await;
    let deliveries = harness.take_alerts().await;
    // The pace, and one of the leads after they are claimed.
    harness.faults.at(7, Call::Get, Moment::Before, InjectedFault::Slow(MINUTE * 2));
    let (slow, quick) = overtaken(&harness, &deliveries).await;
    assert_eq!(quick, vec![Disposition::Done; 10]);
    assert_eq!(slow, vec![Disposition::Retry(Duration::ZERO); 10]);
    assert_eq!(leads.iter().map(|lead| harness.shown(lead)).sum::<usize>(), 10);
}

#[tokio::test]
async fn a_digest_that_slack_asks_to_wait_with_is_sent_later_and_whole() {
    let harness = Harness::with(plain());
    let leads = harness.enrich_many(12).await;
    harness.slack.answer([Reply::wait(MINUTE)]);
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted();
    assert!(posted[1].at >= posted[0].at + MINUTE);
    for lead in &leads {
        assert_eq!(harness.shown(lead), 1);
    }
}

#[tokio::test]
async fn an_outage_of_slack_enriches_nothing_twice_and_loses_nothing() {
    let harness = Harness::with(plain());
    harness.slack.rule(|_| Some(Reply::status(503, "")));
    let leads = harness.enrich_many(30).await;
    harness.work_for(MINUTE * 10).await;
    harness.slack.recover();
    harness.work_for(HOUR).await;
    for lead in &leads {
        assert_eq!((harness.owners.asked(lead), harness.shown(lead)), (1, 1));
        assert_eq!(ended(&harness, lead).await, Some(Ended::Notified));
    }
    assert_eq!(harness.dead().await, []);
    check_pace(&harness);
}
