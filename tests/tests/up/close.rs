//! `leadops up` with its owners in Close: the real binary against the stand-in for Close's API.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tests::{
    close::{
        self, BRINDLE, Close, FERROUS, FUNNEL_FIELD, IVO, Limit, MARLOWE, OWNER_FIELD, SecondRequest, TAMSIN,
    },
    http,
    process::{KEY, Testbed, Up, text, until},
};
use tokio::process::Command;

/// A pipeline whose team uses Close.
struct Team {
    testbed: Testbed,
    close: Close,
}

impl Team {
    async fn new() -> Self {
        Self { testbed: Testbed::new().await, close: Close::example().await }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.testbed.command(args);
        command
            .env_remove("LOOKUP_BASE_URL")
            .env("OWNER_SOURCE", "close")
            .env("CLOSE_API_URL", &self.close.url)
            .env("CLOSE_API_KEY", close::API_KEY)
            .env("CLOSE_OWNER_FIELD", OWNER_FIELD)
            .env("CLOSE_FUNNEL_FIELD", "Funnel");
        command
    }

    async fn up(&self, delay: &str) -> Up {
        Up::start(self.command(&["up", "--listen", "127.0.0.1:0", "--delay", delay])).await
    }

    /// Has Close deliver a lead.
    async fn deliver(&self, up: &Up, lead: &str) {
        let body = self.close.account().webhook(lead);
        assert_eq!(http::post(&up.webhook, &body, KEY).await.0, 200, "{lead}");
    }

    async fn lead(&self, lead: &str) -> Value {
        self.testbed.json(&["lead", lead]).await
    }

    /// All enriched leads.
    async fn leads(&self) -> Vec<Value> {
        self.testbed.json(&["leads", "--limit", "10000"]).await.as_array().unwrap().clone()
    }

    /// What `doctor` says: the result and the detail of each check, by its name.
    async fn doctor(&self, change: impl FnOnce(&mut Command)) -> Vec<(String, String, String)> {
        let mut command = self.command(&["doctor", "--json"]);
        change(&mut command);
        let output = command.output().await.unwrap();
        let checks: Vec<Value> = serde_json::from_str(&text(&output.stdout)).unwrap();
        let field = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
        checks.iter().map(|it| (field(it, "check"), field(it, "result"), field(it, "detail"))).collect()
    }
}

/// What one of `doctor`'s checks says.
fn check<'a>(checks: &'a [(String, String, String)], name: &str) -> (&'a str, &'a str) {
    let found = checks.iter().find(|(check, ..)| check == name);
    let (_, result, detail) = found.unwrap_or_else(|| panic!("no check {name} in {checks:#?}"));
    (result, detail)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_team_on_close_is_sent_the_right_names() {
    let team = Team::new().await;
    let up = team.up("0").await;
    // One after the other: several at once would be a digest.
    for lead in [MARLOWE, BRINDLE, FERROUS] {
        team.deliver(&up, lead).await;
        team.testbed.until_notified(&[lead.parse().unwrap()]).await;
    }

    // The webhook carries the owner: only the members are asked for.
    let marlowe = team.lead(MARLOWE).await;
    let expected = json!([{"id": TAMSIN, "name": "Tamsin Okafor-Test", "active": true}]);
    assert_eq!(
        (&marlowe["lead"]["lead_owner"], &marlowe["owner_status"]),
        (&json!("Tamsin Okafor-Test"), &json!("assigned"))
    );
    assert_eq!(marlowe["lead"]["owners"], expected);
    assert_eq!(marlowe["lead"]["funnel"], "Example Academy Direct VSL");
    assert_eq!(team.close.asked_for(MARLOWE), 0);
    assert_eq!(team.close.asked("/organization/"), 1);

    let brindle = team.lead(BRINDLE).await;
    assert_eq!(
        (&brindle["lead"]["lead_owner"], &brindle["owner_status"]),
        (&json!("Ivo Sampleton"), &json!("departed"))
    );
    assert_eq!(brindle["lead"]["owners"], json!([{"id": IVO, "name": "Ivo Sampleton", "active": false}]));
    // Whoever has left may have been replaced: Close was asked, once.
    assert_eq!(team.close.asked_for(BRINDLE), 1);

    let ferrous = team.lead(FERROUS).await;
    assert_eq!(
        (&ferrous["lead"]["lead_owner"], &ferrous["owner_status"]),
        (&json!("Unassigned"), &json!("missing"))
    );
    let posted = team.testbed.slack.messages();
    let all: String = posted.iter().map(|message| message.text.clone()).collect::<Vec<_>>().join("\n");
    assert!(all.contains("Lead Owner: Tamsin Okafor-Test\n"), "{all}");
    assert!(all.contains("Lead Owner: Ivo Sampleton (departed)"), "{all}");
    assert!(!all.contains("user_"), "{all}");

    // Somebody else owns it now: the re-check finds them, and a follow-up says so.
    team.close.account().own(BRINDLE, &[TAMSIN]);
    assert!(team.testbed.run(&["requeue", BRINDLE, "--yes"]).await.status.success());
    until("a follow-up names the new owner", || async {
        team.testbed.slack.messages().iter().any(|message| {
            message.text.starts_with("Lead Owner Found")
                && message.text.contains("Lead Owner: Tamsin Okafor-Test")
        })
    })
    .await;
    assert!(up.terminate().await.success());
}

/// Twenty requests a second are what Close's documentation gives as an example.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_leads_and_twenty_requests_a_second_are_no_failed_look_up() {
    let team = Team::new().await;
    let leads = {
        let mut account = team.close.account();
        account.limit = Limit { requests: 20, per: Duration::from_secs(1) };
        account.switches.second_request = SecondRequest::Missed;
        let leads = account.add_leads(500);
        leads.iter().for_each(|lead| account.own_later(lead.as_str(), &[TAMSIN]));
        leads
    };
    let up = team.up("0").await;
    for lead in &leads {
        team.deliver(&up, lead.as_str()).await;
    }
    for some in [100, 200, 300, 400, 500] {
        until("leads are enriched", || async { team.leads().await.len() >= some }).await;
    }
    let failed: Vec<Value> =
        team.leads().await.into_iter().filter(|row| row["owner_status"] != "assigned").collect();
    assert_eq!(failed, Vec::<Value>::new());
    team.testbed.until_notified(&leads).await;
    let notified_twice: BTreeSet<_> =
        leads.iter().filter(|lead| team.testbed.alert_counts(lead).1 != 1).collect();
    assert_eq!(notified_twice, BTreeSet::new());
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_in_the_middle_stops_no_alert() {
    let team = Team::new().await;
    let leads = team.close.account().add_leads(40);
    let up = team.up("0").await;
    for (number, lead) in leads.iter().enumerate() {
        if number == 20 {
            until("half of them are announced", || async { team.testbed.alert_counts(&leads[19]).0 > 0 })
                .await;
            team.close.account().keys.clear();
        }
        team.deliver(&up, lead.as_str()).await;
        team.close.account().own(lead.as_str(), &[TAMSIN]);
    }
    team.testbed.until_notified(&leads).await;
    let last = team.lead(leads[39].as_str()).await;
    assert_eq!(
        (&last["owner_status"], &last["lead"]["lead_owner"]),
        (&json!("lookup_failed"), &json!("Unassigned"))
    );
    let codes: Vec<&str> =
        last["timeline"].as_array().unwrap().iter().filter_map(|step| step["code"].as_str()).collect();
    assert_eq!(codes, ["LO131"]);
    // No secret in what people can read.
    let logs = team.testbed.json(&["logs", "--lead", leads[39].as_str()]).await.to_string();
    assert!(logs.contains("LO131") && !logs.contains(close::API_KEY), "{logs}");
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_suggests_a_field_and_refuses_a_key_that_sees_too_little() {
    let team = Team::new().await;
    let all = team.doctor(|_| ()).await;
    for name in ["close key", "owner field", "funnel field", "close members"] {
        assert_eq!(check(&all, name).0, "ok", "{all:#?}");
    }
    assert!(check(&all, "close members").1.starts_with("3 members and 1 who have left"), "{all:#?}");
    assert!(check(&all, "owner field").1.contains("\"Lead Owner\""), "{all:#?}");

    let unset = team
        .doctor(|command| {
            command.env_remove("CLOSE_OWNER_FIELD");
        })
        .await;
    let (result, detail) = check(&unset, "owner field");
    assert_eq!(result, "failed");
    let (first, second) = (detail.find(OWNER_FIELD).unwrap(), detail.find(close::TEAM_FIELD).unwrap());
    assert!(first < second && !detail.contains(FUNNEL_FIELD), "{detail}");

    let wrong = team
        .doctor(|command| {
            command.env("CLOSE_OWNER_FIELD", "Funnel Owner");
        })
        .await;
    assert_eq!(check(&wrong, "owner field").0, "failed");
    assert!(check(&wrong, "owner field").1.contains("Funnel Owner"), "{wrong:#?}");

    let no_key = team
        .doctor(|command| {
            command.env_remove("CLOSE_API_KEY");
        })
        .await;
    assert_eq!(check(&no_key, "close key"), ("failed", "CLOSE_API_KEY is not set"));

    let both = [("api_other.key", close::API_KEY), (close::API_KEY, "api_other.key")];
    for ((first, second), used) in both.into_iter().zip(["the second is used", "the first key is used"]) {
        let two = team.doctor(|command| {
            command.env("CLOSE_API_KEY", format!("{first},{second}"));
        });
        let two = two.await;
        let keys: Vec<_> = two.iter().filter(|(check, ..)| check == "close key").collect();
        assert_eq!((keys.len(), keys[0].1.as_str(), keys[1].1.as_str()), (2, "ok", "warning"), "{two:#?}");
        assert!(keys[1].2.contains(used), "{two:#?}");
    }

    team.close.account().restrict();
    let restricted = team.doctor(|_| ()).await;
    let (result, detail) = check(&restricted, "close key");
    assert_eq!(result, "failed");
    assert!(detail.contains("Reps, own leads") && detail.contains("only its own leads"), "{detail}");

    team.close.account().keys.clear();
    let revoked = team.doctor(|_| ()).await;
    assert_eq!(check(&revoked, "close key").0, "failed");
    assert!(check(&revoked, "close key").1.contains("401"), "{revoked:#?}");
    assert!(!format!("{revoked:?}").contains(close::API_KEY));
}
