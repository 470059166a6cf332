//! [`AwsTestbed`]: a stack at work, with its neighbours.

use std::{
    collections::BTreeSet,
    ops::{Deref, DerefMut},
    time::Duration,
};

use console::wiring::OnAws;
use demo::{Answer, Sample, Sender};
use lead::LeadId;
use ops::{Access, Ops};
use pipeline::ports::{DeadLetter, Depth, Queue};
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use super::{Configuration, Host};
use crate::{
    aws::{Moto, Proxy, Stack},
    http,
    neighbours::Neighbours,
    operator::Operator,
    process::until,
};

/// What a stack is like that a test has no other wish for: leads are due at once.
const PARAMETERS: [(&str, &str); 1] = [("DelaySeconds", "0")];

/// A stack whose functions run, with an owner directory and a Slack.
pub struct AwsTestbed {
    /// An owner directory and a Slack.
    pub neighbours: Neighbours,
    /// The stack.
    pub stack: Stack,
    /// Its functions.
    pub host: Host,
    /// What lies between the functions and AWS.
    pub to_aws: Proxy,
    /// What lies between the functions and Slack.
    pub to_slack: Proxy,
    /// What lies between the functions and the owner directory.
    pub to_owners: Proxy,
    /// What an operator sees and does.
    pub ops: Ops,
    close: Sender,
    /// Holds what the functions trust.
    _folder: TempDir,
}

impl Deref for AwsTestbed {
    type Target = Neighbours;

    fn deref(&self) -> &Neighbours {
        &self.neighbours
    }
}

impl DerefMut for AwsTestbed {
    fn deref_mut(&mut self) -> &mut Neighbours {
        &mut self.neighbours
    }
}

impl AwsTestbed {
    /// A stack with the template's figures, but no delay.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A stack with these parameters too.
    pub async fn with(parameters: &[(&str, &str)]) -> Self {
        Self::changed(parameters, |_| ()).await
    }

    /// A stack whose functions are changed before they start.
    pub async fn changed(parameters: &[(&str, &str)], change: impl Fn(&mut Configuration)) -> Self {
        Self::prepared(parameters, async |_| (), change).await
    }

    /// A stack that is prepared before its functions, changed, start.
    pub async fn prepared(
        parameters: &[(&str, &str)],
        prepare: impl AsyncFnOnce(&Stack),
        change: impl Fn(&mut Configuration),
    ) -> Self {
        let (moto, neighbours) = (Moto::start().await, Neighbours::start().await);
        let slack: Url = neighbours.slack.url().parse().unwrap();
        let to_slack = Proxy::start(slack.origin().ascii_serialization().as_str()).await;
        let owners: Url = neighbours.owners.base().parse().unwrap();
        let to_owners = Proxy::start(owners.origin().ascii_serialization().as_str()).await;
        let to_aws = Proxy::start(moto.endpoint()).await;
        let folder = tempfile::tempdir().unwrap();
        let certificates = folder.path().join("certificates.pem");
        // What Lambda has is not on this machine; and nothing here is spoken to over TLS.
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&certificates, signed.cert.pem()).unwrap();
        let slack = format!("{}{}", to_slack.endpoint, slack.path());
        let owners = format!("{}{}", to_owners.endpoint, owners.path());
        let mut all = vec![
            ("SlackWebhookUrl", slack.as_str()),
            ("LookupBaseUrl", owners.as_str()),
            ("SslCertFile", certificates.to_str().unwrap()),
        ];
        all.extend(PARAMETERS);
        all.retain(|(name, _)| parameters.iter().all(|(given, _)| given != name));
        all.extend(parameters);
        let stack = Stack::deploy(&moto, &all).await;
        prepare(&stack).await;
        let host = Host::start(&stack, &to_aws.endpoint, change).await;
        let on_aws = OnAws { session: moto.session().await, stack: stack.outputs.clone(), identity: None };
        let (ops, close) = (on_aws.ops(Access::Full), host.close());
        Self { neighbours, stack, host, to_aws, to_slack, to_owners, ops, close, _folder: folder }
    }

    /// Has Close deliver a lead. How that was answered.
    pub async fn deliver(&self, sample: &Sample) -> Answer {
        self.close.send(sample).await.pop().expect("a delivery is answered")
    }

    /// Has Close deliver a lead whose owner is known, which is accepted. Its id.
    pub async fn accept(&mut self) -> LeadId {
        let sample = self.sample();
        assert_eq!(self.deliver(&sample).await, Answer::Accepted);
        sample.lead_id
    }

    /// Has Close deliver a lead, and waits until it is notified and nothing is left to do. Its id.
    pub async fn deliver_until_notified(&mut self) -> LeadId {
        let lead = self.accept().await;
        self.until_notified(std::slice::from_ref(&lead)).await;
        self.until_idle().await;
        lead
    }

    /// Posts a body to the webhook, signed with a key. The status and what is answered.
    pub async fn post(&self, body: &[u8], key: &str) -> (u16, Value) {
        http::post(&self.host.gateway.webhook, body, key).await
    }

    /// Waits until both queues are empty and nothing is in hand of anybody, while time passes in them.
    pub async fn until_idle(&self) {
        self.until_in_time("the queues are empty", || async {
            let depths = [self.depth(Queue::Delay).await, self.depth(Queue::Notification).await];
            depths.iter().all(|depth| depth.waiting + depth.ready + depth.in_flight == 0)
        })
        .await;
    }

    /// What a queue holds.
    pub async fn depth(&self, queue: Queue) -> Depth {
        self.ops.inbox.depth(queue).await.unwrap()
    }

    /// Waits until there are so many dead letters of a queue, and returns them.
    pub async fn until_dead(&self, queue: Queue, count: u64) -> Vec<DeadLetter> {
        until("there are dead letters", || async { self.depth(queue).await.dead >= count }).await;
        self.ops.dead_letters.list(Some(queue), usize::MAX).await.unwrap().0
    }

    /// Puts a message into a queue, due at once.
    pub async fn put_message(&self, queue: Queue, body: &str) {
        let urls = &self.stack.outputs.queues;
        let url = match queue {
            Queue::Delay => urls.delay.as_ref(),
            Queue::Notification => urls.notification.as_ref(),
        };
        let send = self.stack.moto.clients().sqs.send_message().queue_url(url.unwrap()).delay_seconds(0);
        send.message_body(body).send().await.unwrap();
    }

    /// The keys of all objects whose keys start so.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        self.ops.objects.list(prefix, None, usize::MAX).await.unwrap()
    }

    /// An object that is JSON.
    pub async fn object(&self, key: &str) -> Value {
        let object = self.ops.objects.get(key).await.unwrap();
        serde_json::from_slice(&object.unwrap_or_else(|| panic!("there is no {key}")).body).unwrap()
    }

    /// Writes an object by hand.
    pub async fn write(&self, key: &str, body: &str) {
        let put = self.stack.moto.clients().s3.put_object().bucket(&self.stack.outputs.bucket).key(key);
        put.body(body.as_bytes().to_vec().into()).send().await.unwrap();
    }

    /// Deletes an object by hand.
    pub async fn delete(&self, key: &str) {
        let delete = self.stack.moto.clients().s3.delete_object().bucket(&self.stack.outputs.bucket).key(key);
        delete.send().await.unwrap();
    }

    /// Every line in the functions' log groups, as CloudWatch has it.
    pub async fn log_lines(&self) -> Vec<String> {
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.stack.moto.config());
        let mut lines = Vec::new();
        for (_, group) in self.stack.outputs.log_groups() {
            let mut pages = client.filter_log_events().log_group_name(group).into_paginator().send();
            while let Some(page) = pages.next().await {
                let events = page.unwrap().events.unwrap_or_default();
                lines.extend(events.into_iter().filter_map(|event| event.message));
            }
        }
        lines
    }

    /// Has the claims on all alerts that are being sent run out: as if their workers were long gone.
    pub async fn let_claims_run_out(&self) {
        for key in self.keys("receipts/").await {
            let mut receipt = self.object(&key).await;
            if receipt["state"] == "claimed" {
                receipt["until"] = "2026-01-01T00:00:00Z".into();
                self.write(&key, &receipt.to_string()).await;
            }
        }
    }

    /// Lets time pass for the messages of the queues, and for nobody else.
    pub async fn pass_in_queues(&self, time: Duration) {
        self.stack.moto.pass_in_queues(time).await;
    }

    /// Waits until a condition holds, while time passes in the queues: quicker than on the clock, but only
    /// while no function is at work, so that nobody's visibility timeout ends in the middle of it.
    pub async fn until_in_time<F: Future<Output = bool>>(&self, what: &str, condition: impl Fn() -> F) {
        until(what, || async {
            if self.host.is_idle() {
                self.pass_in_queues(Duration::from_secs(5)).await;
            }
            condition().await
        })
        .await;
    }

    /// Somebody who operates the stack with `leadops`, as the root user.
    pub fn operator(&self) -> Operator {
        Operator::new(self.stack.moto.variables())
    }

    /// The leads of these that Slack was notified of other than once, with how often.
    pub fn not_notified_once(&self, leads: &BTreeSet<LeadId>) -> Vec<(LeadId, usize)> {
        let counted = leads.iter().map(|lead| (lead.clone(), self.alert_counts(lead).0));
        counted.filter(|(_, count)| *count != 1).collect()
    }
}
