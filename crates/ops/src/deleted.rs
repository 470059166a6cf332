//! Deleted dead letters: the copies that are stored of them.

use futures_util::{StreamExt, TryStreamExt, stream};
use lead::{Timestamp, keys};
use pipeline::{Fault, ports::DeadLetter};
use serde::{Deserialize, Serialize};

use crate::Ops;

/// How many copies at most are read to find the newest.
const MOST: usize = 1_000;

/// The copy of a deleted dead letter. Its stored form has no `display_name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedRow {
    /// The dead letter.
    pub dead_letter: DeadLetter,
    /// The message's whole body.
    pub body: String,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// By whom.
    pub deleted_by: String,
    /// The lead's name, if the lead is known.
    #[serde(default)]
    pub display_name: Option<String>,
}

impl Ops {
    /// Up to `limit` deleted dead letters, newest first, and how many copies there are in all. If there are more than a
    /// thousand copies, only the first by id are read.
    ///
    /// # Errors
    /// The fault of the first port that failed.
    pub async fn deleted(&self, limit: usize) -> Result<(Vec<DeletedRow>, u64), Fault> {
        let keys = self.objects.list(keys::DELETED, None, MOST).await?;
        let count = keys.len() as u64;
        let found = stream::iter(keys).map(|key| self.deleted_one(key)).buffered(16);
        let mut rows: Vec<DeletedRow> = found.try_filter_map(async |row| Ok(row)).try_collect().await?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.deleted_at));
        rows.truncate(limit);
        Ok((rows, count))
    }

    /// One copy; `None` if it no longer exists, or is in a form of a later version that this one does not know.
    async fn deleted_one(&self, key: String) -> Result<Option<DeletedRow>, Fault> {
        let Some(object) = self.objects.get(&key).await? else { return Ok(None) };
        let Ok(mut row) = serde_json::from_slice::<DeletedRow>(&object.body) else { return Ok(None) };
        row.display_name = self.known_name(row.dead_letter.lead_id.as_ref()).await?;
        Ok(Some(row))
    }
}
