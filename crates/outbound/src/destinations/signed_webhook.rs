//! Any HTTPS address as a destination: the enriched lead, posted and signed according to Standard Webhooks.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{BuildContext, BuildResult, SecretSetting};
use crate::{
    SecretUrl, head, page,
    rotating::{Rotating, field, fields},
    secret_url::{pasted_url, redacted},
    status::StatusClass,
};
use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use outside::text;
use pipeline::{
    CheckOutcome, Code, Fault, SecretText,
    destination::{Destination, Limits, MessageFormat, NotReady, Outgoing, RateLimit, RetryDelay, Verdict},
};
use reqwest::{Client, StatusCode, header};

/// What messages are signed with; on AWS also where they are posted to.
pub(super) const SECRET: SecretSetting =
    SecretSetting { value: "WEBHOOK_SECRET", in_functions: "WEBHOOK_SECRET_NAME" };
/// Where they are posted to: often a credential as well, as those of automation services are.
pub(super) const URL: SecretSetting =
    SecretSetting { value: "WEBHOOK_URL", in_functions: "WEBHOOK_SECRET_NAME" };

/// How long a post may take.
const LONGEST_POST: Duration = Duration::from_secs(10);
/// How long sending may take, including a second attempt with a new secret where the old one is refused.
const LONGEST_SEND: Duration = Duration::from_secs(12);
/// How much of an answer is read, in bytes, and how much of it is shown, in characters.
const BODY_LIMIT: usize = 4 * 1024;
const SHOWN: usize = 80;
/// How long to wait where the receiver does not say how long.
const UNSAID_WAIT: Duration = Duration::from_secs(30);
/// A limit of our own, so that a burst of leads does not overload the receiver.
const PACING: RateLimit = RateLimit { rate: 10, burst: 10 };
/// How many bytes a signing secret has according to the standard.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The address and its signing secret, or its secrets while one is being replaced.
#[derive(Clone)]
struct Target {
    url: SecretUrl,
    secrets: Vec<hmac::Key>,
    /// The same as texts, to be redacted from answers and errors.
    texts: Vec<SecretText>,
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
        let url = pasted_url(url, URL.value).map_err(|why| format!("the address {why}"))?;
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && web::is_on_this_machine(&url);
        if !is_safe {
            return Err(
                "the address does not begin with https://: leads would travel in the clear".to_owned()
            );
        }
        let written: Vec<&str> =
            secrets.split([',', ' ', '\n', '\r', '\t']).filter(|secret| !secret.is_empty()).collect();
        let secrets = written.iter().map(|secret| key(secret)).collect::<Result<Vec<_>, _>>()?;
        if secrets.is_empty() {
            return Err("it holds no signing secret".to_owned());
        }
        let url = SecretUrl(url);
        let client = url.client(LONGEST_POST)?;
        let texts = written.into_iter().map(SecretText::new).collect();
        Ok(Self { url, secrets, texts, client })
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
            .header("leadops-alert", outgoing.alert.kind.as_str())
            .header("leadops-possible-repeat", outgoing.alert.possible_repeat.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        let mut response = match posted.send().await {
            Ok(response) => response,
            Err(error) => {
                let is_unsent = web::is_unsent(&error);
                let why = self.redact(&web::error_text(error));
                return if is_unsent { unavailable(why) } else { unknown(why) };
            }
        };
        let wait = web::retry_after::of(response.headers());
        let (body, ended) = web::read_limited(&mut response, BODY_LIMIT).await;
        let body = web::line(&body, BODY_LIMIT);
        let is_whole = !matches!(ended, web::BodyRead::Failed(_));
        let is_page = page::is_page(response.headers(), &body, is_whole);
        verdict(response.status(), &self.redact(&body), is_page, wait)
    }

    /// `text` without the secrets.
    fn redact(&self, text: &str) -> String {
        let texts = self.texts.iter().map(SecretText::expose);
        let bare = self.texts.iter().filter_map(|secret| secret.expose().strip_prefix("whsec_"));
        self.url.redact(&redacted(text, texts.chain(bare)))
    }
}

/// The id of a message: the key of its receipt, without the part that the standard forbids.
fn id(receipt: &str) -> &str {
    receipt.strip_suffix(".json").unwrap_or(receipt)
}

/// A signing secret as the standard writes it.
fn key(secret: &str) -> Result<hmac::Key, String> {
    let encoded = secret.strip_prefix("whsec_").ok_or("a signing secret begins with whsec_")?;
    let bytes = BASE64.decode(encoded).map_err(|_| "what follows whsec_ is not base64")?;
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

/// What an answer means: any 2xx is acceptance, unless it is a page. A requested wait is honoured, whatever the status.
fn verdict(status: StatusCode, body: &str, is_page: bool, wait: Option<Duration>) -> Verdict {
    let body = text::shorten(body, SHOWN);
    let reason = format!("the receiver answers {} {body}", status.as_u16()).trim_end().to_owned();
    let pause = RetryDelay::asked(wait);
    match StatusClass::of(status.as_u16()) {
        StatusClass::Ok if is_page => again(
            Code::DestinationUnknown,
            format!("{reason}: a web page, not a webhook's answer"),
            page::PAUSE,
        ),
        StatusClass::Ok => Verdict::Sent,
        StatusClass::RateLimited => {
            let pause = wait.unwrap_or(UNSAID_WAIT);
            Verdict::Wait { pause, code: Code::DestinationBusy, reason }
        }
        StatusClass::Redirect => refused(format!("{reason}: a redirect, which is not followed"), false),
        StatusClass::Intermediary => again(Code::DestinationUnavailable, reason, page::PAUSE),
        StatusClass::Unknown => again(Code::DestinationUnknown, reason, pause),
        // Applications report a bad message with a page, too.
        StatusClass::TooLarge | StatusClass::BadRequest => refused(reason, true),
        StatusClass::RetryLater | StatusClass::Refused if is_page => {
            again(Code::DestinationUnavailable, reason, page::PAUSE)
        }
        StatusClass::RetryLater | StatusClass::ServerError => {
            again(Code::DestinationUnavailable, reason, pause)
        }
        StatusClass::Refused => refused(reason, false),
    }
}

fn refused(reason: String, payload: bool) -> Verdict {
    Verdict::Refused { code: Code::DestinationRefused, reason, payload }
}

fn unavailable(reason: String) -> Verdict {
    again(Code::DestinationUnavailable, reason, RetryDelay::Backoff)
}

fn unknown(reason: String) -> Verdict {
    again(Code::DestinationUnknown, reason, RetryDelay::Backoff)
}

fn again(code: Code, reason: String, pause: RetryDelay) -> Verdict {
    Verdict::Retry { code, reason, pause, may_have_arrived: code == Code::DestinationUnknown }
}

/// A signed webhook, made from the settings or the secret.
struct SignedWebhook(Rotating<Target>);

/// Reads a secret: only the signing secret, where the address is a setting of its own; or JSON with `webhook_secret` and
/// `webhook_url`, in any spelling.
fn read(url: Option<&str>, secret: &str) -> Result<Target, String> {
    if !secret.starts_with('{') {
        return Target::read(url.ok_or("it is not JSON with webhook_url and webhook_secret")?, secret);
    }
    let fields = fields(secret)?;
    let secret = field(&fields, &["webhooksecret"]).ok_or("it is JSON without a text webhook_secret")?;
    match (field(&fields, &["webhookurl"]), url) {
        (Some(own), Some(url)) if url != own => {
            Err("its webhook_url differs from WEBHOOK_URL: set only one of them".to_owned())
        }
        (Some(url), _) | (None, Some(url)) => Target::read(url, secret),
        (None, None) => Err("it is JSON without a text webhook_url".to_owned()),
    }
}

impl SignedWebhook {
    /// Posts, and once more where the post is refused and the secret has been replaced meanwhile.
    async fn post(&self, outgoing: &Outgoing<'_>) -> Verdict {
        let current = match self.0.current().await {
            Ok(current) => current,
            Err(NotReady::NotConfigured(fault) | NotReady::Later(fault, _)) => {
                return unavailable(fault.to_string());
            }
        };
        let verdict = current.value.post(outgoing).await;
        // Many answer 400 to a wrong signature, and some with a page.
        let is_refusal = match &verdict {
            Verdict::Refused { .. } => true,
            Verdict::Retry { may_have_arrived, .. } => !may_have_arrived,
            Verdict::Sent | Verdict::PartlySent { .. } | Verdict::Wait { .. } => false,
        };
        if !is_refusal {
            return verdict;
        }
        match self.0.refreshed(&current).await {
            Some(refreshed) => refreshed.value.post(outgoing).await,
            None => verdict,
        }
    }
}

#[async_trait]
impl Destination for SignedWebhook {
    fn limits(&self) -> Limits {
        Limits {
            longest_send: LONGEST_SEND,
            pace: Some(PACING),
            together: 1,
            at_once: 4,
            has_plain_form: false,
            busy: Code::DestinationBusy,
            shows_all: true,
        }
    }

    async fn ready(&self) -> Result<(), NotReady> {
        self.0.current().await.map(drop)
    }

    async fn place(&self) -> Option<String> {
        Some(self.0.current().await.ok()?.value.url.fingerprint())
    }

    async fn send(&self, alerts: &[Outgoing<'_>], _: MessageFormat) -> Verdict {
        let [one] = alerts else { return refused("a message is about one lead".to_owned(), true) };
        let sent = tokio::time::timeout(LONGEST_SEND, self.post(one)).await;
        sent.unwrap_or_else(|_| unknown("there was no answer in time".to_owned()))
    }

    async fn check(&self, in_use: bool) -> CheckOutcome {
        if !in_use {
            return CheckOutcome::Ok("switched off".to_owned());
        }
        match self.0.current().await {
            Ok(current) => {
                let Target { url, client, .. } = &current.value;
                let asked = head::ask(client, url).await;
                head::checked("webhook", &url.to_string(), asked, Code::DestinationUnavailable)
            }
            Err(NotReady::NotConfigured(fault) | NotReady::Later(fault, _)) => CheckOutcome::Failed(fault),
        }
    }
}

/// Reads `WEBHOOK_URL` and `WEBHOOK_SECRET`.
pub(super) fn make(context: &mut BuildContext<'_>) -> BuildResult {
    let missing = |setting| context.not_set(context.source.name_of(setting));
    let Some(secret) = context.source.secret(&SECRET)? else { return missing(&SECRET) };
    let url = match secret.constant() {
        // On AWS the address is in the secret.
        None => None,
        Some(_) => match context.source.secret(&URL)? {
            Some(url) => url.constant().cloned(),
            None => return missing(&URL),
        },
    };
    if let Some(text) = secret.constant() {
        let bad = |what| Fault::new(Code::SettingBad, format!("{} and {}: {what}", URL.value, SECRET.value));
        read(url.as_ref().map(SecretText::expose), text.expose()).map_err(bad)?;
    }
    let make = move |text: &str| read(url.as_ref().map(SecretText::expose), text);
    Ok(Some(Arc::new(SignedWebhook(Rotating::new(secret, make)))))
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Bytes, http::HeaderMap, response::IntoResponse};
    use lead::{Alert, AlertKind, EnrichedLead, OwnerStatus, Timestamp};
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
        Target::read(url, WHSEC).unwrap().post(&Outgoing { alert, receipt, done: Vec::new() }).await
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
        let Verdict::Retry { code: Code::DestinationUnavailable, reason, may_have_arrived: false, .. } =
            nobody
        else {
            panic!("{nobody:?}")
        };
        assert!(!reason.contains("verysecret"), "{reason}");
    }

    #[tokio::test]
    async fn what_is_secret_is_hidden_whoever_says_it() {
        let url = serve(Router::new().fallback(|| async {
            let bare = WHSEC.trim_start_matches("whsec_");
            (
                StatusCode::UNAUTHORIZED,
                format!("expected {WHSEC}, or {bare}, and code=Qx7Z; not verysecretpart"),
            )
        }))
        .await;
        let Verdict::Refused { reason, .. } = post(&format!("{url}?code=Qx7Z")).await else { panic!("401") };
        assert_eq!(reason, "the receiver answers 401 expected …, or …, and …; not …");
    }

    /// A secret that is read anew every so often, as those of AWS, and that several may ask for at once.
    struct Replaced(std::sync::Mutex<(String, Option<String>)>);

    #[async_trait]
    impl pipeline::ports::Secret for Replaced {
        fn name(&self) -> String {
            "the secret x".to_owned()
        }

        fn constant(&self) -> Option<&SecretText> {
            None
        }

        async fn text(&self) -> Result<SecretText, Fault> {
            Ok(SecretText::new(&self.0.lock().unwrap().0))
        }

        /// The first who asks is told that it has changed, and the others that it was just read.
        async fn refresh(&self) -> Result<bool, Fault> {
            let mut state = self.0.lock().unwrap();
            let Some(new) = state.1.take() else { return Ok(false) };
            state.0 = new;
            Ok(true)
        }
    }

    #[tokio::test]
    async fn a_replaced_secret_is_used_as_soon_as_the_old_one_is_refused_by_all_that_are_under_way() {
        for status in [StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN] {
            let url = serve(Router::new().fallback(move |headers: HeaderMap, body: Bytes| async move {
                let id = headers["webhook-id"].to_str().unwrap().to_owned();
                let at = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
                let expected = Target::read("https://h/", WHSEC).unwrap().signature(&id, at, &body);
                // All of them are refused before the first is tried again.
                tokio::time::sleep(Duration::from_millis(50)).await;
                if headers["webhook-signature"] == expected { StatusCode::NO_CONTENT } else { status }
            }))
            .await;
            let of =
                |secret: &str| format!("{{\"webhook_url\": \"{url}\", \"webhook_secret\": \"{secret}\"}}");
            let old = format!("whsec_{}", BASE64.encode([7; 32]));
            let secret = Replaced(std::sync::Mutex::new((of(&old), Some(of(WHSEC)))));
            let webhook = SignedWebhook(Rotating::new(Arc::new(secret), |text| read(None, text)));
            let lead = lead();
            let alert = Alert { lead: &lead, kind: AlertKind::New, possible_repeat: false };
            let outgoing =
                Outgoing { alert, receipt: "receipts/lead_a/webhook/new.json".to_owned(), done: Vec::new() };
            let outgoing = std::slice::from_ref(&outgoing);
            let four = std::iter::repeat_with(|| webhook.send(outgoing, MessageFormat::Rich)).take(4);
            let verdicts = futures_util::future::join_all(four).await;
            assert_eq!(verdicts, vec![Verdict::Sent; 4], "{status}");
        }
    }

    #[test]
    fn every_answer_has_its_meaning() {
        let of = |status, body: &str| {
            let is_page = page::is_page(&header::HeaderMap::new(), body, true);
            verdict(StatusCode::from_u16(status).unwrap(), body, is_page, Some(Duration::from_secs(7)))
        };
        for (status, body) in
            [(200, ""), (200, "ok"), (200, "<Response/>"), (202, "{\"success\":false}"), (204, "")]
        {
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
            (405, "", false),
            (400, "<html>bad", true),
        ] {
            let found = of(status, body);
            assert!(
                matches!(found, Verdict::Refused { payload: p, .. } if p == payload),
                "{status}: {found:?}"
            );
        }
        let asked = RetryDelay::Destination(Duration::from_secs(7));
        for (status, body, unsure, expected) in [
            (200, "<!DOCTYPE html><title>Sign in</title>", true, page::PAUSE),
            (403, "<html>blocked", false, page::PAUSE),
            (408, "", true, asked),
            (500, "", false, asked),
            (502, "", true, asked),
            (503, "<html>", false, asked),
            (401, "<html>", false, page::PAUSE),
            (407, "", false, page::PAUSE),
            (511, "", false, page::PAUSE),
            (451, "", false, page::PAUSE),
            (405, "<html>", false, page::PAUSE),
            (406, "<html>", false, page::PAUSE),
            (410, "<html>", false, page::PAUSE),
            (421, "", false, asked),
            (425, "", false, asked),
            (520, "", true, asked),
            (200, "<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"\">", true, page::PAUSE),
        ] {
            let found = of(status, body);
            assert!(
                matches!(found, Verdict::Retry { may_have_arrived, pause, .. } if may_have_arrived == unsure && pause == expected),
                "{status}: {found:?}"
            );
        }
    }

    #[test]
    fn what_is_no_address_or_no_secret_is_named_and_not_shown() {
        for (url, secret, part) in [
            ("hunter2", WHSEC, "the address does not begin with https://"),
            ("https://h.example:https/hunter2", WHSEC, "port"),
            ("http://example.com/hunter2", WHSEC, "https://"),
            ("https://h/a\nhttps://h/hunter2", WHSEC, "a list"),
            ("https://h/a,https://h/hunter2", WHSEC, "a list"),
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
        let both = format!("{{\"WEBHOOK_URL\": \"https://h/a\", \"webhookSecret\": \"{WHSEC}\"}}");
        assert_eq!(read(None, &both).unwrap().url.0.as_str(), "https://h/a");
        assert!(read(Some("https://h/a"), &both).is_ok());
        for (url, secret, part) in [
            (Some("https://h/b"), both.as_str(), "differs from WEBHOOK_URL"),
            (None, WHSEC, "not JSON with webhook_url"),
            (None, "{\"webhook_secret\": \"x\"}", "without a text webhook_url"),
            (None, "{\"webhook_url\": \"https://h\"}", "without a text webhook_secret"),
            (None, "{\"web", "starts like JSON"),
        ] {
            let error = read(url, secret).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
