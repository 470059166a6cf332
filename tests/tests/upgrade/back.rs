//! Whoever goes back to this version from a later one comes through unharmed as well: what is stored has kinds of
//! entries, codes, states and fields that this version has never heard of, and some of it is damaged.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    aws::Stored,
    upgrade::{
        Embedded, Fixture, OnAws, Site, Work,
        leads::{self, ANNOUNCED, DUE, HALF_SENT, SEARCHED, WAITING, id},
    },
};

use crate::ends;

/// A code of a later version.
const CODE: &str = "LO777";

/// An entry of a later version, as the journal has it.
fn entry(name: &str, at: &str) -> Value {
    json!({
        "at": at, "lead_id": id(name), "nonce": 7, "stage": "seen_by_somebody", "by": "a later version", "code": CODE,
    })
}

/// What a later version makes of a record.
fn record(name: &str, record: &mut Value) {
    let entries = record["entries"].as_array_mut().unwrap();
    let at = entries[0]["at"].as_str().unwrap().to_owned();
    entries.insert(1, entry(name, &at));
    record["progress"]["seen"] = json!({"by": ["somebody"]});
}

/// What a later version makes of a receipt.
fn receipt(receipt: &mut Value) {
    receipt["code"] = CODE.into();
    receipt["seen_by"] = json!(["sales@example.com"]);
}

fn edit(stored: &mut Stored, key: &str, edit: impl FnOnce(&mut Value)) {
    let object = stored.objects.get_mut(key).unwrap_or_else(|| panic!("there is no {key}"));
    let mut document: Value = serde_json::from_str(object["text"].as_str().unwrap()).unwrap();
    edit(&mut document);
    object["text"] = document.to_string().into();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(skip_aws, ignore = "LEADOPS_SKIP_AWS leaves out what needs Python")]
async fn a_bucket_of_a_later_version_comes_to_its_right_end() {
    let fixture = Fixture::of(&Fixture::versions().pop().unwrap(), "aws");
    let mut stored = OnAws::left(&fixture.folder);
    for name in leads::ALL {
        edit(&mut stored, &record_of(name), |document| record(name, document));
    }
    let receipts: Vec<String> =
        stored.objects.keys().filter(|key| key.starts_with("receipts/")).cloned().collect();
    assert!(receipts.len() > 10, "{receipts:?}");
    for key in &receipts {
        edit(&mut stored, key, receipt);
    }
    edit(&mut stored, &format!("target/enriched_{}.json", id(ANNOUNCED)), |lead| {
        lead["owner_status"] = "on_leave".into();
    });
    // Whatever was being written when the machine went away.
    for (name, part) in [(WAITING, 2), (DUE, 3), (SEARCHED, usize::MAX)] {
        let object = stored.objects.get_mut(&record_of(name)).unwrap();
        let text = object["text"].as_str().unwrap();
        object["text"] = text.chars().take(text.chars().count() / part).collect::<String>().into();
    }
    let mut site = OnAws::holding(Some(stored)).await;
    site.time().set(fixture.at).await;
    site.start(Work::USUAL).await;
    ends::each_is_right(&mut site, &fixture).await;
    site.kill().await;

    let now = site.stored().await;
    let text = |key: &str| now.objects[key]["text"].as_str().unwrap().to_owned();
    for name in leads::ALL.into_iter().filter(|name| ![WAITING, DUE, SEARCHED].contains(name)) {
        assert!(text(&record_of(name)).contains("seen_by_somebody"), "{name}: what is not known is lost");
    }
    for name in [WAITING, DUE, SEARCHED] {
        assert!(
            now.objects.contains_key(&format!("leads/{}.damaged.json", id(name))),
            "{name} is not set aside"
        );
        let record: Value = serde_json::from_str(&text(&record_of(name))).unwrap();
        let stages: Vec<_> =
            record["entries"].as_array().unwrap().iter().map(|entry| &entry["stage"]).collect();
        assert_eq!(stages[0], "received", "{name}: {stages:?}");
    }
}

fn record_of(name: &str) -> String {
    format!("leads/{}.json", id(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_of_a_later_version_comes_to_its_right_end() {
    let fixture = Fixture::of(&Fixture::versions().pop().unwrap(), "embedded");
    let mut site = Embedded::new(Some(&fixture.folder)).await;
    site.change(|file| {
        let names: Vec<String> = leads::ALL.iter().map(|name| id(name).to_string()).collect();
        for (name, lead) in leads::ALL.iter().zip(&names) {
            let entry = entry(name, "2026-11-27T13:50:00Z").to_string();
            let changed = file.execute(
                "INSERT INTO journal (stage, at, lead, nonce, body)
                 SELECT 'seen_by_somebody', 1795787400000000, row, 7, ? FROM lead WHERE id = ?",
                [&entry, lead],
            );
            assert_eq!(changed.unwrap(), 1);
        }
        let changed = file.execute("UPDATE lead SET progress = json_set(progress, '$.seen', json('[1]'))", ());
        assert_eq!(changed.unwrap(), names.len());
        let changed = file.execute(
            "UPDATE object SET body = CAST(json_set(CAST(body AS TEXT), '$.code', ?, '$.seen_by', json('[1]')) AS BLOB)
             WHERE key LIKE 'receipts/%'",
            [CODE],
        );
        assert!(changed.unwrap() > 10);
        let changed = file.execute(
            "UPDATE object SET body = CAST(json_set(CAST(body AS TEXT), '$.owner_status', 'on_leave') AS BLOB)
             WHERE key = ?",
            [format!("target/enriched_{}.json", id(ANNOUNCED))],
        );
        assert_eq!(changed.unwrap(), 1);
        let changed = file.execute("UPDATE dead_letter SET code = ?", [CODE]);
        assert!(changed.unwrap() > 0);
    });
    let dead = (&site as &dyn Site).json(&["dead", "list"]).await;
    let rows = dead.as_array().unwrap().iter();
    assert!(
        rows.clone().all(|row| row["code"] == "LO912" && row["reason"].as_str().unwrap().starts_with(CODE)),
        "{dead}"
    );
    site.time().set(fixture.at).await;
    site.start(Work::USUAL).await;
    ends::each_is_right(&mut site, &fixture).await;
    site.kill().await;
}

/// How a lead ended that only a later version can say: it stays as it is, and nothing more is done about it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_ended_in_a_way_that_is_not_known_stays_so() {
    let fixture = Fixture::of(&Fixture::versions().pop().unwrap(), "embedded");
    let mut site = Embedded::new(Some(&fixture.folder)).await;
    let lead = id(ANNOUNCED).to_string();
    site.change(|file| {
        let ended = "UPDATE lead SET progress = json_set(progress, '$.ended[0]', 'withdrawn') WHERE id = ?";
        assert_eq!(file.execute(ended, [&lead]).unwrap(), 1);
    });
    site.time().set(fixture.at).await;
    site.start(Work::USUAL).await;
    let site: &mut dyn Site = &mut site;
    site.until_idle().await;
    assert_eq!(site.deliver(ANNOUNCED).await, (200, "duplicate".to_owned()));
    site.json(&["requeue", &lead, "--yes"]).await;
    site.until_idle().await;
    assert_eq!(site.neighbours().alert_counts(&id(ANNOUNCED)).0, 0);
    site.kill().await;
}

/// Nobody knows whether these were sent. So they are not sent, which is said once, and others do not wait.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(skip_aws, ignore = "LEADOPS_SKIP_AWS leaves out what needs Python")]
async fn an_alert_whose_receipt_cannot_be_read_is_a_dead_letter_and_is_not_sent() {
    let version = Fixture::versions().pop().unwrap();
    for text in ["", "{\"state\":", "{}"] {
        let fixture = Fixture::of(&version, "aws");
        let mut stored = OnAws::left(&fixture.folder);
        let key = format!("receipts/{}/slack/new.json", id(HALF_SENT));
        let mut object = stored.objects[&key].clone();
        object["text"] = match text {
            // A state that a later version knows.
            "{}" => object["text"].as_str().unwrap().replace("\"claimed\"", "\"partly_sent\"").into(),
            text => text.into(),
        };
        assert_ne!(object["text"], stored.objects[&key]["text"]);
        stored.objects.insert(key.clone(), object.clone());
        let site = OnAws::holding(Some(stored)).await;
        refused(site, &fixture).await;
    }
}

async fn refused(mut site: OnAws, fixture: &Fixture) {
    site.time().set(fixture.at).await;
    site.start(Work::USUAL).await;
    let site: &mut dyn Site = &mut site;
    site.until_idle().await;
    let before = site.json(&["dead", "list"]).await.as_array().unwrap().len();
    // What the worker had in hand that is gone comes back.
    site.pass(Duration::from_secs(450)).await;
    let dead = site.json(&["dead", "list"]).await;
    let ours: Vec<&Value> =
        dead.as_array().unwrap().iter().filter(|row| row["lead_id"] == id(HALF_SENT).as_str()).collect();
    assert_eq!((ours.len(), dead.as_array().unwrap().len()), (1, before + 1), "{dead}");
    assert_eq!(ours[0]["code"], "LO213", "{dead}");
    assert_eq!(site.neighbours().alert_counts(&id(HALF_SENT)).0, 0);
    assert_eq!(site.mails().await.iter().filter(|lead| **lead == id(HALF_SENT)).count(), 1);
    // An operator who looks at the lead sees what there is.
    assert_eq!(site.json(&["lead", id(HALF_SENT).as_str()]).await["state"], "notified");
    site.kill().await;
}
