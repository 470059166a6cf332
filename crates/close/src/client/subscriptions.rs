//! The part of Close's API for webhook subscriptions:
//! <https://developer.close.com/resources/webhook-subscriptions/>.

use std::{pin::Pin, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{
    said,
    secret::ApiKeys,
    subscription::{Subscription, events},
    transport::{Answer, CloseBase, Transport},
};
use crate::Error;

const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// How often a request is made in all where Close asks to retry later.
const ATTEMPTS: u32 = 4;
/// The longest wait that is honoured, as a person is waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How many subscriptions are requested at a time, the most that Close returns.
const PAGE: usize = 100;
/// More pages than an organisation can have subscriptions for.
const MOST_PAGES: usize = 20;

/// Waits for so long.
pub type Sleep = Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Close's API with an operator's key.
///
/// Unlike the ports it waits and retries where Close answers 429, as no stage would do it.
pub struct CloseApi {
    transport: Transport,
    keys: ApiKeys,
    sleep: Sleep,
}

impl CloseApi {
    /// The API at `base` with the first of these keys.
    ///
    /// # Errors
    /// [`Error::Failed`] where the machine cannot do TLS.
    pub fn new(base: CloseBase, keys: ApiKeys, sleep: Sleep) -> Result<Self, Error> {
        let transport = Transport::new(base, BODY_LIMIT).map_err(Error::Failed)?;
        Ok(Self { transport, keys, sleep })
    }

    /// All subscriptions of the organisation.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Throttled`], [`Error::Refused`] with Close's words, or [`Error::Failed`].
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        let doing = "asking Close for its webhook subscriptions";
        let mut all = Vec::new();
        for page in 0..MOST_PAGES {
            let path = format!("webhook/?_skip={}&_limit={PAGE}", page * PAGE);
            let answer = self.ask(doing, Method::GET, &path, None).await?;
            let rows = answer.get("data").unwrap_or(&answer).as_array().ok_or_else(|| odd(doing))?;
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
    pub async fn subscription(&self, id: &str) -> Result<Subscription, Error> {
        let doing = format!("asking Close for the subscription {id}");
        let answer = self.ask(&doing, Method::GET, &format!("webhook/{id}/"), None).await?;
        Subscription::read(&answer).ok_or_else(|| odd(&doing))
    }

    /// Makes a subscription for new leads.
    ///
    /// Makes a second one where there is one for the same address: ask for those first.
    ///
    /// # Errors
    /// As [`CloseApi::subscriptions`]. Where Close has one for the address already, [`Error::Refused`] says which.
    pub async fn subscribe(&self, url: &Url) -> Result<Subscription, Error> {
        let doing = format!("subscribing Close to {}", web::shown(url));
        let body = json!({"url": url.as_str(), "events": events(), "verify_ssl": true});
        let answer = self.ask(&doing, Method::POST, "webhook/", Some(body)).await?;
        Subscription::read(&answer).ok_or_else(|| odd(&doing))
    }

    /// Sets a subscription active; with new leads among its events where `leads` says so, beside those that it has.
    ///
    /// # Errors
    /// As [`CloseApi::subscriptions`].
    pub async fn activate(&self, id: &str, leads: bool) -> Result<Subscription, Error> {
        let doing = format!("setting the subscription {id} active");
        let mut body = json!({"status": "active"});
        let path = format!("webhook/{id}/");
        if leads {
            let present = self.ask(&doing, Method::GET, &path, None).await?;
            let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
            body["events"] = [list(present.get("events")), list(Some(&events()))].concat().into();
        }
        let answer = self.ask(&doing, Method::PUT, &path, Some(body)).await?;
        Subscription::read(&answer).ok_or_else(|| odd(&doing))
    }

    /// Takes a subscription away.
    ///
    /// # Errors
    /// As [`CloseApi::subscriptions`].
    pub async fn unsubscribe(&self, id: &str) -> Result<(), Error> {
        let doing = format!("deleting the subscription {id}");
        self.ask(&doing, Method::DELETE, &format!("webhook/{id}/"), None).await.map(drop)
    }

    /// One request, made again where Close asks to wait, and with the other key where it refuses the first.
    async fn ask(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Error> {
        let failed = |what: String| Error::Failed(format!("{doing}: {what}"));
        let mut keys = self.keys.all();
        let mut attempt = 1;
        while let [key, others @ ..] = keys {
            let answer = self.transport.send(key, &method, path, body.as_ref()).await.map_err(failed)?;
            match pause(&answer, &method) {
                Some(wait) if attempt < ATTEMPTS && wait <= LONGEST_WAIT => {
                    attempt += 1;
                    (self.sleep)(wait).await;
                    continue;
                }
                _ => {}
            }
            if answer.status == StatusCode::UNAUTHORIZED && !others.is_empty() {
                keys = others;
                continue;
            }
            let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
            return match (answer.status.is_success(), answer.body) {
                // Nothing is said where something was deleted.
                (true, Ok(bytes)) if bytes.is_empty() => Ok(Value::Null),
                (true, Ok(bytes)) => value(&bytes).ok_or_else(|| odd(doing)),
                (true, Err(what)) => Err(failed(what)),
                (false, bytes) => Err(said::refused(doing, answer.status, &bytes.unwrap_or_default(), key)),
            };
        }
        Err(failed("there is no API key".to_owned()))
    }
}

fn odd(doing: &str) -> Error {
    Error::Failed(format!("{doing}: the answer is not one of Close's API"))
}

/// When to ask again: as Close asks for it, and where it is away for a moment, for what changes nothing.
fn pause(answer: &Answer, method: &Method) -> Option<Duration> {
    match answer.status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
            if *method == Method::GET =>
        {
            Some(Duration::from_secs(1))
        }
        _ => answer.wait,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{
        Router,
        extract::Request,
        response::{IntoResponse, Response},
    };
    use tokio::net::TcpListener;

    use super::*;

    const KEY: &str = "api_geheim.part";

    /// For how long it was waited.
    type Waits = Arc<Mutex<Vec<Duration>>>;

    fn noting(waits: &Waits) -> Sleep {
        let waits = Arc::clone(waits);
        Box::new(move |wait| {
            waits.lock().unwrap().push(wait);
            Box::pin(std::future::ready(()))
        })
    }

    /// An API that gives these answers, the last one for ever.
    async fn api(answers: Vec<(u16, &'static str, String)>) -> (CloseApi, Waits) {
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
            let answer: Response = (status, [("ratelimit", limits)], body).into_response();
            answer
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let waits = Waits::default();
        (client(&base, KEY, &waits).unwrap(), waits)
    }

    fn client(base: &str, key: &str, waits: &Waits) -> Result<CloseApi, Error> {
        CloseApi::new(CloseBase::parse(base)?, ApiKeys::parse(key)?, noting(waits))
    }

    fn sample() -> Value {
        let sample: Value =
            serde_json::from_str(include_str!("../../../../tests/samples/webhook_subscription_create.json"))
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
        let (patient, waits) = api(vec![limited.clone(), list]).await;
        assert_eq!(patient.subscriptions().await.unwrap(), []);
        assert_eq!(*waits.lock().unwrap(), [Duration::from_millis(2_500)]);
        let (given_up, waits) = api(vec![limited]).await;
        assert_eq!(given_up.subscriptions().await.unwrap_err().kind(), "throttled");
        assert_eq!(waits.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn what_makes_something_is_not_repeated_where_it_may_have_been_made() {
        let (api, waits) = api(vec![(503, "", String::new())]).await;
        let fault = api.subscribe(&"https://example.com/".parse().unwrap()).await.unwrap_err();
        assert_eq!((fault.kind(), waits.lock().unwrap().len()), ("failed", 0));
        assert_eq!(api.subscriptions().await.unwrap_err().kind(), "failed");
        assert_eq!(waits.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn refusals_say_why_and_never_show_the_key() {
        for (status, body, code, part) in [
            (401, json!({"error": format!("no such key {KEY}")}), "denied", "401"),
            (403, json!({}), "denied", "403"),
            (400, json!({"errors": [], "field-errors": {"url": "bad"}}), "refused", "url: bad"),
            (302, json!(null), "failed", "302"),
            (200, json!("x"), "failed", "not one of Close's"),
        ] {
            let (api, _) = api(vec![(status, "", body.to_string())]).await;
            let fault = api.subscriptions().await.unwrap_err();
            assert_eq!(fault.kind(), code, "{fault}");
            assert!(fault.to_string().contains(part) && !fault.to_string().contains("geheim"), "{fault}");
        }
        let nowhere = client("http://127.0.0.1:1/", KEY, &Waits::default()).unwrap();
        let fault = nowhere.subscriptions().await.unwrap_err();
        assert!(fault.kind() == "failed" && !fault.to_string().contains("geheim"), "{fault}");
    }

    #[test]
    fn the_key_goes_to_nobody_in_the_clear() {
        for (url, key, code) in [
            ("http://api.close.com/api/v1", KEY, "address"),
            ("nonsense", KEY, "address"),
            (CloseBase::URL, " ", "key"),
            (CloseBase::URL, "a b", "key"),
        ] {
            let fault = client(url, key, &Waits::default()).map(drop).unwrap_err();
            assert_eq!(fault.kind(), code, "{fault}");
        }
    }
}
