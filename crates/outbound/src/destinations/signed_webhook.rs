//! Any HTTPS address as a destination: the enriched lead, posted and signed as the Standard Webhooks have it.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use lead::{AlertKind, text};
use pipeline::{
    Code, Fault, SecretText,
    destination::{Checked, Destination, Form, Limits, Outgoing, Pacing, Unready, Verdict},
    plain_name,
    ports::Secret,
};
use reqwest::{Client, StatusCode, header};
use serde_json::{Map, Value};
use url::Url;

use super::{MadeOne, Making, SecretSetting};
use crate::{SecretUrl, client, retry_after};

/// What messages are signed with; on AWS also where they are posted to.
pub(super) const SECRET: SecretSetting =
    SecretSetting { value: "WEBHOOK_SECRET", in_functions: "WEBHOOK_SECRET_NAME" };
/// Where they are posted to: often a credential as well, as those of automation services are.
pub(super) const URL: SecretSetting =
    SecretSetting { value: "WEBHOOK_URL", in_functions: "WEBHOOK_SECRET_NAME" };

/// How long a post may take to connect, and in all.
const CONNECT: Duration = Duration::from_secs(3);
const LONGEST_POST: Duration = Duration::from_secs(10);
/// How much of an answer is read, in bytes, and how much of it is passed on, in characters.
const BODY_LIMIT: usize = 4 * 1024;
const SHOWN: usize = 80;
/// How long to wait where that is asked for without saying how long.
const UNSAID_WAIT: Duration = Duration::from_secs(30);
/// How long alerts wait where the secret could not be read.
const SECRET_PAUSE: Duration = Duration::from_secs(60);
/// A limit that nobody has asked for, so that a burst of leads is no attack on whoever takes them.
const PACING: Pacing = Pacing { rate: 10, burst: 10 };
/// How many bytes a signing secret has, by the standard.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Where and with what: one address, and the secret or, while one takes the place of the other, the secrets.
#[derive(Clone)]
struct Target {
    url: SecretUrl,
    secrets: Vec<hmac::Key>,
    client: Client,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} secrets", self.url, self.secrets.len())
    }
}

impl Target {
    /// Reads an address and signing secrets, each `whsec_` and base64, by commas, lines or white space.
    ///
    /// # Errors
    /// A line for the operator that shows nothing of either.
    fn read(url: &str, secrets: &str) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("the address is no URL: {error}"))?;
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && client::is_on_this_machine(&url);
        if !is_safe {
            return Err(
                "the address does not begin with https://: leads would travel in the clear".to_owned()
            );
        }
        let secrets = secrets.split([',', ' ', '\n', '\r', '\t']).filter(|secret| !secret.is_empty());
        let secrets = secrets.map(key).collect::<Result<Vec<_>, _>>()?;
        if secrets.is_empty() {
            return Err("it holds no signing secret".to_owned());
        }
        let client = client::builder(&url)
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .timeout(LONGEST_POST)
            .build()
            .map_err(client::error_text)?;
        Ok(Self { url: SecretUrl(url), secrets, client })
    }

    /// The header `webhook-signature`: one signature for each secret.
    fn signature(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let signed = |key| {
            let mut context = hmac::Context::with_key(key);
            context.update(format!("{id}.{timestamp}.").as_bytes());
            context.update(body);
            format!("v1,{}", BASE64.encode(context.sign()))
        };
        self.secrets.iter().map(signed).collect::<Vec<_>>().join(" ")
    }

    async fn post(&self, outgoing: &Outgoing<'_>) -> Verdict {
        let lead = outgoing.alert.lead;
        let Ok(body) = serde_json::to_vec(lead) else {
            return refused(format!("{} cannot be written as JSON", lead.lead_id), true);
        };
        let id = id(&outgoing.receipt);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let posted = self.client.post(self.url.0.clone());
        let posted = posted
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", self.signature(id, now, &body))
            .header("leadops-alert", kind(outgoing.alert.kind))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        let mut response = match posted.send().await {
            Ok(response) => response,
            Err(error) => {
                // What fails before there is a connection, TLS included, or in building the request.
                let never_left = error.is_connect() || error.is_builder();
                let why = self.url.hide_in(&client::error_text(error));
                return if never_left { unavailable(why) } else { unknown(why) };
            }
        };
        let wait = retry_after::of(response.headers());
        let (body, _) = client::read_start(&mut response, BODY_LIMIT).await;
        let body = self.url.hide_in(&text::clean(&String::from_utf8_lossy(&body)));
        verdict(response.status(), &body, wait)
    }
}

/// The identity of a message: the key of its receipt, without what the standard forbids in it.
fn id(receipt: &str) -> &str {
    receipt.strip_suffix(".json").unwrap_or(receipt)
}

fn kind(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::New => "new",
        AlertKind::FollowUp => "follow_up",
        AlertKind::Resend => "resend",
    }
}

/// A signing secret as the standard writes it.
fn key(secret: &str) -> Result<hmac::Key, String> {
    let encoded = secret.strip_prefix("whsec_").ok_or("a signing secret begins with whsec_")?;
    let bytes = BASE64.decode(encoded).map_err(|_| "what stands behind whsec_ is no base64")?;
    if !SECRET_BYTES.contains(&bytes.len()) {
        return Err(format!(
            "a signing secret has {} to {} bytes, and this one has {}: `openssl rand -base64 32` makes one",
            SECRET_BYTES.start(),
            SECRET_BYTES.end(),
            bytes.len()
        ));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// What an answer means: any 2xx is consent, unless it is a page.
fn verdict(status: StatusCode, body: &str, wait: Option<Duration>) -> Verdict {
    let body = text::shorten(body, SHOWN);
    let reason = format!("it answers {} {body}", status.as_u16()).trim_end().to_owned();
    let is_page = body.trim_start().starts_with('<');
    match status.as_u16() {
        200..=299 if is_page => unknown(format!("{reason}: a page, and no webhook's answer")),
        200..=299 => Verdict::Sent,
        429 => {
            let pause = wait.unwrap_or(UNSAID_WAIT);
            Verdict::Wait { pause, code: Code::DestinationBusy, reason }
        }
        300..=399 => refused(format!("{reason}: a redirect, which is not followed"), false),
        // Somebody in between, and none of the destination's words.
        401 | 403 | 404 | 407 if is_page => unavailable(reason),
        // A gateway that gave up waiting: what is behind it may have taken the message.
        408 | 502 | 504 => unknown(reason),
        400 | 413 | 415 | 422 => refused(reason, true),
        401..=499 => refused(reason, false),
        _ => match unavailable(reason) {
            Verdict::Again { code, reason, may_have_arrived, .. } => {
                Verdict::Again { code, reason, may_have_arrived, pause: wait.unwrap_or_default() }
            }
            other => other,
        },
    }
}

fn refused(reason: String, payload: bool) -> Verdict {
    Verdict::Refused { code: Code::DestinationRefused, reason, payload }
}

fn unavailable(reason: String) -> Verdict {
    let code = Code::DestinationUnavailable;
    Verdict::Again { code, reason, pause: Duration::ZERO, may_have_arrived: false }
}

fn unknown(reason: String) -> Verdict {
    Verdict::Again { code: Code::DestinationUnknown, reason, pause: Duration::ZERO, may_have_arrived: true }
}

/// The address that the settings or the secret name.
struct SignedWebhook {
    /// The address, where it is a setting of its own.
    url: Option<SecretText>,
    secret: Arc<dyn Secret>,
    /// What was read last, and what was made of it.
    last: Mutex<Option<(SecretText, Target)>>,
}

impl SignedWebhook {
    /// The target as the secret has it now.
    async fn target(&self) -> Result<Target, Unready> {
        let text = self.secret.text().await.map_err(|fault| match fault.code {
            Code::SecretUnusable => Unready::NotConfigured(fault),
            _ => Unready::Later(fault, SECRET_PAUSE),
        })?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, target)) = &*last
            && *known == text
        {
            return Ok(target.clone());
        }
        let target = self.read(text.expose()).map_err(|what| {
            let what = format!("{}: {what}", self.secret.name());
            Unready::NotConfigured(Fault::new(Code::SecretUnusable, what))
        })?;
        *last = Some((text, target.clone()));
        Ok(target)
    }

    /// Reads a secret: the signing secret alone, or JSON with `webhook_secret` and `webhook_url` in any spelling.
    fn read(&self, secret: &str) -> Result<Target, String> {
        let own = self.url.as_ref().map(SecretText::expose);
        if !secret.starts_with('{') {
            let url = own.ok_or("it holds no webhook_url, and WEBHOOK_URL is not set")?;
            return Target::read(url, secret);
        }
        let fields: Map<String, Value> = serde_json::from_str(secret)
            .map_err(|error| format!("it starts like JSON but is none, at column {}", error.column()))?;
        let field = |name: &str| {
            let mut found = fields.iter().filter(|(key, _)| plain_name(key) == name);
            found.find_map(|(_, value)| value.as_str()).map(str::trim)
        };
        let secret = field("webhooksecret").ok_or("it is JSON without a text webhook_secret")?;
        match (field("webhookurl"), own) {
            (Some(url), Some(own)) if url != own => {
                Err("its webhook_url is another than WEBHOOK_URL: say it in one place".to_owned())
            }
            (Some(url), _) | (None, Some(url)) => Target::read(url, secret),
            (None, None) => {
                Err("it is JSON without a text webhook_url, and WEBHOOK_URL is not set".to_owned())
            }
        }
    }
}

#[async_trait]
impl Destination for SignedWebhook {
    fn limits(&self) -> Limits {
        Limits {
            longest_send: LONGEST_POST,
            pace: Some(PACING),
            together: 1,
            at_once: 4,
            has_plain_form: false,
            shows_all: true,
        }
    }

    async fn ready(&self) -> Result<(), Unready> {
        self.target().await.map(drop)
    }

    async fn send(&self, alerts: &[Outgoing<'_>], _: Form) -> Verdict {
        let [one] = alerts else { return refused("a message is about one lead".to_owned(), true) };
        let target = match self.target().await {
            Ok(target) => target,
            Err(Unready::NotConfigured(fault) | Unready::Later(fault, _)) => {
                return unavailable(fault.to_string());
            }
        };
        let verdict = target.post(one).await;
        // What an old secret signed has not been seen: the new one may do.
        if matches!(verdict, Verdict::Refused { payload: false, .. })
            && self.secret.refresh().await.unwrap_or(false)
            && let Ok(renewed) = self.target().await
        {
            return renewed.post(one).await;
        }
        verdict
    }

    /// It can only be tried by posting, so this looks at the configuration alone.
    async fn check(&self, in_use: bool) -> Checked {
        match self.target().await {
            _ if !in_use => Checked::Well("switched off".to_owned()),
            Ok(Target { url, .. }) => {
                Checked::Well(format!("{url} is configured; an address can only be tried by posting"))
            }
            Err(Unready::NotConfigured(fault) | Unready::Later(fault, _)) => Checked::Failed(fault),
        }
    }
}

/// Reads `WEBHOOK_URL` and `WEBHOOK_SECRET`.
pub(super) fn make(making: &mut Making<'_>) -> MadeOne {
    let missing =
        |setting| making.none_is_set(Code::DestinationNotConfigured, making.origin.name_of(setting));
    let Some(secret) = making.origin.secret(&SECRET)? else { return missing(&SECRET) };
    let url = match secret.constant() {
        // On AWS the address stands in the secret.
        None => None,
        Some(_) => match making.origin.secret(&URL)? {
            Some(url) => url.constant().cloned(),
            None => return missing(&URL),
        },
    };
    let webhook = SignedWebhook { url, secret: Arc::clone(&secret), last: Mutex::default() };
    if let Some(text) = secret.constant() {
        let bad = |what| Fault::new(Code::SettingBad, format!("{} and {}: {what}", URL.value, SECRET.value));
        webhook.read(text.expose()).map_err(bad)?;
    }
    Ok(Some(Arc::new(webhook)))
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Bytes, http::HeaderMap, response::IntoResponse};
    use lead::{Alert, EnrichedLead, OwnerStatus, Timestamp};
    use tokio::net::TcpListener;

    use super::*;

    /// That of the standard's own test suites.
    const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn lead() -> EnrichedLead {
        EnrichedLead {
            lead_phone: None,
            owners: Vec::new(),
            lead_id: "lead_a".parse().unwrap(),
            display_name: "Zoë & Söhne".to_owned(),
            status_label: "Potential".to_owned(),
            date_created: "2026-09-14T15:02:11".to_owned(),
            lead_email: "a@example.com".to_owned(),
            lead_owner: "Sales North".to_owned(),
            funnel: "Trade fair".to_owned(),
            enriched_at: Timestamp::UNIX_EPOCH,
            event_id: None,
            received_at: Timestamp::UNIX_EPOCH,
            owner_status: OwnerStatus::Assigned,
            custom: [("cf_1".to_owned(), serde_json::from_str("[1]").unwrap())].into(),
        }
    }

    async fn post(url: &str) -> Verdict {
        let lead = lead();
        let alert = Alert { lead: &lead, kind: AlertKind::FollowUp, possible_repeat: false };
        let receipt = "receipts/lead_a/webhook/new.json".to_owned();
        Target::read(url, WHSEC).unwrap().post(&Outgoing { alert, receipt }).await
    }

    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}/hooks/verysecretpart")
    }

    #[test]
    fn it_signs_as_the_standard_does() {
        let target = |secrets: &str| Target::read("https://h/", secrets).unwrap();
        let sign = |target: &Target| {
            target.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}")
        };
        let signature = sign(&target(WHSEC));
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = format!("whsec_{}", BASE64.encode([7; 32]));
        let both = sign(&target(&format!("{other}, {WHSEC}\n")));
        assert_eq!(both, format!("{} {signature}", sign(&target(&other))));
    }

    #[tokio::test]
    async fn the_enriched_lead_is_posted_whole_and_its_signature_holds() {
        let url = serve(Router::new().fallback(|headers: HeaderMap, body: Bytes| async move {
            let posted: EnrichedLead = serde_json::from_slice(&body).unwrap();
            assert_eq!(posted, lead());
            let text = |name: &str| headers[name].to_str().unwrap().to_owned();
            assert_eq!(text("webhook-id"), "receipts/lead_a/webhook/new");
            assert_eq!(
                (text("leadops-alert"), text("content-type")),
                ("follow_up".into(), "application/json".into())
            );
            let at: u64 = text("webhook-timestamp").parse().unwrap();
            assert!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - at < 60);
            let expected = Target::read("https://h/", WHSEC).unwrap();
            assert_eq!(text("webhook-signature"), expected.signature(&text("webhook-id"), at, &body));
            "thank you"
        }))
        .await;
        assert_eq!(post(&url).await, Verdict::Sent);
    }

    #[tokio::test]
    async fn nothing_is_followed_and_nothing_of_the_address_is_told() {
        let url = serve(Router::new().fallback(|uri: axum::http::Uri| async move {
            (StatusCode::FOUND, [("location", "/elsewhere")], uri.to_string()).into_response()
        }))
        .await;
        let Verdict::Refused { code: Code::DestinationRefused, reason, payload: false } = post(&url).await
        else {
            panic!("a redirect is a wrong address")
        };
        assert!(
            reason.contains("302") && reason.contains("redirect") && !reason.contains("verysecret"),
            "{reason}"
        );
        let nobody = post("http://127.0.0.1:1/verysecretpart").await;
        let Verdict::Again { code: Code::DestinationUnavailable, reason, may_have_arrived: false, .. } =
            nobody
        else {
            panic!("{nobody:?}")
        };
        assert!(!reason.contains("verysecret"), "{reason}");
    }

    #[test]
    fn every_answer_has_its_meaning() {
        let of =
            |status, body| verdict(StatusCode::from_u16(status).unwrap(), body, Some(Duration::from_secs(7)));
        for (status, body) in [(200, ""), (200, "ok"), (202, "{\"success\":false}"), (204, "")] {
            assert_eq!(of(status, body), Verdict::Sent, "{status} {body}");
        }
        assert!(matches!(of(429, ""), Verdict::Wait { pause, .. } if pause.as_secs() == 7));
        for (status, body, payload) in [
            (400, "bad", true),
            (413, "", true),
            (422, "", true),
            (401, "", false),
            (404, "", false),
            (410, "gone", false),
            (307, "", false),
        ] {
            let found = of(status, body);
            assert!(
                matches!(found, Verdict::Refused { payload: p, .. } if p == payload),
                "{status}: {found:?}"
            );
        }
        for (status, body, unsure) in [
            (200, "<!DOCTYPE html><title>Sign in</title>", true),
            (403, "<html>blocked", false),
            (408, "", true),
            (500, "", false),
            (502, "", true),
            (503, "<html>", false),
        ] {
            let found = of(status, body);
            assert!(
                matches!(found, Verdict::Again { may_have_arrived, .. } if may_have_arrived == unsure),
                "{status}: {found:?}"
            );
        }
    }

    #[test]
    fn what_is_no_address_or_no_secret_is_named_and_not_shown() {
        for (url, secret, part) in [
            ("hunter2", WHSEC, "no URL"),
            ("http://example.com/hunter2", WHSEC, "https://"),
            ("ftp://example.com/hunter2", WHSEC, "https://"),
            ("https://h/", "", "no signing secret"),
            ("https://h/", "hunter2", "whsec_"),
            ("https://h/", "whsec_hunter2!", "base64"),
            ("https://h/", "whsec_aHVudGVyMg==", "24 to 64 bytes"),
        ] {
            let error = Target::read(url, secret).unwrap_err();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
        }
        assert!(Target::read("http://127.0.0.1:9/x", WHSEC).is_ok());
        let shown = format!("{:?}", Target::read("https://u:p@h/hunter2?hunter2", WHSEC).unwrap());
        assert_eq!(shown, "https://h/… with 1 secrets");
    }

    #[test]
    fn a_secret_of_aws_holds_both() {
        let webhook = |url: Option<&str>| SignedWebhook {
            url: url.map(SecretText::new),
            secret: Arc::new(crate::destinations::ConstantSecret { name: "x", text: SecretText::new("x") }),
            last: Mutex::default(),
        };
        let both = format!("{{\"WEBHOOK_URL\": \"https://h/a\", \"webhookSecret\": \"{WHSEC}\"}}");
        assert_eq!(webhook(None).read(&both).unwrap().url.0.as_str(), "https://h/a");
        assert!(webhook(Some("https://h/a")).read(&both).is_ok());
        for (url, secret, part) in [
            (Some("https://h/b"), both.as_str(), "another than WEBHOOK_URL"),
            (None, WHSEC, "no webhook_url"),
            (None, "{\"webhook_secret\": \"x\"}", "without a text webhook_url"),
            (None, "{\"webhook_url\": \"https://h\"}", "without a text webhook_secret"),
            (None, "{\"web", "starts like JSON"),
        ] {
            let error = webhook(url).read(secret).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
