//! What answers at an address, found out with an unsigned post.

use std::{error::Error, io, time::Duration};

use close::signature::Keys;
use lead::Timestamp;
use pipeline::{Code, Fault, webhook::Answer};
use tokio_rustls::rustls::{self, InvalidMessage};
use url::Url;

use super::unreachable_reason;
use crate::webhook::{self, WebhookResponse};
use web::shown;

/// How long a probe may take while a person waits. A proxy may wait a little for its backend before it answers 502.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The outcome of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// An answer to the unsigned post, from leadops or from something else.
    Answered(WebhookResponse),
    /// leadops answered the unsigned post, and this to one signed with a key of the intended pipeline.
    Signed(WebhookResponse),
    /// The certificate is not valid.
    Untrusted(String),
    /// What listens there does not speak TLS.
    NoTls,
    /// There was no answer, for this reason.
    NoAnswer(String),
}

/// What a probe means for Close's webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// They arrive.
    Good(String),
    /// leadops would refuse them now, for a reason of its own or because it does not have the key.
    Refusing(Fault),
    /// They do not arrive, or arrive somewhere else.
    Bad(Fault),
    /// They do not arrive now: a proxy answers, but its backend does not.
    Unavailable(Fault),
    /// Not known: the probe failed.
    Unknown(String),
}

/// Posts `{}` unsigned, and where leadops answers, again signed with the first of `keys`, if there is one: that shows
/// whether it is this pipeline, another one, or one that was started with other keys. Follows no redirect; each post may take
/// `timeout`.
///
/// It has no effect where leadops listens: it refuses unsigned posts, and `{}` is not an event.
pub async fn probe(url: &Url, timeout: Duration, keys: &Keys) -> ProbeOutcome {
    let client = match webhook::client(url, timeout) {
        Ok(client) => client,
        Err(error) => return ProbeOutcome::NoAnswer(web::error_text(error)),
    };
    let answered = match webhook::post(&client, url, None, NOTHING).send().await {
        Ok(answer) => WebhookResponse::read(answer).await,
        Err(error) => return failed(error, timeout),
    };
    let timestamp = Timestamp::now().as_second().to_string();
    match keys.sign(&timestamp, NOTHING.as_bytes()) {
        Some(hash) if answered.refusal() == Some(Code::SignatureMissing) => {
            match webhook::post(&client, url, Some((hash, timestamp)), NOTHING).send().await {
                Ok(answer) => ProbeOutcome::Signed(WebhookResponse::read(answer).await),
                Err(error) => failed(error, timeout),
            }
        }
        _ => ProbeOutcome::Answered(answered),
    }
}

/// What is posted: JSON that is not an event.
const NOTHING: &str = "{}";

fn failed(error: reqwest::Error, timeout: Duration) -> ProbeOutcome {
    match tls(&error) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => ProbeOutcome::NoTls,
        Some(error @ rustls::Error::InvalidCertificate(_)) => {
            ProbeOutcome::Untrusted(outside::text::shorten(&error.to_string(), 200))
        }
        _ if error.is_timeout() => ProbeOutcome::NoAnswer(format!("no answer in {} s", timeout.as_secs())),
        _ => ProbeOutcome::NoAnswer(web::error_text(error)),
    }
}

/// The TLS error behind a failure, if any. An [`io::Error`] does not list the error it wraps among its sources.
fn tls(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(error);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

impl ProbeOutcome {
    /// What this outcome of probing `address` means.
    pub fn assess(&self, address: &Url) -> ProbeVerdict {
        let url = shown(address);
        let bad = |what: String| ProbeVerdict::Bad(Fault::new(Code::WebhookElsewhere, what));
        let (is_signed, reply) = match self {
            Self::Answered(reply) => (false, reply),
            Self::Signed(reply) => (true, reply),
            Self::NoTls => return bad(format!("what listens at {url} speaks no TLS")),
            Self::Untrusted(why) => {
                let what = format!("Close verifies the certificate of {url}, which is not valid: {why}");
                return ProbeVerdict::Bad(Fault::new(Code::WebhookOutOfReach, what));
            }
            Self::NoAnswer(why) => return ProbeVerdict::Unknown(format!("{url} could not be tried: {why}")),
        };
        match (is_signed, reply.refusal(), reply) {
            (true, Some(Code::EventMalformed), _) => {
                ProbeVerdict::Good(format!("{url} answers as leadops does, and knows the key"))
            }
            // A key that has just been stored is known after a restart.
            (true, Some(Code::SignatureWrong), _) => {
                let what = format!(
                    "{url} leads to a leadops that does not have this key: it is another pipeline, or was started \
                     with other keys"
                );
                ProbeVerdict::Refusing(Fault::new(Code::WebhookElsewhere, what))
            }
            (true, Some(Code::SignatureMissing), _) => bad(format!(
                "{url} leads to leadops, and a signature does not arrive: something on the way drops the headers \
                 close-sig-hash and close-sig-timestamp"
            )),
            (false, Some(Code::SignatureMissing), _) => {
                ProbeVerdict::Good(format!("{url} answers as leadops does"))
            }
            // It was read as an event, unsigned: fine where only this machine can reach it.
            (false, Some(Code::EventMalformed), _) if unreachable_reason(address).is_some() => {
                ProbeVerdict::Good(format!("{url} answers as leadops does"))
            }
            (false, Some(Code::EventMalformed), _) => {
                let what =
                    format!("{url} reads what nobody has signed: whoever reaches it can make leads up");
                ProbeVerdict::Bad(Fault::new(Code::UnsignedExposed, what))
            }
            (_, _, WebhookResponse::Leadops(Answer::Refused { code: Some(Code::NotTheWebhook), error })) => {
                let error = outside::text::shorten(error, 200);
                bad(format!("{url} leads to leadops, and not to its webhook: {error}"))
            }
            (_, _, WebhookResponse::Leadops(Answer::Refused { code, error })) => {
                let error = outside::text::shorten(error, 200);
                let what = format!("{url} leads to leadops, which refuses: {error}");
                ProbeVerdict::Refusing(Fault::new(code.unwrap_or(Code::WebhookRefused), what))
            }
            (_, _, WebhookResponse::Leadops(_)) => bad(format!("{url} accepts what is not an event")),
            // Statuses of proxies; from 520 on Cloudflare's. 408 and 429 are only about the probe.
            (_, _, WebhookResponse::Other { status: status @ (502..=504 | 520..=530), .. }) => {
                let what = format!("{url} answered {status}: the proxy there does not reach leadops");
                ProbeVerdict::Unavailable(Fault::new(Code::WebhookElsewhere, what))
            }
            (_, _, WebhookResponse::Other { status: status @ (408 | 429), .. }) => {
                ProbeVerdict::Unknown(format!("{url} could not be tried: it answered {status}"))
            }
            (_, _, other) => bad(format!("{url} {}", other.mismatch().unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{
        Router,
        extract::Request,
        http::StatusCode,
        response::{IntoResponse, Response},
    };
    use pipeline::ingest::Outcome;
    use tokio::net::TcpListener;
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{ServerConfig, pki_types::PrivateKeyDer},
    };

    use super::*;

    /// What comes of a trial of a server that gives this answer, and its address.
    async fn tried(status: u16, location: Option<&'static str>, body: &'static str) -> (ProbeOutcome, Url) {
        let (listener, url) = listen("http").await;
        let router = Router::new().fallback(move |request: Request| async move {
            assert_eq!(
                (request.method().as_str(), request.uri().path()),
                ("POST", "/crm/webhook"),
                "nothing is followed"
            );
            assert_eq!(request.headers()["content-type"], "application/json");
            assert!(!request.headers().contains_key("close-sig-hash"));
            let mut answer: Response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            if let Some(location) = location {
                answer.headers_mut().insert("location", location.parse().unwrap());
            }
            answer
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (probe(&url, PROBE_TIMEOUT, &Keys::none()).await, url)
    }

    async fn listen(scheme: &str) -> (TcpListener, Url) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}/crm/webhook", listener.local_addr().unwrap());
        (listener, url.parse().unwrap())
    }

    #[tokio::test]
    async fn only_leadops_answers_as_leadops_does() {
        for (status, code) in [(401, Code::SignatureMissing), (400, Code::EventMalformed)] {
            let body = Outcome::Refused(Fault::new(code, "why")).json().to_string();
            let (tried, url) = tried(status, None, body.leak()).await;
            assert_eq!(tried.assess(&url), ProbeVerdict::Good(format!("{url} answers as leadops does")));
        }
        // From the internet nobody may come in unsigned, and another path is none of the webhook's.
        let public: Url = "https://leads.example.com/x".parse().unwrap();
        for (code, expected) in
            [(Code::EventMalformed, Code::UnsignedExposed), (Code::NotTheWebhook, Code::WebhookElsewhere)]
        {
            let answer = Answer::Refused { code: Some(code), error: "why".to_owned() };
            let ProbeVerdict::Bad(fault) =
                ProbeOutcome::Answered(WebhookResponse::Leadops(answer)).assess(&public)
            else {
                panic!()
            };
            assert_eq!(fault.code, expected, "{fault}");
        }
        let body = Outcome::Refused(Fault::new(Code::NotStored, "the file is gone")).json().to_string();
        let (unwell, url) = tried(503, None, body.leak()).await;
        let ProbeVerdict::Refusing(fault) = unwell.assess(&url) else { panic!("{unwell:?}") };
        assert_eq!(fault.code, Code::NotStored);
        assert_eq!(fault.what, format!("{url} leads to leadops, which refuses: {}", Code::NotStored.cause()));
        let unknown = tried(418, None, "{\"status\":\"refused\",\"error\":\"why\",\"code\":\"LO000\"}").await;
        assert!(
            matches!(unknown.0.assess(&unknown.1), ProbeVerdict::Refusing(fault) if fault.code == Code::WebhookRefused)
        );
    }

    /// A webhook that has this key, and what comes of a trial of it with that one.
    async fn signed(theirs: &str, ours: &str) -> ProbeVerdict {
        let (listener, url) = listen("http").await;
        let keys = Keys::parse(theirs).unwrap();
        let router = Router::new().fallback(move |request: Request| async move {
            let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
            let (hash, timestamp) = (header("close-sig-hash"), header("close-sig-timestamp"));
            let code = match (hash, timestamp) {
                (Some(hash), Some(timestamp)) if keys.sign(timestamp, b"{}").as_deref() == Some(hash) => {
                    Code::EventMalformed
                }
                (Some(_), Some(_)) => Code::SignatureWrong,
                _ => Code::SignatureMissing,
            };
            let outcome = Outcome::Refused(Fault::new(code, "why"));
            let status = StatusCode::from_u16(outcome.status()).unwrap();
            let answer: Response = (status, outcome.json().to_string()).into_response();
            answer
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        probe(&url, PROBE_TIMEOUT, &Keys::parse(ours).unwrap()).await.assess(&url)
    }

    #[tokio::test]
    async fn another_leadops_is_told_by_its_key() {
        let [ours, theirs] = ["a1", "b2"].map(|pair| pair.repeat(32));
        assert!(
            matches!(signed(&ours, &ours).await, ProbeVerdict::Good(what) if what.ends_with("and knows the key"))
        );
        let ProbeVerdict::Refusing(fault) = signed(&theirs, &ours).await else { panic!() };
        assert!(
            fault.code == Code::WebhookElsewhere && fault.what.contains("does not have this key"),
            "{fault}"
        );
        // Somebody who always says the same.
        let body = Outcome::Refused(Fault::new(Code::SignatureMissing, "why")).json().to_string();
        let parrot =
            ProbeOutcome::Signed(WebhookResponse::Leadops(Answer::read(401, body.as_bytes()).unwrap()));
        let url = "https://leads.example.com/crm/webhook".parse().unwrap();
        assert!(
            matches!(parrot.assess(&url), ProbeVerdict::Bad(fault) if fault.what.contains("does not arrive"))
        );
    }

    #[tokio::test]
    async fn others_are_known_by_what_they_say() {
        let page = "<!doctype html><title>Sign in</title>";
        for (status, body, part) in [
            (
                200,
                page,
                "answered 200, and not as leadops does: it begins with `<!doctype html><title>Sign in",
            ),
            (200, "ok", "it begins with `ok`"),
            (200, "{\"status\":\"ignored\",\"event\":\"x\"}", "accepts what is not an event"),
            (204, "", "answered 204, and not as leadops does: it is empty"),
            (401, "{\"message\":\"Unauthorized\"}", "answered 401"),
            (403, "{\"message\":\"Missing Authentication Token\"}", "answered 403"),
            (404, "404 page not found", "answered 404"),
            (405, "", "answered 405"),
            (500, page, "answered 500"),
        ] {
            let (tried, url) = tried(status, None, body).await;
            let ProbeVerdict::Bad(fault) = tried.assess(&url) else { panic!("{tried:?}") };
            assert_eq!(fault.code, Code::WebhookElsewhere);
            assert!(fault.what.starts_with(url.as_str()) && fault.what.contains(part), "{fault}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_its_target_is_named() {
        for (status, location, part) in [
            (301, Some("/login?next=geheim"), "points to http://127.0.0.1:"),
            (
                302,
                Some("https://www.example.com/crm/webhook"),
                "points to https://www.example.com/crm/webhook;",
            ),
            (307, Some("//other.example.com/x"), "points to http://other.example.com/x;"),
            (308, Some("https://ada:geheim@www.example.com/"), "points to https://…@www.example.com/;"),
            (303, None, "does not say where to;"),
            (301, Some("mailto:geheim"), "does not say where to;"),
        ] {
            let (tried, url) = tried(status, location, "").await;
            let ProbeVerdict::Bad(fault) = tried.assess(&url) else { panic!("{tried:?}") };
            assert_eq!(fault.code, Code::WebhookElsewhere);
            assert!(fault.what.contains(&format!("answered {status} and {part}")), "{fault}");
            assert!(
                fault.what.ends_with("has to be given the final address") && !fault.what.contains("geheim"),
                "{fault}"
            );
        }
    }

    #[tokio::test]
    async fn what_may_come_right_by_itself_is_no_verdict() {
        for status in [502, 503, 504, 521, 530] {
            let (tried, url) = tried(status, None, "<html>Bad gateway").await;
            assert!(
                matches!(tried.assess(&url), ProbeVerdict::Unavailable(fault) if fault.what.contains(&status.to_string()))
            );
        }
        let (limited, url) = tried(429, None, "slow down").await;
        assert_eq!(
            limited.assess(&url),
            ProbeVerdict::Unknown(format!("{url} could not be tried: it answered 429"))
        );
        let nobody = "http://127.0.0.1:1/crm/webhook".parse().unwrap();
        assert!(
            matches!(probe(&nobody, PROBE_TIMEOUT, &Keys::none()).await.assess(&nobody), ProbeVerdict::Unknown(what) if what.contains("could not be tried"))
        );
    }

    #[tokio::test]
    async fn a_certificate_that_does_not_hold_and_no_tls_are_told_apart() {
        let (listener, url) = listen("https").await;
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config =
            config.with_no_client_auth().with_single_cert(vec![signed.cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            // The client goes away in the middle, which is what it is for.
            while let Ok((stream, _)) = listener.accept().await {
                drop(acceptor.accept(stream).await);
            }
        });
        let tried = probe(&url, PROBE_TIMEOUT, &Keys::none()).await;
        let ProbeVerdict::Bad(fault) = tried.assess(&url) else { panic!("{tried:?}") };
        assert_eq!(fault.code, Code::WebhookOutOfReach, "{fault}");
        assert!(fault.what.contains("certificate"), "{fault}");

        let (listener, url) = listen("https").await;
        let router = Router::new().fallback(|| async { "plain" });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        assert_eq!(probe(&url, PROBE_TIMEOUT, &Keys::none()).await, ProbeOutcome::NoTls);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_an_end() {
        let (listener, url) = listen("http").await;
        let held = tokio::spawn(async move { listener.accept().await });
        assert_eq!(
            probe(&url, PROBE_TIMEOUT, &Keys::none()).await,
            ProbeOutcome::NoAnswer("no answer in 5 s".to_owned())
        );
        held.abort();
    }
}
