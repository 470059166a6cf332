//! Close's API for the look-up of owners.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use reqwest::{Method, StatusCode};

use crate::{CloseAnswer, CloseApi, Error};

use super::{
    secret::ApiKeys,
    transport::{Answer, CloseBase, Transport},
};

/// How much of an answer is read.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// Where the API keys come from.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The current keys.
    ///
    /// # Errors
    /// Why there are none.
    async fn keys(&self) -> Result<ApiKeys, Error>;

    /// Reads the keys again, because Close accepts none of them, but not more often than every few seconds. Returns whether
    /// they have changed, which some never do.
    async fn refresh(&self) -> bool {
        false
    }
}

/// Keys that do not change.
#[async_trait]
impl KeySource for ApiKeys {
    async fn keys(&self) -> Result<ApiKeys, Error> {
        Ok(self.clone())
    }
}

/// Close's API, read with whichever of the keys it accepts.
pub struct CloseReader {
    transport: Transport,
    holder: Arc<dyn KeySource>,
    /// Which of the keys was accepted last.
    taken: AtomicUsize,
}

impl CloseReader {
    /// The API at `base`: 5 s to connect, 15 s for an answer of at most 2 MiB, no redirects.
    ///
    /// # Errors
    /// A line for the operator where the machine cannot do TLS.
    pub fn new(base: CloseBase, holder: Arc<dyn KeySource>) -> Result<Self, String> {
        let transport = Transport::new(base, BODY_LIMIT)?;
        Ok(Self { transport, holder, taken: AtomicUsize::new(0) })
    }

    /// Asks with the key that was accepted last, and where Close refuses that, with the other one.
    async fn ask(&self, path: &str) -> Result<Answer, Error> {
        let keys = self.holder.keys().await?;
        let first = self.taken.load(Ordering::Relaxed);
        let mut refused = None;
        for number in (first..first + keys.all().len()).map(|number| number % keys.all().len()) {
            let Some(key) = keys.all().get(number) else { continue };
            let sent = self.transport.send(key, &Method::GET, path, None).await;
            let answer = sent.map_err(Error::Unavailable)?;
            // A key may be dead in either way, and one of another user may do what this one may not.
            if ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status) {
                self.taken.store(number, Ordering::Relaxed);
                return Ok(answer);
            }
            refused = refused.or(Some(answer));
        }
        refused.ok_or_else(|| Error::Key("there is no API key of Close's".to_owned()))
    }
}

#[async_trait]
impl CloseApi for CloseReader {
    async fn get(&self, path: &str) -> Result<CloseAnswer, Error> {
        let mut answer = self.ask(path).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.holder.refresh().await {
            answer = self.ask(path).await?;
        }
        let Answer { status, wait, window, trace, body } = answer;
        let body = match body {
            Ok(body) => body,
            // The body of a refusal is not needed.
            Err(_) if !status.is_success() => bytes::Bytes::new(),
            Err(what) => return Err(Error::Unavailable(what)),
        };
        Ok(CloseAnswer { status: status.as_u16(), body, wait, window, trace })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use axum::{Router, extract::Request, response::IntoResponse};
    use tokio::net::TcpListener;

    use super::*;

    const OLD: &str = "api_old.geheim";
    const NEW: &str = "api_new.geheim";

    /// What is asked: the path, and which key asks.
    type Asked = Arc<Mutex<Vec<(String, &'static str)>>>;

    fn which(request: &Request) -> &'static str {
        // The two keys with a colon, in Base64.
        match request.headers()["authorization"].to_str().unwrap() {
            "Basic YXBpX29sZC5nZWhlaW06" => OLD,
            "Basic YXBpX25ldy5nZWhlaW06" => NEW,
            _ => "another",
        }
    }

    /// An API that takes one of the keys and answers it with this.
    async fn api(
        taken: &'static str,
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    ) -> (CloseBase, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = CloseBase::parse(&format!("http://{}/api/v1", listener.local_addr().unwrap())).unwrap();
        let asked = Asked::default();
        let noted = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| async move {
            let key = which(&request);
            noted.lock().unwrap().push((request.uri().to_string(), key));
            let status = if key == taken { status } else { 401 };
            let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                answer.headers_mut().insert(*name, value.parse().unwrap());
            }
            answer
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (base, asked)
    }

    fn reader(base: CloseBase, keys: &str) -> CloseReader {
        CloseReader::new(base, Arc::new(ApiKeys::parse(keys).unwrap())).unwrap()
    }

    #[tokio::test]
    async fn an_answer_comes_with_its_limits_and_its_trace() {
        let headers = &[
            ("ratelimit", "limit=240, remaining=0, reset=5.5"),
            ("retry-after", "5.5"),
            ("trace-id", "t-1"),
        ];
        let (base, asked) = api(OLD, 429, headers, "{}").await;
        let answer = reader(base, OLD).get("lead/lead_a/?_fields=id,custom.cf_1").await.unwrap();
        assert_eq!((answer.status, answer.wait), (429, Some(Duration::from_millis(5_500))));
        assert_eq!(answer.window.unwrap().remaining, 0);
        assert_eq!(answer.trace.as_deref(), Some("t-1"));
        assert_eq!(asked.lock().unwrap()[0].0, "/api/v1/lead/lead_a/?_fields=id,custom.cf_1");
    }

    #[tokio::test]
    async fn the_key_that_is_taken_is_found_once_and_remembered() {
        let (base, asked) = api(OLD, 200, &[], "{}").await;
        let reader = reader(base, &format!("{NEW},{OLD}"));
        for _ in 0..2 {
            assert_eq!(reader.get("me/").await.unwrap().status, 200);
        }
        let keys: Vec<_> = asked.lock().unwrap().iter().map(|(_, key)| *key).collect();
        assert_eq!(keys, [NEW, OLD, OLD]);
    }

    /// Keys that are replaced when they are looked at again.
    struct Rotated(Mutex<&'static str>);

    #[async_trait]
    impl KeySource for Rotated {
        async fn keys(&self) -> Result<ApiKeys, Error> {
            ApiKeys::parse(*self.0.lock().unwrap())
        }

        async fn refresh(&self) -> bool {
            std::mem::replace(&mut *self.0.lock().unwrap(), NEW) != NEW
        }
    }

    #[tokio::test]
    async fn a_key_that_was_replaced_is_read_again() {
        let (base, asked) = api(NEW, 200, &[], "{}").await;
        let reader = CloseReader::new(base, Arc::new(Rotated(Mutex::new(OLD)))).unwrap();
        assert_eq!(reader.get("me/").await.unwrap().status, 200);
        assert_eq!(asked.lock().unwrap().len(), 2);
        let (base, asked) = api("neither", 200, &[], "{}").await;
        let reader = CloseReader::new(base, Arc::new(Rotated(Mutex::new(NEW)))).unwrap();
        assert_eq!(reader.get("me/").await.unwrap().status, 401);
        assert_eq!(asked.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn no_redirect_gets_the_key() {
        let (elsewhere, asked) = api(OLD, 200, &[], "{}").await;
        let location: &'static str = Box::leak(format!("{elsewhere}/me/").into_boxed_str());
        let headers: &'static [(&'static str, &'static str)] = Box::leak(Box::new([("location", location)]));
        let (base, _) = api(OLD, 302, headers, "").await;
        assert_eq!(reader(base.clone(), OLD).get("me/").await.unwrap().status, 302);
        assert!(asked.lock().unwrap().is_empty());
        for path in [format!("{elsewhere}/me/"), "//127.0.0.1:1/".to_owned(), "../../x/".to_owned()] {
            let fault = reader(base.clone(), OLD).get(&path).await.unwrap_err();
            assert!(fault.kind() == "unavailable" && !fault.to_string().contains("geheim"), "{fault}");
        }
        assert!(asked.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_endless_answer_is_not_read_and_no_answer_is_said() {
        let large: &'static str = Box::leak("x".repeat(BODY_LIMIT + 1).into_boxed_str());
        let (base, _) = api(OLD, 200, &[], large).await;
        let fault = reader(base, OLD).get("me/").await.unwrap_err();
        assert!(fault.to_string().contains("larger than 2097152 bytes"), "{fault}");
        let (base, _) = api(OLD, 404, &[], large).await;
        assert_eq!(reader(base, OLD).get("me/").await.unwrap().status, 404);
        let nobody = CloseBase::parse("http://127.0.0.1:1/").unwrap();
        let fault = reader(nobody, OLD).get("me/").await.unwrap_err();
        assert!(fault.kind() == "unavailable" && !fault.to_string().contains("geheim"), "{fault}");
    }
}
