//! `doctor`: checks settings, credentials, permissions and services.

mod destinations;
mod embedded;
#[cfg_attr(not(feature = "aws"), path = "doctor/without_aws.rs")]
mod on_aws;
mod owners;
mod permissions;
mod subscription;
mod webhooks;

use std::borrow::Cow;

use host::output;
use pipeline::{Code, Fault, RetryState};
use serde::Serialize;

use crate::{
    config::{Config, Location, Place},
    wiring,
};

/// The outcome of one check.
#[derive(Debug, Clone, Serialize)]
struct Check {
    check: Cow<'static, str>,
    /// `ok`, `warning` or `failed`.
    result: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

impl Check {
    fn ok(check: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { check: check.into(), result: "ok", detail: detail.into(), code: None, remedy: None }
    }

    /// A warning without a code.
    fn note(check: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { result: "warning", ..Self::ok(check, detail) }
    }

    fn bad(check: impl Into<Cow<'static, str>>, result: &'static str, fault: &Fault) -> Self {
        Self {
            check: check.into(),
            result,
            detail: fault.what.clone(),
            code: Some(fault.code),
            remedy: Some(fault.code.remedy(RetryState::Reported)),
        }
    }
}

/// `leadops doctor`.
///
/// # Errors
/// [`Code::ChecksFailed`], once all have been printed.
pub(crate) async fn run(config: &Config, place: &Place, as_json: bool) -> anyhow::Result<()> {
    let checks = match &place.at {
        Location::Folder(folder) => embedded::checks(config, folder).await,
        Location::Stack(stack) => match wiring::on_aws(stack).await {
            Ok(aws) => on_aws::checks(config, &aws).await,
            Err(fault) => vec![Check::bad("stack", "failed", &fault)],
        },
    };
    if as_json {
        output::json(&checks)?;
    } else {
        let width = checks.iter().map(|check| check.check.len()).max().unwrap_or_default();
        for check in &checks {
            let mark = match check.result {
                "ok" => "✓",
                "warning" => "▲",
                _ => "✗",
            };
            let detail = match check.code {
                Some(code) => Fault::new(code, check.detail.clone()).line(),
                None => check.detail.trim_end_matches('.').to_owned(),
            };
            output::line(&format!("{mark} {:<width$}  {detail}", check.check))?;
        }
    }
    let failed: Vec<&str> =
        checks.iter().filter(|check| check.result == "failed").map(|check| check.check.as_ref()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let what = format!("{} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", "));
    Err(Fault::new(Code::ChecksFailed, what).into())
}
