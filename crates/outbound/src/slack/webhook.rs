//! Posting to an incoming webhook.

use std::time::Duration;

use async_trait::async_trait;
use pipeline::destination::NotReady;
use reqwest::Client;
use serde_json::{Value, json};

use super::{IncomingWebhook, SlackAnswer, SlackError, SlackProbe};
use crate::{SecretUrl, head, page};
use web::{BodyRead, retry_after};

/// The longest that a post takes.
pub(super) const LONGEST_POST: Duration = Duration::from_secs(10);
const BODY_LIMIT: usize = 16 * 1024;

/// One Slack incoming webhook: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.
///
/// Every message has a connection of its own: at one message a second the cost of the handshake does not matter.
#[derive(Debug, Clone)]
pub struct SlackWebhook {
    url: SecretUrl,
    client: Client,
}

impl SlackWebhook {
    /// A webhook: 3 s to connect, 10 s in all, no redirects.
    ///
    /// # Errors
    /// A line for the operator where the machine cannot do TLS.
    pub fn new(url: SecretUrl) -> Result<Self, String> {
        Self::with_timeout(url, LONGEST_POST)
    }

    /// The webhook in `secret`, see [`SecretUrl::parse`].
    ///
    /// # Errors
    /// A line for the operator that shows nothing of the secret.
    pub fn parse(secret: &str) -> Result<Self, String> {
        Self::new(SecretUrl::parse(secret)?)
    }

    fn with_timeout(url: SecretUrl, total: Duration) -> Result<Self, String> {
        let client = url.client(total)?;
        Ok(Self { url, client })
    }

    fn failed(&self, error: reqwest::Error) -> SlackError {
        let (is_proxy_error, is_unsent) = (web::is_proxy_error(&error), web::is_unsent(&error));
        let why = self.url.redact(&web::error_text(error));
        match () {
            () if is_proxy_error => SlackError::Intercepted(why),
            () if is_unsent => SlackError::NotSent(why),
            () => SlackError::Unknown(why),
        }
    }
}

#[async_trait]
impl IncomingWebhook for SlackWebhook {
    async fn address(&self) -> Result<String, NotReady> {
        Ok(self.url.to_string())
    }

    async fn place(&self) -> Option<String> {
        Some(self.url.fingerprint())
    }

    fn is_slack(&self) -> bool {
        self.url.is_of_slack()
    }

    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let sent = self.client.post(self.url.0.clone()).json(message).send().await;
        let mut response = sent.map_err(|error| self.failed(error))?;
        let retry_after = retry_after::of(response.headers());
        let (body, ended) = web::read_limited(&mut response, BODY_LIMIT).await;
        // A refusal is clear from its status; acceptance is in the body, whose missing rest could have denied it.
        let is_whole = match ended {
            BodyRead::Failed(error) if response.status().is_success() => return Err(self.failed(error)),
            ended => !matches!(ended, BodyRead::Failed(_)),
        };
        let body = web::line(&body, BODY_LIMIT);
        Ok(SlackAnswer {
            status: response.status().as_u16(),
            is_page: page::is_page(response.headers(), &body, is_whole),
            is_slack: self.url.is_of_slack(),
            body: self.url.redact(&body),
            retry_after,
        })
    }

    async fn probe(&self) -> SlackProbe {
        // What is on this machine is a fake Slack, or a proxy to it.
        if self.url.is_of_slack() || web::is_on_this_machine(&self.url.0) {
            return SlackProbe::Answered(self.post(&json!({ "text": "" })).await);
        }
        SlackProbe::Reached(head::ask(&self.client, &self.url).await)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::SystemTime,
    };

    use axum::{
        Json, Router,
        http::{HeaderMap, StatusCode, Uri},
        response::{IntoResponse, Redirect, Response},
    };
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const PATH: &str = "/services/T0EXAMPLE/B0EXAMPLE/verysecretpart";

    async fn serve(router: Router) -> SlackWebhook {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        webhook(&address.to_string())
    }

    fn webhook(address: &str) -> SlackWebhook {
        SlackWebhook::parse(&format!("http://{address}{PATH}")).unwrap()
    }

    fn assert_hidden(told: &str) {
        for secret in ["T0EXAMPLE", "B0EXAMPLE", "verysecret"] {
            assert!(!told.contains(secret), "{told}");
        }
    }

    #[tokio::test]
    async fn a_message_is_posted_as_json_and_the_answer_handed_on() {
        let slack = serve(Router::new().fallback(
            |uri: Uri, headers: HeaderMap, Json(message): Json<Value>| async move {
                assert_eq!((uri.path(), &message), (PATH, &json!({"text": "Zoë"})));
                assert_eq!(headers["user-agent"], web::USER_AGENT);
                "ok"
            },
        ))
        .await;
        let answer = slack.post(&json!({"text": "Zoë"})).await.unwrap();
        assert_eq!(answer, SlackAnswer { is_slack: false, ..SlackAnswer::of_slack(200, "ok") });
    }

    #[tokio::test]
    async fn every_refusal_comes_back_once() {
        for (status, body) in [(400, "invalid_blocks"), (404, "no_service"), (429, ""), (503, "down")] {
            let asked = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&asked);
            let slack = serve(Router::new().fallback(move || async move {
                counted.fetch_add(1, Ordering::Relaxed);
                (StatusCode::from_u16(status).unwrap(), [("retry-after", "30")], body)
            }))
            .await;
            let answer = slack.post(&json!({})).await.unwrap();
            assert_eq!((answer.status, answer.body.as_str()), (status, body));
            assert_eq!(answer.retry_after, Some(Duration::from_secs(30)));
            assert_eq!(asked.load(Ordering::Relaxed), 1);
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let slack = serve(Router::new().fallback(|uri: Uri| async move {
            assert_eq!(uri.path(), PATH);
            Redirect::temporary("/elsewhere")
        }))
        .await;
        assert_eq!(slack.post(&json!({})).await.unwrap().status, 307);
    }

    #[tokio::test]
    async fn a_long_or_strange_body_is_cut_and_cleaned() {
        let slack = serve(Router::new().fallback(|uri: Uri| async move {
            let mut body = format!("\u{1b}[31mno\n{uri} B0EXAMPLE ").into_bytes();
            body.push(0xff);
            body.extend(std::iter::repeat_n(b'x', 100_000));
            body
        }))
        .await;
        let answer = slack.post(&json!({})).await.unwrap();
        assert!(answer.body.starts_with("[31mno /… … \u{fffd}xx"));
        assert!(answer.body.len() <= BODY_LIMIT + 8);
        assert_hidden(&answer.body);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_leaves_the_status_of_a_refusal_and_is_no_consent() {
        let slack = raw(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\no").await;
        assert_eq!(slack.post(&json!({})).await.unwrap().status, 404);
        for answer in [
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no".as_slice(),
            b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n",
        ] {
            let broken = raw(answer).await.post(&json!({})).await.unwrap_err();
            assert!(matches!(broken, SlackError::Unknown(_)), "{broken}");
        }
    }

    #[tokio::test]
    async fn what_never_left_is_told_from_what_may_have_arrived() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let refused = webhook(&address).post(&json!({})).await.unwrap_err();
        assert!(matches!(&refused, SlackError::NotSent(why) if why.contains("refused")), "{refused}");

        let unknown_host = SlackWebhook::parse(&format!("http://nowhere.invalid{PATH}")).unwrap();
        let unknown_host = unknown_host.post(&json!({})).await.unwrap_err();
        assert!(matches!(unknown_host, SlackError::NotSent(_)), "{unknown_host}");

        let no_tls = raw(b"no TLS here").await.url.0.as_str().replace("http://", "https://");
        let no_tls = SlackWebhook::parse(&no_tls).unwrap().post(&json!({})).await.unwrap_err();
        assert!(matches!(no_tls, SlackError::NotSent(_)), "{no_tls}");

        let silent =
            serve(Router::new().fallback(|| async { std::future::pending::<Response>().await })).await;
        let silent = SlackWebhook::with_timeout(silent.url, Duration::from_millis(200)).unwrap();
        let silent = silent.post(&json!({})).await.unwrap_err();
        assert!(matches!(silent, SlackError::Unknown(_)), "{silent}");

        let hung_up = raw(b"").await.post(&json!({})).await.unwrap_err();
        assert!(matches!(hung_up, SlackError::Unknown(_)), "{hung_up}");

        for error in [refused, unknown_host, no_tls, silent, hung_up] {
            assert_hidden(&error.to_string());
            assert_hidden(&format!("{error:?}"));
        }
    }

    /// Reads something, answers with `bytes` whatever it was, and hangs up.
    async fn raw(bytes: &'static [u8]) -> SlackWebhook {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(bytes).await;
        });
        webhook(&address)
    }

    #[tokio::test]
    async fn a_retry_after_on_the_wire_is_read_as_a_date_too() {
        let slack = serve(Router::new().fallback(|| async {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(600));
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", date)]).into_response()
        }))
        .await;
        let wait = slack.post(&json!({})).await.unwrap().retry_after.unwrap();
        assert!((500..=600).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn every_form_of_the_secret_is_read() {
        let bare = format!("https://hooks.slack.com{PATH}");
        let expected = SecretUrl::parse(&bare).unwrap();
        assert_eq!(expected.0.as_str(), bare);
        for name in ["webhook_url", "slack_webhook_url", "slackWebhookURL", "SLACK_WEBHOOK_URL", "url"] {
            let secret = format!(" {} \n", json!({"other": 1, name: bare}));
            assert_eq!(SecretUrl::parse(&secret).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn the_secret_is_shown_neither_as_such_nor_in_an_error() {
        let url =
            SecretUrl::parse(&format!("https://u:verysecret@hooks.slack.com{PATH}?verysecret")).unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://hooks.slack.com/… https://hooks.slack.com/…");
        assert_hidden(&format!("{:?}", SlackWebhook::new(url).unwrap()));
        for secret in [
            "",
            "verysecret",
            "ftp://hooks.slack.com/verysecret",
            "http://hooks.slack.com/verysecret",
            "{\"webhook_url\": \"verysecret\"}",
            "{\"webhook_url\": 5, \"x\": \"verysecret\"}",
            "{\"verysecret",
            "{\"webhook\": \"https://hooks.slack.com/verysecret\"}",
            "SLACK_WEBHOOK_URL=https://hooks.slack.com/services/verysecret",
            "https://verysecret:999999/",
        ] {
            assert_hidden(&SecretUrl::parse(secret).unwrap_err());
        }
    }
}
