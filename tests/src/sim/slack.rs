//! Slack, the team's channel: an incoming webhook with its limits and its faults.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use outbound::{IncomingWebhook, SlackAnswer, SlackError};
use pipeline::{destination::NotReady, ports::Clock};
use serde_json::Value;

use super::{Model, oracle, process::ProcessFaults, shown};
use crate::{
    destinations::SLACK,
    faulty::{Call, Moment},
};

const SECOND: Duration = Duration::from_secs(1);
/// How long the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many messages Slack takes at once before it asks to wait.
const TOLERANCE: f64 = 8.0;

/// What the webhook does for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Healthy,
    /// 429 to everything, with this `Retry-After`.
    Busy(Duration),
    /// `404 no_service`, until an administrator acts.
    Gone,
    /// A server error.
    Broken,
    /// No answer; whether the message was taken.
    Silent {
        taken: bool,
    },
    /// No connection.
    Away,
    /// The blocks are refused, plain text is taken.
    RefusesBlocks,
}

/// The webhook.
pub struct SimSlack {
    model: Arc<Model>,
    state: Mutex<State>,
}

struct State {
    condition: Condition,
    until: Duration,
    tokens: f64,
    at: Duration,
}

impl SimSlack {
    /// A webhook that is well.
    pub fn new(model: Arc<Model>) -> Arc<Self> {
        let state = State {
            condition: Condition::Healthy,
            until: Duration::ZERO,
            tokens: TOLERANCE,
            at: Duration::ZERO,
        };
        Arc::new(Self { model, state: Mutex::new(state) })
    }

    fn condition(&self) -> Condition {
        let (model, now) = (&self.model, self.model.clock.elapsed());
        let mut state = self.state.lock().unwrap();
        if model.is_fault_free() {
            state.condition = Condition::Healthy;
        } else if state.until <= now {
            let dice = &model.dice;
            state.condition = if dice.chance(model.fault_profile.slack_faults) {
                let wait = dice.between(SECOND, SECOND * 300);
                *dice.pick(&[
                    Condition::Busy(wait),
                    Condition::Gone,
                    Condition::Broken,
                    Condition::Silent { taken: true },
                    Condition::Silent { taken: false },
                    Condition::Away,
                    Condition::RefusesBlocks,
                ])
            } else {
                Condition::Healthy
            };
            state.until = now + dice.between(SECOND * 30, SECOND * 900);
            model.note(|| format!("slack is {:?} for {} s", state.condition, (state.until - now).as_secs()));
        }
        let passed = (now - state.at).as_secs_f64();
        (state.tokens, state.at) = ((state.tokens + passed).min(TOLERANCE), now);
        if state.tokens < 1.0 {
            return Condition::Busy(SECOND);
        }
        state.tokens -= 1.0;
        state.condition
    }
}

/// The webhook as one process reaches it.
pub struct SlackOf {
    /// The webhook.
    pub slack: Arc<SimSlack>,
    /// The faults of the process.
    pub faults: Arc<ProcessFaults>,
}

#[async_trait]
impl IncomingWebhook for SlackOf {
    async fn address(&self) -> Result<String, NotReady> {
        Ok("simulated".to_owned())
    }

    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let model = &self.slack.model;
        let shown = shown::on_slack(message);
        let about = || shown.iter().map(|shown| shown.lead.as_str()).collect::<Vec<_>>().join(" ");
        let known = oracle::sent_before(&self.faults, &SLACK, &shown);
        if self.faults.pass(Call::Post, Moment::Before, &about()).await {
            return Err(SlackError::NotSent("connection refused".to_owned()));
        }
        let condition = match model.slowness(&SLACK).await {
            None => self.slack.condition(),
            Some(true) => Condition::Healthy,
            Some(false) => Condition::Silent { taken: false },
        };
        let answer = |status, body: &str| Ok(SlackAnswer::of_slack(status, body));
        if condition != Condition::Healthy {
            model.count_fault(match condition {
                Condition::Busy(_) => "slack: 429",
                Condition::Gone => "slack: 404 no_service",
                Condition::Broken => "slack: 5xx",
                Condition::Silent { .. } => "slack: no answer",
                Condition::Away => "slack: unreachable",
                _ => "slack: blocks refused",
            });
        }
        let take = || oracle::taken(model, &SLACK, shown.clone(), &known, false);
        let result = match condition {
            Condition::Busy(wait) => {
                Ok(SlackAnswer { retry_after: Some(wait), ..SlackAnswer::of_slack(429, "rate_limited") })
            }
            Condition::Gone => answer(404, "no_service"),
            Condition::Broken => answer(*model.dice.pick(&[500, 503]), "server error"),
            Condition::Away => Err(SlackError::NotSent("connection refused".to_owned())),
            Condition::RefusesBlocks if message.get("blocks").is_some() => answer(400, "invalid_blocks"),
            Condition::Silent { taken } => {
                if taken {
                    take();
                }
                model.clock.sleep(PATIENCE).await;
                Err(SlackError::Unknown("timed out".to_owned()))
            }
            Condition::Healthy | Condition::RefusesBlocks => {
                take();
                answer(200, "ok")
            }
        };
        model.note(|| format!("{} slack answers {result:?}", self.faults.process.name));
        if self.faults.pass(Call::Post, Moment::After, &about()).await {
            return Err(SlackError::Unknown("the connection broke".to_owned()));
        }
        result
    }
}
