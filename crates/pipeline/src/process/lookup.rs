//! What the owner directory's answers mean.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};
use lead::{LeadId, OwnerDocument, OwnerStatus, text};

use crate::{
    Code,
    ports::{Clock, OwnerAnswer, OwnerDirectory, OwnerUnreachable},
};

/// Why there is no document.
pub(super) struct NoOwner {
    pub(super) status: OwnerStatus,
    pub(super) code: Code,
    pub(super) reason: String,
    /// Whether the next attempt may well have another answer.
    pub(super) worth_another_try: bool,
}

/// Asks for a lead's owner, for no longer than `limit`.
///
/// The directory is a public bucket. Without the right to list it, a key that does not exist answers
/// 403, not 404, so both mean that nobody is assigned yet:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>. A bucket that does not exist
/// is a mistake in the configuration.
pub(super) async fn look_up(
    owners: &dyn OwnerDirectory,
    clock: &dyn Clock,
    lead: &LeadId,
    limit: Option<Duration>,
) -> Result<OwnerDocument, NoOwner> {
    let failed = |code, reason: String, worth_another_try| NoOwner {
        status: OwnerStatus::LookupFailed,
        code,
        reason,
        worth_another_try,
    };
    let answer = match fetch(owners, clock, lead, limit).await {
        Ok(answer) => answer,
        Err(error) => {
            let reason =
                format!("the owner directory gave no answer: {}", text::shorten(&error.to_string(), 200));
            return Err(failed(Code::OwnerLookupFailed, reason, true));
        }
    };
    match answer.status {
        200..=299 => {
            OwnerDocument::parse(&answer.body).map_err(|e| failed(Code::OwnerBroken, e.to_string(), true))
        }
        403 | 404 if is_no_directory(&answer.body) => {
            let reason = "the owner directory does not exist (NoSuchBucket)".to_owned();
            Err(failed(Code::OwnerDirectoryGone, reason, false))
        }
        403 | 404 => Err(NoOwner {
            status: OwnerStatus::Missing,
            code: Code::OwnerMissing,
            reason: format!("no owner document ({})", answer.status),
            worth_another_try: false,
        }),
        status => {
            Err(failed(Code::OwnerLookupFailed, format!("the owner directory answered {status}"), true))
        }
    }
}

async fn fetch(
    owners: &dyn OwnerDirectory,
    clock: &dyn Clock,
    lead: &LeadId,
    limit: Option<Duration>,
) -> Result<OwnerAnswer, OwnerUnreachable> {
    let answer = owners.fetch(lead);
    let Some(limit) = limit else { return answer.await };
    match select(answer, pin!(clock.sleep(limit))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            let what =
                format!("none within {:.1} s, which is what its worker could wait", limit.as_secs_f64());
            Err(OwnerUnreachable(what))
        }
    }
}

/// Whether an answer says that the directory itself does not exist, which is a mistake in the
/// configuration and not a lead without an owner.
pub fn is_no_directory(body: &[u8]) -> bool {
    let code = b"<Code>NoSuchBucket</Code>";
    body.windows(code.len()).any(|window| window == code)
}
