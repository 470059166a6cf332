//! The account of every lead, at the end of a demo without the console.

use host::output;
use pipeline::{Code, Ended, Fault, ports::History};
use serde::Serialize;
use sqlite::Store;

use crate::{Sender, SlackStandIn};

/// What became of every lead that was answered 2xx.
#[derive(Debug, Default, Serialize)]
struct Balance {
    accepted: usize,
    notified: usize,
    pending: usize,
    dead: usize,
    /// Not to be found in any of the three, or said to be told and not seen by the Slack stand-in.
    lost: usize,
    /// Told more than once without being asked to and without a label.
    duplicates: usize,
    /// Webhooks that were refused, as they had to be.
    refused: u64,
    /// Further deliveries of known leads.
    repeated: u64,
    /// Answers that the sample did not call for.
    surprises: Vec<String>,
}

/// Prints what became of every lead.
///
/// # Errors
/// A lead that is unaccounted for, that of the store, or of stdout.
pub(crate) async fn balance(store: &Store, sender: &Sender, slack: &SlackStandIn) -> anyhow::Result<()> {
    let account = sender.account();
    let mut balance = Balance {
        accepted: account.accepted.len(),
        refused: account.refused.values().sum(),
        repeated: account.duplicates,
        surprises: account.surprises,
        ..Balance::default()
    };
    let mut progresses = Vec::new();
    for lead in &account.accepted {
        progresses.push((lead, store.progress(lead).await?));
    }
    // Asked after the journal, so that whatever it calls told must be among these.
    let told = slack.told();
    for (lead, progress) in progresses {
        let seen = || told.iter().flat_map(|message| &message.leads).filter(|told| told.lead_id == *lead);
        balance.duplicates += usize::from(seen().filter(|told| told.is_first()).count() > 1);
        match progress.map(|progress| progress.ended) {
            Some(Some((Ended::Notified, _))) if seen().next().is_some() => balance.notified += 1,
            Some(Some((Ended::Dead, _))) => balance.dead += 1,
            Some(None) => balance.pending += 1,
            Some(Some((Ended::Notified, _))) | None => balance.lost += 1,
        }
    }
    output::json(&balance)?;
    match (balance.lost, balance.duplicates, balance.surprises.first()) {
        (0, 0, None) => Ok(()),
        (lost, duplicates, surprise) => {
            let surprise = surprise.map_or_else(String::new, |surprise| format!(", {surprise}"));
            Err(Fault::new(Code::Internal, format!("{lost} leads lost, {duplicates} told twice{surprise}"))
                .into())
        }
    }
}
