//! Three functions on a bucket and two queues.

use std::{fs, path::Path};

use async_trait::async_trait;
use lead::{LeadId, keys};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::process::Command;

use super::site::{Site, Work, a_mail_has_failed};
use crate::{
    aws::{ProxyFault, Stack, Stored},
    doubles::leads_of_mail,
    lambda::{AwsTestbed, Configuration, Host},
    neighbours::Neighbours,
    operator::Operator,
    process::until,
    time::Time,
};

/// The file that holds the bucket and the queues.
const FILE: &str = "stored.json";
/// What a fixture calls the bucket, which has another name in each account.
const BUCKET: &str = "the-bucket";
const ACCOUNT: &str = "123456789012";
const QUEUES: [&str; 4] = ["delay", "delay_dead", "notification", "notification_dead"];

/// The functions, and an account of moto's.
pub struct OnAws {
    testbed: AwsTestbed,
    operator: Operator,
    time: Time,
    /// When messages come back that a worker had in hand which is gone, in milliseconds since 1970.
    come_back: Vec<f64>,
}

impl OnAws {
    /// With the bucket and the queues that a fixture holds, or empty ones, and the present template.
    pub async fn new(fixture: Option<&Path>) -> Self {
        Self::holding(fixture.map(Self::left)).await
    }

    /// With this in the bucket and the queues, or nothing.
    pub async fn holding(stored: Option<Stored>) -> Self {
        let parameters =
            [("DelaySeconds", "600"), ("UseEmail", "true"), ("NotificationEmail", "sales@example.com")];
        let mut testbed = AwsTestbed::with(&parameters).await;
        // They start again when they are to, at the right time.
        testbed.host.stop_polling().await;
        let mut come_back = Vec::new();
        if let Some(mut stored) = stored {
            let names = names(&testbed.stack);
            let bodies =
                serde_json::to_string(&stored).unwrap().replace(BUCKET, &testbed.stack.outputs.bucket);
            stored = serde_json::from_str(&bodies).unwrap();
            let by_name = |(role, messages): (String, _)| (named(&names, &role).to_owned(), messages);
            stored.queues = stored.queues.into_iter().map(by_name).collect();
            let messages = stored.queues.values().flatten().filter(|message| message["receives"] != 0);
            come_back.extend(messages.filter_map(|message| message["visible_at"].as_f64()));
            let names = names.each_ref().map(String::as_str);
            testbed.stack.moto.put_stored(&testbed.stack.outputs.bucket, &names, &stored).await;
        }
        let operator = testbed.operator();
        let time = Time::new(Some(testbed.stack.moto.clone())).await;
        Self { testbed, operator, time, come_back }
    }

    /// What a fixture holds.
    pub fn left(fixture: &Path) -> Stored {
        serde_json::from_str(&fs::read_to_string(fixture.join(FILE)).unwrap()).unwrap()
    }

    /// What is stored now, as a fixture has it.
    pub async fn stored(&self) -> Stored {
        let (stack, names) = (&self.testbed.stack, names(&self.testbed.stack));
        let mut stored =
            stack.moto.take_stored(&stack.outputs.bucket, &names.each_ref().map(String::as_str)).await;
        stored.queues =
            QUEUES.map(|role| (role.to_owned(), stored.queues[named(&names, role)].clone())).into();
        self.renamed(&stored)
    }

    /// The same with the names that fixtures have.
    fn renamed<T: Serialize + DeserializeOwned>(&self, document: &T) -> T {
        let text =
            serde_json::to_string(document).unwrap().replace(&self.testbed.stack.outputs.bucket, BUCKET);
        serde_json::from_str(&text.replace(self.testbed.stack.moto.account(), ACCOUNT)).unwrap()
    }
}

/// The name of a queue by what a fixture calls it.
fn named<'a>(names: &'a [String; 4], role: &str) -> &'a str {
    &names[QUEUES.iter().position(|known| *known == role).expect("a fixture knows these queues")]
}

/// The names of the queues, in the order of [`QUEUES`].
fn names(stack: &Stack) -> [String; 4] {
    let urls = &stack.outputs.queues;
    [&urls.delay, &urls.delay_dead, &urls.notification, &urls.notification_dead]
        .map(|url| url.as_ref().unwrap().rsplit('/').next().unwrap().to_owned())
}

#[async_trait]
impl Site for OnAws {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn neighbours(&self) -> &Neighbours {
        &self.testbed
    }

    async fn mails(&self) -> Vec<LeadId> {
        let mails = self.testbed.stack.moto.mails().await;
        mails.iter().flat_map(|mail| leads_of_mail(&mail.message)).collect()
    }

    fn time(&self) -> &Time {
        &self.time
    }

    async fn start(&mut self, work: Work) {
        self.kill().await;
        if work.hanging {
            self.testbed.to_slack.next(1, ProxyFault::Hangs, |_| true);
            self.testbed.to_aws.next(usize::MAX, ProxyFault::Throttled, |call| call.operation == "Publish");
        }
        let change = |configuration: &mut Configuration| {
            configuration.variables.insert("RECHECKS".to_owned(), work.rechecks.to_string());
            configuration.clock = self.time.clock();
            let variables = self.time.variables().into_iter();
            configuration.variables.extend(variables.map(|(name, value)| (name.to_owned(), value)));
        };
        let host = Host::start(&self.testbed.stack, &self.testbed.to_aws.endpoint, change).await;
        self.testbed.host = host;
    }

    async fn until_held(&self) {
        until("Slack has a message, and a mail has failed", || async {
            a_mail_has_failed(&*self.testbed.ops.objects).await && !self.testbed.to_slack.calls().is_empty()
        })
        .await;
    }

    async fn kill(&mut self) {
        self.testbed.host.stop_polling().await;
        for (function, _) in &self.testbed.stack.outputs.functions {
            self.testbed.host.kill(*function).await;
        }
        self.testbed.host.recycle();
    }

    fn is_at_rest(&self) -> bool {
        self.testbed.host.is_idle()
    }

    async fn tick(&self) {
        self.testbed.host.tick().await;
    }

    fn webhook(&self) -> url::Url {
        self.testbed.host.gateway.webhook.clone()
    }

    fn command(&self, args: &[&str]) -> Command {
        self.time.on(self.operator.command(&[args, &["--stack", &self.testbed.stack.name]].concat()))
    }

    fn left_in_hand(&self) -> u64 {
        let now = self.time.now().as_duration().as_millis_f64();
        self.come_back.iter().filter(|at| **at > now).count() as u64
    }

    fn anywhere(&self, output: Value) -> Value {
        self.renamed(&output)
    }

    async fn damage_raw(&self, lead: &LeadId) {
        self.testbed.delete(&keys::raw("source/", lead)).await;
    }

    async fn write_raw(&self, lead: &LeadId, body: &[u8]) {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let objects = std::iter::once((keys::raw("source/", lead), text));
        self.testbed.stack.moto.put_objects(&self.testbed.stack.outputs.bucket, objects).await;
    }

    async fn save(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let stored = serde_json::to_string_pretty(&self.stored().await).unwrap();
        fs::write(folder.join(FILE), stored + "\n").unwrap();
    }
}
