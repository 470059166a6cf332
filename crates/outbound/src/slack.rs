use std::{
    fmt,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use lead::text;
use pipeline::{
    plain_name,
    ports::{Slack, SlackAnswer, SlackError},
    unpasted,
};
use reqwest::{Client, header};
use serde_json::{Map, Value};
use url::Url;

use crate::client;

/// A URL that is a credential. Prints its host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str("/…")
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SecretUrl {
    /// Reads a webhook's URL, bare or as the JSON in which secret stores hold it: an object with
    /// `webhook_url`, `slack_webhook_url` or `url`, in any spelling.
    ///
    /// # Errors
    /// A line for the operator that shows nothing of the text.
    pub fn parse(secret: &str) -> Result<Self, String> {
        const NAMES: [&str; 3] = ["webhookurl", "slackwebhookurl", "url"];
        let secret = unpasted(secret);
        if !secret.starts_with('{') {
            return Self::parse_url(secret);
        }
        let fields: Map<String, Value> = serde_json::from_str(secret)
            .map_err(|error| format!("it starts like JSON but is none, at column {}", error.column()))?;
        let url = fields
            .iter()
            .filter(|(name, _)| NAMES.contains(&plain_name(name).as_str()))
            .find_map(|(_, value)| value.as_str())
            .ok_or("it is JSON without a text webhook_url, slack_webhook_url or url")?;
        Self::parse_url(unpasted(url))
    }

    fn parse_url(text: &str) -> Result<Self, String> {
        if let Some((name, _)) = text.split_once('=')
            && plain_name(name.trim_start_matches("export ")) == "slackwebhookurl"
        {
            return Err(
                "it begins with SLACK_WEBHOOK_URL=, which is the setting's name and no part of its value"
                    .to_owned(),
            );
        }
        let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if host.ends_with("slack.com") || host.ends_with("slack-gov.com") => {
                Err("it begins with http://, which would send Slack's secret in the clear".to_owned())
            }
            // For stand-ins.
            "http" => Ok(Self(url)),
            _ => Err("it begins with neither https:// nor http://".to_owned()),
        }
    }

    /// `told` with the secret parts taken out of it, should a server or a library have put them there.
    fn hide_in(&self, told: &str) -> String {
        let path = self.0.path().trim_matches('/');
        // From the longest to the shortest, so that the pieces of a whole are not left over.
        let wholes = [Some(self.0.as_str()), Some(path), self.0.query(), self.0.password()];
        let pieces = path.split('/').filter(|piece| *piece != "services");
        wholes
            .into_iter()
            .flatten()
            .chain(pieces)
            // What is shorter is no secret of Slack's, and may be an everyday word.
            .filter(|secret| secret.len() >= 8)
            .fold(told.to_owned(), |told, secret| told.replace(secret, "…"))
    }
}

/// How long a post may take to connect, and in all.
#[derive(Debug, Clone, Copy)]
struct Patience {
    connect: Duration,
    total: Duration,
}

const PATIENCE: Patience = Patience { connect: Duration::from_secs(3), total: Duration::from_secs(10) };
const BODY_LIMIT: usize = 4 * 1024;
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// One Slack incoming webhook: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.
///
/// Every message has a connection of its own. A connection that was kept may be closed by Slack just
/// as a message goes out on it, and nobody could tell whether the message arrived; at one message a
/// second the handshake costs nothing that matters.
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
        Self::with_patience(url, PATIENCE)
    }

    /// The webhook in `secret`, see [`SecretUrl::parse`].
    ///
    /// # Errors
    /// A line for the operator that shows nothing of the secret.
    pub fn parse(secret: &str) -> Result<Self, String> {
        Self::new(SecretUrl::parse(secret)?)
    }

    /// Where it posts to, safe to print.
    pub fn url(&self) -> &SecretUrl {
        &self.url
    }

    fn with_patience(url: SecretUrl, patience: Patience) -> Result<Self, String> {
        let client = client::builder(&url.0)
            .pool_max_idle_per_host(0)
            .connect_timeout(patience.connect)
            .timeout(patience.total)
            .build()
            .map_err(client::error_text)?;
        Ok(Self { url, client })
    }

    fn failed(&self, error: reqwest::Error) -> SlackError {
        // What fails before there is a connection, TLS included, or in building the request.
        let never_left = error.is_connect() || error.is_builder();
        let told = self.url.hide_in(&client::error_text(error));
        if never_left { SlackError::NotSent(told) } else { SlackError::Unknown(told) }
    }
}

#[async_trait]
impl Slack for SlackWebhook {
    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let sent = self.client.post(self.url.0.clone()).json(message).send().await;
        let mut response = sent.map_err(|error| self.failed(error))?;
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now()));
        // The status has the last word; a body that breaks off takes nothing away from it.
        let (body, _) = client::read_start(&mut response, BODY_LIMIT).await;
        let body = text::clean(&String::from_utf8_lossy(&body));
        Ok(SlackAnswer { status: response.status().as_u16(), body: self.url.hide_in(&body), retry_after })
    }
}

/// The wait that a `Retry-After` asks for, at most a day: seconds, with a fraction or not, or a date
/// (RFC 9110, section 10.2.3). A date that is over is no wait.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<f64>() {
        // Not NaN, and infinity is a day.
        Ok(seconds) if seconds >= 0.0 => Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT),
        Ok(_) => return None,
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or(Duration::ZERO),
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
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
                assert_eq!(headers["user-agent"], client::USER_AGENT);
                "ok"
            },
        ))
        .await;
        let answer = slack.post(&json!({"text": "Zoë"})).await.unwrap();
        assert_eq!(answer, SlackAnswer { status: 200, body: "ok".to_owned(), retry_after: None });
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
    async fn a_body_that_breaks_off_leaves_the_status() {
        let slack = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no").await;
        assert_eq!(slack.post(&json!({})).await.unwrap().status, 200);
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
        let impatient = Patience { total: Duration::from_millis(200), ..PATIENCE };
        let silent = SlackWebhook::with_patience(silent.url, impatient).unwrap();
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
    fn every_form_of_retry_after_is_bounded() {
        let now = httpdate::parse_http_date("Mon, 14 Sep 2026 15:00:00 GMT").unwrap();
        for (value, seconds) in [
            ("30", Some(30.0)),
            (" 1 ", Some(1.0)),
            ("0", Some(0.0)),
            ("0.5", Some(0.5)),
            ("999999999999999999999999", Some(86_400.0)),
            ("1e400", Some(86_400.0)),
            ("inf", Some(86_400.0)),
            ("Mon, 14 Sep 2026 15:00:30 GMT", Some(30.0)),
            ("Monday, 14-Sep-26 15:00:30 GMT", Some(30.0)),
            ("Mon, 14 Sep 2026 14:00:00 GMT", Some(0.0)),
            ("Mon, 14 Sep 2099 14:00:00 GMT", Some(86_400.0)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs_f64), "{value:?}");
        }
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
