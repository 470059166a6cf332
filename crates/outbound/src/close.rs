//! Close's API, as far as webhook subscriptions go:
//! <https://developer.close.com/resources/webhook-subscriptions/>.

use std::{fmt, sync::Arc, time::Duration};

use lead::text;
use pipeline::{Code, Fault, ports::Clock};
use reqwest::{Client, Method, Response, StatusCode, header, redirect};
use serde_json::{Value, json};
use url::Url;

use crate::client;

/// What the subscription is for.
const EVENT: (&str, &str) = ("lead", "created");
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// How often a request is made that Close asks to make later.
const ATTEMPTS: u32 = 4;
/// The longest wait that is kept: somebody sits in front of it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How many subscriptions are asked for at a time, the most that Close gives.
const PAGE: usize = 100;
/// More pages than an organisation can have subscriptions for.
const MOST_PAGES: usize = 20;

/// A secret of Close's: an API key, or what a subscription signs with. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct CloseSecret(String);

impl CloseSecret {
    /// The secret, for whoever uses it up.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CloseSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CloseSecret(…)")
    }
}

/// A webhook subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// `whsub_…`.
    pub id: String,
    /// Where it posts to.
    pub url: String,
    /// Whether Close delivers: its status is `active`, not `paused`.
    pub is_active: bool,
    /// Whether new leads are among its events.
    pub has_leads: bool,
    /// How many other kinds of events it has.
    pub others: usize,
    /// What Close says of its deliveries, such as `healthy`.
    pub health: Option<String>,
    /// Why it was paused.
    pub pause_reason: Option<String>,
    /// The last failure of a delivery.
    pub latest_error: Option<String>,
    /// What it signs with, where Close shows it.
    pub key: Option<CloseSecret>,
}

/// Close's API with somebody's key.
///
/// Unlike the ports in this crate it waits and asks again where Close says so with 429, as there is no
/// stage behind it that would.
pub struct CloseApi {
    base: Url,
    key: CloseSecret,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl CloseApi {
    /// Where the API is.
    pub const URL: &'static str = "https://api.close.com/api/v1";

    /// The API at `base` with this key: 3 s to connect, 15 s for an answer, no redirects.
    ///
    /// # Errors
    /// [`Code::SettingBad`] for an address that is none or would send the key in the clear,
    /// [`Code::CloseKeyMissing`] for a key that is none.
    pub fn new(base: &str, key: &str, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let bad = |what: &str| Fault::new(Code::SettingBad, format!("CLOSE_API_URL {what}"));
        let mut base: Url = base.parse().map_err(|error| bad(&format!("is no URL: {error}")))?;
        match base.scheme() {
            "https" => {}
            "http" if client::is_on_this_machine(&base) => {}
            _ => return Err(bad("does not begin with https://, so the API key would go in the clear")),
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let key = key.trim();
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            let what = "CLOSE_API_KEY holds no API key: such a key is printable ASCII without a colon";
            return Err(Fault::new(Code::CloseKeyMissing, what));
        }
        let client = client::builder(&base)
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(15))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| Fault::new(Code::CloseFailed, client::error_text(error)))?;
        Ok(Self { base, key: CloseSecret(key.to_owned()), client, clock })
    }

    /// All subscriptions of the organisation.
    ///
    /// # Errors
    /// [`Code::CloseDenied`], [`Code::CloseThrottled`] or [`Code::CloseFailed`].
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Fault> {
        let doing = "asking Close for its webhook subscriptions";
        let mut all = Vec::new();
        for page in 0..MOST_PAGES {
            let path = format!("webhook/?_skip={}&_limit={PAGE}", page * PAGE);
            let answer = self.ask(doing, Method::GET, &path, None).await?;
            let rows = answer.get("data").and_then(Value::as_array).ok_or_else(|| odd(doing))?;
            all.extend(rows.iter().filter_map(Subscription::read));
            if answer.get("has_more") != Some(&Value::Bool(true)) || rows.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// One subscription, with its key where Close shows it.
    ///
    /// # Errors
    /// As [`CloseApi::subscriptions`].
    pub async fn subscription(&self, id: &str) -> Result<Subscription, Fault> {
        let doing = format!("asking Close for the subscription {id}");
        let answer = self.ask(&doing, Method::GET, &format!("webhook/{id}/"), None).await?;
        Subscription::read(&answer).ok_or_else(|| odd(&doing))
    }

    /// Makes a subscription for new leads.
    ///
    /// Makes a second one where there is one for the same address: ask for those first.
    ///
    /// # Errors
    /// As [`CloseApi::subscriptions`].
    pub async fn subscribe(&self, url: &Url) -> Result<Subscription, Fault> {
        let doing = format!("subscribing Close to {url}");
        let body = json!({"url": url.as_str(), "events": events(), "verify_ssl": true});
        let answer = self.ask(&doing, Method::POST, "webhook/", Some(body)).await?;
        Subscription::read(&answer).ok_or_else(|| odd(&doing))
    }

    /// Sets a subscription active; with new leads as its only event where `leads` says so.
    ///
    /// # Errors
    /// As [`CloseApi::subscriptions`].
    pub async fn activate(&self, id: &str, leads: bool) -> Result<Subscription, Fault> {
        let doing = format!("setting the subscription {id} active");
        let mut body = json!({"status": "active"});
        if leads {
            body["events"] = events();
        }
        let answer = self.ask(&doing, Method::PUT, &format!("webhook/{id}/"), Some(body)).await?;
        Subscription::read(&answer).ok_or_else(|| odd(&doing))
    }

    /// Takes a subscription away.
    ///
    /// # Errors
    /// As [`CloseApi::subscriptions`].
    pub async fn unsubscribe(&self, id: &str) -> Result<(), Fault> {
        let doing = format!("deleting the subscription {id}");
        self.ask(&doing, Method::DELETE, &format!("webhook/{id}/"), None).await.map(drop)
    }

    /// One request, made again where Close asks to wait.
    async fn ask(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Fault> {
        let failed = |what: String| Fault::new(Code::CloseFailed, format!("{doing}: {what}"));
        let url = self.base.join(path).map_err(|error| failed(error.to_string()))?;
        let mut attempt = 1;
        loop {
            let mut request =
                self.client.request(method.clone(), url.clone()).basic_auth(self.key.expose(), Some(""));
            if let Some(body) = &body {
                request = request.json(body);
            }
            let sent = request.send().await;
            let mut answer = sent.map_err(|error| failed(self.hide_in(&client::error_text(error))))?;
            let status = answer.status();
            let (bytes, ended) = match wait_asked_for(&answer, &method) {
                Some(wait) if attempt < ATTEMPTS && wait <= LONGEST_WAIT => {
                    attempt += 1;
                    self.clock.sleep(wait).await;
                    continue;
                }
                _ => client::read_start(&mut answer, BODY_LIMIT).await,
            };
            let value: Option<Value> = serde_json::from_slice(&bytes).ok();
            return match (status.is_success(), value, ended) {
                (true, Some(value), client::Ended::Complete) => Ok(value),
                // Nothing is said where something was deleted.
                (true, None, client::Ended::Complete) if bytes.is_empty() => Ok(Value::Null),
                (true, _, client::Ended::Failed(error)) => {
                    Err(failed(self.hide_in(&client::error_text(error))))
                }
                (true, ..) => Err(odd(doing)),
                (false, value, _) => Err(self.refused(doing, status, value.as_ref())),
            };
        }
    }

    fn refused(&self, doing: &str, status: StatusCode, answer: Option<&Value>) -> Fault {
        let code = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Code::CloseDenied,
            StatusCode::TOO_MANY_REQUESTS => Code::CloseThrottled,
            _ => Code::CloseFailed,
        };
        let told = answer.map(said).filter(|told| !told.is_empty());
        let told = told.map_or_else(String::new, |told| format!(": {}", self.hide_in(&told)));
        Fault::new(code, format!("{doing}: Close answers {}{told}", status.as_u16()))
    }

    /// `told` without the key, should a server have put it there.
    fn hide_in(&self, told: &str) -> String {
        told.replace(self.key.expose(), "…")
    }
}

impl Subscription {
    /// Reads one of Close's answers; `None` where it has no id or no URL.
    fn read(answer: &Value) -> Option<Self> {
        let field = |name: &str| answer.get(name).filter(|value| !value.is_null());
        let id = field("id")?.as_str()?;
        // It becomes part of a path and of a list of keys.
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return None;
        }
        let told = |name: &str| field(name).map(|value| text::shorten(&plain(value), 200));
        let events = field("events").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let is_leads = |event: &&Value| {
            let has = |name: &str, value: &str| event.get(name).and_then(Value::as_str) == Some(value);
            has("object_type", EVENT.0) && has("action", EVENT.1)
        };
        let leads = events.iter().filter(is_leads).count();
        Some(Self {
            id: id.to_owned(),
            url: text::clean(field("url")?.as_str()?),
            is_active: field("status")?.as_str() == Some("active"),
            has_leads: leads > 0,
            others: events.len() - leads,
            health: told("health_status"),
            pause_reason: told("pause_reason"),
            latest_error: told("latest_error"),
            key: field("signature_key").and_then(Value::as_str).map(|key| CloseSecret(key.to_owned())),
        })
    }
}

fn events() -> Value {
    json!([{"object_type": EVENT.0, "action": EVENT.1}])
}

fn odd(doing: &str) -> Fault {
    Fault::new(Code::CloseFailed, format!("{doing}: the answer is not one of Close's API"))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What an error says: `error`, or `errors` and `field-errors` as they are.
fn said(answer: &Value) -> String {
    let parts = ["error", "errors", "field-errors"].iter().filter_map(|name| answer.get(name));
    let parts =
        parts.filter(|part| !matches!(part, Value::Null) && **part != json!([]) && **part != json!({}));
    text::shorten(&parts.map(plain).collect::<Vec<_>>().join(" "), 200)
}

/// How long Close asks to wait: <https://developer.close.com/topics/rate-limits/>. A request that only
/// asks is also made again where Close is away for a moment.
fn wait_asked_for(answer: &Response, method: &Method) -> Option<Duration> {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => {
            let after = header(header::RETRY_AFTER.as_str()).and_then(seconds);
            // `limit=100, remaining=0, reset=5.3`
            let reset = header("ratelimit").and_then(|limits| {
                let reset = limits.split([',', ';']).find_map(|part| part.trim().strip_prefix("reset="));
                reset.and_then(seconds)
            });
            Some(after.into_iter().chain(reset).max().unwrap_or(Duration::from_secs(1)))
        }
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
            if *method == Method::GET =>
        {
            Some(Duration::from_secs(1))
        }
        _ => None,
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse::<f64>().ok().filter(|seconds| *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use axum::{
        Router,
        extract::Request,
        response::{IntoResponse, Response as Answer},
    };
    use lead::Timestamp;
    use tokio::net::TcpListener;

    use super::*;

    const KEY: &str = "api_geheim.part";

    /// A clock that notes how long it was slept on.
    #[derive(Default)]
    struct Noting(Mutex<Vec<Duration>>);

    #[async_trait]
    impl Clock for Noting {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        async fn sleep(&self, duration: Duration) {
            self.0.lock().unwrap().push(duration);
        }
    }

    /// An API that gives these answers, the last one for ever.
    async fn api(answers: Vec<(u16, &'static str, String)>) -> (CloseApi, Arc<Noting>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers));
        let router = Router::new().fallback(move |request: Request| async move {
            // `api_geheim.part:` in Base64.
            assert_eq!(request.headers()["authorization"], "Basic YXBpX2dlaGVpbS5wYXJ0Og==");
            assert!(request.uri().path().starts_with("/api/v1/webhook/"), "{}", request.uri());
            let mut answers = answers.lock().unwrap();
            let (status, limits, body) =
                if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
            let status = StatusCode::from_u16(status).unwrap();
            let answer: Answer = (status, [("ratelimit", limits)], body).into_response();
            answer
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let clock = Arc::new(Noting::default());
        (CloseApi::new(&base, KEY, clock.clone()).unwrap(), clock)
    }

    fn sample() -> Value {
        let sample: Value =
            serde_json::from_str(include_str!("../../../tests/samples/webhook_subscription_create.json"))
                .unwrap();
        sample["response"]["body"].clone()
    }

    #[tokio::test]
    async fn the_answer_of_the_sample_is_read_and_its_key_does_not_print() {
        let (api, _) = api(vec![(201, "", sample().to_string())]).await;
        let made = api.subscribe(&"https://example.com/crm/webhook".parse().unwrap()).await.unwrap();
        assert!(made.is_active && made.has_leads && made.others == 0);
        let (id, key) = (made.id.clone(), made.key.as_ref().unwrap().expose().to_owned());
        assert_eq!((id.as_str(), key.len()), ("whsub_2l329YJ4Ds2RiLBHVBGS55", 64));
        assert_eq!((made.health.as_deref(), &made.latest_error), (Some("healthy"), &None));
        assert!(!format!("{made:?}").contains(&key));
    }

    #[tokio::test]
    async fn every_page_is_read_and_what_has_no_usable_id_is_left_out() {
        let mut other = sample();
        other["id"] = "../x".into();
        let page = |row: &Value, more: bool| json!({"data": [row], "has_more": more}).to_string();
        let answers = vec![(200, "", page(&sample(), true)), (200, "", page(&other, false))];
        let (api, _) = api(answers).await;
        assert_eq!(api.subscriptions().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_wait_is_kept_in_full_and_a_limited_number_of_times() {
        let list = (200, "", json!({"data": []}).to_string());
        let limited = (429, "limit=100, remaining=0, reset=2.5", String::new());
        let (patient, clock) = api(vec![limited.clone(), list]).await;
        assert_eq!(patient.subscriptions().await.unwrap(), []);
        assert_eq!(*clock.0.lock().unwrap(), [Duration::from_millis(2_500)]);
        let (given_up, clock) = api(vec![limited]).await;
        assert_eq!(given_up.subscriptions().await.unwrap_err().code, Code::CloseThrottled);
        assert_eq!(clock.0.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn what_makes_something_is_not_repeated_where_it_may_have_been_made() {
        let (api, clock) = api(vec![(503, "", String::new())]).await;
        let fault = api.subscribe(&"https://example.com/".parse().unwrap()).await.unwrap_err();
        assert_eq!((fault.code, clock.0.lock().unwrap().len()), (Code::CloseFailed, 0));
        assert_eq!(api.subscriptions().await.unwrap_err().code, Code::CloseFailed);
        assert_eq!(clock.0.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn refusals_say_why_and_never_show_the_key() {
        for (status, body, code, part) in [
            (401, json!({"error": format!("no such key {KEY}")}), Code::CloseDenied, "401"),
            (403, json!({}), Code::CloseDenied, "403"),
            (400, json!({"errors": [], "field-errors": {"url": "bad"}}), Code::CloseFailed, "bad"),
            (302, json!(null), Code::CloseFailed, "302"),
            (200, json!([1]), Code::CloseFailed, "not one of Close's"),
        ] {
            let (api, _) = api(vec![(status, "", body.to_string())]).await;
            let fault = api.subscriptions().await.unwrap_err();
            assert_eq!(fault.code, code, "{fault}");
            assert!(fault.what.contains(part) && !fault.what.contains("geheim"), "{fault}");
        }
        let nowhere = CloseApi::new("http://127.0.0.1:1/", KEY, Arc::new(Noting::default())).unwrap();
        let fault = nowhere.subscriptions().await.unwrap_err();
        assert!(fault.code == Code::CloseFailed && !fault.what.contains("geheim"), "{fault}");
    }

    #[test]
    fn the_key_goes_to_nobody_in_the_clear() {
        for (url, key, code) in [
            ("http://api.close.com/api/v1", KEY, Code::SettingBad),
            ("nonsense", KEY, Code::SettingBad),
            (CloseApi::URL, " ", Code::CloseKeyMissing),
            (CloseApi::URL, "a\nb", Code::CloseKeyMissing),
        ] {
            let fault = CloseApi::new(url, key, Arc::new(Noting::default())).map(drop).unwrap_err();
            assert_eq!(fault.code, code, "{fault}");
        }
    }
}
