//! What the owner directory's answers mean.

use lead::{LeadId, OwnerDocument, OwnerStatus, text};

use crate::{Code, ports::OwnerDirectory};

/// Why there is no document.
pub(super) struct NoOwner {
    pub(super) status: OwnerStatus,
    pub(super) code: Code,
    pub(super) reason: String,
    /// Whether the next attempt may well have another answer.
    pub(super) worth_another_try: bool,
}

/// Asks for a lead's owner.
///
/// The directory is a public bucket. Without the right to list it, a key that does not exist answers
/// 403, not 404, so both mean that nobody is assigned yet:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>. A bucket that does not exist
/// is a mistake in the configuration.
pub(super) async fn look_up(owners: &dyn OwnerDirectory, lead: &LeadId) -> Result<OwnerDocument, NoOwner> {
    let failed = |code, reason: String, worth_another_try| NoOwner {
        status: OwnerStatus::LookupFailed,
        code,
        reason,
        worth_another_try,
    };
    let answer = match owners.fetch(lead).await {
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

/// Whether an answer says that the directory itself does not exist, which is a mistake in the
/// configuration and not a lead without an owner.
pub fn is_no_directory(body: &[u8]) -> bool {
    let code = b"<Code>NoSuchBucket</Code>";
    body.windows(code.len()).any(|window| window == code)
}
