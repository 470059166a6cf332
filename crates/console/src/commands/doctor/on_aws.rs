//! What has to be right about a pipeline on AWS.

use std::{sync::Arc, time::Duration};

use aws::operator::{
    Signed,
    checks::{self, Finding, Grade},
};
use futures_util::future::join4;
use ops::Access;
use outbound::{OwnerSource, SecretUrl, webhook::Reply};
use pipeline::{Code, Fault, webhook::Answer};
use system::{SystemClock, SystemRandom};
use url::Url;

use super::{Check, close, owners, webhooks};
use crate::{config::Config, wiring::OnAws};

/// All checks.
pub(super) async fn checks(config: &Config, aws: &OnAws) -> Vec<Check> {
    let (session, stack) = (&aws.session, &aws.stack);
    let slack = |secret: &str| {
        SecretUrl::parse(secret)
            .map(|url| format!("{url} is configured; a webhook can only be tried by posting"))
    };
    let view = aws.ops(Access::ReadOnly);
    let owners = async {
        match OwnerSource::of_variables(&stack.variables()) {
            Ok(OwnerSource::Bucket(base)) => vec![owners::directory(&base).await],
            Ok(OwnerSource::Close(base, fields)) => {
                owners::close(base, &fields, aws.close_keys().await, Some(&view)).await
            }
            Err(fault) => {
                vec![Check::bad("owner source", "failed", &Fault::new(Code::StackUnusable, fault.what))]
            }
        }
    };
    let url = aws.webhook();
    let (found, webhook, owners, close) = join4(
        checks::all(session, stack, Arc::new(SystemClock), Arc::new(SystemRandom), slack, fetch),
        webhook(&url),
        owners,
        close::check(config, url.as_ref().ok(), async { aws.signature_secret().present().await }),
    )
    .await;
    let mut checks: Vec<Check> = found.into_iter().map(Check::from).collect();
    checks.push(webhook);
    checks.extend(owners);
    checks.push(webhooks::check(&view).await);
    checks.extend(owners::lately(&view).await);
    checks.extend(close);
    checks
}

impl From<Finding> for Check {
    fn from(finding: Finding) -> Self {
        let fault = finding.code.map(|code| Fault::new(code, finding.detail.clone()));
        match (finding.grade, fault) {
            (Grade::Doubtful, Some(fault)) => Self::bad(finding.check, "warning", &fault),
            (Grade::Bad, Some(fault)) => Self::bad(finding.check, "failed", &fault),
            _ => Self::ok(finding.check, finding.detail),
        }
    }
}

/// Sends a signed request: the answer's status and body.
async fn fetch(signed: Signed) -> Result<(u16, String), String> {
    let url: Url = signed.url.parse().map_err(|error| format!("{}: {error}", signed.url))?;
    let client = outbound::client::builder(&url).timeout(Duration::from_secs(15)).build();
    let mut request = client.map_err(outbound::client::error_text)?.get(url);
    for (name, value) in signed.headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(outbound::client::error_text)?;
    let status = answer.status().as_u16();
    answer.text().await.map(|body| (status, body)).map_err(outbound::client::error_text)
}

/// Posts what nobody has signed: a healthy webhook refuses it, through API Gateway and its function.
async fn webhook(url: &Result<Url, Fault>) -> Check {
    let name = "webhook";
    let failed = |code, what: String| Check::bad(name, "failed", &Fault::new(code, what));
    let url = match url {
        Ok(url) => url,
        Err(fault) => return Check::bad(name, "failed", fault),
    };
    let asked = async {
        let client = outbound::webhook::client(url, Duration::from_secs(15))?;
        client.post(url.clone()).header("content-type", "application/json").body("{}").send().await
    };
    let reply = match asked.await {
        Ok(answer) => Reply::read(answer).await,
        Err(error) => {
            let error = outbound::client::error_text(error);
            return failed(Code::WebhookUnreachable, format!("{url}: {error}"));
        }
    };
    of_unsigned(url, &reply).map_or_else(
        |fault| Check::bad(name, "failed", &fault),
        |()| Check::ok(name, format!("{url} answers, and refuses what is not signed")),
    )
}

/// Whether an answer to what nobody has signed is a healthy webhook's.
fn of_unsigned(url: &Url, reply: &Reply) -> Result<(), Fault> {
    let said = match reply {
        Reply::Ours(Answer::Refused { code: Some(Code::SignatureMissing), .. }) => return Ok(()),
        // Keys that cannot be read, for one.
        Reply::Ours(Answer::Refused { code: Some(code), error }) if *code != Code::EventMalformed => {
            let error = lead::text::shorten(error, 300);
            return Err(Fault::new(*code, format!("{url} takes no webhook: {error}")));
        }
        Reply::Ours(_) => {
            return Err(Fault::new(Code::SignatureKeyMissing, format!("{url} reads what nobody has signed")));
        }
        Reply::Redirect { .. } | Reply::Stranger { .. } => reply.strangeness().unwrap_or_default(),
    };
    Err(Fault::new(Code::WebhookRefused, format!("{url} {said}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_elses_answer_passes_for_a_healthy_webhooks() {
        let url: Url = "https://x.example.com/prod/crm/webhook".parse().unwrap();
        let refused = |code| Reply::Ours(Answer::Refused { code: Some(code), error: "why".to_owned() });
        let stranger = |status, looks: &str| Reply::Stranger { status, looks: looks.to_owned() };
        assert_eq!(of_unsigned(&url, &refused(Code::SignatureMissing)), Ok(()));
        for (reply, code, said) in [
            (refused(Code::SecretUnusable), Code::SecretUnusable, "takes no webhook: why"),
            (refused(Code::EventMalformed), Code::SignatureKeyMissing, "reads what nobody has signed"),
            (Reply::Ours(Answer::Ignored), Code::SignatureKeyMissing, "reads what nobody has signed"),
            (
                stranger(401, "it begins with `{\"message\":\"Unauthorized\"}`"),
                Code::WebhookRefused,
                "answered 401, and not as leadops does: it begins with `{\"message\":\"Unauthorized\"}`",
            ),
            (
                stranger(200, "it is empty"),
                Code::WebhookRefused,
                "answered 200, and not as leadops does: it is empty",
            ),
            (
                Reply::Redirect { status: 301, to: Some("https://y.example.com/x".to_owned()) },
                Code::WebhookRefused,
                "answered 301 and points to https://y.example.com/x; Close has to be given the final address",
            ),
        ] {
            let fault = Fault::new(code, format!("{url} {said}"));
            assert_eq!(of_unsigned(&url, &reply), Err(fault));
        }
    }
}
