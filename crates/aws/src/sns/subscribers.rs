//! Whether anybody gets a topic's mail.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{Fault, Function, ports::Clock, ports::Level, recorder};
use tokio::sync::Mutex;

use crate::{Clients, fault::fault, fresh::is_fresh};

/// How long an answer is used without asking again.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(60);
/// How long an alert is held up for the answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The subscriptions of one topic.
#[derive(Clone)]
pub(super) struct Subscribers {
    sns: aws_sdk_sns::Client,
    topic: String,
    pub(super) clock: Arc<dyn Clock>,
    last: Arc<Mutex<Option<Answer>>>,
}

/// What was found when it was asked last.
#[derive(Clone, Copy)]
struct Answer {
    at: Timestamp,
    /// None where there was no answer.
    subscriptions: Option<Subscriptions>,
}

/// How many subscriptions a topic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscriptions {
    /// That are confirmed.
    pub(super) confirmed: u32,
    /// That wait for that.
    pub(super) pending: u32,
}

impl Subscribers {
    /// Those of this topic.
    pub(super) fn new(clients: &Clients, topic: &str, clock: Arc<dyn Clock>) -> Self {
        Self { sns: clients.sns.clone(), topic: topic.to_owned(), clock, last: Arc::default() }
    }

    /// What is known of them, asked for once a minute. None where it cannot be known, which the log says.
    pub(super) async fn known(&self) -> Option<Subscriptions> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if let Some(answer) = last.filter(|answer| is_fresh(answer.at, now, MAX_AGE)) {
            return answer.subscriptions;
        }
        let subscriptions = match tokio::time::timeout(PATIENCE, self.ask()).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(fault)) => {
                let context = "the mail goes all the same";
                recorder::fault(Function::Notification, Level::Warn, context, None, &fault);
                None
            }
            Err(_) => {
                let what = format!(
                    "SNS did not say within {} s who has subscribed: the mail goes all the same",
                    PATIENCE.as_secs()
                );
                recorder::line(Function::Notification, Level::Warn, &what, None, None);
                None
            }
        };
        *last = Some(Answer { at: now, subscriptions });
        subscriptions
    }

    /// Asks SNS.
    pub(super) async fn ask(&self) -> Result<Subscriptions, Fault> {
        let mut found = Subscriptions { confirmed: 0, pending: 0 };
        let asked = self.sns.list_subscriptions_by_topic().topic_arn(&self.topic);
        let mut subscriptions = asked.into_paginator().items().send();
        while let Some(subscription) = subscriptions.next().await {
            let subscription = subscription
                .map_err(|error| fault(&format!("listing the subscriptions of {}", self.topic), &error))?;
            match subscription.subscription_arn() {
                Some(arn) if arn.starts_with("arn:") => found.confirmed += 1,
                Some("PendingConfirmation") => found.pending += 1,
                // Deleted ones are listed for a while.
                _ => {}
            }
        }
        Ok(found)
    }
}
