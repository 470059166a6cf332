//! The owner directory as a source of owners.

use std::sync::Arc;

use async_trait::async_trait;
use close::CreatedLead;
use lead::{OwnerDocument, OwnerStatus};
use outside::text;

use super::interpret::{LookupAnswer, interpret};
use crate::{
    Code, Fault,
    ports::{Clock, LookupOptions, LookupOutcome, NextLookup, OwnerDirectory, Owners, within},
};

/// The owner directory as a source of owners.
pub struct Documents {
    /// Where the documents are.
    pub directory: Arc<dyn OwnerDirectory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Owners for Documents {
    async fn find(&self, lead: &CreatedLead, options: LookupOptions) -> LookupOutcome {
        let id = &lead.lead_id;
        let failed = |what: String| LookupOutcome::failed(Code::OwnerLookupFailed, what, NextLookup::Retry);
        let answer = match within(self.clock.as_ref(), options.within, self.directory.fetch(id)).await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                let why = text::shorten(&error.to_string(), 200);
                return failed(format!("the owner directory gave no answer: {why}"));
            }
            None => {
                let limit = options.within.unwrap_or_default().as_secs_f64();
                return failed(format!(
                    "the owner directory gave no answer: none within {limit:.1} s, which is what its worker could wait"
                ));
            }
        };
        match interpret(&answer) {
            LookupAnswer::Document(document) => read(document, lead),
            LookupAnswer::Unassigned(what) => {
                LookupOutcome::none(OwnerStatus::Missing, Fault::new(Code::OwnerMissing, what))
            }
            LookupAnswer::Failed(fault, then) => LookupOutcome::failed(fault.code, fault.what, then),
        }
    }
}

fn read(document: OwnerDocument, lead: &CreatedLead) -> LookupOutcome {
    let lost = document.lost_owner.clone();
    let lead_is_known = document.knows_nobody(&lead.lead_id);
    let facts = document.facts(&lead.lead_id);
    let why = match (facts.status, lost) {
        (OwnerStatus::Mismatch, _) => {
            Some((Code::OwnerMismatch, "the owner document is about another lead".to_owned()))
        }
        (OwnerStatus::LookupFailed, Some(lost)) => {
            Some((Code::OwnerBroken, format!("the owner document: {lost}")))
        }
        (OwnerStatus::Missing, _) => Some((Code::OwnerMissing, "the owner document names none".to_owned())),
        _ => None,
    };
    let why = why.map(|(code, what)| Fault::new(code, what));
    LookupOutcome { lead_is_known, ..LookupOutcome::of(facts, why) }
}
