//! The pace, and the digests that keep it.

use std::time::Duration;

use lead::{AlertKind, LeadId};
use ops::Recipients;
use pipeline::{Code, Ended, ports::Disposition};
use serde_json::Value;
use tests::{
    destinations::SLACK,
    doubles::Reply,
    faulty::{Call, Moment, Strike},
    world::{BURST, World},
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
    let world = World::with(plain());
    let leads = world.enrich_many(100).await;
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert!(posted.len() < 30, "{} messages for 100 leads", posted.len());
    let mut told: Vec<String> = posted.iter().flat_map(|posted| leads_in(&posted.message)).collect();
    told.sort_unstable();
    assert_eq!(told, leads.iter().map(LeadId::to_string).collect::<Vec<_>>());
    let digest = posted.iter().find(|posted| leads_in(&posted.message).len() > 1).unwrap();
    for id in leads_in(&digest.message) {
        assert!(digest.mentions(&format!("Name of {id}\\nLead ID: {id}\\nLead Owner: Sales North")));
    }
    for lead in &leads {
        let notified = notified(&world, lead).await;
        assert!(matches!(notified[..], [(AlertKind::New, _, false, 1)]), "{notified:?}");
        assert_eq!(ended(&world, lead).await, Some(Ended::Notified));
    }
    check_pace(&world);
}

/// After the burst no more than one message a second, in every window.
fn check_pace(world: &World) {
    let posted = world.slack.posted();
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
    let world = World::with(plain());
    for number in 0..20 {
        world.enrich(&format!("n{number}")).await;
        world.notify_ready().await;
    }
    let actions = world.ops.actions().unwrap();
    let lead = world.enrich("a").await;
    for _ in 0..20 {
        actions.resend(&lead, &SLACK, Recipients::All).await.unwrap();
        world.notify_ready().await;
    }
    world.work_for(HOUR).await;
    assert_eq!(world.shown(&lead), 21);
    check_pace(&world);
}

#[tokio::test]
async fn a_few_alerts_within_the_pace_keep_their_details() {
    let world = World::with(plain());
    let leads = world.enrich_many(usize::try_from(BURST).unwrap()).await;
    world.work_for(SECOND).await;
    assert_eq!(world.slack.posted().len(), leads.len());
    assert!(world.slack.posted().iter().all(|posted| posted.mentions("New Lead Alert")));
}

#[tokio::test]
async fn a_refused_digest_is_taken_apart_so_that_one_lead_harms_no_other() {
    let world = World::with(plain());
    let leads = world.enrich_many(10).await;
    let poison = leads[4].clone();
    let poisoned = poison.to_string();
    world.slack.rule(move |message| {
        message.to_string().contains(&poisoned).then(|| Reply::status(400, "invalid_blocks"))
    });
    world.work_for(HOUR).await;
    for lead in &leads {
        assert_eq!(world.shown(lead), usize::from(*lead != poison), "{lead}");
    }
    let dead = world.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].lead_id.as_ref(), dead[0].code), (Some(&poison), Code::SlackPayloadRefused));
    check_pace(&world);

    world.slack.recover();
    world.redrive_all().await;
    world.work_for(MINUTE).await;
    assert_eq!(world.shown(&poison), 1);
}

#[tokio::test]
async fn a_digest_that_crashed_is_repeated_with_a_label_on_each_lead() {
    let world = World::with(plain());
    let leads = world.enrich_many(10).await;
    world.slack.answer([Reply::Hang]);
    world.notify_and_crash().await;
    world.work_for(HOUR).await;
    for lead in &leads {
        let told: Vec<_> = notified(&world, lead).await;
        assert!(matches!(told[..], [(AlertKind::New, _, true, 2)]), "{told:?}");
    }
    let digests = world.slack.shown().split_off(1);
    let labels: usize = digests.iter().map(|p| p.message["blocks"].to_string().matches(REPEAT).count()).sum();
    assert_eq!(labels, leads.len());
}

#[tokio::test]
async fn a_digest_whose_slowest_lead_used_up_the_claims_of_the_others_is_not_sent() {
    let world = World::with(plain());
    let leads = world.enrich_many(10).await;
    let deliveries = world.take_alerts().await;
    // Receipts and leads, the pace, and one of the leads once more after they are claimed.
    world.weather.at(27, Call::Get, Moment::Before, Strike::Slow(MINUTE * 2));
    let (slow, quick) = overtaken(&world, &deliveries).await;
    assert_eq!(quick, vec![Disposition::Done; 10]);
    assert_eq!(slow, vec![Disposition::Retry(Duration::ZERO); 10]);
    assert_eq!(leads.iter().map(|lead| world.shown(lead)).sum::<usize>(), 10);
}

#[tokio::test]
async fn a_digest_that_slack_asks_to_wait_with_is_told_later_and_whole() {
    let world = World::with(plain());
    let leads = world.enrich_many(12).await;
    world.slack.answer([Reply::wait(MINUTE)]);
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert!(posted[1].at >= posted[0].at + MINUTE);
    for lead in &leads {
        assert_eq!(world.shown(lead), 1);
    }
}

#[tokio::test]
async fn an_outage_of_slack_enriches_nothing_twice_and_loses_nothing() {
    let world = World::with(plain());
    world.slack.rule(|_| Some(Reply::status(503, "")));
    let leads = world.enrich_many(30).await;
    world.work_for(MINUTE * 10).await;
    world.slack.recover();
    world.work_for(HOUR).await;
    for lead in &leads {
        assert_eq!((world.owners.asked(lead), world.shown(lead)), (1, 1));
        assert_eq!(ended(&world, lead).await, Some(Ended::Notified));
    }
    assert_eq!(world.dead().await, []);
    check_pace(&world);
}
