//! Making a fixture: a pipeline at work until there is a lead in every state, and killed then.

use std::{io::Write, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use demo::SlackMode;
use serde_json::Value;

use super::{
    Fixture,
    leads::{
        self, ANNOUNCED, DELETED, DUE, EDITED, FOLLOWED_UP, HALF_SENT, REDRIVEN, REFUSED, REQUEUED,
        RESENDING, RESENT, SEARCHED, UNOWNED, UNREADABLE, WAITING, id,
    },
    site::{Site, Work},
};
use crate::process::until;

const DELAY: Duration = Duration::from_secs(600);
const SECOND: Duration = Duration::from_secs(1);
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(100_000);

/// Brings a pipeline, on which nothing was ever stored, into every state, and writes it into a folder with what
/// its commands say of it.
pub async fn make(site: &mut dyn Site, folder: &Path) {
    site.start(Work { rechecks: 0, ..Work::USUAL }).await;
    site.accept(&[UNOWNED]).await;
    site.pass(DELAY + SECOND).await;

    site.start(Work::USUAL).await;
    let dead = [REFUSED, REDRIVEN, EDITED, DELETED];
    for name in dead {
        site.neighbours().slack.set_mode_at(leads::id(name), SlackMode::Gone, LONG);
    }
    let owned = [ANNOUNCED, REQUEUED, RESENT, RESENDING, UNREADABLE, REFUSED, REDRIVEN, EDITED, DELETED];
    for name in owned {
        site.assign(name);
    }
    site.accept(&[ANNOUNCED, REQUEUED, RESENT, RESENDING, UNREADABLE, SEARCHED, FOLLOWED_UP]).await;
    site.damage_raw(&leads::id(UNREADABLE)).await;
    site.pass(DELAY + SECOND).await;
    // Apart from the others: Slack refuses a digest as a whole.
    site.accept(&dead).await;
    site.pass(DELAY + SECOND).await;
    assert_eq!(letters(site).await.len(), dead.len() + 1, "they are dead");
    site.assign(FOLLOWED_UP);
    // The first look-up after the alert was in vain.
    site.pass(DELAY * 2).await;
    until("the follow-up is out", || async {
        site.neighbours().alert_counts(&leads::id(FOLLOWED_UP)).0 == 2
    })
    .await;
    run(site, &["resend", id(RESENT).as_str(), "--channel", "slack", "--yes"]).await;
    run(site, &["dead", "delete", &letter(site, DELETED).await, "--yes"]).await;

    site.assign(HALF_SENT);
    site.accept(&[HALF_SENT]).await;
    site.pass(SECOND * 450).await;
    site.accept(&[DUE]).await;
    site.pass(SECOND * 140).await;
    site.accept(&[WAITING]).await;
    site.kill().await;
    site.start(Work { hanging: true, ..Work::USUAL }).await;
    site.time().advance(SECOND * 11).await;
    site.until_held().await;
    site.kill().await;

    // What an operator does while nobody works the queues stays in them.
    run(site, &["dead", "redrive", &letter(site, REDRIVEN).await, "--yes"]).await;
    let mut editor = tempfile::NamedTempFile::new().unwrap();
    editor.write_all(b"#!/bin/sh\nsed -i 's/\"due_at\": *\"[^\"]*\"/\"due_at\": null/' \"$1\"\n").unwrap();
    std::fs::set_permissions(editor.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let editor = editor.into_temp_path();
    let letter = letter(site, EDITED).await;
    let mut edit = site.command(&["dead", "redrive", &letter, "--edit", "--yes"]);
    assert!(edit.env("EDITOR", &editor).status().await.unwrap().success(), "the edited one is put back");
    run(site, &["requeue", id(REQUEUED).as_str(), "--yes"]).await;
    let resend = ["resend", &id(RESENDING).to_string(), "--channel", "slack", "--wait", "1", "--yes"];
    assert!(!site.command(&resend).output().await.unwrap().status.success(), "nobody sends it");

    // Nothing becomes ready or overdue in the seconds in which its commands are asked.
    site.time().advance(SECOND * 125).await;
    let at = site.time().now();
    site.save(folder).await;
    Fixture::write(folder, at, site.outputs(at).await);
}

/// Runs a command that must succeed.
async fn run(site: &dyn Site, args: &[&str]) {
    site.json(args).await;
}

async fn letters(site: &dyn Site) -> Vec<Value> {
    site.json(&["dead", "list"]).await.as_array().unwrap().clone()
}

/// The dead letter of a lead.
async fn letter(site: &dyn Site, name: &str) -> String {
    let letters = letters(site).await;
    let found = letters.iter().find(|letter| letter["lead_id"] == id(name).as_str());
    found.unwrap_or_else(|| panic!("{name} is not dead")).get("id").unwrap().as_str().unwrap().to_owned()
}
