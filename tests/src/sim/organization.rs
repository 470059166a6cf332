//! The team's organisation in Close: its members come and go, its leads have owners in a custom field, and its
//! API fails in every way that it is known to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use close::{CloseAnswer, CloseApi, RateLimitWindow};
use close::{FieldId, FieldSetting};
use lead::{LeadId, OwnerStatus};
use pipeline::{owners::OwnerFields, ports::Clock};
use serde_json::{Value, json};

use super::{
    Model, oracle,
    process::ProcessFaults,
    stages::Expected,
    truth::{Answer, End, Members},
};
use crate::faulty::{Call, Moment};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The organisation.
pub const ORGANIZATION: &str = "orga_simulated";
/// The custom field with the owner.
pub const OWNER_FIELD: &str = "cf_simulatedOwner";
/// What it is called.
const FIELD_NAME: &str = "Lead Owner";

/// Somebody who owns leads.
struct User {
    id: &'static str,
    name: &'static str,
    from: Duration,
    until: Duration,
}

/// Who owns a lead, from when on.
type Owners = Vec<(Duration, Vec<&'static str>)>;

struct LeadInClose {
    owners: Owners,
    carried: bool,
    changing: bool,
}

/// What is wrong with the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ApiFault {
    /// No connection.
    Refused,
    /// No answer in time.
    Slow,
    /// A gateway's page.
    Gateway,
    /// A page in the place of an answer, with 200.
    Page,
    /// It asks to wait.
    Busy,
    /// The key was revoked.
    Revoked,
    /// The plan does not have it any more.
    Unpaid,
    /// The key's user may do nothing any more.
    Forbidden,
    /// The key's user may not see leads any more.
    Hidden,
    /// The same, as another status.
    Missing,
}

const API_FAULTS: [ApiFault; 10] = [
    ApiFault::Refused,
    ApiFault::Slow,
    ApiFault::Gateway,
    ApiFault::Page,
    ApiFault::Busy,
    ApiFault::Revoked,
    ApiFault::Unpaid,
    ApiFault::Forbidden,
    ApiFault::Hidden,
    ApiFault::Missing,
];

/// The organisation.
pub struct SimOrganization {
    model: Arc<Model>,
    users: Vec<User>,
    leads: Mutex<BTreeMap<LeadId, LeadInClose>>,
    /// What is wrong, and until when that holds.
    api_fault: Mutex<(Option<ApiFault>, Duration)>,
    by_name: bool,
}

impl SimOrganization {
    /// One without leads.
    pub fn new(model: Arc<Model>) -> Arc<Self> {
        let (dice, fault_phase) = (&model.dice, model.fault_profile.fault_phase);
        let user = |id, name, from, until| User { id, name, from, until };
        let users = vec![
            user("user_simulatedAda", "Sales North", Duration::ZERO, Duration::MAX),
            user("user_simulatedBea", "Sales South", Duration::ZERO, Duration::MAX),
            user("user_simulatedCid", "Former Desk", Duration::ZERO, Duration::ZERO),
            user("user_simulatedDot", "Leaving Desk", Duration::ZERO, dice.between(MINUTE, fault_phase)),
            user("user_simulatedEve", "Coming Desk", dice.between(MINUTE, fault_phase), Duration::MAX),
        ];
        let by_name = dice.chance(0.5);
        Arc::new(Self { model, users, leads: Mutex::default(), api_fault: Mutex::default(), by_name })
    }

    /// How the settings name the owner's field.
    pub fn fields(&self) -> OwnerFields {
        let owner = if self.by_name {
            FieldSetting::Name(FIELD_NAME.to_owned())
        } else {
            FieldSetting::Id(FieldId::parse(OWNER_FIELD).unwrap())
        };
        OwnerFields { owner: Some(owner), funnel: None }
    }

    /// Decides who owns a new lead, and when.
    pub fn expect(&self, lead: &LeadId) -> Expected {
        let (dice, now) = (&self.model.dice, self.model.clock.elapsed());
        let ids: Vec<&'static str> = self.users.iter().map(|user| user.id).collect();
        let [ada, bea, former, leaving, coming] = ids[..] else { panic!("five users") };
        let soon = now + dice.between(MINUTE * 5, MINUTE * 90);
        let late = now + dice.between(MINUTE * 90, MINUTE * 60 * 20);
        let mut changes = Vec::new();
        let owners: Owners = if dice.chance(self.model.fault_profile.changing_owner) {
            self.model.count_fault("owner who changes");
            changes.push(now + dice.between(MINUTE * 8, MINUTE * 30));
            for _ in 0..dice.below(3) {
                changes.extend(changes.last().map(|last| *last + dice.between(SECOND * 10, MINUTE * 20)));
            }
            let by_turns = changes.iter().enumerate().map(|(at, time)| (*time, vec![[bea, ada][at % 2]]));
            [(now, vec![ada])].into_iter().chain(by_turns).collect()
        } else if dice.chance(self.model.fault_profile.odd_owner) {
            self.model.count_fault("odd owner in Close");
            match dice.below(11) {
                0 => vec![],
                1 => vec![(soon, vec![ada])],
                2 => vec![(late, vec![bea])],
                3 => vec![(now, vec![former]), (soon, vec![ada])],
                4 => vec![(now, vec![former])],
                5 => vec![(now, vec![former, bea])],
                6 => vec![(now, vec![leaving])],
                7 => vec![(now, vec![coming])],
                8 => vec![(now, vec!["user_simulatedStranger"]), (late, vec![ada, bea])],
                9 => vec![
                    (now, vec![former, "user_simulatedStranger"]),
                    (soon, vec!["user_simulatedStranger", bea]),
                ],
                _ => vec![(now, vec!["user_simulatedStranger", ada])],
            }
        } else {
            vec![(now, vec![ada])]
        };
        let carried = owners.first().filter(|(from, _)| *from == now && dice.chance(0.5));
        let carried = carried.map(|(_, owners)| owners.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        self.model.note(|| format!("owners of {lead}: {owners:?}, in the webhook: {carried:?}"));
        let in_close = LeadInClose { owners, carried: carried.is_some(), changing: !changes.is_empty() };
        self.leads.lock().unwrap().insert(lead.clone(), in_close);
        Expected { carried, changes }
    }

    /// The leads whose owners change.
    pub fn changing(&self) -> Vec<LeadId> {
        let leads = self.leads.lock().unwrap();
        leads.iter().filter(|(_, lead)| lead.changing).map(|(id, _)| id.clone()).collect()
    }

    /// Whether a lead has an owner in the end.
    pub fn end(&self, lead: &LeadId) -> End {
        let leads = self.leads.lock().unwrap();
        let Some(lead) = leads.get(lead) else { return End::Unowned };
        let user = |id: &&str| self.users.iter().find(|user| user.id == *id);
        let stays = |owners: &[&str]| owners.iter().filter_map(user).any(|user| user.until == Duration::MAX);
        let was = |owners: &[&str]| owners.iter().filter_map(user).any(|user| user.until > Duration::ZERO);
        match &lead.owners[..] {
            [.., (_, last)] if stays(last) => End::Owned,
            owners if owners.iter().any(|(_, owners)| was(owners)) => End::Left,
            _ => End::Unowned,
        }
    }

    /// A lead is looked up whose webhook may carry its owners.
    pub fn carries(&self, lead: &LeadId) {
        let first = self.leads.lock().unwrap().get(lead).filter(|lead| lead.carried).and_then(first);
        if let Some(owners) = first {
            oracle::read(&self.model, lead, owners);
        }
    }

    fn owners(&self, lead: &LeadId) -> Vec<String> {
        let (leads, now) = (self.leads.lock().unwrap(), self.model.clock.elapsed());
        let mut known = leads.get(lead).into_iter().flat_map(|lead| &lead.owners);
        let present = known.rfind(|(from, _)| *from <= now);
        present.map(|(_, owners)| owners.iter().map(|id| (*id).to_owned()).collect()).unwrap_or_default()
    }

    fn members(&self) -> Members {
        let now = self.model.clock.elapsed();
        let known = self.users.iter().filter(|user| user.from <= now);
        known.map(|user| (user.id.to_owned(), (user.name.to_owned(), user.until > now))).collect()
    }

    fn api_fault(&self) -> Option<ApiFault> {
        let (model, now) = (&self.model, self.model.clock.elapsed());
        if model.is_fault_free() {
            return None;
        }
        let mut api_fault = self.api_fault.lock().unwrap();
        if api_fault.1 <= now {
            let dice = &model.dice;
            let kind = dice.chance(model.fault_profile.directory_down).then(|| *dice.pick(&API_FAULTS));
            *api_fault = (kind, now + dice.between(MINUTE, MINUTE * 20));
        }
        api_fault.0
    }
}

fn first(lead: &LeadInClose) -> Option<Vec<String>> {
    let (_, owners) = lead.owners.first()?;
    Some(owners.iter().map(|id| (*id).to_owned()).collect())
}

/// The value of an owner field: an id, or a list where there are several.
pub fn value(owners: &[String]) -> Value {
    match owners {
        [one] => json!(one),
        several => json!(several),
    }
}

/// The API as one process reaches it.
pub struct CloseOf {
    /// The organisation.
    pub organization: Arc<SimOrganization>,
    /// The faults of the process.
    pub faults: Arc<ProcessFaults>,
}

#[async_trait]
impl CloseApi for CloseOf {
    async fn get(&self, path: &str) -> Result<CloseAnswer, close::Error> {
        let (organization, model) = (&self.organization, &self.organization.model);
        let lead = path.strip_prefix("lead/").and_then(|rest| rest.split('/').next()?.parse::<LeadId>().ok());
        let unreachable = |what: &str| Err(close::Error::Unavailable(what.to_owned()));
        // Whatever goes wrong may end the look-up of any lead that waits for the same answer.
        let failed = || {
            let all: Vec<LeadId> = model.truth().leads.keys().cloned().collect();
            for lead in &all {
                oracle::answered(model, lead, Answer::none(OwnerStatus::LookupFailed));
            }
        };
        if self.faults.pass(Call::Fetch, Moment::Before, path).await {
            failed();
            return unreachable("connection refused");
        }
        let api_fault = organization.api_fault();
        if api_fault.is_some() {
            model.count_fault("trouble with Close's API");
            failed();
        }
        match api_fault {
            Some(ApiFault::Refused) => return unreachable("connection refused"),
            Some(ApiFault::Slow) => {
                model.clock.sleep(SECOND * 15).await;
                return unreachable("timed out");
            }
            Some(ApiFault::Gateway) => return Ok(page(502)),
            Some(ApiFault::Page) => return Ok(page(200)),
            Some(ApiFault::Busy) => {
                let wait = Some(model.dice.between(SECOND / 10, SECOND * 20));
                return Ok(CloseAnswer { wait, ..page(429) });
            }
            Some(ApiFault::Revoked) => return Ok(page(401)),
            Some(ApiFault::Unpaid) => return Ok(page(402)),
            Some(ApiFault::Forbidden) => return Ok(page(403)),
            Some(ApiFault::Hidden) if lead.is_some() => return Ok(page(401)),
            Some(ApiFault::Missing) if lead.is_some() => return Ok(page(404)),
            Some(ApiFault::Hidden | ApiFault::Missing) | None => {}
        }
        let (owners, members) = (lead.as_ref().map(|lead| organization.owners(lead)), organization.members());
        if self.faults.pass(Call::Fetch, Moment::After, path).await {
            failed();
            return unreachable("the connection broke");
        }
        Ok(match (&lead, owners) {
            (Some(lead), Some(owners)) => {
                let mut answer =
                    json!({"id": lead, "organization_id": ORGANIZATION, "status_label": "Potential"});
                if owners.is_empty() {
                    oracle::answered(model, lead, Answer::none(OwnerStatus::Missing));
                } else {
                    answer[format!("custom.{OWNER_FIELD}")] = value(&owners);
                    oracle::read(model, lead, owners);
                }
                good(&answer)
            }
            _ if path.starts_with("organization/orga_simulated/?") => {
                let list = |there: bool| {
                    let members = members.iter().filter(|(_, (_, active))| *active == there);
                    members
                        .map(|(id, (name, _))| json!({"user_id": id, "user_full_name": name}))
                        .collect::<Vec<_>>()
                };
                let answer = json!({"memberships": list(true), "inactive_memberships": list(false)});
                oracle::members_read(model, members);
                good(&answer)
            }
            _ if path == "custom_field_schema/lead/" => {
                good(&json!({"fields": [{"id": OWNER_FIELD, "name": FIELD_NAME, "type": "user"}]}))
            }
            _ if path.starts_with("me/?") => good(&json!({"id": "user_simulatedKey"})),
            _ => page(404),
        })
    }
}

fn good(answer: &Value) -> CloseAnswer {
    let window = Some(RateLimitWindow { remaining: 20, reset: SECOND });
    CloseAnswer { status: 200, body: answer.to_string().into(), wait: None, window, trace: None }
}

fn page(status: u16) -> CloseAnswer {
    CloseAnswer {
        status,
        body: "<html><h1>Not now</h1></html>".into(),
        wait: None,
        window: None,
        trace: None,
    }
}
