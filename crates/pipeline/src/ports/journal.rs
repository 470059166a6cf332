use async_trait::async_trait;

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
}
