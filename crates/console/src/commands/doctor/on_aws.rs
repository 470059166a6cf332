//! The checks of a pipeline on AWS.

use std::{sync::Arc, time::Duration};

use aws::operator::{SignedRequest, checks};
use close::signature::Keys;
use futures_util::future::join5;
use ops::Access;
use outbound::{
    OwnerSource,
    address::{ProbeOutcome, ProbeVerdict, probe},
    destinations::BuiltDestinations,
};
use pipeline::{Code, Fault};
use system::{SystemClock, SystemRandom};
use url::Url;

use super::{Check, Grade, destinations, owners, subscription, unknown_settings, webhooks};
use crate::{
    config::{Config, SettingProblem},
    wiring::OnAws,
};

/// All checks.
pub(super) async fn checks(config: &Config, aws: &OnAws) -> Vec<Check> {
    let (session, stack) = (&aws.session, &aws.stack);
    let view = aws.ops(Access::ReadOnly);
    let destinations = async {
        let BuiltDestinations { destinations, warnings: problems } = aws.destinations();
        let problems: Vec<SettingProblem> =
            problems.into_iter().map(SettingProblem::of_destination).collect();
        destinations::checks(&stack.settings.destinations, &destinations, &problems, Some(&view)).await
    };
    let owners = async {
        match OwnerSource::of_variables(&stack.variables()) {
            Ok(OwnerSource::Bucket(base)) => vec![owners::directory(&base).await],
            Ok(OwnerSource::Close(base, fields)) => {
                owners::close(base, &fields, aws.close_keys().await, Some(&view)).await
            }
            Err(fault) => {
                vec![Check::bad("owner source", Grade::Failed, &Fault::new(Code::StackUnusable, fault.what))]
            }
        }
    };
    let url = aws.webhook();
    let (found, webhook, owners, close, destinations) = join5(
        checks::all(session, stack, Arc::new(SystemClock), Arc::new(SystemRandom), fetch),
        webhook(&url, async { aws.signature_secret().present().await }),
        owners,
        subscription::check(config, url.as_ref().ok(), async { aws.signature_secret().present().await }),
        destinations,
    )
    .await;
    let mut checks: Vec<Check> =
        found.into_iter().map(|found| Check::of(found.check, found.outcome)).collect();
    checks.extend(destinations);
    checks.extend(unknown_settings(config));
    checks.push(webhook);
    checks.extend(owners);
    checks.push(webhooks::check(&view).await);
    checks.extend(owners::recent_lookups(&view).await);
    checks.extend(close);
    checks
}

/// Sends a signed request: the answer's status and body.
async fn fetch(signed: SignedRequest) -> Result<(u16, String), String> {
    let url: Url = signed.url.parse().map_err(|error| format!("{}: {error}", signed.url))?;
    let client = web::builder(&url).timeout(Duration::from_secs(15)).build();
    let mut request = client.map_err(web::error_text)?.get(url);
    for (name, value) in signed.headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(web::error_text)?;
    let status = answer.status().as_u16();
    answer.text().await.map(|body| (status, body)).map_err(web::error_text)
}

/// Posts an unsigned request, and a signed one without an event: a healthy webhook refuses each for its own reason,
/// through API Gateway and its function, which may have to start.
async fn webhook(url: &Result<Url, Fault>, keys: impl Future<Output = Result<Keys, Fault>>) -> Check {
    let name = "webhook";
    let url = match url {
        Ok(url) => url,
        Err(fault) => return Check::bad(name, Grade::Failed, fault),
    };
    // Reported by the keys' own check.
    let keys = keys.await.unwrap_or_else(|_| Keys::none());
    let tried = probe(url, Duration::from_secs(15), &keys).await;
    match (tried.assess(url), tried) {
        (ProbeVerdict::Good(what), _) => Check::ok(name, what),
        (ProbeVerdict::Bad(fault) | ProbeVerdict::Unavailable(fault) | ProbeVerdict::Refusing(fault), _) => {
            Check::bad(name, Grade::Failed, &fault)
        }
        (ProbeVerdict::Unknown(what), ProbeOutcome::NoAnswer(_)) => {
            Check::bad(name, Grade::Failed, &Fault::new(Code::WebhookUnreachable, what))
        }
        // Such as throttling.
        (ProbeVerdict::Unknown(what), _) => Check::note(name, what),
    }
}
