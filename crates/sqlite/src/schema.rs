//! The tables, and how a file of an older version gets them.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Tells our files from other programs': `lops`.
pub(crate) const APPLICATION_ID: u32 = 0x6c6f_7073;

/// What leads from each version to the next. A step that has been released never changes again.
pub(crate) const STEPS: &[&str] = &[include_str!("schema_v1.sql")];

/// The version that this program writes: the number of steps.
#[allow(clippy::cast_possible_truncation, reason = "a handful")]
pub(crate) const VERSION: u32 = STEPS.len() as u32;

/// Makes the tables in an empty file. Of several processes that try, one does.
///
/// Before the write-ahead log is switched on, so that from the first commit on the file's own header
/// says whose it is.
pub(crate) fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = begin(conn)?;
    if version(&tx)? == 0 {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        step(&tx, STEPS, 0)?;
    }
    tx.commit()?;
    migrate(conn, STEPS)
}

/// Takes the steps that the file lacks, each in a transaction of its own.
pub(crate) fn migrate(conn: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    loop {
        let tx = begin(conn)?;
        let version = version(&tx)?;
        if !step(&tx, steps, version)? {
            return Ok(());
        }
        tx.commit()?;
    }
}

/// Takes the step that follows `version`. False where there is none.
fn step(tx: &Transaction<'_>, steps: &[&str], version: u32) -> rusqlite::Result<bool> {
    let next = usize::try_from(version).ok().and_then(|version| steps.get(version));
    let Some(sql) = next else { return Ok(false) };
    tx.execute_batch(sql)?;
    tx.pragma_update(None, "user_version", version + 1)?;
    Ok(true)
}

/// The version of a file's tables; 0 where there are none.
pub(crate) fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn begin(conn: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    conn.transaction_with_behavior(TransactionBehavior::Immediate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_older_version_takes_the_missing_steps_and_keeps_its_rows() {
        let mut conn = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y", "CREATE INDEX a_y ON a (y)"];
        migrate(&mut conn, &steps[..1]).unwrap();
        conn.execute("INSERT INTO a VALUES (7)", ()).unwrap();
        migrate(&mut conn, &steps).unwrap();
        assert_eq!(version(&conn).unwrap(), 3);
        let row: (i64, Option<i64>) =
            conn.query_row("SELECT x, y FROM a", (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, (7, None));
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"];
        assert!(migrate(&mut conn, &steps).is_err());
        assert_eq!(version(&conn).unwrap(), 1);
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn the_current_tables_are_made_once() {
        let mut conn = Connection::open_in_memory().unwrap();
        create(&mut conn).unwrap();
        create(&mut conn).unwrap();
        assert_eq!(version(&conn).unwrap(), VERSION);
    }
}
