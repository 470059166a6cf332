//! Owners as a team that uses Close has them: in a custom field of the lead.
//!
//! The field often stands in the very webhook. Then nothing is asked for but the members of the
//! organisation, whom all leads share: a name is said only of somebody whom Close knows, and who has left is
//! said to have left.

mod ask;
mod directory;
mod examine;
mod pace;
mod resolve;
mod retrieved;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use close::{CreatedLead, CustomFieldOwners, FieldId, FieldSetting, LeadAnswer, MemberMatch};
use lead::{OwnerFacts, OwnerStatus};

use self::{
    ask::{CloseClient, CloseRequest, LookupBudget, LookupStop},
    directory::OrganizationCache,
    resolve::{missing, odd, resolve, unread},
    retrieved::{AGAIN, FRESH, Named},
};
use crate::{
    Code,
    ports::{Clock, LookupOptions, LookupOutcome, Objects, Owners},
};
use close::CloseApi;
pub use examine::{Examination, examine};
pub use retrieved::{Failure, OwnerFields, Retrieved};

/// How long reading what all leads share may take before there is any lead.
const WARM_UP: jiff::SignedDuration = jiff::SignedDuration::from_secs(4);

/// Close as a source of owners.
pub struct CloseOwners {
    asker: CloseClient,
    directory: OrganizationCache,
    settings: OwnerFields,
}

impl CloseOwners {
    /// Owners in these fields. What all leads share is stored among `objects`, under [`Retrieved::KEY`]; a turn to
    /// ask Close is waited for in place for as long as `patience`.
    pub fn new(
        api: Arc<dyn CloseApi>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        settings: OwnerFields,
        patience: Duration,
    ) -> Self {
        Self {
            asker: CloseClient::new(api, clock, patience),
            directory: OrganizationCache::new(objects),
            settings,
        }
    }

    /// How the settings name the fields.
    fn named(&self) -> Result<Named<'_>, LookupStop> {
        let owner = self.settings.owner.as_ref();
        let unset = || LookupStop::failed(Code::CloseFieldUnknown, "CLOSE_OWNER_FIELD is not set", false);
        Ok((owner.ok_or_else(unset)?, self.settings.funnel.as_ref()))
    }

    /// Looks for the owner. `known` is what the event says, as far as it got.
    async fn search(
        &self,
        lead: &CreatedLead,
        options: LookupOptions,
        known: &mut OwnerFacts,
    ) -> Result<LookupOutcome, LookupStop> {
        let now = self.asker.clock.now();
        let limit = options.within.map(|limit| now + limit);
        let mut means = LookupBudget::until(limit);
        let named = self.named()?;
        let fields = self.directory.fields(&self.asker, &mut means, named).await?;
        let (owner, funnel) = ((named.0, &fields.owner), named.1.zip(fields.funnel.as_ref()));
        let owned = CustomFieldOwners::of_webhook(&lead.custom, &lead.custom_by_name, owner, funnel);
        known.funnel.clone_from(&owned.funnel);
        let mut carried = None;
        let organization = lead.organization_id.as_deref();
        if !options.fresh && !owned.owners.is_empty() {
            known.lead_owner = unread(&owned);
            match self.people(&owned.owners, organization, &mut means).await {
                Ok(people) => {
                    let found = LookupOutcome { of_event: true, ..people };
                    if found.facts.status == OwnerStatus::Assigned {
                        return Ok(found);
                    }
                    // Whoever has left may have been replaced since.
                    carried = Some(found);
                }
                // The lead says whose members are to be asked for.
                Err(LookupStop::Failed { .. }) if organization.is_none() => {}
                Err(stop) => return Err(stop),
            }
        }
        let answer = match (self.ask_for(lead, owner, funnel, &mut means).await, carried) {
            (Ok(answer), _) => answer,
            (Err(LookupStop::Failed { .. }), Some(carried)) => return Ok(carried),
            (Err(stop), _) => return Err(stop),
        };
        let organization = organization.or(answer.organization_id.as_deref());
        known.lead_owner = unread(&answer.owned);
        let found = match &answer.owned.owners[..] {
            [] if answer.owned.is_odd => odd(),
            [] => match self.directory.lacks(&self.asker, &mut means, owner).await {
                Some(stop) => stop.into(),
                None => missing(),
            },
            owners => match self.people(owners, organization, &mut means).await {
                Ok(found) => found,
                // Who it is cannot be said. What else Close said is known all the same.
                Err(stop @ LookupStop::Failed { .. }) => with_known(stop.into(), known.clone()),
                Err(stop) => return Err(stop),
            },
        };
        let facts = OwnerFacts {
            lead_email: answer.email,
            lead_phone: answer.phone,
            funnel: answer.owned.funnel,
            status_label: answer.status_label,
            ..found.facts
        };
        Ok(LookupOutcome { facts, ..found })
    }

    /// The lead as Close has it now.
    async fn ask_for(
        &self,
        lead: &CreatedLead,
        owner: (&FieldSetting, &FieldId),
        funnel: Option<(&FieldSetting, &FieldId)>,
        means: &mut LookupBudget,
    ) -> Result<LeadAnswer, LookupStop> {
        let mut path = format!(
            "lead/{}/?_fields=id,organization_id,status_label,contacts,primary_email,primary_phone,custom.{}",
            lead.lead_id,
            owner.1.as_str()
        );
        if let Some((_, funnel)) = funnel {
            path += &format!(",custom.{}", funnel.as_str());
        }
        let question = CloseRequest::Lead(&lead.lead_id);
        let body = self.asker.ask(&path, question, means).await?;
        let answer = LeadAnswer::parse(&body, owner, funnel).map_err(|error| question.unreadable(&error))?;
        match answer.id.as_deref() == Some(lead.lead_id.as_str()) {
            true => Ok(answer),
            false => Err(question.another()),
        }
    }

    /// Who is meant by the values of the owner field.
    async fn people(
        &self,
        values: &[String],
        organization: Option<&str>,
        means: &mut LookupBudget,
    ) -> Result<LookupOutcome, LookupStop> {
        let mut members = self.directory.members(&self.asker, means, organization, FRESH).await?;
        if values.iter().any(|value| members.roster.who(value) == MemberMatch::Unknown) {
            match self.directory.members(&self.asker, means, organization, AGAIN).await {
                Ok(newer) => members = newer,
                // Those that there are will have to do.
                Err(LookupStop::Failed { .. }) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(resolve(values, &members.roster))
    }
}

/// What was found, and what the event says where nothing was.
fn with_known(found: LookupOutcome, known: OwnerFacts) -> LookupOutcome {
    let facts = found.facts;
    let is_unread = facts.status == OwnerStatus::LookupFailed && facts.owners.is_empty();
    let facts = OwnerFacts {
        lead_owner: facts.lead_owner.or(known.lead_owner.filter(|_| is_unread)),
        lead_email: facts.lead_email.or(known.lead_email),
        lead_phone: facts.lead_phone.or(known.lead_phone),
        funnel: facts.funnel.or(known.funnel),
        ..facts
    };
    LookupOutcome { facts, ..found }
}

#[async_trait]
impl Owners for CloseOwners {
    async fn find(&self, lead: &CreatedLead, options: LookupOptions) -> LookupOutcome {
        let mut known = OwnerFacts {
            lead_email: lead.email.clone(),
            lead_phone: lead.phone.clone(),
            ..OwnerFacts::none(OwnerStatus::LookupFailed)
        };
        let found = self.search(lead, options, &mut known).await.unwrap_or_else(LookupOutcome::from);
        with_known(found, known)
    }

    async fn warm_up(&self) {
        // A function has ten seconds to start.
        let mut means = LookupBudget::until(Some(self.asker.clock.now() + WARM_UP));
        // What fails here fails again, and is said, when it is needed.
        let Ok(named) = self.named() else { return };
        if self.directory.fields(&self.asker, &mut means, named).await.is_ok() {
            let _ = self.directory.members(&self.asker, &mut means, None, FRESH).await;
        }
    }
}
