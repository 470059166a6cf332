//! Reading the log.

use async_trait::async_trait;
use pipeline::{
    Fault, Function,
    ports::{Level, LogLine, LogQuery, Logs},
};
use rusqlite::{Connection, Row, ToSql};

use crate::{
    Store,
    lead_row::{self, LeadKey},
    units,
};

#[async_trait]
impl Logs for Store {
    async fn lines(&self, query: &LogQuery) -> Result<Vec<LogLine>, Fault> {
        let query = query.clone();
        self.read(move |conn| Ok(lines(conn, &query)?)).await
    }
}

fn lines(conn: &Connection, query: &LogQuery) -> rusqlite::Result<Vec<LogLine>> {
    let mut conditions = Vec::new();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(lead) = &query.lead {
        // A lead's first lines may be older than its number.
        conditions.push(
            "id IN (SELECT id FROM log WHERE lead_row = ? \
             UNION ALL SELECT id FROM log WHERE lead_row IS NULL AND lead = ?)",
        );
        values.push(Box::new(lead_row::find(conn, &LeadKey::new(lead))?));
        values.push(Box::new(lead.as_str().to_owned()));
    }
    let mut restrict = |condition: &'static str, value: Box<dyn ToSql>| {
        conditions.push(condition);
        values.push(value);
    };
    if let Some(function) = query.function {
        restrict("function = ?", Box::new(Function::as_str(function)));
    }
    match query.level {
        None => {}
        // Written out, so that the partial index is found to hold them all.
        Some(Level::Warn) => restrict("level >= 2 AND ?", Box::new(true)),
        Some(Level::Error) => restrict("level >= 2 AND level >= ?", Box::new(Level::Error as i64)),
        Some(level) => restrict("level >= ?", Box::new(level as i64)),
    }
    if let Some(since) = query.since {
        restrict("at >= ?", Box::new(units::micros(since)));
    }
    if let Some(after) = &query.after {
        // A cursor of somebody else's making starts at the beginning.
        restrict("id > ?", Box::new(after.parse::<i64>().unwrap_or(0)));
    }
    let conditions = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let order = if query.after.is_some() { "ASC" } else { "DESC" };
    let limit = units::count(query.limit);
    let mut select = conn.prepare_cached(&format!(
        "SELECT id, at, level, function, message, lead, code, fields FROM log WHERE {conditions} \
         ORDER BY id {order} LIMIT {limit}"
    ))?;
    let found = select.query_map(rusqlite::params_from_iter(values), line)?;
    let mut found: Vec<LogLine> = found.collect::<rusqlite::Result<_>>()?;
    if query.after.is_none() {
        found.reverse();
    }
    Ok(found)
}

fn line(row: &Row<'_>) -> rusqlite::Result<LogLine> {
    let fields: Option<String> = row.get(7)?;
    Ok(LogLine {
        cursor: row.get::<_, i64>(0)?.to_string(),
        at: units::from_micros(row.get(1)?),
        level: match row.get::<_, i64>(2)? {
            ..=0 => Level::Debug,
            1 => Level::Info,
            2 => Level::Warn,
            3.. => Level::Error,
        },
        function: row.get(3)?,
        message: row.get(4)?,
        lead_id: row.get(5)?,
        code: row.get(6)?,
        fields: fields.and_then(|fields| serde_json::from_str(&fields).ok()).unwrap_or_default(),
    })
}
