//! Alerts by mail.

use lead::LeadId;
use pipeline::{Code, Ended, Settings, Stage};
use tests::{
    destinations::{EMAIL, SLACK},
    doubles::Reply,
    doubles::ScriptedMailer,
    harness::Harness,
};

use super::{DAY, HOUR, MINUTE, REPEAT, ended, plain};

/// A harness in which an alert about one lead is ready to be sent by mail alone.
async fn with_mail() -> (Harness, LeadId) {
    let harness = Harness::with(Settings { destinations: vec![EMAIL], ..plain() });
    let lead = harness.enrich("a").await;
    (harness, lead)
}

#[tokio::test]
async fn a_mail_is_sent_once() {
    let (harness, lead) = with_mail().await;
    harness.work_for(HOUR).await;
    let taken = harness.mailer.taken();
    assert_eq!((taken.len(), harness.slack.posted().len()), (1, 0));
    assert!(taken[0].subject.contains("Name of lead_a") && taken[0].body.contains("Unassigned"));
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified));
    assert_eq!(harness.stages(&lead).await, [Stage::Received, Stage::Enriched, Stage::Notified]);
}

#[tokio::test]
async fn a_refused_mail_dies_at_once() {
    let (harness, lead) = with_mail().await;
    harness.mailer.answer([ScriptedMailer::refused("mail server: refused: 550 no such user\r\nX")]);
    harness.work_for(HOUR).await;
    let dead = harness.dead().await;
    assert_eq!((dead.len(), dead[0].code, dead[0].attempts), (1, Code::MailRefused, 1));
    assert!(dead[0].reason.contains("550") && !dead[0].reason.contains('\n'));
    assert_eq!((harness.mailer.tried().len(), ended(&harness, &lead).await), (1, Some(Ended::Dead)));
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again_with_an_end() {
    let (harness, _) = with_mail().await;
    let attempts = harness.settings.notify_attempts;
    let away = ScriptedMailer::unavailable();
    harness.mailer.answer(vec![away; usize::try_from(attempts).unwrap()]);
    harness.work_for(DAY).await;
    let dead = harness.dead().await;
    assert_eq!((dead.len(), dead[0].code, dead[0].attempts), (1, Code::MailUnavailable, attempts));
    harness.redrive_all().await;
    harness.work_for(MINUTE).await;
    assert_eq!(harness.mailer.taken().len(), 1);
    assert!(!harness.mailer.taken()[0].body.contains(REPEAT));
}

#[tokio::test]
async fn a_mail_without_confirmation_is_repeated_with_a_label() {
    let (harness, lead) = with_mail().await;
    harness.mailer.answer([ScriptedMailer::unknown()]);
    harness.work_for(HOUR).await;
    assert_eq!((harness.mailer.tried().len(), harness.mailer.taken().len()), (2, 1));
    assert!(harness.mailer.taken()[0].body.contains(REPEAT));
    assert_eq!(harness.retries(&lead).await[0].0, Code::MailUnknown);
}

#[tokio::test]
async fn a_fault_of_one_destination_does_not_affect_the_others() {
    let harness = Harness::with(Settings { destinations: vec![SLACK, EMAIL], ..plain() });
    let lead = harness.enrich("a").await;
    harness.slack.rule(|_| Some(Reply::status(404, "no_service")));
    harness.work_for(DAY).await;
    assert_eq!(harness.mailer.taken().len(), 1);
    assert_eq!(harness.dead_codes().await, [Code::SlackWebhookGone]);
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified), "somebody was notified");
    harness.slack.recover();
    harness.redrive_all().await;
    harness.work_for(HOUR).await;
    assert_eq!((harness.shown(&lead), harness.mailer.tried().len()), (1, 1));
}
