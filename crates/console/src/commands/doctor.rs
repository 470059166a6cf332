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
use pipeline::{CheckOutcome, Code, Fault, RetryState};
use serde::Serialize;

use crate::{
    config::{Config, Location, Place},
    wiring,
};

/// The outcome of one check.
#[derive(Debug, Clone, Serialize)]
struct Check {
    check: Cow<'static, str>,
    result: Grade,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

/// How it stands with what was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Grade {
    Ok,
    /// It works nevertheless.
    Warning,
    Failed,
}

/// A warning for each variable that looks like a setting and is none.
fn unknown_settings(config: &Config) -> impl Iterator<Item = Check> {
    config.unknown.iter().map(|unknown| Check::bad("settings", Grade::Warning, &unknown.fault()))
}

impl Check {
    fn of(check: impl Into<Cow<'static, str>>, outcome: CheckOutcome) -> Self {
        match outcome {
            CheckOutcome::Ok(detail) => Self::ok(check, detail),
            CheckOutcome::Warning(fault) => Self::bad(check, Grade::Warning, &fault),
            CheckOutcome::Failed(fault) => Self::bad(check, Grade::Failed, &fault),
        }
    }

    fn ok(check: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { check: check.into(), result: Grade::Ok, detail: detail.into(), code: None, remedy: None }
    }

    /// A warning without a code.
    fn note(check: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { result: Grade::Warning, ..Self::ok(check, detail) }
    }

    fn bad(check: impl Into<Cow<'static, str>>, result: Grade, fault: &Fault) -> Self {
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
            Err(fault) => vec![Check::of("stack", CheckOutcome::Failed(fault))],
        },
    };
    if as_json {
        output::json(&checks)?;
    } else {
        let width = checks.iter().map(|check| check.check.len()).max().unwrap_or_default();
        for check in &checks {
            let mark = match check.result {
                Grade::Ok => "✓",
                Grade::Warning => "▲",
                Grade::Failed => "✗",
            };
            let detail = match check.code {
                Some(code) => Fault::new(code, check.detail.clone()).line(),
                None => check.detail.trim_end_matches('.').to_owned(),
            };
            output::line(&format!("{mark} {:<width$}  {detail}", check.check))?;
        }
    }
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.result == Grade::Failed)
        .map(|check| check.check.as_ref())
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let what = format!("{} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", "));
    Err(Fault::new(Code::ChecksFailed, what).into())
}
