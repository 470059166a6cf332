//! [`Site`]: a pipeline in one of its two places, as far as a fixture or its test has to do with it.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use close::signature::Keys;
use demo::DirectoryAnswer;
use lead::{LeadId, keys};
use pipeline::ports::Objects;
use serde_json::Value;
use tokio::{process::Command, time::timeout};

use super::leads;
use crate::{
    http,
    neighbours::Neighbours,
    process::{KEY, PATIENCE, text, until},
    time::Time,
};

/// How a pipeline works.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// How often the owner is looked for again.
    pub rechecks: u32,
    /// Whether Slack takes messages and never answers, and no mail can be sent.
    pub hanging: bool,
}

impl Work {
    /// As often as by default, and everybody answers.
    pub const USUAL: Self = Self { rechecks: 12, hanging: false };
}

/// The binaries at work on what is stored, and the clock that they go by.
#[async_trait]
pub trait Site: Send + Sync {
    /// What a fixture calls this place.
    fn name(&self) -> &'static str;

    /// The owner directory and Slack.
    fn neighbours(&self) -> &Neighbours;

    /// The leads of each mail that was taken.
    async fn mails(&self) -> Vec<LeadId>;

    /// The clock of its processes and its account.
    fn time(&self) -> &Time;

    /// Starts the workers and the webhook.
    async fn start(&mut self, work: Work);

    /// Waits until Slack, which does not answer, has a message, and a mail has failed.
    async fn until_held(&self);

    /// Kills them, whatever they have in hand.
    async fn kill(&mut self);

    /// Whether no process has anything in hand that the queues do not show.
    fn is_at_rest(&self) -> bool;

    /// Has whoever is called each minute look.
    async fn tick(&self);

    /// The webhook.
    fn webhook(&self) -> url::Url;

    /// How many messages are out of sight now because a worker had them in hand that is gone.
    fn left_in_hand(&self) -> u64;

    /// `leadops` on this pipeline.
    fn command(&self, args: &[&str]) -> Command;

    /// What was said, with the names that every fixture has in place of this pipeline's own.
    fn anywhere(&self, output: Value) -> Value;

    /// Takes a raw event away, or makes it unreadable.
    async fn damage_raw(&self, lead: &LeadId);

    /// Writes a raw event.
    async fn write_raw(&self, lead: &LeadId, body: &[u8]);

    /// Writes what is stored into a folder. Nobody is at work.
    async fn save(&self, folder: &Path);
}

/// Whether a mail about the lead with a half-sent receipt has failed.
pub(super) async fn a_mail_has_failed(objects: &dyn Objects) -> bool {
    let receipt = objects.get(&keys::receipt(&leads::id(leads::HALF_SENT), "email", "new")).await.unwrap();
    receipt.is_some_and(|receipt| String::from_utf8_lossy(&receipt.body).contains("\"code\":\"LO"))
}

impl dyn Site + '_ {
    /// Runs a command that must succeed, with `--json`, and reads what it prints.
    pub async fn json(&self, args: &[&str]) -> Value {
        let mut command = self.command(&[args, &["--json"]].concat());
        let output = timeout(PATIENCE, command.output()).await.expect("the command ends").unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}"))
    }

    /// Has Close deliver a lead. The answer's status and its word.
    pub async fn deliver(&self, name: &str) -> (u16, String) {
        let body = leads::event(name);
        let timestamp = self.time().now().as_second().to_string();
        let hash = Keys::parse(KEY).unwrap().sign(&timestamp, &body).unwrap();
        let post = http::client().post(self.webhook()).body(body);
        let post = post.header("close-sig-hash", hash).header("close-sig-timestamp", timestamp);
        let answer = post.send().await.unwrap();
        let status = answer.status().as_u16();
        let answer: Value = answer.json().await.unwrap();
        (status, answer["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Has Close deliver leads, which are accepted.
    pub async fn accept(&self, names: &[&str]) {
        for name in names {
            assert_eq!(self.deliver(name).await, (200, "accepted".to_owned()), "{name}");
        }
    }

    /// Names the owner of a lead from now on.
    pub fn assign(&self, name: &str) {
        self.neighbours().owners.set_answer(leads::id(name), DirectoryAnswer::Document(leads::owner(name)));
    }

    /// Waits until nothing is ready or in hand. What waits for its time goes on waiting.
    pub async fn until_idle(&self) {
        until("nothing is ready or in hand", || async {
            let status = self.json(&["status"]).await;
            let count = |state: &str| -> u64 {
                let of = |queue: &str| status["queues"][queue][state].as_u64().unwrap();
                of("delay") + of("notification")
            };
            (count("ready"), count("in_flight")) == (0, self.left_in_hand()) && self.is_at_rest()
        })
        .await;
    }

    /// Lets time pass at once, whole seconds, and waits until all that is due by then is done.
    pub async fn pass(&self, by: Duration) {
        self.time().advance(by).await;
        self.tick().await;
        self.until_idle().await;
    }
}
