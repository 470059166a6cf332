//! What is known of the organisation in Close: its members, and which custom fields the settings name.
//!
//! It is one object, so that all functions share what one of them has read. Members are read again after a
//! quarter of an hour, or when a lead names one whom they do not have; of all readers one does it, the others
//! use what there is. A reading that fails leaves the former members in place.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use close::{FieldId, FieldSetting, MemberList, custom_fields, is_id};
use futures_util::lock::Mutex as Turn;
use jiff::SignedDuration;
use lead::Timestamp;

use super::{
    ask::{CloseClient, CloseRequest, LookupBudget, LookupStop},
    retrieved::{AGAIN, CLAIM, FRESH, Failure, Fields, Named, Retrieved, in_words, is_lately},
};
use crate::{
    Code, Fault, Function, lock,
    ports::{Level, Objects, PutError, Version, WriteCondition, within},
    recorder,
};

/// How long a failure without any members to fall back on is believed.
const FAILED: SignedDuration = SignedDuration::from_secs(5);
/// How long a reader waits for what another one is reading, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(500);
/// How often members are stored again that something else was stored over.
const STORE_ATTEMPTS: usize = 4;
/// What is said where a store fails, which stops no look-up.
const UNSTORED: &str = "what was read of Close could not be stored";
const UNFUNNELLED: &str = "leads are announced without their funnel";

/// What is known of the organisation.
pub(super) struct OrganizationCache {
    objects: Arc<dyn Objects>,
    known: Mutex<Arc<Retrieved>>,
    /// When fields were looked for last, by this process.
    looked_for: Mutex<Option<Timestamp>>,
    /// Whether there was a field of the owner, and when that was looked at.
    has_field: Mutex<Option<(Timestamp, bool)>>,
    /// Whoever reads has the turn, with why the last reading failed.
    reading: Turn<Option<(Timestamp, LookupStop)>>,
}

impl OrganizationCache {
    pub(super) fn new(objects: Arc<dyn Objects>) -> Self {
        Self {
            objects,
            known: Mutex::default(),
            looked_for: Mutex::default(),
            has_field: Mutex::default(),
            reading: Turn::new(None),
        }
    }

    fn known(&self) -> Arc<Retrieved> {
        Arc::clone(&lock(&self.known))
    }

    fn learn(&self, retrieved: Retrieved) -> Arc<Retrieved> {
        let retrieved = Arc::new(retrieved);
        *lock(&self.known) = Arc::clone(&retrieved);
        retrieved
    }

    /// What is stored, and its version. Where the store fails, what is known in this process.
    async fn stored(&self) -> (Retrieved, Option<WriteCondition>) {
        match self.objects.get(Retrieved::KEY).await {
            Ok(Some(object)) => (Retrieved::of(&object), Some(WriteCondition::Unchanged(object.version))),
            Ok(None) => (Retrieved::default(), Some(WriteCondition::Absent)),
            Err(fault) => {
                note(&fault, "what was read of Close cannot be read");
                (Retrieved::clone(&self.known()), None)
            }
        }
    }

    async fn store(&self, retrieved: &Retrieved, when: WriteCondition) -> Result<Version, PutError> {
        let body =
            serde_json::to_vec(retrieved).map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
        self.objects.put(Retrieved::KEY, body.into(), when).await
    }

    /// The fields that the settings name. Names are looked up once, and the result is stored.
    pub(super) async fn fields(
        &self,
        asker: &CloseClient,
        means: &mut LookupBudget,
        (owner, funnel): Named<'_>,
    ) -> Result<Fields, LookupStop> {
        if let Some(fields) = self.settled(&self.known(), (owner, funnel), asker.clock.now()) {
            return Ok(fields);
        }
        let mut reading = self.turn(asker, means).await?;
        let (mut stored, when) = self.stored().await;
        let now = asker.clock.now();
        if let Some(fields) = self.settled(&stored, (owner, funnel), now) {
            self.learn(stored);
            return Ok(fields);
        }
        if let Some(stop) = still_failing(reading.as_ref(), now) {
            return Err(stop);
        }
        let known = Fields::of(&stored.fields, (owner, funnel));
        let found = self.look_for(asker, means, (owner, funnel)).await;
        let now = asker.clock.now();
        match (found, known) {
            (Ok(found), _) => {
                *reading = None;
                self.look_again_later(now);
                stored.fields.extend(found);
                if let Some(when) = when
                    && let Err(PutError::Fault(fault)) = self.store(&stored, when).await
                {
                    note(&fault, UNSTORED);
                }
                let fields = Fields::of(&stored.fields, (owner, funnel));
                self.learn(stored);
                fields.ok_or_else(|| {
                    LookupStop::failed(Code::Internal, "a field that was found is not there", false)
                })
            }
            // A lead without its funnel is a lead with its owner.
            (Err(stop), Some(known)) => {
                note(stop.fault(), UNFUNNELLED);
                self.look_again_later(now);
                Ok(known)
            }
            (Err(stop), None) => {
                if let LookupStop::Failed { .. } = stop {
                    *reading = Some((now, stop.clone()));
                }
                Err(stop)
            }
        }
    }

    /// Looks for fields by their names, among all that leads have.
    async fn look_for(
        &self,
        asker: &CloseClient,
        means: &mut LookupBudget,
        (owner, funnel): Named<'_>,
    ) -> Result<BTreeMap<String, FieldId>, LookupStop> {
        let body = asker.ask(SCHEMA, CloseRequest::Fields, means).await?;
        let fields = custom_fields(&body).map_err(|error| CloseRequest::Fields.unreadable(&error))?;
        let find = |setting: &FieldSetting| {
            let found = setting.find(&fields).map(|field| (setting.to_string(), field.id.clone()));
            found.map_err(|count| {
                let what = match count {
                    0 => format!("no custom field of leads is called {:?}", setting.to_string()),
                    _ => format!("{count} custom fields of leads are called {:?}", setting.to_string()),
                };
                LookupStop::failed(Code::CloseFieldUnknown, what, false)
            })
        };
        let mut found = BTreeMap::new();
        if let FieldSetting::Name(_) = owner {
            found.extend([find(owner)?]);
        }
        match funnel.map(find) {
            Some(Ok((name, id))) => drop(found.insert(name, id)),
            Some(Err(stop)) => note(stop.fault(), UNFUNNELLED),
            None => {}
        }
        Ok(found)
    }

    /// Why no lead can have an owner: there is no such field, as somebody has deleted it or written another id. Asked at
    /// most once in a quarter of an hour, for a lead whose field is empty.
    pub(super) async fn lacks(
        &self,
        asker: &CloseClient,
        means: &mut LookupBudget,
        (setting, owner): (&FieldSetting, &FieldId),
    ) -> Option<LookupStop> {
        let now = asker.clock.now();
        let known = *lock(&self.has_field);
        let has = match known {
            Some((at, has)) if is_lately(at, now, FRESH) => has,
            _ => {
                // Where that cannot be said, an empty field is an empty field.
                let body = asker.ask(SCHEMA, CloseRequest::Fields, means).await.ok()?;
                let has = custom_fields(&body).ok()?.iter().any(|field| field.id == *owner);
                *lock(&self.has_field) = Some((now, has));
                has
            }
        };
        (!has).then(|| {
            let what = format!(
                "leads have no custom field {} in Close (CLOSE_OWNER_FIELD is {setting})",
                owner.as_str()
            );
            LookupStop::failed(Code::CloseFieldUnknown, what, false)
        })
    }

    /// What was not found now is not looked for again at once.
    fn look_again_later(&self, now: Timestamp) {
        *lock(&self.looked_for) = Some(now);
    }

    /// The fields, unless one has to be looked for. A funnel that was not there is not looked for again at once.
    fn settled(&self, known: &Retrieved, (owner, funnel): Named<'_>, now: Timestamp) -> Option<Fields> {
        let fields = Fields::of(&known.fields, (owner, funnel))?;
        let looked_for = *lock(&self.looked_for);
        let lately = looked_for.is_some_and(|at| is_lately(at, now, FRESH));
        (fields.funnel.is_some() || funnel.is_none() || lately).then_some(fields)
    }

    /// The members, no older than `most` where they can be had.
    pub(super) async fn members(
        &self,
        asker: &CloseClient,
        means: &mut LookupBudget,
        organization: Option<&str>,
        most: SignedDuration,
    ) -> Result<Arc<Retrieved>, LookupStop> {
        let known = self.known();
        if known.is_fresh(asker.clock.now(), most) {
            return Ok(known);
        }
        let mut reading = match self.reading.try_lock() {
            Some(reading) => reading,
            // Somebody reads already. Who needs newer ones waits for them.
            None if known.read_at.is_some() && most >= FRESH => return Ok(known),
            None => self.turn(asker, means).await?,
        };
        let known = self.known();
        if known.is_fresh(asker.clock.now(), most) {
            return Ok(known);
        }
        if known.read_at.is_none()
            && let Some(stop) = still_failing(reading.as_ref(), asker.clock.now())
        {
            return Err(stop);
        }
        let (stored, organization, claim) = match self.claim(asker, means, organization, most).await? {
            Claimed::Others(known) => return Ok(known),
            Claimed::Ours(stored, organization, claim) => (*stored, organization, claim),
        };
        let read = async {
            let body = asker.ask(&members_path(&organization), CloseRequest::Members, means).await?;
            let roster =
                MemberList::parse(&body).map_err(|error| CloseRequest::Members.unreadable(&error))?;
            Ok::<_, LookupStop>((organization, roster))
        };
        let read = read.await;
        let now = asker.clock.now();
        let has_members = stored.read_at.is_some();
        let (next, outcome) = match read {
            Ok((organization, roster)) => {
                *reading = None;
                let organization_id = Some(organization);
                (Retrieved { organization_id, roster, read_at: Some(now), failure: None, ..stored }, Ok(()))
            }
            // Nothing is wrong: another look-up reads them soon.
            Err(stop @ LookupStop::Wait { .. }) => (stored, Err(stop)),
            Err(stop) => {
                *reading = Some((now, stop.clone()));
                let Fault { code, what } = stop.fault().clone();
                if let Some(age) = stored.age(now) {
                    let line = format!("{what}; those of {} ago are used", in_words(age));
                    note(&Fault::new(code, line), "the members of the organisation could not be read");
                }
                (Retrieved { failure: Some(Failure { at: now, code, what }), ..stored }, Err(stop))
            }
        };
        let next = Retrieved { claimed_until: None, ..next };
        if let Some(claim) = claim {
            self.store_over(&next, claim).await;
        }
        let learned = self.learn(next);
        match outcome {
            Ok(()) => Ok(learned),
            Err(LookupStop::Failed { .. }) if has_members => Ok(learned),
            Err(LookupStop::Wait { .. }) if has_members && most >= FRESH => Ok(learned),
            Err(stop) => Err(stop),
        }
    }

    /// Stores what was read of the members over whatever else was stored meanwhile.
    async fn store_over(&self, read: &Retrieved, mut when: WriteCondition) {
        let mut next = read.clone();
        for _ in 0..STORE_ATTEMPTS {
            match self.store(&next, when).await {
                Ok(_) => return,
                Err(PutError::Fault(fault)) => return note(&fault, UNSTORED),
                Err(PutError::Precondition) => {}
            }
            let (stored, now) = self.stored().await;
            let Some(now) = now else { return };
            next = read.clone();
            next.fields.extend(stored.fields);
            when = now;
        }
    }

    /// Takes the reading upon this process, unless another has it or has done it.
    async fn claim(
        &self,
        asker: &CloseClient,
        means: &LookupBudget,
        organization: Option<&str>,
        most: SignedDuration,
    ) -> Result<Claimed, LookupStop> {
        let mut waited = Duration::ZERO;
        loop {
            let (mut stored, when) = self.stored().await;
            let now = asker.clock.now();
            let has_members = stored.read_at.is_some();
            // While another reads, those there are will do, unless somebody is not among them.
            let is_read = stored.is_claimed(now) && most >= FRESH;
            let enough =
                stored.is_fresh(now, most) || (has_members && (is_read || stored.failed_lately(now, AGAIN)));
            if enough {
                return Ok(Claimed::Others(self.learn(stored)));
            }
            let known = stored.organization_id.clone();
            let organization = organization.map(str::to_owned).or(known).filter(|id| is_id(id, "orga"));
            let organization = organization.ok_or_else(|| {
                let what = "neither the webhook nor the lead names its organisation in Close";
                LookupStop::failed(Code::CloseUnavailable, what, false)
            })?;
            let Some(when) = when else { return Ok(Claimed::Ours(Box::new(stored), organization, None)) };
            let patience = means.left(now).map_or(PATIENCE, |left| PATIENCE.min(left / 2));
            if waited >= patience {
                let what = "another worker reads the members of the organisation in Close just now";
                let fault = Fault::new(Code::CloseBusy, what);
                return Err(LookupStop::Wait { fault, pause: Duration::from_secs(1) });
            }
            if stored.is_claimed(now) {
                asker.clock.sleep(LOOK).await;
                waited += LOOK;
                continue;
            }
            stored.claimed_until = Some(now + CLAIM);
            match self.store(&stored, when).await {
                Ok(version) => {
                    let when = Some(WriteCondition::Unchanged(version));
                    return Ok(Claimed::Ours(Box::new(stored), organization, when));
                }
                Err(PutError::Precondition) => {
                    asker.clock.sleep(LOOK / 10).await;
                    waited += LOOK / 10;
                }
                Err(PutError::Fault(fault)) => {
                    note(&fault, UNSTORED);
                    return Ok(Claimed::Ours(Box::new(stored), organization, None));
                }
            }
        }
    }

    /// The turn to read, waited for no longer than the look-up may take.
    async fn turn(
        &self,
        asker: &CloseClient,
        means: &LookupBudget,
    ) -> Result<futures_util::lock::MutexGuard<'_, Option<(Timestamp, LookupStop)>>, LookupStop> {
        let left = means.left(asker.clock.now());
        within(asker.clock.as_ref(), left, self.reading.lock()).await.ok_or_else(|| {
            LookupStop::failed(
                Code::CloseUnavailable,
                "Close was slow, and others were waiting for it already",
                true,
            )
        })
    }
}

enum Claimed {
    /// Ours to read, of this organisation; how to store what was read.
    Ours(Box<Retrieved>, String, Option<WriteCondition>),
    /// Somebody else reads, or has read.
    Others(Arc<Retrieved>),
}

/// Why the last reading failed, as long as another would fail as well.
fn still_failing(last: Option<&(Timestamp, LookupStop)>, now: Timestamp) -> Option<LookupStop> {
    let (at, stop) = last?;
    let long = match stop {
        LookupStop::Failed { again: false, .. } => AGAIN,
        _ => FAILED,
    };
    is_lately(*at, now, long).then(|| stop.clone())
}

/// How the custom fields of leads are asked for.
pub(super) const SCHEMA: &str = "custom_field_schema/lead/";

/// How the members of an organisation are asked for: all of them in one answer, those who have left included.
pub(super) fn members_path(organization: &str) -> String {
    format!("organization/{organization}/?_fields=name,memberships,inactive_memberships")
}

fn note(fault: &Fault, doing: &str) {
    recorder::fault(Function::LeadProcessor, Level::Warn, doing, None, fault);
}
