use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Entry, Fault, LeadMetric, Progress, Stage,
    ports::{History, Journal, Minute, OpenCounts, OpenLead},
};

use super::{Memory, State};

/// The entries, and what is folded from them as they come in.
#[derive(Default)]
pub(super) struct Content {
    /// By key, so the newest first.
    entries: BTreeMap<String, Entry>,
    /// Each lead's entries, in the order in which they were written.
    of_lead: BTreeMap<LeadId, Vec<Entry>>,
    progress: BTreeMap<LeadId, Progress>,
    minutes: BTreeMap<Timestamp, Minute>,
}

impl State {
    pub(super) fn append(&mut self, entry: Entry) {
        let journal = &mut self.journal;
        if let Some(lead) = &entry.lead_id {
            let (after, counted) = Progress::after(journal.progress.remove(lead), &entry);
            journal.progress.extend(after.map(|progress| (lead.clone(), progress)));
            if let Some(counted) = counted {
                let at = minute_of(entry.at);
                let minute = journal.minutes.entry(at).or_insert(Minute { at, ..Minute::default() });
                *match counted {
                    LeadMetric::Accepted => &mut minute.accepted,
                    LeadMetric::Enriched => &mut minute.enriched,
                    LeadMetric::Notified => &mut minute.notified,
                    LeadMetric::Failed => &mut minute.failed,
                } += 1;
            }
            journal.of_lead.entry(lead.clone()).or_default().push(entry.clone());
        }
        journal.entries.insert(entry.key(), entry);
    }
}

/// The start of the minute that `at` is in.
fn minute_of(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap()
}

#[async_trait]
impl Journal for Memory {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        self.state().append(entry);
        Ok(())
    }
}

#[async_trait]
impl History for Memory {
    async fn recent(
        &self,
        stages: &[Stage],
        since: Option<Timestamp>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        let state = self.state();
        let from = before.map_or(Unbounded, Excluded);
        let behind = state.journal.entries.range::<str, _>((from, Unbounded)).map(|(_, entry)| entry);
        let young = behind.take_while(|entry| since.is_none_or(|since| entry.at >= since));
        Ok(young.filter(|entry| stages.contains(&entry.event.stage())).take(limit).cloned().collect())
    }

    async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Entry>, Fault> {
        let mut entries = self.state().journal.of_lead.get(lead).cloned().unwrap_or_default();
        entries.sort_by_key(|entry| entry.at);
        Ok(entries)
    }

    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault> {
        Ok(self.state().journal.progress.get(lead).cloned())
    }

    async fn open_leads(&self, limit: usize) -> Result<Vec<OpenLead>, Fault> {
        let state = self.state();
        let open = state.journal.progress.iter();
        let mut open: Vec<_> = open.filter_map(|(lead, progress)| OpenLead::of(lead, progress)).collect();
        open.sort_by_key(|open| open.due_at);
        open.truncate(limit);
        Ok(open)
    }

    async fn count_open(&self, now: Timestamp, overdue_before: Timestamp) -> Result<OpenCounts, Fault> {
        let state = self.state();
        let open = state.journal.progress.values().filter(|progress| progress.ended.is_none());
        Ok(OpenCounts::of(open.map(|progress| progress.due_at), now, overdue_before, true))
    }

    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, Fault> {
        Ok(self.state().journal.minutes.range(minute_of(since)..).map(|(_, minute)| *minute).collect())
    }

    async fn refused(&self, _: Timestamp) -> Result<BTreeMap<String, u64>, Fault> {
        // What refuses has a memory of its own.
        Ok(BTreeMap::new())
    }

    async fn refused_webhooks(&self, _: Timestamp) -> Result<BTreeMap<Code, u64>, Fault> {
        Ok(BTreeMap::new())
    }
}
