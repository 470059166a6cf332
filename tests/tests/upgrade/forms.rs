//! Functions roll back: what the present version writes, the one before it reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;
use tests::{
    aws::Stored,
    upgrade::{
        Fixture, OnAws, Site,
        leads::{ANNOUNCED, id},
    },
};

/// Each field of a document by its path, with the kind of its value.
type Form = BTreeMap<String, &'static str>;

/// What was written since the upgrade has every field that the earlier version always wrote, of a kind that it knew.
/// Fields may be added: readers pass over what they do not know.
pub(crate) async fn can_be_read_by_that_version(site: &OnAws, fixture: &Fixture) {
    // Nobody works the queues any more, so these stay in them.
    let lead = id(ANNOUNCED);
    (site as &dyn Site).json(&["requeue", lead.as_str(), "--yes"]).await;
    let resend = ["resend", lead.as_str(), "--channel", "slack", "--wait", "1", "--yes"];
    assert!(!site.command(&resend).output().await.unwrap().status.success(), "nobody sends it");

    let (before, now) = (documents(&OnAws::left(&fixture.folder)), documents(&site.stored().await));
    let mut known = BTreeMap::<&str, Vec<Form>>::new();
    for (_, class, text) in &before {
        known.entry(class).or_default().push(form(text));
    }
    let old: BTreeSet<&String> = before.iter().map(|(_, _, text)| text).collect();
    let (mut compared, mut wrong) = (BTreeSet::new(), Vec::new());
    for (name, class, text) in now.iter().filter(|(_, _, text)| !old.contains(text)) {
        let Some(known) = known.get(class.as_str()) else { continue };
        compared.insert(class.as_str());
        let written = form(text);
        for path in known[0].keys().filter(|path| known.iter().all(|form| form.contains_key(*path))) {
            let kinds: BTreeSet<&str> = known.iter().map(|form| form[path]).collect();
            match written.get(path) {
                Some(kind) if kinds.contains(kind) => {}
                kind => wrong.push(format!("{name}: {path} is {kind:?}, and was {kinds:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "an earlier function does not read what is written now:\n{}", wrong.join("\n"));
    for class in
        ["leads", "pace", "receipts sent", "target", "journal notified", "delay requeue", "notification"]
    {
        assert!(compared.contains(class), "nothing was written of {class}: {compared:?}");
    }
}

/// All that is JSON: its name, its class, its text.
fn documents(stored: &Stored) -> Vec<(String, String, String)> {
    let objects = stored.objects.iter().map(|(key, object)| (key.clone(), object["text"].as_str().unwrap()));
    let messages = stored.queues.iter().flat_map(|(queue, messages)| {
        messages.iter().map(|message| (queue.clone(), message["body"].as_str().unwrap()))
    });
    let all = objects.chain(messages).filter(|(_, text)| !text.is_empty());
    all.map(|(name, text)| (name.clone(), class(&name, text), text.to_owned())).collect()
}

/// What is compared with each other: documents in one place that say the same of what happened.
fn class(name: &str, text: &str) -> String {
    let folder = name.split('/').next().unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let what = match folder {
        "receipts" => document["state"].as_str(),
        "journal" => Path::new(name).components().nth(2).and_then(|stage| stage.as_os_str().to_str()),
        _ => document["cause"].as_str(),
    };
    what.map_or(folder.to_owned(), |what| format!("{folder} {what}"))
}

fn form(text: &str) -> Form {
    fn fill(path: &str, value: &Value, form: &mut Form) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(items) => {
                items.iter().for_each(|item| fill(&format!("{path}[]"), item, form));
                "a list"
            }
            Value::Object(fields) => {
                // The ids of leads and of custom fields are no names of ours.
                let ours = fields.iter().filter(|(name, _)| !name.contains("cf_"));
                ours.for_each(|(name, value)| fill(&format!("{path}.{name}"), value, form));
                "an object"
            }
        };
        form.insert(path.to_owned(), kind);
    }
    let mut form = Form::new();
    fill("", &serde_json::from_str(text).unwrap(), &mut form);
    form
}
