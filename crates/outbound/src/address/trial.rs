//! What answers at an address, by posting there what nobody has signed.

use std::{error::Error, io, time::Duration};

use close::{headers, signature::Keys};
use lead::Timestamp;
use pipeline::{Code, Fault, webhook::Answer};
use reqwest::header;
use tokio_rustls::rustls::{self, InvalidMessage};
use url::Url;

use super::obstacle;
use crate::webhook::{self, Reply};
use web::shown;

/// How long a trial may take in front of somebody. A proxy may wait a little for what is behind it before it answers 502.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// An answer to what nobody has signed, leadops's own or somebody else's.
    Answered(Reply),
    /// leadops answered that, and this to what was signed with a key of the pipeline that is meant.
    Signed(Reply),
    /// The certificate does not hold.
    Untrusted(String),
    /// What listens there speaks no TLS.
    Plain,
    /// Nobody answered, for this reason.
    Silent(String),
}

/// What a trial means for the webhooks of Close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// They arrive.
    Good(String),
    /// leadops would refuse them now, for its own reason, or for a key that it does not have.
    Unwell(Fault),
    /// They arrive nowhere, or somewhere else.
    Bad(Fault),
    /// They arrive nowhere now: a proxy answers, and what is behind it does not.
    Away(Fault),
    /// Nothing is known.
    Untried(String),
}

/// Posts `{}` without a signature, and where leadops answers, again with that of the first of these keys, if there is one:
/// whether it is this pipeline, another one, or one that was started with other keys. Follows no redirect; each may take
/// `patience`.
///
/// Nothing comes of it where leadops listens: it refuses what nobody has signed, and `{}` is no event.
pub async fn attempt(url: &Url, patience: Duration, keys: &Keys) -> Tried {
    let client = match webhook::client(url, patience) {
        Ok(client) => client,
        Err(error) => return Tried::Silent(web::error_text(error)),
    };
    let post = async |signature: Option<(String, String)>| {
        let mut post = client.post(url.clone()).header(header::CONTENT_TYPE, "application/json");
        if let Some((hash, timestamp)) = signature {
            post = post.header(headers::HASH, hash).header(headers::TIMESTAMP, timestamp);
        }
        post.body(NOTHING).send().await
    };
    let answered = match post(None).await {
        Ok(answer) => Reply::read(answer).await,
        Err(error) => return failed(error, patience),
    };
    let timestamp = Timestamp::now().as_second().to_string();
    let hash = keys.sign(&timestamp, NOTHING.as_bytes());
    match (&answered, hash) {
        (Reply::Ours(Answer::Refused { code: Some(Code::SignatureMissing), .. }), Some(hash)) => {
            match post(Some((hash, timestamp))).await {
                Ok(answer) => Tried::Signed(Reply::read(answer).await),
                Err(error) => failed(error, patience),
            }
        }
        _ => Tried::Answered(answered),
    }
}

/// What is posted: JSON, and no event.
const NOTHING: &str = "{}";

fn failed(error: reqwest::Error, patience: Duration) -> Tried {
    match tls(&error) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Tried::Plain,
        Some(error @ rustls::Error::InvalidCertificate(_)) => {
            Tried::Untrusted(outside::text::shorten(&error.to_string(), 200))
        }
        _ if error.is_timeout() => Tried::Silent(format!("no answer in {} s", patience.as_secs())),
        _ => Tried::Silent(web::error_text(error)),
    }
}

/// TLS's part in an error. An [`io::Error`] leaves out the error that it holds where it names its causes.
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

impl Tried {
    /// What it means that this came of a trial of `address`.
    pub fn judge(&self, address: &Url) -> Judged {
        let is_public = obstacle(address).is_none();
        let url = shown(address);
        let bad = |what: String| Judged::Bad(Fault::new(Code::WebhookElsewhere, what));
        let reply = match self {
            Self::Answered(reply) => reply,
            Self::Signed(reply) => {
                return match reply {
                    Reply::Ours(Answer::Refused { code: Some(Code::EventMalformed), .. }) => {
                        Judged::Good(format!("{url} answers as leadops does, and knows the key"))
                    }
                    // A key that has just been stored is known after a restart.
                    Reply::Ours(Answer::Refused { code: Some(Code::SignatureWrong), .. }) => {
                        let what = format!(
                            "{url} leads to a leadops that does not have this key: it is another pipeline, or was \
                             started with other keys"
                        );
                        Judged::Unwell(Fault::new(Code::WebhookElsewhere, what))
                    }
                    Reply::Ours(Answer::Refused { code: Some(Code::SignatureMissing), .. }) => bad(format!(
                        "{url} leads to leadops, and a signature does not arrive: something on the way drops the \
                         headers close-sig-hash and close-sig-timestamp"
                    )),
                    other => Self::Answered(other.clone()).judge(address),
                };
            }
            Self::Plain => return bad(format!("what listens at {url} speaks no TLS")),
            Self::Untrusted(why) => {
                let what = format!("Close checks the certificate of {url}, and it does not hold: {why}");
                return Judged::Bad(Fault::new(Code::WebhookOutOfReach, what));
            }
            Self::Silent(why) => return Judged::Untried(format!("{url} could not be tried: {why}")),
        };
        match reply {
            Reply::Ours(Answer::Refused { code: Some(Code::SignatureMissing), .. }) => {
                Judged::Good(format!("{url} answers as leadops does"))
            }
            // It was read, and is no event. Right where nobody but this machine reaches it.
            Reply::Ours(Answer::Refused { code: Some(Code::EventMalformed), .. }) if !is_public => {
                Judged::Good(format!("{url} answers as leadops does"))
            }
            Reply::Ours(Answer::Refused { code: Some(Code::EventMalformed), .. }) => {
                let what =
                    format!("{url} reads what nobody has signed: whoever reaches it can make leads up");
                Judged::Bad(Fault::new(Code::UnsignedExposed, what))
            }
            Reply::Ours(Answer::Refused { code: Some(Code::NotTheWebhook), error }) => {
                let error = outside::text::shorten(error, 200);
                bad(format!("{url} leads to leadops, and not to its webhook: {error}"))
            }
            Reply::Ours(Answer::Refused { code, error }) => {
                let what =
                    format!("{url} leads to leadops, which refuses: {}", outside::text::shorten(error, 200));
                Judged::Unwell(Fault::new(code.unwrap_or(Code::WebhookRefused), what))
            }
            Reply::Ours(_) => bad(format!("{url} takes what is no event")),
            // Those of proxies; from 520 on Cloudflare's. 408 and 429 are about the trial alone.
            Reply::Stranger { status: status @ (502..=504 | 520..=530), .. } => {
                let what = format!("{url} answered {status}: the proxy there does not reach leadops");
                Judged::Away(Fault::new(Code::WebhookElsewhere, what))
            }
            Reply::Stranger { status: status @ (408 | 429), .. } => {
                Judged::Untried(format!("{url} could not be tried: it answered {status}"))
            }
            other => bad(format!("{url} {}", other.strangeness().unwrap_or_default())),
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
    async fn tried(status: u16, location: Option<&'static str>, body: &'static str) -> (Tried, Url) {
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
        (attempt(&url, PATIENCE, &Keys::none()).await, url)
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
            assert_eq!(tried.judge(&url), Judged::Good(format!("{url} answers as leadops does")));
        }
        // From the internet nobody may come in unsigned, and another path is none of the webhook's.
        let public: Url = "https://leads.example.com/x".parse().unwrap();
        for (code, expected) in
            [(Code::EventMalformed, Code::UnsignedExposed), (Code::NotTheWebhook, Code::WebhookElsewhere)]
        {
            let answer = Answer::Refused { code: Some(code), error: "why".to_owned() };
            let Judged::Bad(fault) = Tried::Answered(Reply::Ours(answer)).judge(&public) else { panic!() };
            assert_eq!(fault.code, expected, "{fault}");
        }
        let body = Outcome::Refused(Fault::new(Code::NotStored, "the file is gone")).json().to_string();
        let (unwell, url) = tried(503, None, body.leak()).await;
        let Judged::Unwell(fault) = unwell.judge(&url) else { panic!("{unwell:?}") };
        assert_eq!(fault.code, Code::NotStored);
        assert_eq!(fault.what, format!("{url} leads to leadops, which refuses: {}", Code::NotStored.cause()));
        let unknown = tried(418, None, "{\"status\":\"refused\",\"error\":\"why\",\"code\":\"LO000\"}").await;
        assert!(
            matches!(unknown.0.judge(&unknown.1), Judged::Unwell(fault) if fault.code == Code::WebhookRefused)
        );
    }

    /// A webhook that has this key, and what comes of a trial of it with that one.
    async fn signed(theirs: &str, ours: &str) -> Judged {
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
        attempt(&url, PATIENCE, &Keys::parse(ours).unwrap()).await.judge(&url)
    }

    #[tokio::test]
    async fn another_leadops_is_told_by_its_key() {
        let [ours, theirs] = ["a1", "b2"].map(|pair| pair.repeat(32));
        assert!(
            matches!(signed(&ours, &ours).await, Judged::Good(what) if what.ends_with("and knows the key"))
        );
        let Judged::Unwell(fault) = signed(&theirs, &ours).await else { panic!() };
        assert!(
            fault.code == Code::WebhookElsewhere && fault.what.contains("does not have this key"),
            "{fault}"
        );
        // Somebody who always says the same.
        let body = Outcome::Refused(Fault::new(Code::SignatureMissing, "why")).json().to_string();
        let parrot = Tried::Signed(Reply::Ours(Answer::read(401, body.as_bytes()).unwrap()));
        let url = "https://leads.example.com/crm/webhook".parse().unwrap();
        assert!(matches!(parrot.judge(&url), Judged::Bad(fault) if fault.what.contains("does not arrive")));
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
            (200, "{\"status\":\"ignored\",\"event\":\"x\"}", "takes what is no event"),
            (204, "", "answered 204, and not as leadops does: it is empty"),
            (401, "{\"message\":\"Unauthorized\"}", "answered 401"),
            (403, "{\"message\":\"Missing Authentication Token\"}", "answered 403"),
            (404, "404 page not found", "answered 404"),
            (405, "", "answered 405"),
            (500, page, "answered 500"),
        ] {
            let (tried, url) = tried(status, None, body).await;
            let Judged::Bad(fault) = tried.judge(&url) else { panic!("{tried:?}") };
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
            let Judged::Bad(fault) = tried.judge(&url) else { panic!("{tried:?}") };
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
                matches!(tried.judge(&url), Judged::Away(fault) if fault.what.contains(&status.to_string()))
            );
        }
        let (limited, url) = tried(429, None, "slow down").await;
        assert_eq!(
            limited.judge(&url),
            Judged::Untried(format!("{url} could not be tried: it answered 429"))
        );
        let nobody = "http://127.0.0.1:1/crm/webhook".parse().unwrap();
        assert!(
            matches!(attempt(&nobody, PATIENCE, &Keys::none()).await.judge(&nobody), Judged::Untried(what) if what.contains("could not be tried"))
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
        let tried = attempt(&url, PATIENCE, &Keys::none()).await;
        let Judged::Bad(fault) = tried.judge(&url) else { panic!("{tried:?}") };
        assert_eq!(fault.code, Code::WebhookOutOfReach, "{fault}");
        assert!(fault.what.contains("certificate"), "{fault}");

        let (listener, url) = listen("https").await;
        let router = Router::new().fallback(|| async { "plain" });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        assert_eq!(attempt(&url, PATIENCE, &Keys::none()).await, Tried::Plain);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_an_end() {
        let (listener, url) = listen("http").await;
        let held = tokio::spawn(async move { listener.accept().await });
        assert_eq!(
            attempt(&url, PATIENCE, &Keys::none()).await,
            Tried::Silent("no answer in 5 s".to_owned())
        );
        held.abort();
    }
}
