//! A fake of Close's API, as far as owners are looked up in it.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use close::client::{ApiKeys, CloseBase};
use lead::LeadId;
use outbound::OwnerSource;
use pipeline::Fault;
use serde_json::json;

use crate::{Problem, Sample, local_server::LocalServer, organization};

/// The API's base path.
const BASE: &str = "/api/v1/";
/// Shaped like Close's, and no secret.
const API_KEY: &str = "api_0demo0demo0demo0demo00.0demo0demo0demo0demo00";
/// How many requests are allowed in one window.
const LIMIT: u32 = 60;
const WINDOW: Duration = Duration::from_secs(1);
/// How long after its due time a lead is announced without an owner, after enough failed look-ups.
const GIVEN_UP: Duration = Duration::from_secs(9);

/// What is answered about a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LeadScript {
    /// From when on it has its owners; `None` where nobody is ever assigned.
    owned_from: Option<Instant>,
    /// Until when a gateway's error page is the answer.
    down_until: Option<Instant>,
}

/// The API.
#[derive(Debug)]
pub(crate) struct FakeClose {
    server: LocalServer,
    state: Arc<Mutex<Close>>,
}

#[derive(Debug)]
struct Close {
    leads: BTreeMap<LeadId, (Sample, LeadScript)>,
    /// When the window began, and how many requests it has had.
    window: (Instant, u32),
}

impl FakeClose {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port is available.
    pub(crate) async fn start() -> io::Result<Self> {
        let state = Arc::new(Mutex::new(Close { leads: BTreeMap::new(), window: (Instant::now(), 0) }));
        let router = Router::new().fallback(take).with_state(Arc::clone(&state));
        Ok(Self { server: LocalServer::start(router).await?, state })
    }

    /// `OWNER_SOURCE` and what belongs to it.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn source(&self) -> Result<OwnerSource, Fault> {
        let base = CloseBase::parse(&format!("{}{BASE}", self.server.base()))?;
        Ok(OwnerSource::Close(base, organization::owner_fields()))
    }

    /// `CLOSE_API_KEY`.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn keys() -> Result<ApiKeys, Fault> {
        Ok(ApiKeys::parse(API_KEY)?)
    }

    /// Adds a lead, with its problem. Call it before the lead is sent.
    ///
    /// `delay` is the pipeline's: an owner who is late is assigned between the first look-up, one delay from now,
    /// and the second, at least one delay after that.
    pub(crate) fn add_lead(&self, sample: &Sample, delay: Duration) {
        let now = Instant::now();
        let owned_from = match sample.problem {
            Some(Problem::NoOwner) => None,
            Some(Problem::LateOwner) => Some(now + delay + delay.max(Duration::from_secs(1)) / 2),
            _ => Some(now),
        };
        let is_down = sample.problem == Some(Problem::CloseDown);
        let script = LeadScript { owned_from, down_until: is_down.then(|| now + delay + GIVEN_UP) };
        pipeline::lock(&self.state).leads.insert(sample.lead_id.clone(), (sample.clone(), script));
    }
}

async fn take(State(state): State<Arc<Mutex<Close>>>, request: Request) -> Response {
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{API_KEY}:")));
    if request.headers().get(header::AUTHORIZATION).is_none_or(|given| given != basic.as_str()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "Unauthorized"}))).into_response();
    }
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    pipeline::lock(&state).take(path.strip_prefix(BASE).unwrap_or_default(), Instant::now())
}

impl Close {
    fn take(&mut self, path: &str, now: Instant) -> Response {
        if now >= self.window.0 + WINDOW {
            self.window = (now, 0);
        }
        let reset = (self.window.0 + WINDOW).saturating_duration_since(now).as_secs_f64();
        let limits = |remaining: u32| {
            [("ratelimit", format!("limit={LIMIT}, remaining={remaining}, reset={reset:.3}"))]
        };
        let (_, count) = &mut self.window;
        if *count == LIMIT {
            let wait = [(header::RETRY_AFTER, format!("{reset:.3}"))];
            return (StatusCode::TOO_MANY_REQUESTS, limits(0), wait, Json(json!({}))).into_response();
        }
        *count += 1;
        (limits(LIMIT - *count), self.answer(path, now)).into_response()
    }

    fn answer(&self, path: &str, now: Instant) -> Response {
        let mut is_down = false;
        let (status, body) = organization::answer(path, |lead| {
            let (sample, script) = self.leads.get(lead)?;
            is_down = script.down_until.is_some_and(|until| now < until);
            Some(sample.in_close(script.owned_from.is_some_and(|from| now >= from)))
        });
        if is_down {
            let page = "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<h1>502 Bad Gateway</h1>\n\
                        </body>\n</html>\n";
            return (StatusCode::BAD_GATEWAY, Html(page)).into_response();
        }
        (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body))
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use close::Incoming;
    use close::client::CloseReader;
    use close::{CloseApi, RateLimitWindow};
    use lead::{OwnerStatus, Timestamp};
    use pipeline::{
        Code,
        ports::{LookupOptions, Owners},
    };
    use sqlite::{Options, Store};
    use system::SystemClock;

    use super::*;
    use crate::Scenario;

    const FIRST: LookupOptions = LookupOptions { fresh: false, within: None };
    const AGAIN: LookupOptions = LookupOptions { fresh: true, within: None };

    /// The pipeline's source of owners.
    fn owners(close: &FakeClose, folder: &tempfile::TempDir) -> Arc<dyn Owners> {
        let store = Store::open(folder.path(), Options::creating()).unwrap();
        let keys = Arc::new(FakeClose::keys().unwrap());
        let source = close.source().unwrap();
        source.open(keys, Arc::new(store), Arc::new(SystemClock), Duration::from_secs(30)).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_lead_is_looked_up_with_its_problem() {
        let (close, folder) = (FakeClose::start().await.unwrap(), tempfile::tempdir().unwrap());
        let owners = owners(&close, &folder);
        owners.warm_up().await;
        let mut scenario = Scenario::new(1);
        let mut ends = BTreeSet::new();
        for _ in 0..40 {
            let sample = scenario.next(Timestamp::now());
            let Ok(Incoming::Created(created)) = Incoming::parse(&sample.event) else { continue };
            close.add_lead(&sample, Duration::from_secs(600));
            let found = owners.find(&created, FIRST).await;
            let (status, code, named) = match sample.problem {
                Some(Problem::NoOwner | Problem::LateOwner) => {
                    (OwnerStatus::Missing, Some(Code::OwnerMissing), 0)
                }
                Some(Problem::CloseDown) => (OwnerStatus::LookupFailed, Some(Code::CloseUnavailable), 0),
                Some(Problem::DepartedOwner) => (OwnerStatus::Departed, Some(Code::OwnerDeparted), 1),
                Some(Problem::TwoOwners) => (OwnerStatus::Assigned, None, 2),
                _ => (OwnerStatus::Assigned, None, 1),
            };
            assert_eq!((found.facts.status, found.why.map(|why| why.code)), (status, code));
            let names: Vec<&str> = found.facts.owners.iter().map(|owner| owner.name.as_str()).collect();
            let expected: Vec<&str> = sample.owners.iter().take(named).map(|owner| owner.name).collect();
            assert_eq!(names, expected, "{:?}", sample.problem);
            // The webhook has it.
            assert_eq!(found.facts.funnel.as_deref(), Some(sample.funnel));
            ends.insert(status.as_str());
        }
        assert_eq!(ends.len(), 4);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_owner_who_is_late_and_an_api_that_was_down_come_in_time_for_a_later_look_up() {
        let (close, folder) = (FakeClose::start().await.unwrap(), tempfile::tempdir().unwrap());
        let owners = owners(&close, &folder);
        owners.warm_up().await;
        let mut scenario = Scenario::new(1);
        for problem in [Problem::LateOwner, Problem::CloseDown] {
            let sample = scenario.next_with(Timestamp::now(), Some(problem));
            let Ok(Incoming::Created(created)) = Incoming::parse(&sample.event) else { panic!() };
            close.add_lead(&sample, Duration::ZERO);
            assert!(owners.find(&created, FIRST).await.facts.owners.is_empty());
            for (_, script) in pipeline::lock(&close.state).leads.values_mut() {
                for time in [&mut script.owned_from, &mut script.down_until].into_iter().flatten() {
                    *time -= Duration::from_secs(60);
                }
            }
            let found = owners.find(&created, AGAIN).await.facts;
            assert_eq!(found.lead_owner.as_deref(), Some(sample.owners[0].name), "{problem:?}");
            assert_eq!(found.lead_phone.as_deref(), Some(sample.phone.as_str()));
        }
    }

    #[tokio::test]
    async fn another_key_is_refused_and_the_limit_is_announced_and_enforced() {
        let close = FakeClose::start().await.unwrap();
        let Ok(OwnerSource::Close(base, _)) = close.source() else { panic!() };
        let reader = |keys| CloseReader::new(base.clone(), Arc::new(keys)).unwrap();
        let stranger = reader(ApiKeys::parse("api_other").unwrap());
        assert_eq!(stranger.get("me/").await.unwrap().status, 401);
        let reader = reader(FakeClose::keys().unwrap());
        let mut left = Vec::new();
        loop {
            let answer = reader.get("me/?_fields=id").await.unwrap();
            let Some(RateLimitWindow { remaining, reset }) = answer.window else { panic!("{answer:?}") };
            assert!(reset <= WINDOW);
            if answer.status == 429 {
                assert!(remaining == 0 && answer.wait.is_some_and(|wait| wait <= WINDOW));
                break;
            }
            assert_eq!(answer.status, 200);
            left.push(remaining);
            // A slow machine sees the next window.
            assert!(left.len() < 10_000);
        }
        assert!(left.ends_with(&[2, 1, 0]), "{left:?}");
    }
}
