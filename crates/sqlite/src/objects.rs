//! The object store.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use lead::{
    LeadId,
    keys::{self, Owner},
};
use pipeline::{
    Code, Fault,
    ports::{Object, Objects, PutError, Version, WriteCondition},
};
use rusqlite::Connection;

use crate::{
    Store,
    body::{self, StoredBody},
    file::StoreError,
    lead_row::{self, LeadKey, NO_LEAD},
    units::{self, random_id},
    writer::Tx,
};

#[async_trait]
impl Objects for Store {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        let key = ObjectKey::new(key);
        self.read(move |conn| get(conn, &key)).await
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        let (key, body) = (ObjectKey::new(key), StoredBody::new(body));
        let written = self.write(move |tx| put(tx, &key, &body, &when)).await?;
        written.ok_or(PutError::Precondition)
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        let prefix = prefix.to_owned();
        let after = after.map(str::to_owned);
        self.read(move |conn| Ok(list(conn, &prefix, after.as_deref(), limit)?)).await
    }
}

/// A key as the table has it: what belongs to a lead is found, and lies, by the lead's number.
#[derive(Debug)]
pub(crate) struct ObjectKey {
    lead: Option<LeadKey>,
    name: String,
}

impl ObjectKey {
    pub(crate) fn new(key: &str) -> Self {
        match keys::by_lead(key) {
            Some((lead, name)) => Self { lead: Some(LeadKey::new(&lead)), name },
            None => Self { lead: None, name: key.to_owned() },
        }
    }

    /// Whether it is of this lead.
    pub(crate) fn is_of(&self, lead: &LeadKey) -> bool {
        self.lead.as_ref() == Some(lead)
    }

    /// The number of its lead. None where the lead has none, so that there is no such object.
    fn lead_row(&self, conn: &Connection) -> rusqlite::Result<Option<i64>> {
        match &self.lead {
            Some(lead) => lead_row::find(conn, lead),
            None => Ok(Some(NO_LEAD)),
        }
    }

    fn lead_row_or_new(&self, tx: &Tx<'_>) -> rusqlite::Result<i64> {
        match &self.lead {
            Some(lead) => lead_row::find_or_insert(tx, lead),
            None => Ok(NO_LEAD),
        }
    }
}

fn get(conn: &Connection, key: &ObjectKey) -> Result<Option<Object>, StoreError> {
    let Some(lead) = key.lead_row(conn)? else { return Ok(None) };
    let mut select =
        conn.prepare_cached("SELECT form, body, version, stored_at FROM object WHERE lead = ? AND name = ?")?;
    let mut rows = select.query((lead, &key.name))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Object {
        body: body::body(row.get(0)?, row.get(1)?)?,
        version: version(row.get(2)?),
        stored_at: units::from_micros(row.get(3)?),
    }))
}

/// Adds an object. False where there is one under the key.
pub(crate) fn insert(tx: &Tx<'_>, key: &ObjectKey, body: &StoredBody) -> rusqlite::Result<bool> {
    Ok(insert_of(tx, key.lead_row_or_new(tx)?, key, body)?.is_some())
}

/// Adds an object of the lead with this number. None where there is one under the key.
pub(crate) fn insert_of(
    tx: &Tx<'_>,
    lead: i64,
    key: &ObjectKey,
    StoredBody { form, bytes }: &StoredBody,
) -> rusqlite::Result<Option<i64>> {
    let version = random_id();
    let added = tx.execute(
        "INSERT INTO object (lead, name, version, stored_at, form, body) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (lead, name) DO NOTHING",
        (lead, &key.name, version, units::micros(tx.now), form, bytes.as_ref()),
    )?;
    Ok((added > 0).then_some(version))
}

fn put(
    tx: &Tx<'_>,
    key: &ObjectKey,
    body: &StoredBody,
    when: &WriteCondition,
) -> Result<Option<Version>, StoreError> {
    let (new, now, StoredBody { form, bytes }) = (random_id(), units::micros(tx.now), body);
    let written = match when {
        WriteCondition::Absent => {
            return Ok(insert_of(tx, key.lead_row_or_new(tx)?, key, body)?.map(version));
        }
        WriteCondition::Always => tx.execute(
            "INSERT INTO object (lead, name, version, stored_at, form, body) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (lead, name) DO UPDATE SET version = excluded.version, \
             stored_at = excluded.stored_at, form = excluded.form, body = excluded.body",
            (key.lead_row_or_new(tx)?, &key.name, new, now, form, bytes.as_ref()),
        )?,
        WriteCondition::Unchanged(Version(old)) => {
            // A version of somebody else's making matches nothing.
            let Ok(old) = old.parse::<i64>() else { return Ok(None) };
            let Some(lead) = key.lead_row(tx.conn)? else { return Ok(None) };
            tx.execute(
                "UPDATE object SET version = ?3, stored_at = ?4, form = ?5, body = ?6 \
                 WHERE lead = ?1 AND name = ?2 AND version = ?7",
                (lead, &key.name, new, now, form, bytes.as_ref(), old),
            )?
        }
    };
    match written {
        0 => Ok(None),
        1 => Ok(Some(version(new))),
        n => Err(Fault::new(Code::Internal, format!("one write of {key:?} changed {n} objects")).into()),
    }
}

fn list(conn: &Connection, prefix: &str, after: Option<&str>, limit: usize) -> rusqlite::Result<Vec<String>> {
    match keys::owner_of(prefix) {
        Owner::Nobody => names(conn, NO_LEAD, prefix, after, limit),
        Owner::Lead(lead, begin) => {
            let Some(row) = lead_row::find(conn, &LeadKey::new(&lead))? else { return Ok(Vec::new()) };
            let after = match after.filter(|after| *after >= prefix).map(keys::by_lead) {
                None => None,
                Some(Some((of, name))) if of == lead && name.starts_with(&begin) => Some(name),
                // Behind all of them.
                Some(_) => return Ok(Vec::new()),
            };
            let names = names(conn, row, &begin, after.as_deref(), limit)?;
            Ok(names.iter().map(|name| keys::with_lead(name, &lead)).collect())
        }
        Owner::Anybody => search(conn, prefix, after, limit),
    }
}

/// The names of one lead's objects that start with `prefix`: they follow each other, so the first one that does not is
/// the end.
fn names(
    conn: &Connection,
    lead: i64,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let (sql, from) = match after {
        Some(after) if after >= prefix => {
            ("SELECT name FROM object WHERE lead = ? AND name > ? ORDER BY name LIMIT ?", after)
        }
        _ => ("SELECT name FROM object WHERE lead = ? AND name >= ? ORDER BY name LIMIT ?", prefix),
    };
    let mut select = conn.prepare_cached(sql)?;
    let names = select.query_map((lead, from, units::count(limit)), |row| row.get::<_, String>(0))?;
    names
        .take_while(|name| name.as_ref().is_ok_and(|name| name.starts_with(prefix)) || name.is_err())
        .collect()
}

/// Looks through all keys, as those of many leads are in no order. Nothing that runs for long asks for that.
fn search(
    conn: &Connection,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let mut select =
        conn.prepare_cached("SELECT name, id FROM object LEFT JOIN lead ON lead.row = object.lead")?;
    let mut rows = select.query(())?;
    let mut first = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let (name, lead): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let lead: Option<LeadId> = lead.and_then(|lead| lead.parse().ok());
        let key = lead.map_or_else(|| name.clone(), |lead| keys::with_lead(&name, &lead));
        if key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after) {
            first.insert(key);
            if first.len() > limit {
                first.pop_last();
            }
        }
    }
    Ok(first.into_iter().collect())
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
        let of_leads =
            ["a/lead_1.json", "a/lead_1/x", "a/lead_1/y", "a/lead_12/x", "a/lead_2", "deleted/lead_1"];
        let others = ["a", "a%", "a%b", "a_", "aB", "ab", "a\u{7f}", "a\u{10ffff}", "a\u{10ffff}z", "b", "é"];
        let keys = [&others[..], &of_leads].concat();
        for key in &keys {
            store.put(key, Bytes::new(), WriteCondition::Absent).await.unwrap();
        }
        let mut sorted = keys.clone();
        sorted.sort_by_key(|key| key.as_bytes());
        let prefixes = [
            "",
            "a",
            "a%",
            "a_",
            "a\u{10ffff}",
            "b",
            "é",
            "c",
            "deleted/",
            "deleted/lead_1",
            "deleted/lead_1/",
        ];
        for prefix in
            prefixes.into_iter().chain(of_leads).chain(["a/lead_1/", "a/lead_12/", "a/lead_", "a/lead_3/"])
        {
            let expected: Vec<&str> = sorted.iter().copied().filter(|key| key.starts_with(prefix)).collect();
            assert_eq!(store.list(prefix, None, 100).await.unwrap(), expected, "{prefix:?}");
            for after in sorted.iter().copied().chain(["", "A", "zz"]) {
                let rest: Vec<&str> = expected.iter().copied().filter(|key| *key > after).take(2).collect();
                assert_eq!(store.list(prefix, Some(after), 2).await.unwrap(), rest, "{prefix:?} {after:?}");
            }
        }
    }
}
