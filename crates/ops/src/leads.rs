//! Enriched leads, and the history of one.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use lead::{EnrichedLead, LeadId, OwnerStatus, Timestamp, keys};
use outside::{Document, text};
use pipeline::{
    Code, Entry, Fault, JournalEvent, Stage, State,
    destination::{DestinationId, LeftOut},
    receipt::{Receipt, ReceiptState},
};
use serde::Serialize;

use crate::Ops;

/// How many journal entries are read at a time.
const PAGE: usize = 500;
/// How many leads are read at once.
const AT_ONCE: usize = 16;

/// A query for leads. An empty field does not restrict it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadQuery {
    /// How many at most.
    pub limit: usize,
    /// Only leads with an owner whose name contains this, in any case.
    pub owner: Option<String>,
    /// Only leads enriched, or whose owner was found, since then.
    pub since: Option<Timestamp>,
    /// Only leads whose name, id or owners contain this, in any case.
    pub text: Option<String>,
}

impl Default for LeadQuery {
    fn default() -> Self {
        Self { limit: 50, owner: None, since: None, text: None }
    }
}

/// A row of `leadops leads`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeadRow {
    /// The enriched lead.
    #[serde(flatten)]
    pub lead: EnrichedLead,
    /// Its alerts, the oldest first.
    pub notifications: Vec<Notification>,
}

/// An alert of a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// Where.
    #[serde(rename = "channel")]
    pub destination: DestinationId,
    /// Which alert.
    pub kind: lead::AlertKind,
    /// `queued`, `sent`, `partly_sent` or `failed`.
    pub state: &'static str,
    /// Since when.
    pub at: Timestamp,
    /// After how many attempts.
    pub attempts: u32,
    /// The last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The recipients that it has not reached, or not yet, though it has reached others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// `leadops lead LEAD_ID`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeadStory {
    /// The lead's id.
    pub lead_id: LeadId,
    /// Its name.
    pub display_name: String,
    /// Its state.
    pub state: State,
    /// When it is, or was, to be processed.
    pub due_at: Timestamp,
    /// The enriched lead, once there is one.
    pub lead: Option<EnrichedLead>,
    /// How the search for the owner ended.
    pub owner_status: Option<OwnerStatus>,
    /// Its alerts, the oldest first.
    pub notifications: Vec<Notification>,
    /// What happened to it, the oldest first.
    pub timeline: Vec<Step>,
    /// Where its raw event is.
    pub raw_key: String,
    /// Where its enriched lead is, or will be.
    pub target_key: String,
}

/// A step of a lead's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// What.
    pub stage: Stage,
    /// The same for people, one line.
    pub detail: String,
    /// The code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

impl Ops {
    /// Enriched leads, the newest first.
    ///
    /// # Errors
    /// The fault of the first port that failed.
    pub async fn leads(&self, query: &LeadQuery) -> Result<Vec<LeadRow>, Fault> {
        let wanted = self.matching(query).await?;
        stream::iter(wanted)
            .map(|lead| async move { self.row(&lead).await })
            .buffered(AT_ONCE)
            .try_filter_map(|row| async move { Ok(row) })
            .try_collect()
            .await
    }

    /// The history of one lead.
    ///
    /// # Errors
    /// [`Code::NoSuchLead`], or the fault of the first port that failed.
    pub async fn lead(&self, lead: &LeadId) -> Result<LeadStory, Fault> {
        let (entries, progress, row) =
            futures_util::try_join!(self.history.of_lead(lead), self.history.progress(lead), self.row(lead))?;
        let progress = progress.ok_or_else(|| not_accepted(lead))?;
        let now = self.recorder.clock.now();
        let (lead_row, notifications) = row.map(|row| (row.lead, row.notifications)).unzip();
        Ok(LeadStory {
            lead_id: lead.clone(),
            display_name: name_of(&progress.name, lead),
            state: progress.state(now, self.settings.overdue_after),
            due_at: progress.due_at,
            owner_status: lead_row.as_ref().map(|lead| lead.owner_status),
            lead: lead_row,
            notifications: notifications.unwrap_or_default(),
            timeline: entries.iter().map(Step::of).collect(),
            raw_key: keys::raw(&self.settings.source_prefix, lead),
            target_key: keys::enriched(&self.settings.target_prefix, lead),
        })
    }

    /// A lead's raw event as received, decompressed if it was in gzip; `None` if there is none.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn raw(&self, lead: &LeadId) -> Result<Option<String>, Fault> {
        let bytes = match self.raw_bytes(lead).await {
            Err(fault) if fault.code == Code::NoSuchLead => return Ok(None),
            found => found?,
        };
        Ok(Some(match Document::read(&bytes) {
            Ok(document) => document.as_str().to_owned(),
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        }))
    }

    /// A lead's raw event, the exact bytes that were received.
    ///
    /// # Errors
    /// [`Code::NoSuchLead`] where there is none, or the fault of the store.
    pub async fn raw_bytes(&self, lead: &LeadId) -> Result<Bytes, Fault> {
        let key = keys::raw(&self.settings.source_prefix, lead);
        let gone = || Fault::new(Code::NoSuchLead, format!("{lead} has no raw event ({key})"));
        self.objects.get(&key).await?.map(|object| object.body).ok_or_else(gone)
    }

    /// How a lead ended since an operator last redrove or requeued it; `None` while that is open,
    /// or if nobody did.
    ///
    /// # Errors
    /// The fault of the journal.
    pub async fn outcome_since_action(&self, lead: &LeadId) -> Result<Option<Step>, Fault> {
        let entries = self.history.of_lead(lead).await?;
        let acted = |entry: &Entry| matches!(entry.event.stage(), Stage::Redriven | Stage::Requeued);
        let Some(from) = entries.iter().rposition(acted) else { return Ok(None) };
        let ends = [Stage::Notified, Stage::AlreadyNotified, Stage::Dead];
        let end = entries.iter().skip(from).find(|entry| ends.contains(&entry.event.stage()));
        Ok(end.map(Step::of))
    }

    /// The enriched lead with its alerts; `None` if it is not enriched.
    async fn row(&self, lead: &LeadId) -> Result<Option<LeadRow>, Fault> {
        let Some(enriched) = self.enriched(lead).await? else { return Ok(None) };
        let mut receipts = self.alerting.receipts.of_lead(lead).await?;
        receipts.sort_by_key(|receipt| receipt.at);
        Ok(Some(LeadRow { lead: enriched, notifications: receipts.iter().map(Notification::of).collect() }))
    }

    /// The name of a lead that is known.
    pub(crate) async fn known_name(&self, lead: Option<&LeadId>) -> Result<Option<String>, Fault> {
        let Some(lead) = lead else { return Ok(None) };
        Ok(self.history.progress(lead).await?.map(|progress| name_of(&progress.name, lead)))
    }

    pub(crate) async fn enriched(&self, lead: &LeadId) -> Result<Option<EnrichedLead>, Fault> {
        let key = keys::enriched(&self.settings.target_prefix, lead);
        let Some(object) = self.objects.get(&key).await? else { return Ok(None) };
        let lead = serde_json::from_slice(&object.body)
            .map_err(|e| Fault::new(Code::EnrichedLeadGone, format!("{key} cannot be read: {e}")))?;
        Ok(Some(lead))
    }

    /// The ids of the matching leads, according to the journal.
    async fn matching(&self, query: &LeadQuery) -> Result<Vec<LeadId>, Fault> {
        let text = query.text.as_deref().map(str::to_lowercase);
        let owner_text = query.owner.as_deref().map(str::to_lowercase);
        let stages = [Stage::Enriched, Stage::OwnerFound];
        let is_search = text.is_some() || owner_text.is_some();
        let page = if is_search { PAGE } else { query.limit.clamp(1, PAGE) };
        let (mut wanted, mut seen) = (Vec::new(), HashSet::new());
        let mut before: Option<String> = None;
        while wanted.len() < query.limit {
            let entries = self.history.recent(&stages, query.since, before.as_deref(), page).await?;
            for entry in &entries {
                let (Some(id), Some((name, owner))) = (&entry.lead_id, name_and_owner(&entry.event)) else {
                    continue;
                };
                // The newest entry of a lead counts.
                if !seen.insert(id.clone()) {
                    continue;
                }
                let (name, mut owner) = (name.to_lowercase(), owner.to_lowercase());
                // If there are many owners, the journal has only the first ones.
                if is_search
                    && owner.ends_with(text::ELLIPSIS)
                    && let Some(lead) = self.enriched(id).await?
                {
                    owner = lead.owner_label().to_lowercase();
                }
                let by_owner = owner_text.as_deref().is_none_or(|text| owner.contains(text));
                let by_text = text.as_deref().is_none_or(|text| {
                    name.contains(text) || owner.contains(text) || id.as_str().to_lowercase().contains(text)
                });
                if by_owner && by_text && wanted.len() < query.limit {
                    wanted.push(id.clone());
                }
            }
            match entries.last() {
                Some(last) if entries.len() == page => before = Some(last.key()),
                _ => break,
            }
        }
        Ok(wanted)
    }
}

/// A name for people to read, or the lead's id if nothing of it is visible: earlier versions journaled such names.
pub(crate) fn name_of(name: &str, lead: &LeadId) -> String {
    text::clean_or(name, lead.as_str())
}

pub(crate) fn not_accepted(lead: &LeadId) -> Fault {
    Fault::new(Code::NoSuchLead, format!("{lead} has not been accepted"))
}

fn name_and_owner(event: &JournalEvent) -> Option<(&str, &str)> {
    match event {
        JournalEvent::Enriched { name, owner, .. } | JournalEvent::OwnerFound { name, owner } => {
            Some((name, owner))
        }
        _ => None,
    }
}

impl Notification {
    pub(crate) fn of(receipt: &Receipt) -> Self {
        let mut left_out = receipt.left_out.clone();
        if receipt.state == ReceiptState::Failed {
            // These are retried only once it is redriven, not automatically.
            left_out.iter_mut().for_each(|one| one.again = false);
        }
        Self {
            destination: receipt.destination.clone(),
            kind: receipt.kind,
            state: match receipt.state {
                ReceiptState::Queued | ReceiptState::Claimed { .. } => "queued",
                ReceiptState::Sent if receipt.partly_sent => "partly_sent",
                ReceiptState::Sent => "sent",
                ReceiptState::Failed => "failed",
            },
            at: receipt.at,
            attempts: receipt.attempts,
            code: receipt.code,
            left_out,
        }
    }
}

impl Step {
    fn of(entry: &Entry) -> Self {
        let event = &entry.event;
        Self { at: entry.at, stage: event.stage(), detail: entry.detail(), code: event.code() }
    }
}
