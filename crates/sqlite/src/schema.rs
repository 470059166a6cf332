//! The tables.

use rusqlite::{Connection, TransactionBehavior};

/// Tells our files from other programs': `lops`.
pub(crate) const APPLICATION_ID: u32 = 0x6c6f_7073;

/// The form of the file that this program writes and reads. A file of the form before is brought into it by
/// [`upgrade`](crate::upgrade).
pub(crate) const VERSION: u32 = 2;

const TABLES: &str = include_str!("schema.sql");

/// Makes the tables in an empty file. Of several processes that try, one does.
///
/// Before the write-ahead log is switched on, so that from the first commit on the file's own header
/// says whose it is.
pub(crate) fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&tx)? == 0 {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "user_version", VERSION)?;
    }
    tx.commit()
}

/// The version of a file's tables; 0 where there are none.
pub(crate) fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_tables_are_made_once() {
        let mut conn = Connection::open_in_memory().unwrap();
        create(&mut conn).unwrap();
        create(&mut conn).unwrap();
        assert_eq!(version(&conn).unwrap(), VERSION);
    }
}
