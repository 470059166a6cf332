//! The destinations that are not Slack: a mail server, and something that the product has never heard of.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lead::email::mail;
use pipeline::{
    CheckOutcome, Code,
    destination::{
        Destination, DestinationId, LeftOut, Limits, MessageFormat, Outgoing, RateLimit, RetryDelay, Verdict,
    },
    ports::Clock,
};

use super::{oracle, process::ProcessFaults, shown};
use crate::{
    destinations::EMAIL,
    faulty::{Call, Moment},
};

/// A destination of a kind that no row of the product knows.
pub const PAGER: DestinationId = DestinationId::literal("pager:on-call");

/// Those whom a mail is for.
const TEAM: [&str; 3] = ["a@example.com", "b@example.com", "c@example.com"];

/// How long the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A destination as one process reaches it.
pub struct OtherOf {
    /// Which.
    pub id: DestinationId,
    /// The faults of the process.
    pub faults: Arc<ProcessFaults>,
}

impl OtherOf {
    /// Whom a mail is for.
    fn meant(&self, alerts: &[Outgoing<'_>]) -> Vec<&'static str> {
        match alerts {
            [one] if self.id == EMAIL => TEAM.into_iter().filter(|name| !one.done.contains(name)).collect(),
            _ => Vec::new(),
        }
    }

    fn again(code: Code, reason: &str, may_have_arrived: bool) -> Verdict {
        Verdict::Retry { code, reason: reason.to_owned(), pause: RetryDelay::Backoff, may_have_arrived }
    }
}

#[async_trait]
impl Destination for OtherOf {
    fn limits(&self) -> Limits {
        let is_pager = self.id == PAGER;
        Limits {
            longest_send: PATIENCE,
            pace: is_pager.then_some(RateLimit { rate: 2, burst: 3 }),
            together: if is_pager { 4 } else { 1 },
            at_once: if is_pager { 2 } else { 4 },
            has_plain_form: is_pager,
            busy: Code::DestinationBusy,
            shows_all: is_pager,
        }
    }

    async fn send(&self, alerts: &[Outgoing<'_>], form: MessageFormat) -> Verdict {
        let model = &self.faults.model;
        let shown: Vec<_> = alerts.iter().filter_map(|one| shown::by_mail(&mail(&one.alert))).collect();
        let about = || shown.iter().map(|shown| shown.lead.as_str()).collect::<Vec<_>>().join(" ");
        let known = oracle::sent_before(&self.faults, &self.id, &shown);
        if self.faults.pass(Call::Mail, Moment::Before, &about()).await {
            return Self::again(Code::DestinationUnavailable, "connection refused", false);
        }
        let meant = self.meant(alerts);
        let is_rest = alerts.iter().any(|one| !one.done.is_empty());
        let take_for = |got: &[&str]| {
            oracle::taken(model, &self.id, shown.clone(), &known, is_rest);
            if let ([one], [shown]) = (alerts, shown.as_slice())
                && !meant.is_empty()
            {
                oracle::reached(model, &one.receipt, shown, &meant, got);
            }
        };
        let take = || take_for(&meant);
        if model.slowness(&self.id).await == Some(false) {
            model.clock.sleep(PATIENCE).await;
            return Self::again(Code::DestinationUnknown, "timed out", true);
        }
        if !model.is_fault_free() && model.dice.chance(model.fault_profile.mail_faults) {
            let (code, reason) = (Code::DestinationRefused, "no".to_owned());
            match model.dice.below(6) {
                0 => {
                    model.count_fault("mail: refused");
                    return Verdict::Refused { code, reason, payload: false };
                }
                1 => {
                    model.count_fault("mail: unavailable");
                    return Self::again(Code::DestinationUnavailable, "later", false);
                }
                2 if self.id == PAGER => {
                    model.count_fault("pager: asks to wait");
                    let pause = model.dice.between(Duration::from_secs(1), Duration::from_secs(300));
                    return Verdict::Wait { pause, code: Code::DestinationBusy, reason };
                }
                3 if self.id == PAGER && form == MessageFormat::Rich => {
                    model.count_fault("pager: refuses the message");
                    return Verdict::Refused { code, reason, payload: true };
                }
                2 | 3 if meant.len() > 1 => {
                    model.count_fault("mail: some recipients are refused");
                    let at = 1 + usize::try_from(model.dice.below(meant.len() as u64 - 1)).unwrap();
                    let (got, refused) = meant.split_at(at);
                    take_for(got);
                    let left_out = refused.iter().map(|one| LeftOut {
                        recipient: (*one).to_owned(),
                        reason: "550 no".to_owned(),
                        again: model.dice.chance(0.5),
                    });
                    let reached = got.iter().map(|one| (*one).to_owned()).collect();
                    return Verdict::PartlySent { reached, left_out: left_out.collect() };
                }
                taken => {
                    model.count_fault("mail: no confirmation");
                    if taken % 2 == 0 {
                        take();
                    }
                    model.clock.sleep(PATIENCE).await;
                    return Self::again(Code::DestinationUnknown, "timed out", true);
                }
            }
        }
        take();
        if self.faults.pass(Call::Mail, Moment::After, &about()).await {
            return Self::again(Code::DestinationUnknown, "the connection broke", true);
        }
        Verdict::Sent
    }

    async fn check(&self, _: bool) -> CheckOutcome {
        CheckOutcome::Ok("simulated".to_owned())
    }
}
