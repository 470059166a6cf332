//! Asking Close: at its pace, within what a look-up may cost, and what each status means.

use std::{
    fmt::Display,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use close::is_user;
use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use outside::{text, time_left};

use super::{pace::Pace, retrieved::is_lately};
use crate::{
    Code, Fault, lock,
    ports::{Clock, LookupOutcome, NextLookup, within},
};
use close::{CloseAnswer, CloseApi};

/// How many requests one look-up may make.
const MOST_REQUESTS: u32 = 2;
/// How long it is known whose fault a refusal was: whether the key itself is good.
const KNOWN_FOR: SignedDuration = SignedDuration::from_mins(1);
/// When a look-up that has used up its requests goes on.
const GO_ON: Duration = Duration::from_secs(1);

/// Why a look-up stops without an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LookupStop {
    /// It failed.
    Failed { fault: Fault, again: bool },
    /// Close asks to wait, or the look-up has used up what it may cost.
    Wait { fault: Fault, pause: Duration },
}

impl LookupStop {
    pub(super) fn failed(code: Code, what: impl Into<String>, again: bool) -> Self {
        Self::Failed { fault: Fault::new(code, what), again }
    }

    pub(super) fn fault(&self) -> &Fault {
        match self {
            Self::Failed { fault, .. } | Self::Wait { fault, .. } => fault,
        }
    }
}

impl From<LookupStop> for LookupOutcome {
    fn from(stop: LookupStop) -> Self {
        let (fault, then) = match stop {
            LookupStop::Failed { fault, again: true } => (fault, NextLookup::Retry),
            LookupStop::Failed { fault, again: false } => (fault, NextLookup::Done),
            LookupStop::Wait { fault, pause } => (fault, NextLookup::Wait(pause)),
        };
        Self::failed(fault.code, fault.what, then)
    }
}

/// What one look-up may still cost.
pub(super) struct LookupBudget {
    requests: u32,
    until: Option<Timestamp>,
}

impl LookupBudget {
    /// Two requests, until then.
    pub(super) fn until(until: Option<Timestamp>) -> Self {
        Self { requests: MOST_REQUESTS, until }
    }

    /// How long it may still take, where that is bounded.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        self.until.map(|until| time_left(until, now))
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum CloseRequest<'a> {
    Lead(&'a LeadId),
    Members,
    Fields,
    Me,
    Roles,
}

impl CloseRequest<'_> {
    fn doing(self) -> String {
        match self {
            Self::Lead(lead) => format!("asking Close for {lead}"),
            Self::Members => "asking Close for the members of the organisation".to_owned(),
            Self::Fields => "asking Close for the custom fields of leads".to_owned(),
            Self::Me => "asking Close whose the API key is".to_owned(),
            Self::Roles => "asking Close what its roles may see".to_owned(),
        }
    }

    fn fault(self, code: Code, what: impl Display) -> Fault {
        Fault::new(code, format!("{}: {what}", self.doing()))
    }

    /// Close has given no answer that can be used, and may well give one soon.
    fn unanswered(self, what: impl Display) -> LookupStop {
        LookupStop::Failed { fault: self.fault(Code::CloseUnavailable, what), again: true }
    }

    /// An answer that is none of Close's: a page of somebody in between.
    pub(super) fn unreadable(self, error: &outside::Unreadable) -> LookupStop {
        self.unanswered(format_args!("the answer is none of its API: {error}"))
    }

    /// The answer is about somebody or something else.
    pub(super) fn another(self) -> LookupStop {
        self.unanswered("the answer is about something else")
    }

    fn busy(self, pause: Duration) -> LookupStop {
        let what = format_args!("it has to wait for {:.1} s", pause.as_secs_f64());
        LookupStop::Wait { fault: self.fault(Code::CloseBusy, what), pause }
    }
}

/// Asks Close.
pub(super) struct CloseClient {
    api: Arc<dyn CloseApi>,
    pub(super) clock: Arc<dyn Clock>,
    /// How long a turn is waited for in place.
    patience: Duration,
    of_leads: Pace,
    of_others: Pace,
    /// Whether the key itself was good, and when.
    key: Mutex<Option<(Timestamp, Result<(), Code>)>>,
}

impl CloseClient {
    pub(super) fn new(api: Arc<dyn CloseApi>, clock: Arc<dyn Clock>, patience: Duration) -> Self {
        Self {
            api,
            clock,
            patience,
            of_leads: Pace::default(),
            of_others: Pace::default(),
            key: Mutex::default(),
        }
    }

    /// The body of a good answer.
    pub(super) async fn ask(
        &self,
        path: &str,
        what: CloseRequest<'_>,
        means: &mut LookupBudget,
    ) -> Result<Bytes, LookupStop> {
        let answer = self.answer(path, what, means).await?;
        let trace = answer.trace.as_ref().map_or_else(String::new, |trace| format!(" (trace {trace})"));
        let failed = |code, again| {
            let fault = what.fault(code, format_args!("it answers {}{trace}", answer.status));
            Err(LookupStop::Failed { fault, again })
        };
        let is_lead = matches!(what, CloseRequest::Lead(_));
        match answer.status {
            200..=299 => Ok(answer.body),
            401 | 403 if is_lead => {
                failed(self.is_key_good(means).await?.err().unwrap_or(Code::CloseLeadHidden), false)
            }
            // Where a permission is missing, Close answers 401 as well.
            401 if means.requests > 0 => {
                failed(self.is_key_good(means).await?.err().unwrap_or(Code::CloseForbidden), false)
            }
            401..=403 => failed(Code::CloseForbidden, false),
            404 | 410 | 300..=399 if is_lead => failed(Code::CloseLeadHidden, false),
            500..=599 => failed(Code::CloseUnavailable, true),
            _ => failed(Code::CloseUnavailable, false),
        }
    }

    /// Whether the key is good at all, asked at most once a minute.
    async fn is_key_good(&self, means: &mut LookupBudget) -> Result<Result<(), Code>, LookupStop> {
        let known = *lock(&self.key);
        let now = self.clock.now();
        if let Some((at, known)) = known
            && is_lately(at, now, KNOWN_FOR)
        {
            return Ok(known);
        }
        let answer = self.answer("me/?_fields=id", CloseRequest::Me, means).await?;
        let verdict = match answer.status {
            200..=299 => match is_user(&answer.body) {
                Ok(true) => Ok(()),
                Ok(false) => return Err(CloseRequest::Me.another()),
                Err(error) => return Err(CloseRequest::Me.unreadable(&error)),
            },
            401 => Err(Code::CloseKeyRefused),
            402 | 403 => Err(Code::CloseForbidden),
            status => return Err(CloseRequest::Me.unanswered(format_args!("it answers {status}"))),
        };
        *lock(&self.key) = Some((now, verdict));
        Ok(verdict)
    }

    /// Any answer but a request to wait.
    async fn answer(
        &self,
        path: &str,
        what: CloseRequest<'_>,
        means: &mut LookupBudget,
    ) -> Result<CloseAnswer, LookupStop> {
        if means.requests == 0 {
            let fault = what.fault(Code::CloseBusy, "later, as two requests were made for the lead");
            return Err(LookupStop::Wait { fault, pause: GO_ON });
        }
        let pace = if matches!(what, CloseRequest::Lead(_)) { &self.of_leads } else { &self.of_others };
        self.turn(pace, what, means).await?;
        means.requests -= 1;
        let now = self.clock.now();
        let limit = means.left(now);
        let asked = within(self.clock.as_ref(), limit, self.api.get(path)).await;
        let answer = match asked {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                let fault = Fault::from(error);
                let fault = what.fault(fault.code, text::shorten(&fault.what, 200));
                // Another attempt finds no other key.
                let for_good =
                    [Code::CloseKeyMissing, Code::SecretUnusable, Code::ResourceMissing, Code::AwsDenied];
                return Err(LookupStop::Failed { again: !for_good.contains(&fault.code), fault });
            }
            None => {
                let limit = limit.unwrap_or_default().as_secs_f64();
                return Err(what.unanswered(format_args!(
                    "no answer within {limit:.1} s, which is what its worker could wait"
                )));
            }
        };
        match pace.heed(self.clock.now(), &answer) {
            Some(pause) => Err(what.busy(pause)),
            None => Ok(answer),
        }
    }

    /// Waits for a turn, where it comes soon.
    async fn turn(
        &self,
        pace: &Pace,
        what: CloseRequest<'_>,
        means: &LookupBudget,
    ) -> Result<(), LookupStop> {
        let now = self.clock.now();
        // What is left is for the request as well.
        let patience = means.left(now).map_or(self.patience, |left| self.patience.min(left / 2));
        let mut wait = pace.turn(now, patience).map_err(|wait| what.busy(wait))?;
        let mut waited = Duration::ZERO;
        while !wait.is_zero() {
            self.clock.sleep(wait).await;
            waited += wait;
            // Somebody else may have been asked to wait meanwhile.
            wait = pace.closed(self.clock.now());
            if waited + wait > patience {
                return Err(what.busy(wait));
            }
        }
        Ok(())
    }
}
