//! The object store.

use async_trait::async_trait;
use bytes::Bytes;
use pipeline::{
    Code, Fault,
    ports::{Object, Objects, PutError, Version, WriteCondition},
};
use rusqlite::{Connection, OptionalExtension};

use crate::units::random_id;
use crate::{Store, file::StoreError, units, writer::Tx};

#[async_trait]
impl Objects for Store {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        let key = key.to_owned();
        self.read(move |conn| {
            let mut select =
                conn.prepare_cached("SELECT body, version, stored_at FROM object WHERE key = ?")?;
            let found = select.query_row([key], |row| {
                Ok(Object {
                    body: row.get::<_, Vec<u8>>(0)?.into(),
                    version: version(row.get(1)?),
                    stored_at: units::from_micros(row.get(2)?),
                })
            });
            Ok(found.optional()?)
        })
        .await
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        let key = key.to_owned();
        let written = self.write(move |tx| put(tx, &key, &body, &when)).await?;
        written.ok_or(PutError::Precondition)
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        let prefix = prefix.to_owned();
        let after = after.map(str::to_owned);
        self.read(move |conn| Ok(list(conn, &prefix, after.as_deref(), limit)?)).await
    }
}

/// Adds an object. None where there is one under the key.
pub(crate) fn insert(tx: &Tx<'_>, key: &str, body: &[u8]) -> rusqlite::Result<Option<i64>> {
    let version = random_id();
    let added = tx.execute(
        "INSERT INTO object (key, body, version, stored_at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (key, body, version, units::micros(tx.now)),
    )?;
    Ok((added > 0).then_some(version))
}

fn put(tx: &Tx<'_>, key: &str, body: &[u8], when: &WriteCondition) -> Result<Option<Version>, StoreError> {
    let (new, now) = (random_id(), units::micros(tx.now));
    let written = match when {
        WriteCondition::Absent => return Ok(insert(tx, key, body)?.map(version)),
        WriteCondition::Always => tx.execute(
            "INSERT INTO object (key, body, version, stored_at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO \
             UPDATE SET body = excluded.body, version = excluded.version, stored_at = excluded.stored_at",
            (key, body, new, now),
        )?,
        WriteCondition::Unchanged(Version(old)) => {
            // A version of somebody else's making matches nothing.
            let Ok(old) = old.parse::<i64>() else { return Ok(None) };
            tx.execute(
                "UPDATE object SET body = ?2, version = ?3, stored_at = ?4 WHERE key = ?1 AND version = ?5",
                (key, body, new, now, old),
            )?
        }
    };
    match written {
        0 => Ok(None),
        1 => Ok(Some(version(new))),
        n => Err(Fault::new(Code::Internal, format!("one write of {key} changed {n} objects")).into()),
    }
}

/// The keys that start with `prefix` follow each other, so the first one that does not is the end.
fn list(conn: &Connection, prefix: &str, after: Option<&str>, limit: usize) -> rusqlite::Result<Vec<String>> {
    let (sql, from) = match after {
        Some(after) if after >= prefix => {
            ("SELECT key FROM object WHERE key > ? ORDER BY key LIMIT ?", after)
        }
        _ => ("SELECT key FROM object WHERE key >= ? ORDER BY key LIMIT ?", prefix),
    };
    let mut select = conn.prepare_cached(sql)?;
    let keys = select.query_map((from, units::count(limit)), |row| row.get::<_, String>(0))?;
    keys.take_while(|key| key.as_ref().is_ok_and(|key| key.starts_with(prefix)) || key.is_err()).collect()
}

fn version(number: i64) -> Version {
    Version(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestStore;

    #[tokio::test]
    async fn conditional_writes_hold_and_every_write_has_its_own_version() {
        let bench = TestStore::new();
        let store = bench.store();
        let put = |body: &'static str, when| store.put("k", Bytes::from_static(body.as_bytes()), when);
        assert_eq!(store.get("k").await, Ok(None));
        assert_eq!(put("a", WriteCondition::Unchanged(version(1))).await, Err(PutError::Precondition));
        let first = put("a", WriteCondition::Absent).await.unwrap();
        assert_eq!(put("b", WriteCondition::Absent).await, Err(PutError::Precondition));
        let second = put("a", WriteCondition::Always).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(put("b", WriteCondition::Unchanged(first)).await, Err(PutError::Precondition));
        assert_eq!(
            put("b", WriteCondition::Unchanged(Version("x".to_owned()))).await,
            Err(PutError::Precondition)
        );
        let third = put("c", WriteCondition::Unchanged(second)).await.unwrap();
        let object = store.get("k").await.unwrap().unwrap();
        assert_eq!((object.body.as_ref(), object.version), (&b"c"[..], third));
    }

    #[tokio::test]
    async fn a_listing_is_in_the_order_of_bytes_and_knows_no_wildcards() {
        let bench = TestStore::new();
        let store = bench.store();
        let keys = ["a", "a%", "a%b", "a_", "aB", "ab", "a\u{7f}", "a\u{10ffff}", "a\u{10ffff}z", "b", "é"];
        for key in keys {
            store.put(key, Bytes::new(), WriteCondition::Absent).await.unwrap();
        }
        let mut sorted = keys.to_vec();
        sorted.sort_by_key(|key| key.as_bytes());
        for prefix in ["", "a", "a%", "a_", "a\u{10ffff}", "b", "é", "c"] {
            let expected: Vec<&str> = sorted.iter().copied().filter(|key| key.starts_with(prefix)).collect();
            assert_eq!(store.list(prefix, None, 100).await.unwrap(), expected, "{prefix:?}");
            for after in sorted.iter().copied().chain(["", "A", "zz"]) {
                let rest: Vec<&str> = expected.iter().copied().filter(|key| *key > after).take(2).collect();
                assert_eq!(store.list(prefix, Some(after), 2).await.unwrap(), rest, "{prefix:?} {after:?}");
            }
        }
    }
}
