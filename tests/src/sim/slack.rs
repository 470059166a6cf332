//! Slack, the team's channel: an incoming webhook with its limits and its bad days.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use outbound::{IncomingWebhook, SlackAnswer, SlackError};
use pipeline::{destination::NotReady, ports::Clock};
use serde_json::Value;

use super::{Model, oracle, process::ProcessWeather, said};
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
enum Mood {
    Well,
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
    Picky,
}

/// The webhook.
pub struct SimSlack {
    model: Arc<Model>,
    state: Mutex<State>,
}

struct State {
    mood: Mood,
    until: Duration,
    tokens: f64,
    at: Duration,
}

impl SimSlack {
    /// A webhook that is well.
    pub fn new(model: Arc<Model>) -> Arc<Self> {
        let state = State { mood: Mood::Well, until: Duration::ZERO, tokens: TOLERANCE, at: Duration::ZERO };
        Arc::new(Self { model, state: Mutex::new(state) })
    }

    fn mood(&self) -> Mood {
        let (model, now) = (&self.model, self.model.clock.elapsed());
        let mut state = self.state.lock().unwrap();
        if model.is_calm() {
            state.mood = Mood::Well;
        } else if state.until <= now {
            let dice = &model.dice;
            state.mood = if dice.chance(model.climate.slack_trouble) {
                let wait = dice.between(SECOND, SECOND * 300);
                *dice.pick(&[
                    Mood::Busy(wait),
                    Mood::Gone,
                    Mood::Broken,
                    Mood::Silent { taken: true },
                    Mood::Silent { taken: false },
                    Mood::Away,
                    Mood::Picky,
                ])
            } else {
                Mood::Well
            };
            state.until = now + dice.between(SECOND * 30, SECOND * 900);
            model.note(|| format!("slack is {:?} for {} s", state.mood, (state.until - now).as_secs()));
        }
        let passed = (now - state.at).as_secs_f64();
        (state.tokens, state.at) = ((state.tokens + passed).min(TOLERANCE), now);
        if state.tokens < 1.0 {
            return Mood::Busy(SECOND);
        }
        state.tokens -= 1.0;
        state.mood
    }
}

/// The webhook as one process reaches it.
pub struct SlackOf {
    /// The webhook.
    pub slack: Arc<SimSlack>,
    /// What strikes the process.
    pub weather: Arc<ProcessWeather>,
}

#[async_trait]
impl IncomingWebhook for SlackOf {
    async fn address(&self) -> Result<String, NotReady> {
        Ok("simulated".to_owned())
    }

    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let model = &self.slack.model;
        let said = said::on_slack(message);
        let about = || said.iter().map(|said| said.lead.as_str()).collect::<Vec<_>>().join(" ");
        let known = oracle::sent_before(&self.weather, &SLACK, &said);
        if self.weather.pass(Call::Post, Moment::Before, &about()).await {
            return Err(SlackError::NotSent("connection refused".to_owned()));
        }
        let mood = match model.slowness(&SLACK).await {
            None => self.slack.mood(),
            Some(true) => Mood::Well,
            Some(false) => Mood::Silent { taken: false },
        };
        let answer = |status, body: &str| Ok(SlackAnswer::of_slack(status, body));
        if mood != Mood::Well {
            model.struck(match mood {
                Mood::Busy(_) => "slack: 429",
                Mood::Gone => "slack: 404 no_service",
                Mood::Broken => "slack: 5xx",
                Mood::Silent { .. } => "slack: no answer",
                Mood::Away => "slack: unreachable",
                _ => "slack: blocks refused",
            });
        }
        let take = || oracle::taken(model, &SLACK, said.clone(), &known, false);
        let result = match mood {
            Mood::Busy(wait) => {
                Ok(SlackAnswer { retry_after: Some(wait), ..SlackAnswer::of_slack(429, "rate_limited") })
            }
            Mood::Gone => answer(404, "no_service"),
            Mood::Broken => answer(*model.dice.pick(&[500, 503]), "server error"),
            Mood::Away => Err(SlackError::NotSent("connection refused".to_owned())),
            Mood::Picky if message.get("blocks").is_some() => answer(400, "invalid_blocks"),
            Mood::Silent { taken } => {
                if taken {
                    take();
                }
                model.clock.sleep(PATIENCE).await;
                Err(SlackError::Unknown("timed out".to_owned()))
            }
            Mood::Well | Mood::Picky => {
                take();
                answer(200, "ok")
            }
        };
        model.note(|| format!("{} slack answers {result:?}", self.weather.process.name));
        if self.weather.pass(Call::Post, Moment::After, &about()).await {
            return Err(SlackError::Unknown("the connection broke".to_owned()));
        }
        result
    }
}
