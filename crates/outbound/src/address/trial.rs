//! What answers at an address, by posting there what nobody has signed.

use std::{error::Error, io, time::Duration};

use pipeline::{Code, Fault, webhook::Answer};
use reqwest::{header, redirect};
use tokio_rustls::rustls::{self, InvalidMessage};
use url::Url;

use super::shown;
use crate::client;

/// How long a trial may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of an answer is looked at, in bytes. leadops's own are shorter.
const LIMIT: usize = 4 * 1024;

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// leadops answered: that it does not take what nobody has signed, or that it can take nothing.
    Ours {
        /// The HTTP status.
        status: u16,
        /// Its reason.
        code: Option<Code>,
        /// The same in words.
        error: String,
    },
    /// A redirect, which was not followed.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where it leads, as it may be printed.
        to: Option<String>,
    },
    /// Somebody else answered.
    Other {
        /// The HTTP status.
        status: u16,
        /// How the answer begins.
        start: String,
    },
    /// A proxy answered this HTTP status: that what is behind it does not answer.
    Away(u16),
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
    /// leadops would refuse them now, for its own reason.
    Unwell(Fault),
    /// They arrive nowhere, or somewhere else.
    Bad(Fault),
    /// They arrive nowhere now: a proxy answers, and what is behind it does not.
    Away(Fault),
    /// Nothing is known.
    Untried(String),
}

/// Posts `{}` without a signature, in 5 s at the most, and follows no redirect.
///
/// Nothing comes of it where leadops listens: it refuses what nobody has signed, and `{}` is no event.
pub async fn attempt(url: &Url) -> Tried {
    let client = client::builder(url).timeout(PATIENCE).redirect(redirect::Policy::none()).build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return Tried::Silent(client::error_text(error)),
    };
    let post = client.post(url.clone()).header(header::CONTENT_TYPE, "application/json").body("{}");
    let mut answer = match post.send().await {
        Ok(answer) => answer,
        Err(error) => return failed(error),
    };
    let status = answer.status();
    if status.is_redirection() {
        let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let to = to.and_then(|to| url.join(to).ok()).filter(Url::has_host);
        return Tried::Redirect { status: status.as_u16(), to: to.map(|to| shown(&to)) };
    }
    let (body, _) = client::read_start(&mut answer, LIMIT).await;
    read(status.as_u16(), &body)
}

fn read(status: u16, body: &[u8]) -> Tried {
    match (Answer::read(status, body), status) {
        (Some(Answer::Refused { code, error }), _) => {
            Tried::Ours { status, code, error: lead::text::shorten(&error, 200) }
        }
        // Those of proxies; from 520 on Cloudflare's, and 408 and 429 are about the trial alone.
        (_, 502..=504 | 520..=530) => Tried::Away(status),
        (_, 408 | 429) => Tried::Silent(format!("it answers {status}")),
        _ => Tried::Other { status, start: lead::text::shorten(&String::from_utf8_lossy(body), 60) },
    }
}

fn failed(error: reqwest::Error) -> Tried {
    match tls(&error) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Tried::Plain,
        Some(error @ rustls::Error::InvalidCertificate(_)) => {
            Tried::Untrusted(lead::text::shorten(&error.to_string(), 200))
        }
        _ if error.is_timeout() => Tried::Silent(format!("no answer in {} s", PATIENCE.as_secs())),
        _ => Tried::Silent(client::error_text(error)),
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
    /// What it means that this came of a trial of `url`.
    pub fn judge(&self, url: &Url) -> Judged {
        let url = shown(url);
        let bad = |what: String| Judged::Bad(Fault::new(Code::WebhookElsewhere, what));
        match self {
            // What nobody has signed, and where nobody has to sign, what is no event.
            Self::Ours { code: Some(Code::SignatureMissing | Code::EventMalformed), .. } => {
                Judged::Good(format!("{url} answers as leadops does"))
            }
            Self::Ours { status, code, error } => {
                let code = code.unwrap_or(Code::WebhookRefused);
                Judged::Unwell(Fault::new(
                    code,
                    format!("{url} leads to leadops, which answers {status}: {error}"),
                ))
            }
            Self::Redirect { status, to } => {
                let to = to.as_ref().map_or_else(|| "elsewhere".to_owned(), |to| format!("to {to}"));
                bad(format!(
                    "{url} answers {status} and points {to}: Close has to be given the final address"
                ))
            }
            Self::Other { status, start } if start.is_empty() => {
                bad(format!("{url} answers {status} with nothing in it, and not as leadops does"))
            }
            Self::Other { status, start } => {
                bad(format!("{url} answers {status}, and not as leadops does: it begins with `{start}`"))
            }
            Self::Plain => bad(format!("what listens at {url} speaks no TLS")),
            Self::Untrusted(why) => {
                let what = format!("Close checks the certificate of {url}, and it does not hold: {why}");
                Judged::Bad(Fault::new(Code::WebhookOutOfReach, what))
            }
            Self::Away(status) => {
                let what = format!("{url} answers {status}: the proxy there does not reach leadops");
                Judged::Away(Fault::new(Code::WebhookElsewhere, what))
            }
            Self::Silent(why) => Judged::Untried(format!("{url} could not be tried: {why}")),
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
        (attempt(&url).await, url)
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
        let body = Outcome::Refused(Fault::new(Code::NotStored, "the file is gone")).json().to_string();
        let (unwell, url) = tried(503, None, body.leak()).await;
        let Judged::Unwell(fault) = unwell.judge(&url) else { panic!("{unwell:?}") };
        assert_eq!(fault.code, Code::NotStored);
        assert_eq!(
            fault.what,
            format!("{url} leads to leadops, which answers 503: {}", Code::NotStored.cause())
        );
        let unknown = tried(418, None, "{\"status\":\"refused\",\"error\":\"why\",\"code\":\"LO000\"}").await;
        assert!(
            matches!(unknown.0.judge(&unknown.1), Judged::Unwell(fault) if fault.code == Code::WebhookRefused)
        );
    }

    #[tokio::test]
    async fn others_are_known_by_what_they_say() {
        let page = "<!doctype html><title>Sign in</title>";
        for (status, body, part) in [
            (
                200,
                page,
                "answers 200, and not as leadops does: it begins with `<!doctype html><title>Sign in</title>`",
            ),
            (200, "ok", "it begins with `ok`"),
            (200, "{\"status\":\"ignored\",\"event\":\"x\"}", "answers 200"),
            (204, "", "answers 204 with nothing in it"),
            (401, "{\"message\":\"Unauthorized\"}", "answers 401"),
            (403, "{\"message\":\"Missing Authentication Token\"}", "answers 403"),
            (404, "404 page not found", "answers 404"),
            (405, "", "answers 405"),
            (500, page, "answers 500"),
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
                "points to https://www.example.com/crm/webhook:",
            ),
            (307, Some("//other.example.com/x"), "points to http://other.example.com/x:"),
            (308, Some("https://ada:geheim@www.example.com/"), "points to https://…@www.example.com/:"),
            (303, None, "points elsewhere:"),
            (301, Some("mailto:geheim"), "points elsewhere:"),
        ] {
            let (tried, url) = tried(status, location, "").await;
            let Judged::Bad(fault) = tried.judge(&url) else { panic!("{tried:?}") };
            assert_eq!(fault.code, Code::WebhookElsewhere);
            assert!(fault.what.contains(&format!("answers {status} and {part}")), "{fault}");
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
        assert_eq!(limited.judge(&url), Judged::Untried(format!("{url} could not be tried: it answers 429")));
        let nobody = "http://127.0.0.1:1/crm/webhook".parse().unwrap();
        assert!(
            matches!(attempt(&nobody).await.judge(&nobody), Judged::Untried(what) if what.contains("could not be tried"))
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
        let tried = attempt(&url).await;
        let Judged::Bad(fault) = tried.judge(&url) else { panic!("{tried:?}") };
        assert_eq!(fault.code, Code::WebhookOutOfReach, "{fault}");
        assert!(fault.what.contains("certificate"), "{fault}");

        let (listener, url) = listen("https").await;
        let router = Router::new().fallback(|| async { "plain" });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        assert_eq!(attempt(&url).await, Tried::Plain);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_an_end() {
        let (listener, url) = listen("http").await;
        let held = tokio::spawn(async move { listener.accept().await });
        assert_eq!(attempt(&url).await, Tried::Silent("no answer in 5 s".to_owned()));
        held.abort();
    }
}
