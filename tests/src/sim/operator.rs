//! An operator who does anything at any time, and whose command can be stopped or killed in the middle.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use lead::LeadId;
use ops::{LeadQuery, Ops, QueuedAlert, Recipients};
use pipeline::{
    Code, Fault,
    ports::{Body, DeadLetter},
};

use super::{
    Model,
    truth::{LeadTruth, Promise},
};

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Puts one dead letter back.
    Redrive,
    /// Puts all of them back, at some rate, and stops in the middle or not.
    RedriveAll,
    /// Edits one and puts it back.
    Edit,
    /// Deletes one.
    Delete,
    /// Asks for a new alert.
    Resend,
    /// Asks for a trial.
    Try,
    /// Has a lead processed again.
    Requeue,
    /// Exports the dead letters.
    Export,
    /// Looks at everything.
    LookupOptions,
}

const ACTS: [Act; 13] = [
    Act::Redrive,
    Act::Redrive,
    Act::RedriveAll,
    Act::RedriveAll,
    Act::Edit,
    Act::Edit,
    Act::Delete,
    Act::Resend,
    Act::Resend,
    Act::Try,
    Act::Requeue,
    Act::Export,
    Act::LookupOptions,
];

/// Something that an operator does.
pub async fn act(model: Arc<Model>, ops: Ops) {
    let act = *model.dice.pick(&ACTS);
    let (who, fault_free) = (ops.operator.clone(), model.is_fault_free());
    model.note(|| format!("{who} {act:?}"));
    let result = perform(&model, &ops, act).await;
    model.note(|| format!("{who} {act:?} → {result:?}"));
    if let Err(fault) = result
        && fault_free
        && !matches!(
            fault.code,
            Code::NoSuchDeadLetter | Code::NoSuchLead | Code::NotEnriched | Code::NobodyLeftOut
        )
    {
        let at = model.clock.elapsed();
        model.truth().broken(
            Promise::Operator,
            None,
            at,
            format!("{act:?} in the fault-free phase: {fault}"),
        );
    }
}

/// Puts all dead letters back, as an operator does when all is well again.
pub async fn redrive_all(model: Arc<Model>, ops: Ops) {
    let Ok((letters, _)) = ops.dead_letters.list(None, usize::MAX).await else { return };
    // What is no job of anybody's would only die again.
    let letters = letters.into_iter().filter(|letter| letter.code != Code::JobUnreadable).collect();
    model.truth().acted("redrive all");
    let Ok(actions) = ops.actions() else { return };
    actions.redrive_all(letters, None, |_| ControlFlow::Continue(())).await;
}

/// Has a lead processed again.
pub async fn requeue(model: Arc<Model>, ops: Ops, lead: LeadId) {
    begins(&model, "requeue", Some(&lead), |known| known.requeued = true);
    let Ok(actions) = ops.actions() else { return };
    let result = actions.requeue(&lead).await;
    model.note(|| format!("{} requeues {lead} → {result:?}", ops.operator));
}

async fn perform(model: &Arc<Model>, ops: &Ops, act: Act) -> Result<(), Fault> {
    let actions = ops.actions()?;
    let dice = &model.dice;
    match act {
        Act::Redrive => {
            let Some(letter) = some_letter(model, ops).await? else { return Ok(()) };
            model.truth().acted("redrive");
            actions.redrive(&letter, Body::AsIs).await
        }
        Act::RedriveAll => {
            let (letters, _) = ops.dead_letters.list(None, usize::MAX).await?;
            let (rate, mut patience) = (*dice.pick(&[None, Some(1.0), Some(20.0)]), dice.below(20));
            model.truth().acted("redrive all");
            actions
                .redrive_all(letters, rate, |_| {
                    patience = patience.saturating_sub(1);
                    if patience == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .await;
            Ok(())
        }
        Act::Edit => {
            let Some(letter) = some_letter(model, ops).await? else { return Ok(()) };
            let Some((_, body)) = ops.dead_letters.get(&letter.id).await? else { return Ok(()) };
            model.truth().acted("edit");
            edit(model, ops, &letter, body).await
        }
        Act::Delete => {
            let Some(letter) = some_letter(model, ops).await? else { return Ok(()) };
            begins(model, "delete", letter.lead_id.as_ref(), |known| known.deleted = true);
            actions.delete(&letter.id).await.map(drop)
        }
        Act::Resend => {
            let Some(lead) = some_lead(model) else { return Ok(()) };
            let destination = dice.pick(&model.settings.destinations).clone();
            begins(model, "resend", Some(&lead), |known| {
                *known.resends.entry(destination.clone()).or_default() += 1
            });
            let whom = match ops.left_out(&lead, &destination).await {
                Ok(_) if dice.chance(0.5) => Recipients::LeftOut,
                Err(fault) if fault.code != Code::NobodyLeftOut => return Err(fault),
                _ => Recipients::All,
            };
            wait(ops, actions.resend(&lead, &destination, whom).await?).await
        }
        Act::Try => {
            let destination = dice.pick(&model.settings.destinations).clone();
            begins(model, "try", None, |_| ());
            model.truth().trials.entry(destination.clone()).or_default().0 += 1;
            wait(ops, actions.send_trial(&destination).await?).await
        }
        Act::Requeue => {
            let Some(lead) = some_lead(model) else { return Ok(()) };
            begins(model, "requeue", Some(&lead), |known| known.requeued = true);
            actions.requeue(&lead).await
        }
        Act::Export => {
            model.truth().acted("export");
            actions.export().await.map(drop)
        }
        Act::LookupOptions => {
            model.truth().acted("look");
            ops.status().await?;
            ops.pending(100).await?;
            for row in ops.dead(None, 100).await?.0 {
                ops.dead_letter(&row.letter.id).await?;
            }
            ops.leads(&LeadQuery::default()).await?;
            if let Some(lead) = some_lead(model) {
                ops.lead(&lead).await?;
            }
            Ok(())
        }
    }
}

/// Waits a little for the receipt of a new alert.
async fn wait(ops: &Ops, waiting: QueuedAlert) -> Result<(), Fault> {
    let receipt = ops.receipt(&waiting, Duration::from_secs(5)).await;
    receipt.map(drop).or_else(|fault| {
        // A store's fault is no answer.
        let of_a_store = [Code::StorageFailed, Code::AwsFailed, Code::AwsThrottled].contains(&fault.code);
        if of_a_store { Err(fault) } else { Ok(()) }
    })
}

/// Notes what begins, whether or not anything comes of it.
fn begins(model: &Model, kind: &'static str, lead: Option<&LeadId>, note: impl FnOnce(&mut LeadTruth)) {
    let mut truth = model.truth();
    truth.acted(kind);
    if let Some(known) = lead.and_then(|lead| truth.leads.get_mut(lead)) {
        note(known);
    }
}

async fn edit(model: &Arc<Model>, ops: &Ops, letter: &DeadLetter, body: String) -> Result<(), Fault> {
    let actions = ops.actions()?;
    if model.dice.chance(0.5) {
        // The same message, written a little differently.
        return actions.redrive(letter, Body::Edited(format!(" {body}\n"))).await;
    }
    let junk = *model.dice.pick(&["", "{}", "not json", r#"{"lead_id":"lead_x"}"#]);
    match actions.redrive(letter, Body::Edited(junk.to_owned())).await {
        Err(fault) if fault.code == Code::EditRefused => Ok(()),
        Err(fault) => Err(fault),
        Ok(()) => {
            let (at, what) = (model.clock.elapsed(), format!("junk was redriven: {junk:?}"));
            model.truth().broken(Promise::Operator, letter.lead_id.as_ref(), at, what);
            Ok(())
        }
    }
}

async fn some_letter(model: &Arc<Model>, ops: &Ops) -> Result<Option<DeadLetter>, Fault> {
    let (letters, _) = ops.dead_letters.list(None, 100).await?;
    if letters.is_empty() {
        return Ok(None);
    }
    Ok(Some(model.dice.pick(&letters).clone()))
}

fn some_lead(model: &Model) -> Option<LeadId> {
    let truth = model.truth();
    let leads: Vec<&LeadId> = truth.leads.keys().collect();
    (!leads.is_empty()).then(|| (*model.dice.pick(&leads)).clone())
}
