//! A stand-in for Close's API over real HTTP: webhook subscriptions, and what owners are looked up with.
//!
//! It answers as the samples in `samples/close` show, as [`Switches`] say where nobody knows, and as badly as
//! a test asks for it ([`ForcedAnswer`]).

mod account;
mod answer;
mod example;
mod forced;
mod leads;
mod limits;
mod organization;
mod subscriptions;
mod switches;

use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::{
    account::{Account, user},
    example::{
        BRINDLE, FERROUS, FUNNEL_FIELD, IVO, MARLOWE, NADIA, ORGANIZATION, OWNER_FIELD, QUILLWORK, ROWAN,
        TAMSIN, TEAM_FIELD, TEXT_FIELD, WALK_IN, sample, sample_bytes,
    },
    forced::ForcedAnswer,
    limits::Limit,
    subscriptions::key,
    switches::{
        Coding, DeadKey, Denied, Gone, Invited, Limits, Maintenance, MyOrganization, Refusal, Returned,
        SecondRequest, SmallRole, Switches, UnknownField, Users,
    },
};
use self::{answer::Answer, limits::Left};

/// The key that it knows.
pub const API_KEY: &str = "api_4geheimerSchluessel.part2";

/// Close's API. It ends when it is dropped.
pub struct Close {
    /// Where it is, for `CLOSE_API_URL`.
    pub url: String,
    shared: Shared,
    servers: [JoinHandle<()>; 2],
}

#[derive(Clone)]
struct Shared {
    account: Arc<Mutex<Account>>,
    /// Where redirects lead.
    elsewhere: String,
}

impl Close {
    /// An account without a subscription or a lead, which does not show keys again.
    pub async fn start() -> Self {
        Self::with(Account::default()).await
    }

    /// The account of the samples: five leads, four people, ten custom fields.
    pub async fn example() -> Self {
        Self::with(Account::example()).await
    }

    async fn with(account: Account) -> Self {
        let account = Arc::new(Mutex::new(account));
        let (listener, url) = listen().await;
        let (elsewhere_listener, elsewhere) = listen().await;
        let shared = Shared { account, elsewhere };
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let misdirected = Router::new().fallback(note_misdirected).with_state(shared.clone());
        let servers = [(listener, router), (elsewhere_listener, misdirected)].map(|(listener, router)| {
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
        });
        Self { url, shared, servers }
    }

    /// What it knows. It answers nobody while this is held, and to ask for it twice in one statement is to wait for ever.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.shared.account.lock().unwrap()
    }

    /// How many requests were for paths that start like this.
    pub fn asked(&self, path: &str) -> usize {
        self.account().asked(path)
    }

    /// How many requests were about one lead.
    pub fn asked_for(&self, lead: &str) -> usize {
        self.account().asked_for(lead)
    }
}

impl Drop for Close {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    (listener, url)
}

/// The key of a request, as basic authentication without a password has it.
fn key_of(headers: &HeaderMap) -> Option<String> {
    let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    decoded.strip_suffix(':').map(str::to_owned)
}

async fn note_misdirected(State(shared): State<Shared>, request: Request) -> Response {
    let misdirected = (request.uri().to_string(), key_of(request.headers()));
    shared.account.lock().unwrap().misdirected.push(misdirected);
    Answer::page(200, "You should not be here").into_response()
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let asked = Asked {
        method: head.method.as_str(),
        path: head.uri.path().strip_prefix("/api/v1").unwrap_or_default(),
        fields: head.uri.query().and_then(fields_of),
        wish: serde_json::from_slice(&body).unwrap_or_default(),
        key: key_of(&head.headers),
        reads_gzip: head
            .headers
            .get(header::ACCEPT_ENCODING)
            .is_some_and(|it| it.to_str().is_ok_and(|codings| codings.contains("gzip"))),
    };
    let answer = shared.account.lock().unwrap().answer(&asked, &shared.elsewhere);
    match answer {
        Some(answer) => answer.into_response(),
        None => pending().await,
    }
}

/// The value of `_fields` in a query.
fn fields_of(query: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "_fields").map(|(_, fields)| fields.into_owned())
}

/// A request.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    fields: Option<String>,
    wish: Value,
    key: Option<String>,
    reads_gzip: bool,
}

impl Account {
    /// The answer to a request, or none, ever.
    fn answer(&mut self, asked: &Asked<'_>, elsewhere: &str) -> Option<Answer> {
        let changes = if asked.method == "PUT" { format!(" {}", asked.wish) } else { String::new() };
        self.requests.push(format!("{} {}{changes}", asked.method, asked.path));
        if !asked.path.ends_with('/') {
            return Some(Answer::moved(format!("{elsewhere}{}/", asked.path)));
        }
        if asked.key.as_ref().is_none_or(|key| !self.keys.contains(key)) {
            return Some(self.unknown_key(asked.key.as_deref().unwrap_or_default()));
        }
        if let Some((status, wait)) = self.refusals.pop_front() {
            let headers = vec![("retry-after", wait.to_owned())];
            return Some(Answer { headers, ..Answer::json(status, &json!({})) });
        }
        let segments: Vec<&str> = asked.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let group = limits::group(asked.method, &segments);
        let left = self.used.count(group, self.limit, self.clock.now());
        if left.is_over {
            return Some(Answer::busy(left, self.switches));
        }
        let mut answer = self.usual(asked, &segments, elsewhere);
        if let Some(forced) = forced::next(&mut self.rules, asked.path) {
            let Some(other) = forced.answer(answer, self.switches, self.limit) else {
                self.unanswered += 1;
                return None;
            };
            answer = other;
        }
        if answer.status != 429 {
            answer.headers.extend(left.headers(self.switches.limits));
        }
        answer.headers.push(("trace-id", format!("trace{}", self.requests.len())));
        let is_compressed = match self.switches.coding {
            Coding::Plain => false,
            Coding::AsAsked => asked.reads_gzip,
            Coding::Always => true,
        };
        Some(if is_compressed { answer.compressed() } else { answer })
    }

    fn usual(&mut self, asked: &Asked<'_>, segments: &[&str], elsewhere: &str) -> Answer {
        if self.forbidden.iter().any(|path| asked.path.starts_with(path)) {
            return self.denial();
        }
        let fields = asked.fields.as_deref();
        match (asked.method, segments) {
            ("GET", ["webhook"]) => self.list_subscriptions(),
            ("POST", ["webhook"]) => self.subscribe(&asked.wish),
            ("GET", ["webhook", id]) => self.subscription(id),
            ("PUT", ["webhook", id]) => self.change_subscription(id, &asked.wish),
            ("DELETE", ["webhook", id]) => self.unsubscribe(id),
            ("GET", ["lead", id]) => self.lead(id, fields, elsewhere),
            ("GET", ["organization", id]) => self.organization(id, fields),
            ("GET", ["custom_field_schema", "lead"]) => self.schema(),
            ("GET", ["role"]) => self.list_roles(),
            ("GET", ["me"]) => self.me(fields),
            ("GET", _) => Answer::absent(),
            _ => Answer::refusal(405, self.switches),
        }
    }

    /// 401. A server may well repeat what it was sent, and nobody may show that.
    fn unknown_key(&self, key: &str) -> Answer {
        let mut error = match self.switches.dead_key {
            DeadKey::Explained => sample("error_401_bad_key"),
            DeadKey::Bare => sample("error_401_object_not_permitted"),
            DeadKey::Empty => return Answer::of(401, "text/plain", ""),
        };
        error["body"]["key"] = key.into();
        Answer::json(401, &error["body"])
    }
}

impl Answer {
    /// 429, and how long to wait.
    fn busy(left: Left, switches: Switches) -> Self {
        let sample =
            if switches.limits == Limits::Older { "error_429_old_body" } else { "error_429_current" };
        let answer = Self::error(sample);
        Self { headers: [answer.headers, left.headers(switches.limits)].concat(), ..answer }
    }
}
