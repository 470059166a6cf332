//! Listing and showing dead letters.

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use pipeline::{
    Code, Fault, Function,
    ports::{DeadLetter, LogLine, LogQuery, Queue},
};
use serde::Serialize;

use crate::Ops;

/// How far back before its death the log lines of a message's last attempt are searched.
const LAST_ATTEMPT: SignedDuration = SignedDuration::from_secs(60);

/// A row of `leadops dead list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadRow {
    /// The dead letter.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// The lead's name, if the lead is known.
    pub display_name: Option<String>,
}

/// `leadops dead show ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadDetail {
    /// The row.
    #[serde(flatten)]
    pub row: DeadRow,
    /// The message's whole body, unchanged.
    pub body: String,
    /// The log lines of its last attempt.
    pub logs: Vec<LogLine>,
}

/// Which dead letters are selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Ids(Vec<String>),
    /// Those with this code.
    Code(Code),
    /// All of them.
    All,
}

impl Selection {
    /// Whether it is one of them.
    pub fn includes(&self, letter: &DeadLetter) -> bool {
        match self {
            Self::Ids(ids) => ids.contains(&letter.id),
            Self::Code(code) => letter.code == *code,
            Self::All => true,
        }
    }
}

impl Ops {
    /// Up to `limit` dead letters, newest first, and how many there are in all.
    ///
    /// # Errors
    /// The fault of the first port that failed.
    pub async fn dead(&self, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadRow>, u64), Fault> {
        let (letters, count) = self.dead_letters.list(queue, limit).await?;
        let rows =
            stream::iter(letters).map(|letter| self.with_name(letter)).buffered(16).try_collect().await?;
        Ok((rows, count))
    }

    /// One dead letter with its body and the log lines of its last attempt.
    ///
    /// # Errors
    /// [`Code::NoSuchDeadLetter`], or the fault of the first port that failed.
    pub async fn dead_letter(&self, id: &str) -> Result<DeadDetail, Fault> {
        let (letter, body) = self.dead_letters.get(id).await?.ok_or_else(|| no_such(id))?;
        let query = LogQuery {
            function: letter.lead_id.is_none().then(|| Function::of_queue(letter.queue)),
            lead: letter.lead_id.clone(),
            since: Some(letter.dead_at - LAST_ATTEMPT),
            limit: 200,
            ..LogQuery::default()
        };
        let mut logs = self.logs(&query).await?;
        logs.retain(|line| line.at <= letter.dead_at + SignedDuration::from_secs(5));
        Ok(DeadDetail { row: self.with_name(letter).await?, body, logs })
    }

    /// The selected dead letters, newest first.
    ///
    /// # Errors
    /// [`Code::NoSuchDeadLetter`] for an unknown id, which leaves the others unchanged, or the fault of a port.
    pub async fn select(&self, selection: &Selection) -> Result<Vec<DeadLetter>, Fault> {
        match selection {
            Selection::Ids(ids) => {
                let mut letters = Vec::new();
                for id in ids {
                    let Some((letter, _)) = self.dead_letters.get(id).await? else {
                        let Fault { code, what } = no_such(id);
                        let others = if ids.len() > 1 { "; the others were not changed either" } else { "" };
                        return Err(Fault::new(code, what + others));
                    };
                    letters.push(letter);
                }
                Ok(letters)
            }
            Selection::Code(_) | Selection::All => {
                let (letters, _) = self.dead_letters.list(None, usize::MAX).await?;
                Ok(letters.into_iter().filter(|letter| selection.includes(letter)).collect())
            }
        }
    }

    async fn with_name(&self, letter: DeadLetter) -> Result<DeadRow, Fault> {
        let display_name = self.known_name(letter.lead_id.as_ref()).await?;
        Ok(DeadRow { letter, display_name })
    }
}

pub(crate) fn no_such(id: &str) -> Fault {
    Fault::new(
        Code::NoSuchDeadLetter,
        format!("there is no dead letter {:?}", outside::text::shorten(id, 80)),
    )
}
