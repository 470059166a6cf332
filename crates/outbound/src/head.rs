//! Whether an address can be reached, without posting anything to it.

use pipeline::{CheckOutcome, Code, Fault};
use reqwest::{Client, StatusCode};

use crate::SecretUrl;

/// Sends a HEAD request the way messages are sent: with the same client, so the same proxy, certificates and timeouts.
/// HEAD changes nothing, <https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2>; a server that accepts only POST refuses
/// it, which is an answer.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn ask(client: &Client, url: &SecretUrl) -> Result<StatusCode, Unanswered> {
    let answer = client.head(url.0.clone()).send().await;
    answer.map(|answer| answer.status()).map_err(|error| Unanswered {
        is_closed: !web::is_unsent(&error) && web::is_closed(&error),
        why: url.redact(&web::error_text(error)),
    })
}

/// That there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Why, without any part of the address that may be a secret.
    pub why: String,
    /// Whether the connection was made and then closed without an answer. Some servers that do not support HEAD do that,
    /// and accept alerts.
    pub is_closed: bool,
}

/// What that says about the destination `name`, which only an alert can really test; `unavailable` is its code for not
/// being reachable.
pub(crate) fn checked(
    name: &str,
    address: &str,
    asked: Result<StatusCode, Unanswered>,
    unavailable: Code,
) -> CheckOutcome {
    let failed = |what| CheckOutcome::Failed(Fault::new(unavailable, format!("{address}: {what}")));
    let doubtful = |what| {
        let what = format!("{what}; only `leadops try --to {name}` shows whether it accepts alerts");
        CheckOutcome::warning(unavailable, what)
    };
    match asked {
        Err(Unanswered { why, is_closed: true }) => {
            doubtful(format!("{address} closes the connection on a HEAD: {why}"))
        }
        Err(Unanswered { why, .. }) => failed(format!("not reached: {why}")),
        Ok(StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::NETWORK_AUTHENTICATION_REQUIRED) => {
            failed("a proxy in between wants a login".to_owned())
        }
        // Not the answer to an alert, but not a good sign.
        Ok(status) if is_odd(status) => doubtful(format!("{address} answers {} to a HEAD", status.as_u16())),
        Ok(status) => CheckOutcome::Ok(format!(
            "{address} can be reached (HEAD: {}); only `leadops try --to {name}` shows whether it accepts alerts",
            status.as_u16()
        )),
    }
}

/// Whether an alert with such an answer would not have arrived, or not yet. A receiver that requires a signature refuses
/// HEAD and is fine.
fn is_odd(status: StatusCode) -> bool {
    let has_moved = status.is_redirection() || status == StatusCode::GONE;
    let is_in_trouble = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    has_moved || is_in_trouble || status == StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::Method};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    fn well(checked: &CheckOutcome) -> bool {
        matches!(checked, CheckOutcome::Ok(line) if line.contains("leadops try --to webhook"))
    }

    #[tokio::test]
    async fn an_answer_is_one_whatever_it_says_unless_somebody_in_between_gives_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(async |method: Method, uri: axum::http::Uri| {
            assert_eq!(method, Method::HEAD);
            StatusCode::from_bytes(&uri.path().as_bytes()[1..]).unwrap()
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let url = |path: &str| SecretUrl(format!("http://{address}/{path}").parse().unwrap());
        let client = web::builder(&url("").0).build().unwrap();
        for (status, is_well) in
            [(200, true), (401, true), (404, true), (405, true), (501, true), (407, false), (511, false)]
        {
            let asked = ask(&client, &url(&status.to_string())).await;
            let checked = checked("webhook", "there", asked, Code::DestinationUnavailable);
            assert_eq!(well(&checked), is_well, "{status}: {checked:?}");
        }
        for status in [302, 308, 410, 429, 500, 503] {
            let asked = ask(&client, &url(&status.to_string())).await;
            let checked = checked("webhook", "there", asked, Code::DestinationUnavailable);
            assert!(matches!(checked, CheckOutcome::Warning(_)), "{status}: {checked:?}");
        }
        for said in ["", "220 mail.example.com ESMTP\r\n"] {
            let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let there =
                SecretUrl(format!("http://{}/a-secret-path", other.local_addr().unwrap()).parse().unwrap());
            let answers = async {
                let (mut stream, _) = other.accept().await.unwrap();
                // All that was asked is read first, so that it is an end and no reset.
                let _ = stream.read(&mut [0; 1_000]).await.unwrap();
                stream.write_all(said.as_bytes()).await.unwrap();
            };
            let (asked, ()) = tokio::join!(ask(&client, &there), answers);
            let (is_doubtful, fault) = match checked("webhook", "there", asked, Code::DestinationUnavailable)
            {
                CheckOutcome::Warning(fault) => (true, fault),
                CheckOutcome::Failed(fault) => (false, fault),
                CheckOutcome::Ok(line) => panic!("{line}"),
            };
            assert_eq!(is_doubtful, said.is_empty(), "{said:?}: {fault:?}");
            assert_eq!(fault.what.contains("closes the connection on a HEAD: "), is_doubtful, "{fault:?}");
            assert!(!fault.what.contains("a-secret"), "{fault:?}");
        }
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let nobody = SecretUrl(format!("http://{closed}/a-secret-path").parse().unwrap());
        let checked = checked("webhook", "there", ask(&client, &nobody).await, Code::DestinationUnavailable);
        let CheckOutcome::Failed(fault) = checked else { panic!("{checked:?}") };
        assert!(fault.code == Code::DestinationUnavailable && !fault.what.contains("a-secret"), "{fault:?}");
    }
}
