//! One process on one file.

use std::{fs, path::Path};

use async_trait::async_trait;
use lead::{LeadId, keys};
use pipeline::ports::{Objects, WriteCondition};
use rusqlite::Connection;
use serde_json::Value;
use sqlite::{Options, Store};
use tokio::process::Command;

use super::site::{Site, Work, a_mail_has_failed};
use crate::{
    doubles::{SmtpStandIn, leads_of_mail},
    hanging_server::HangingServer,
    neighbours::Neighbours,
    process::{Testbed, Up, until},
    time::Time,
};

/// The file that holds everything, once the last command has closed it in good order.
const FILE: &str = "leadops.db";

/// `leadops up` and a data folder.
pub struct Embedded {
    testbed: Testbed,
    mail: SmtpStandIn,
    time: Time,
    up: Option<Up>,
    hanging: Option<HangingServer>,
}

impl Embedded {
    /// With the data folder that a fixture holds, or none.
    pub async fn new(fixture: Option<&Path>) -> Self {
        let testbed = Testbed::new().await;
        if let Some(fixture) = fixture {
            fs::create_dir(testbed.data()).unwrap();
            fs::copy(fixture.join(FILE), testbed.data().join(FILE)).unwrap();
        }
        Self {
            testbed,
            mail: SmtpStandIn::start().await,
            time: Time::new(None).await,
            up: None,
            hanging: None,
        }
    }

    /// Changes the file as no version before this one could. Nobody is at work.
    ///
    /// # Panics
    /// Where it cannot be opened.
    pub fn change(&self, change: impl FnOnce(&Connection)) {
        change(&Connection::open(self.testbed.data().join(FILE)).unwrap());
    }

    fn store(&self) -> Store {
        Store::open(&self.testbed.data(), Options { create: false, ..Options::default() }).unwrap()
    }
}

#[async_trait]
impl Site for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn neighbours(&self) -> &Neighbours {
        &self.testbed
    }

    async fn mails(&self) -> Vec<LeadId> {
        self.mail.mails().iter().flat_map(|mail| leads_of_mail(mail)).collect()
    }

    fn time(&self) -> &Time {
        &self.time
    }

    async fn start(&mut self, work: Work) {
        self.kill().await;
        let mut command = self.command(&["up", "--listen", "127.0.0.1:0"]);
        command.env("RECHECKS", work.rechecks.to_string());
        if work.hanging {
            let hanging = HangingServer::start().await;
            command.env("SLACK_WEBHOOK_URL", hanging.url() + "/services/T/B/x");
            // Nobody listens there.
            command.env("SMTP_URL", "smtp://127.0.0.1:9");
            self.hanging = Some(hanging);
        }
        self.up = Some(Up::start(command).await);
    }

    async fn until_held(&self) {
        self.hanging.as_ref().unwrap().is_asked().await;
        let store = self.store();
        until("a mail has failed", || a_mail_has_failed(&store)).await;
    }

    async fn kill(&mut self) {
        if let Some(up) = self.up.take() {
            up.kill().await;
        }
    }

    fn is_at_rest(&self) -> bool {
        true
    }

    /// Nobody is.
    async fn tick(&self) {}

    fn webhook(&self) -> url::Url {
        self.up.as_ref().unwrap().webhook.clone()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.testbed.command(args);
        command.env("USE_EMAIL", "true").env("SMTP_URL", self.mail.url());
        command.env("EMAIL_FROM", "leadops@example.com").env("EMAIL_TO", "sales@example.com");
        self.time.on(command)
    }

    fn left_in_hand(&self) -> u64 {
        // Whoever starts takes it back.
        0
    }

    fn anywhere(&self, output: Value) -> Value {
        output
    }

    async fn damage_raw(&self, lead: &LeadId) {
        self.write_raw(lead, b"{").await;
    }

    async fn write_raw(&self, lead: &LeadId, body: &[u8]) {
        let key = keys::raw("source/", lead);
        self.store().put(&key, body.to_vec().into(), WriteCondition::Always).await.unwrap();
    }

    async fn save(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let log = self.testbed.data().join("leadops.db-wal");
        assert!(!log.exists(), "{} holds a part of it", log.display());
        fs::copy(self.testbed.data().join(FILE), folder.join(FILE)).unwrap();
    }
}
