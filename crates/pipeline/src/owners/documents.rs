//! What the owner directory's answers mean.

use std::sync::Arc;

use async_trait::async_trait;
use lead::{CreatedLead, OwnerDocument, OwnerFacts, OwnerStatus, text};

use super::within;
use crate::{
    Code, Fault,
    ports::{Clock, Found, Look, OwnerDirectory, Owners, Then},
};

/// The owner directory as a source of owners.
///
/// It is a public bucket. Without the right to list it, a key that does not exist answers 403, not 404, so
/// both mean that nobody is assigned yet: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>.
/// A bucket that does not exist is a mistake in the configuration.
pub struct Documents {
    /// Where the documents are.
    pub directory: Arc<dyn OwnerDirectory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Owners for Documents {
    async fn find(&self, lead: &CreatedLead, look: Look) -> Found {
        let id = &lead.lead_id;
        let failed = |what: String| Found::failed(Code::OwnerLookupFailed, what, Then::Again);
        let answer = match within(self.clock.as_ref(), look.within, self.directory.fetch(id)).await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                let why = text::shorten(&error.to_string(), 200);
                return failed(format!("the owner directory gave no answer: {why}"));
            }
            None => {
                let limit = look.within.unwrap_or_default().as_secs_f64();
                return failed(format!(
                    "the owner directory gave no answer: none within {limit:.1} s, which is what its worker could wait"
                ));
            }
        };
        match answer.status {
            200..=299 => match OwnerDocument::parse(&answer.body) {
                Ok(document) => read(document, lead),
                Err(error) => Found::failed(Code::OwnerBroken, error.to_string(), Then::Again),
            },
            403 | 404 if is_no_directory(&answer.body) => {
                let what = "the owner directory does not exist (NoSuchBucket)";
                Found::failed(Code::OwnerDirectoryGone, what, Then::Settled)
            }
            status @ (403 | 404) => {
                let why = Fault::new(Code::OwnerMissing, format!("no owner document ({status})"));
                Found::of(OwnerFacts::none(OwnerStatus::Missing), Some(why))
            }
            status => failed(format!("the owner directory answered {status}")),
        }
    }
}

fn read(document: OwnerDocument, lead: &CreatedLead) -> Found {
    let lost = document.lost_owner.clone();
    let facts = document.facts(&lead.lead_id);
    let why = match (facts.status, lost) {
        (OwnerStatus::Mismatch, _) => {
            Some((Code::OwnerMismatch, "the owner document is about another lead".to_owned()))
        }
        (OwnerStatus::Missing, Some(lost)) => {
            Some((Code::OwnerBroken, format!("the owner document: {lost}")))
        }
        (OwnerStatus::Missing, None) => {
            Some((Code::OwnerMissing, "the owner document names none".to_owned()))
        }
        _ => None,
    };
    Found::of(facts, why.map(|(code, what)| Fault::new(code, what)))
}

/// Whether an answer says that the directory itself does not exist, which is a mistake in the
/// configuration and not a lead without an owner.
pub fn is_no_directory(body: &[u8]) -> bool {
    let code = b"<Code>NoSuchBucket</Code>";
    body.windows(code.len()).any(|window| window == code)
}
