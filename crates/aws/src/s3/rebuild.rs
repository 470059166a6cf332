//! Rebuilding a lead's damaged record from what else is stored of the lead.

use bytes::Bytes;
use lead::{
    LeadId,
    keys::{self, RECORDS},
};
use pipeline::{
    Code, Entry, Fault, JournalEvent, Progress,
    destination::{DestinationId, KINDS},
    ports::{Objects as _, Queue},
    receipt::{Receipt, ReceiptState},
};

use super::{PAGE, S3Store, record::Record};

impl S3Store {
    /// The record that a lead would have, from its raw event, the enriched lead and its receipts: received,
    /// enriched, notified or given up. Anything else is only in the journal. `damaged` is what was found
    /// instead, to be set aside.
    pub(super) async fn rebuild(&self, lead: &LeadId, damaged: Bytes) -> Result<Record, Fault> {
        let mut entries: Vec<Entry> = self.received(lead).await?.into_iter().collect();
        entries.extend(self.enriched(lead).await?);
        for key in self.list(&keys::receipts_of(lead), None, PAGE).await? {
            let Some(object) = self.get(&key).await? else { continue };
            // A receipt that cannot be read is reported by the notification.
            let receipt = serde_json::from_slice::<Receipt>(&object.body).ok();
            entries.extend(receipt.as_ref().and_then(ended));
        }
        entries.sort_by_key(|entry| entry.at);
        let progress =
            entries.iter().fold(None, |progress: Option<Progress>, entry| Progress::after(progress, entry).0);
        let mut record = Record::of(progress);
        record.damaged = Some(damaged);
        entries.into_iter().for_each(|entry| record.add(entry));
        Ok(record)
    }

    /// Stores a damaged record beside the rebuilt one.
    pub(super) async fn set_aside(&self, lead: &LeadId, damaged: Bytes) -> Result<(), Fault> {
        self.0.bucket.write(&format!("{RECORDS}{lead}.damaged.json"), damaged).await
    }
}

/// How an alert ended; `None` where it has not.
fn ended(receipt: &Receipt) -> Option<Entry> {
    let event = match receipt.state {
        ReceiptState::Sent => JournalEvent::Notified {
            destination: receipt.destination.clone(),
            kind: receipt.kind,
            after_ms: None,
            together: 1,
            repeat: receipt.unsure,
            attempts: receipt.attempts,
            left_out: receipt.left_out.clone(),
            reached: receipt.has_no_recipients().then(Vec::new),
        },
        ReceiptState::Failed => {
            let alert = Some((receipt.destination.clone(), receipt.kind));
            let fault = Fault::new(receipt.code.unwrap_or(Code::DeliveryFailed), "as its receipt says");
            JournalEvent::dead(Queue::Notification, alert, &fault, receipt.attempts)
        }
        ReceiptState::Queued | ReceiptState::Claimed { .. } => return None,
    };
    let nonce = nonce(&receipt.destination);
    Some(Entry { at: receipt.at, lead_id: Some(receipt.lead_id.clone()), nonce, event })
}

/// Distinguishes destinations whose alerts ended at the same moment. Not random, so that a repetition gives the same.
fn nonce(destination: &DestinationId) -> u32 {
    let id = destination.as_str();
    let known = KINDS.iter().zip(0..).find(|(kind, _)| kind.name == id);
    // FNV-1a.
    let hash =
        || id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    known.map_or_else(hash, |(_, position)| position)
}
