//! Alerts by mail.

use lead::LeadId;
use pipeline::{Code, Ended, Settings, Stage};
use tests::{
    destinations::{EMAIL, SLACK},
    doubles::Reply,
    doubles::ScriptedMailer,
    world::World,
};

use super::{DAY, HOUR, MINUTE, REPEAT, ended, plain};

/// A world in which one lead is ready to be told by mail alone.
async fn with_mail() -> (World, LeadId) {
    let world = World::with(Settings { destinations: vec![EMAIL], ..plain() });
    let lead = world.enrich("a").await;
    (world, lead)
}

#[tokio::test]
async fn a_mail_is_sent_once() {
    let (world, lead) = with_mail().await;
    world.work_for(HOUR).await;
    let taken = world.mailer.taken();
    assert_eq!((taken.len(), world.slack.posted().len()), (1, 0));
    assert!(taken[0].subject.contains("Name of lead_a") && taken[0].body.contains("Unassigned"));
    assert_eq!(ended(&world, &lead).await, Some(Ended::Notified));
    assert_eq!(world.stages(&lead).await, [Stage::Received, Stage::Enriched, Stage::Notified]);
}

#[tokio::test]
async fn a_refused_mail_dies_at_once() {
    let (world, lead) = with_mail().await;
    world.mailer.answer([ScriptedMailer::refused("mail server: refused: 550 no such user\r\nX")]);
    world.work_for(HOUR).await;
    let dead = world.dead().await;
    assert_eq!((dead.len(), dead[0].code, dead[0].attempts), (1, Code::MailRefused, 1));
    assert!(dead[0].reason.contains("550") && !dead[0].reason.contains('\n'));
    assert_eq!((world.mailer.tried().len(), ended(&world, &lead).await), (1, Some(Ended::Dead)));
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again_with_an_end() {
    let (world, _) = with_mail().await;
    let attempts = world.settings.notify_attempts;
    let away = ScriptedMailer::unavailable();
    world.mailer.answer(vec![away; usize::try_from(attempts).unwrap()]);
    world.work_for(DAY).await;
    let dead = world.dead().await;
    assert_eq!((dead.len(), dead[0].code, dead[0].attempts), (1, Code::MailUnavailable, attempts));
    world.redrive_all().await;
    world.work_for(MINUTE).await;
    assert_eq!(world.mailer.taken().len(), 1);
    assert!(!world.mailer.taken()[0].body.contains(REPEAT));
}

#[tokio::test]
async fn a_mail_without_confirmation_is_repeated_with_a_label() {
    let (world, lead) = with_mail().await;
    world.mailer.answer([ScriptedMailer::unknown()]);
    world.work_for(HOUR).await;
    assert_eq!((world.mailer.tried().len(), world.mailer.taken().len()), (2, 1));
    assert!(world.mailer.taken()[0].body.contains(REPEAT));
    assert_eq!(world.retries(&lead).await[0].0, Code::MailUnknown);
}

#[tokio::test]
async fn one_channels_trouble_is_not_the_others() {
    let world = World::with(Settings { destinations: vec![SLACK, EMAIL], ..plain() });
    let lead = world.enrich("a").await;
    world.slack.rule(|_| Some(Reply::status(404, "no_service")));
    world.work_for(DAY).await;
    assert_eq!(world.mailer.taken().len(), 1);
    assert_eq!(world.dead_codes().await, [Code::SlackWebhookGone]);
    assert_eq!(ended(&world, &lead).await, Some(Ended::Notified), "somebody was told");
    world.slack.recover();
    world.redrive_all().await;
    world.work_for(HOUR).await;
    assert_eq!((world.shown(&lead), world.mailer.tried().len()), (1, 1));
}
