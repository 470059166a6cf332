use async_trait::async_trait;
use lead::LeadId;

use crate::{Entry, Fault};

/// The journal's writing end.
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// # use std::time::Duration;
/// use pipeline::{Entry, JournalEvent, ports::{Clock, History, Journal}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// let lead: lead::LeadId = "lead_a".parse()?;
/// let due_at = clock.now() + Duration::from_secs(600);
/// let event = JournalEvent::Received { name: "Acme".to_owned(), event_id: None, due_at };
/// store.append(Entry { at: clock.now(), lead_id: Some(lead.clone()), nonce: 0, event }).await?;
/// assert!(store.progress(&lead).await?.is_some_and(|progress| progress.ended.is_none()));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes an entry. Durable before it returns.
    async fn append(&self, entry: Entry) -> Result<(), Fault>;

    /// Writes [`Entry::enriched`] of a lead about which an alert is queued next. A store whose leads have a record each may
    /// leave that to whoever enters what became of the alert, as long as what it reads says the same.
    async fn append_before_alert(&self, entry: Entry) -> Result<(), Fault> {
        self.append(entry).await
    }

    /// Makes up for what [`Journal::append_before_alert`] has left, as the lead's alert has to wait.
    async fn catch_up(&self, lead: &LeadId) -> Result<(), Fault> {
        let _ = lead;
        Ok(())
    }
}
