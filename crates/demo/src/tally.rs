//! What became of every lead, at the end of a demo without the console.

use host::output;
use pipeline::{Code, Ended, Fault, ports::History};
use serde::Serialize;
use sqlite::Store;

use crate::{FakeSlack, Sender};

/// What became of every lead that was answered 2xx.
#[derive(Debug, Default, Serialize)]
struct Tally {
    accepted: usize,
    notified: usize,
    pending: usize,
    dead: usize,
    /// In none of the three, or recorded as notified but not received by the fake Slack.
    lost: usize,
    /// Announced more than once, unrequested and without a label.
    duplicates: usize,
    /// Webhooks that were rightly refused.
    refused: u64,
    /// Further deliveries of known leads.
    repeated: u64,
    /// Answers that the sample should not have got.
    #[serde(rename = "surprises")]
    unexpected: Vec<String>,
}

/// Prints what became of every lead.
///
/// # Errors
/// A lead that is unaccounted for, that of the store, or of stdout.
pub(crate) async fn tally(store: &Store, sender: &Sender, slack: &FakeSlack) -> anyhow::Result<()> {
    let stats = sender.stats();
    let mut tally = Tally {
        accepted: stats.accepted.len(),
        refused: stats.refused.values().sum(),
        repeated: stats.duplicates,
        unexpected: stats.unexpected,
        ..Tally::default()
    };
    let mut progresses = Vec::new();
    for lead in &stats.accepted {
        progresses.push((lead, store.progress(lead).await?));
    }
    // Read after the journal, so that all leads that it calls notified must be among these.
    let messages = slack.messages();
    for (lead, progress) in progresses {
        let seen =
            || messages.iter().flat_map(|message| &message.leads).filter(|mention| mention.lead_id == *lead);
        tally.duplicates += usize::from(seen().filter(|mention| mention.is_first()).count() > 1);
        match progress.map(|progress| progress.ended) {
            Some(Some((Ended::Notified, _))) if seen().next().is_some() => tally.notified += 1,
            Some(Some((Ended::Dead, _))) => tally.dead += 1,
            Some(None) => tally.pending += 1,
            Some(Some((Ended::Notified, _))) | None => tally.lost += 1,
        }
    }
    output::json(&tally)?;
    match (tally.lost, tally.duplicates, tally.unexpected.first()) {
        (0, 0, None) => Ok(()),
        (lost, duplicates, unexpected) => {
            let unexpected = unexpected.map_or_else(String::new, |answer| format!(", {answer}"));
            Err(Fault::new(
                Code::Internal,
                format!("{lost} leads lost, {duplicates} announced twice{unexpected}"),
            )
            .into())
        }
    }
}
