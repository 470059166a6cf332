//! Looking at Close as a source of owners: what `doctor` asks.

use std::sync::Arc;

use close::{Account, CustomField, MemberList, Role, custom_fields, roles};
use outside::Unreadable;

use super::ask::{CloseClient, CloseRequest, LookupBudget, LookupStop};
use crate::{Fault, ports::Clock};
use close::CloseApi;

/// What Close says of the key, of the fields of leads and of the members; each where it could be had.
#[derive(Debug, Clone)]
pub struct Examination {
    /// Whose the key is.
    pub account: Result<Account, Fault>,
    /// What the organisation's roles may see.
    pub roles: Result<Vec<Role>, Fault>,
    /// The custom fields of leads, in Close's order.
    pub fields: Result<Vec<CustomField>, Fault>,
    /// The members.
    pub members: Result<MemberList, Fault>,
}

/// Asks Close for all of it: four requests, of which one that fails keeps no other back, but for the members, whose
/// organisation is the key's.
pub async fn examine(api: Arc<dyn CloseApi>, clock: Arc<dyn Clock>) -> Examination {
    let asker = CloseClient::new(api, clock, std::time::Duration::from_secs(10));
    let account = ask(&asker, "me/", CloseRequest::Me, Account::parse).await;
    let roles = ask(&asker, "role/", CloseRequest::Roles, roles).await;
    let fields = ask(&asker, super::directory::SCHEMA, CloseRequest::Fields, custom_fields).await;
    let members = match account.as_ref().map(|account| account.organization_id.clone()) {
        Ok(Some(organization)) => {
            let path = super::directory::members_path(&organization);
            ask(&asker, &path, CloseRequest::Members, MemberList::parse).await
        }
        Ok(None) => {
            let what = "Close does not say to which organisation the API key belongs";
            Err(Fault::new(crate::Code::CloseUnavailable, what))
        }
        Err(fault) => Err(fault.clone()),
    };
    Examination { account, roles, fields, members }
}

async fn ask<T>(
    asker: &CloseClient,
    path: &str,
    what: CloseRequest<'_>,
    read: impl Fn(&[u8]) -> Result<T, Unreadable>,
) -> Result<T, Fault> {
    let asked = asker.ask(path, what, &mut LookupBudget::until(None)).await;
    let read = asked.and_then(|body| read(&body).map_err(|error| what.unreadable(&error)));
    read.map_err(|stop: LookupStop| stop.fault().clone())
}
