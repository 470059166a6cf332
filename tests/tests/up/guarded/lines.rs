//! Texts that somebody else wrote into the pipeline's own objects, printed.

use std::path::Path;

use demo::{Answer, SlackMode};
use pipeline::ports::{Objects, WriteCondition};
use rusqlite::{Connection, params};
use serde_json::Value;
use sqlite::{Options, Store};
use tests::process::{PATIENCE, Testbed, text, until};

/// Clears the screen, colours, turns the direction of writing, and passes for a line of ours.
const HOSTILE: &str =
    " \u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\u{2066}evil\r\nleadops: all is well\u{85}\u{2028}x";

/// Puts it into every text of a document in which somebody could have written.
fn make_hostile(value: &mut Value) {
    match value {
        // Times, ids and names of ours have no space.
        Value::String(text) if text.contains(' ') => text.push_str(HOSTILE),
        Value::Array(values) => values.iter_mut().for_each(make_hostile),
        Value::Object(values) => values.values_mut().for_each(make_hostile),
        _ => {}
    }
}

fn make_all_hostile(database: &Connection, table: &str, id: &str, column: &str) {
    let mut select = database.prepare(&format!("SELECT {id}, CAST({column} AS TEXT) FROM {table}")).unwrap();
    let rows = select.query_map((), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)));
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    for (row, text) in rows {
        let Some(mut value) = text.and_then(|text| serde_json::from_str(&text).ok()) else { continue };
        make_hostile(&mut value);
        let update = format!("UPDATE {table} SET {column} = ?1 WHERE {id} = ?2");
        database.execute(&update, params![value.to_string(), row]).unwrap();
    }
}

async fn make_all_objects_hostile(folder: &Path) {
    let store = Store::open(folder, Options::default()).unwrap();
    for key in Objects::list(&store, "", None, 1_000).await.unwrap() {
        let body = Objects::get(&store, &key).await.unwrap().unwrap().body;
        let Ok(mut value) = serde_json::from_slice(&body) else { continue };
        make_hostile(&mut value);
        store.put(&key, value.to_string().into(), WriteCondition::Always).await.unwrap();
    }
}

fn steers(c: char) -> bool {
    c.is_control() || outside::text::is_formatting(c)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_stored_steers_the_terminal_or_passes_for_a_line_of_ours() {
    let mut testbed = Testbed::new().await;
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE * 10);
    let up = testbed.up(&["--delay", "0"]).await;
    let sample = testbed.sample();
    assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
    until("it is dead", async || !testbed.json(&["dead", "list"]).await.as_array().unwrap().is_empty()).await;
    let id = testbed.json(&["dead", "list"]).await[0]["id"].as_str().unwrap().to_owned();
    until("its log lines are there", async || {
        !testbed.json(&["dead", "show", &id]).await["logs"].as_array().unwrap().is_empty()
    })
    .await;
    assert!(up.terminate().await.success());

    make_all_objects_hostile(&testbed.data()).await;
    let database = Connection::open(testbed.data().join("leadops.db")).unwrap();
    for (table, id, column) in
        [("journal", "row", "body"), ("lead", "row", "progress"), ("log", "id", "fields")]
    {
        make_all_hostile(&database, table, id, column);
    }
    database.execute("UPDATE log SET message = message || ?1", [HOSTILE]).unwrap();
    let body = format!("{{\"text\": \"a{HOSTILE}\"");
    database.execute("UPDATE dead_letter SET reason = reason || ?1, body = ?2", [HOSTILE, &body]).unwrap();
    drop(database);

    let lead = sample.lead_id.as_str();
    for args in [
        &["lead", lead][..],
        &["leads"],
        &["logs"],
        &["dead", "list"],
        &["dead", "show", &id],
        &["dead", "redrive", &id, "--yes", "--edit"],
    ] {
        for json in [false, true] {
            let args = [args, if json { &["--json"] } else { &[] }].concat();
            // What is edited is what was stored; it is refused, with the reason.
            let output = testbed.command(&args).env("EDITOR", "true").output().await.unwrap();
            let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
            for line in stdout.split('\n').chain(stderr.split('\n')) {
                assert!(!line.contains(steers), "{args:?}: {line:?}");
                assert!(!line.starts_with("leadops: all is well"), "{args:?}: a line of somebody else's");
            }
            let hostile = stdout.contains("evil") || args[1] == "redrive";
            assert!(hostile, "{args:?} shows nothing of it: {stdout} {stderr}");
            if json && args[1] != "redrive" {
                serde_json::from_str::<Value>(&stdout).unwrap();
            }
        }
    }
    // A file is for programs: there every byte is as it was.
    let file = testbed.folder.path().join("dead.ndjson");
    assert!(testbed.run(&["dead", "export", file.to_str().unwrap()]).await.status.success());
    let exported: Value = serde_json::from_str(std::fs::read_to_string(file).unwrap().trim_end()).unwrap();
    assert_eq!(exported["body"], body);
    let printed = text(&testbed.run(&["dead", "export"]).await.stdout);
    assert!(!printed.trim_end().contains(steers), "{printed:?}");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap()["body"], body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_an_argument_steers_no_terminal() {
    let testbed = Testbed::new().await;
    let hostile = format!("lead{HOSTILE}");
    for args in [&["lead", hostile.as_str()][..], &["explain", &hostile], &["--env", &hostile, "status"]] {
        let (_, line) = testbed.refused(args).await;
        assert!(line.contains("evil") && !line.contains(steers), "{args:?}: {line:?}");
    }
}
