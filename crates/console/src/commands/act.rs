//! `resend`, `try` and `requeue`, and how outcomes are reported.

use std::time::Duration;

use futures_util::future::join_all;
use host::output;
use lead::LeadId;
use ops::{Ops, QueuedAlert, Recipients};
use pipeline::{
    Code, Fault,
    destination::{DestinationId, LeftOut},
};
use serde::Serialize;

use super::confirm::{Answer, ask};
use crate::cli::{Confirmation, ResendArgs, TryArgs};

/// The outcome of one item of an action.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// The lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lead_id: Option<LeadId>,
    /// The destination.
    #[serde(rename = "channel", skip_serializing_if = "Option::is_none")]
    pub(crate) destination: Option<DestinationId>,
    /// What was done, or `failed`, or what would be done.
    pub(crate) result: &'static str,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// The code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<pipeline::Code>,
    /// The failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Outcome {
    /// A success.
    pub(crate) fn done(result: &'static str) -> Self {
        Self { id: None, lead_id: None, destination: None, result, detail: None, code: None, error: None }
    }

    /// A failure.
    pub(crate) fn failed(fault: &Fault) -> Self {
        Self { code: Some(fault.code), error: Some(fault.line()), ..Self::done("failed") }
    }

    /// The outcome of an action that reports nothing but a failure.
    pub(crate) fn of(result: Result<(), Fault>, done: &'static str) -> Self {
        result.map_or_else(|fault| Self::failed(&fault), |()| Self::done(done))
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let mut parts = vec![self.result.to_owned()];
        parts.extend(self.id.clone());
        parts.extend(self.lead_id.as_ref().map(ToString::to_string));
        parts.extend(self.destination.as_ref().map(|destination| format!("on {}", destination.label())));
        parts.extend(self.detail.clone());
        parts.extend(self.error.clone());
        parts.join("  ")
    }
}

/// Prints outcomes and fails if one of them did.
///
/// # Errors
/// As [`failures`] says, or that of stdout.
pub(crate) fn report(outcomes: &[Outcome], as_json: bool) -> anyhow::Result<()> {
    match as_json {
        true => output::json(outcomes)?,
        false => outcomes.iter().try_for_each(|outcome| output::line(&outcome.line()))?,
    }
    failures(outcomes)
}

/// Fails if one of the outcomes did.
///
/// # Errors
/// How many did, with their code if it is the same for all, else [`Code::SeveralFailed`].
pub(crate) fn failures(outcomes: &[Outcome]) -> anyhow::Result<()> {
    let failed: Vec<_> =
        outcomes.iter().filter_map(|outcome| outcome.code.zip(outcome.error.as_ref())).collect();
    match failed.as_slice() {
        [] => Ok(()),
        [(code, _), others @ ..] => {
            let is_one = others.iter().all(|(other, _)| other == code);
            let what = format!("{} of {} failed", failed.len(), outcomes.len());
            Err(Fault::new(if is_one { *code } else { Code::SeveralFailed }, what).into())
        }
    }
}

/// An alert that is to be sent again.
struct Item<'a> {
    lead: &'a LeadId,
    destination: &'a DestinationId,
    /// The recipients that the last one left out, if it is only for them; or why it cannot be for them.
    left_out: Result<Vec<LeftOut>, Fault>,
}

/// `leadops resend`.
///
/// # Errors
/// As [`report`] says.
pub(crate) async fn resend(ops: &Ops, args: &ResendArgs, as_json: bool) -> anyhow::Result<()> {
    let actions = ops.actions()?;
    let recipients = if args.left_out { Recipients::LeftOut } else { Recipients::All };
    let (leads, destinations) = (dedup(&args.leads), wanted(ops, args.to.as_ref())?);
    let each = leads.iter().flat_map(|lead| destinations.iter().map(move |place| (lead, place)));
    let items = join_all(each.map(|(lead, destination)| async move {
        let left_out = match recipients {
            Recipients::All => Ok(Vec::new()),
            Recipients::LeftOut => ops.left_out(lead, destination).await.map(|rest| rest.left_out),
        };
        Item { lead, destination, left_out }
    }))
    .await;
    let dry_run = match question(&items, &destinations) {
        Some(what) => ask(args.confirmation, &what)? == Answer::DryRun,
        None => true,
    };
    let outcomes = join_all(items.iter().map(|Item { lead, destination, left_out }| async move {
        let outcome = match left_out {
            Err(fault) => Outcome::failed(fault),
            Ok(_) if dry_run => Outcome::done("would resend"),
            Ok(_) => sent(ops, actions.resend(lead, destination, recipients), args.wait).await,
        };
        Outcome { lead_id: Some((*lead).clone()), destination: Some((*destination).clone()), ..outcome }
    }))
    .await;
    report(&outcomes, as_json)
}

/// What would be done, for those that can be sent; `None` where none can.
fn question(items: &[Item<'_>], destinations: &[DestinationId]) -> Option<String> {
    let can_go = items.iter().filter_map(|item| Some((item.lead.clone(), item.left_out.as_ref().ok()?)));
    let (leads, left_out): (Vec<_>, Vec<_>) = can_go.unzip();
    let leads = dedup(&leads);
    if leads.is_empty() {
        return None;
    }
    let places: Vec<String> = destinations.iter().map(DestinationId::label).collect();
    let mut recipients: Vec<String> =
        left_out.into_iter().flatten().map(|one| one.recipient.clone()).collect();
    recipients.sort();
    recipients.dedup();
    let recipients =
        if recipients.is_empty() { String::new() } else { format!(", {}", LeftOut::rest(&recipients)) };
    Some(format!(
        "send the alert of {} again on {}{recipients}: {}",
        counted(leads.len(), "lead"),
        places.join(" and "),
        listed(&leads)
    ))
}

/// `leadops try`.
///
/// # Errors
/// As [`report`] says.
pub(crate) async fn send_trial(ops: &Ops, args: &TryArgs, as_json: bool) -> anyhow::Result<()> {
    let actions = ops.actions()?;
    let destinations = wanted(ops, args.to.as_ref())?;
    let tried = destinations.into_iter().map(|destination| async move {
        let outcome = if args.dry_run {
            Outcome::done("would try")
        } else {
            sent(ops, actions.send_trial(&destination), args.wait).await
        };
        Outcome { destination: Some(destination), ..outcome }
    });
    report(&join_all(tried).await, as_json)
}

/// Where alerts are to be sent: to the named destination, or to all in use.
fn wanted(ops: &Ops, named: Option<&DestinationId>) -> Result<Vec<DestinationId>, Fault> {
    match named {
        Some(destination) => {
            ops.check_destination(destination)?;
            Ok(vec![destination.clone()])
        }
        None => Ok(ops.settings.destinations.clone()),
    }
}

/// The outcome of an alert that is queued to be sent, once its receipt is there.
async fn sent(
    ops: &Ops,
    queued: impl Future<Output = Result<QueuedAlert, Fault>>,
    longest: Duration,
) -> Outcome {
    let received = async { ops.receipt(&queued.await?, longest).await };
    let receipt = match received.await {
        Ok(receipt) => receipt,
        Err(fault) => return Outcome::failed(&fault),
    };
    let notification = &receipt.notification;
    let detail =
        format!("receipt of {}, attempt {}", notification.at.strftime("%H:%M:%S UTC"), notification.attempts);
    let outcome = match receipt.fault() {
        None => Outcome::done("sent"),
        Some(fault) => Outcome { result: "partly_sent", ..Outcome::failed(&fault) },
    };
    Outcome { detail: Some(detail), ..outcome }
}

/// `leadops requeue`.
///
/// # Errors
/// As [`report`] says.
pub(crate) async fn requeue(
    ops: &Ops,
    leads: &[LeadId],
    confirmation: Confirmation,
    as_json: bool,
) -> anyhow::Result<()> {
    let actions = ops.actions()?;
    let leads = dedup(leads);
    let mut what = format!("process {} again, now: {}", counted(leads.len(), "lead"), listed(&leads));
    let anew = ops.without_receipts(&leads).await?;
    if !anew.is_empty() {
        // Nothing is left that would prevent another alert.
        what += &format!(
            "; {} announced again, as their receipts have expired: {}",
            counted(anew.len(), "lead"),
            listed(&anew)
        );
    }
    let dry_run = ask(confirmation, &what)? == Answer::DryRun;
    let mut outcomes = Vec::new();
    for lead in leads {
        let outcome = if dry_run {
            Outcome::done("would requeue")
        } else {
            Outcome::of(actions.requeue(&lead).await, "requeued")
        };
        outcomes.push(Outcome { lead_id: Some(lead), ..outcome });
    }
    report(&outcomes, as_json)
}

/// The items without repetitions, in their order.
pub(crate) fn dedup<T: Clone + PartialEq>(named: &[T]) -> Vec<T> {
    let mut once = Vec::new();
    for one in named {
        if !once.contains(one) {
            once.push(one.clone());
        }
    }
    once
}

/// `1 lead`, `2 leads`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

/// The first few, and how many more.
pub(crate) fn listed<T: ToString>(items: &[T]) -> String {
    outside::text::first_few(items, 3, ToString::to_string)
}
