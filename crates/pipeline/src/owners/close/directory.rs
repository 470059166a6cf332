//! What is known of the organisation in Close: its members, and which custom fields the settings name.
//!
//! It is one object, so that all functions share what one of them has read. Members are read again after a
//! quarter of an hour, or when a lead names one whom they do not have; of all readers one does it, the others
//! use what there is. A reading that fails leaves the former members in place.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::lock::Mutex as Turn;
use jiff::SignedDuration;
use lead::{
    Timestamp,
    close::{FieldId, FieldSetting, Roster, custom_fields, is_id},
};
use serde::{Deserialize, Serialize};

use super::ask::{Asker, Means, Question, Stop, unreadable};
use crate::{
    Code, Fault, Function,
    owners::within,
    ports::{Level, Object, Objects, PutError, Version, When},
    recorder,
};

/// How old members may be.
pub(super) const FRESH: SignedDuration = SignedDuration::from_mins(15);
/// How often they are read again at most for somebody whom they do not have, or after a failure.
pub(super) const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How long a failure without any members to fall back on is believed.
const FAILED: SignedDuration = SignedDuration::from_secs(5);
/// How long one reader has for it.
const CLAIM: SignedDuration = SignedDuration::from_secs(25);
/// How often whoever waits for another reader's first members looks whether they are there.
const LOOK: Duration = Duration::from_millis(500);

/// What was read of the organisation in Close, as it is stored under [`Retrieved::KEY`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retrieved {
    /// The organisation.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// Its members.
    #[serde(default)]
    pub roster: Roster,
    /// When they were read; `None` where they never were.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// The custom fields that settings name, by those names.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldId>,
    /// Until when somebody reads the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed_until: Option<Timestamp>,
    /// Why the last reading failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// A reading that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// The kind of failure.
    pub code: Code,
    /// What failed.
    pub what: String,
}

impl Retrieved {
    /// Where it is stored.
    pub const KEY: &str = "roster/close.json";

    /// What an object holds; one that cannot be read is as good as none.
    pub fn of(object: &Object) -> Self {
        serde_json::from_slice(&object.body).unwrap_or_default()
    }

    /// How old the members are; `None` where there are none.
    pub fn age(&self, now: Timestamp) -> Option<SignedDuration> {
        self.read_at.map(|read_at| now.duration_since(read_at))
    }

    /// Whether the members are no older than `most`. Those of the future are of a clock that was set back.
    fn is_fresh(&self, now: Timestamp, most: SignedDuration) -> bool {
        self.age(now).is_some_and(|age| (-AGAIN..most).contains(&age))
    }

    fn failed_lately(&self, now: Timestamp, within: SignedDuration) -> bool {
        let lately =
            |failure: &Failure| (SignedDuration::ZERO..within).contains(&now.duration_since(failure.at));
        self.failure.as_ref().is_some_and(lately)
    }

    fn is_claimed(&self, now: Timestamp) -> bool {
        self.claimed_until.is_some_and(|until| now < until && until <= now + CLAIM)
    }
}

/// How the settings name the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerFields {
    /// `CLOSE_OWNER_FIELD`; without it nobody's owner is found.
    pub owner: Option<FieldSetting>,
    /// `CLOSE_FUNNEL_FIELD`.
    pub funnel: Option<FieldSetting>,
}

/// How the settings name the owner's field and the funnel's.
pub(super) type Named<'a> = (&'a FieldSetting, Option<&'a FieldSetting>);

/// The fields themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    /// The owner's.
    pub(super) owner: FieldId,
    /// The funnel's.
    pub(super) funnel: Option<FieldId>,
}

/// What is known of the organisation.
pub(super) struct Directory {
    objects: Arc<dyn Objects>,
    known: Mutex<Arc<Retrieved>>,
    /// When fields were looked for last, by this process.
    looked_for: Mutex<Option<Timestamp>>,
    /// Whoever reads has the turn, with why the last reading failed.
    reading: Turn<Option<(Timestamp, Stop)>>,
}

impl Directory {
    pub(super) fn new(objects: Arc<dyn Objects>) -> Self {
        Self { objects, known: Mutex::default(), looked_for: Mutex::default(), reading: Turn::new(None) }
    }

    fn known(&self) -> Arc<Retrieved> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn(&self, retrieved: Retrieved) -> Arc<Retrieved> {
        let retrieved = Arc::new(retrieved);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&retrieved);
        retrieved
    }

    /// What is stored, and its version. Where the store fails, what is known in this process.
    async fn stored(&self) -> (Retrieved, Option<When>) {
        match self.objects.get(Retrieved::KEY).await {
            Ok(Some(object)) => (Retrieved::of(&object), Some(When::Unchanged(object.version))),
            Ok(None) => (Retrieved::default(), Some(When::Absent)),
            Err(fault) => {
                note(&fault, "what was read of Close cannot be read");
                (Retrieved::clone(&self.known()), None)
            }
        }
    }

    async fn store(&self, retrieved: &Retrieved, when: When) -> Result<Version, PutError> {
        let body =
            serde_json::to_vec(retrieved).map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
        self.objects.put(Retrieved::KEY, body.into(), when).await
    }

    /// The fields that the settings name. Names are looked for once, and what they meant is kept.
    pub(super) async fn fields(
        &self,
        asker: &Asker,
        means: &mut Means,
        (owner, funnel): Named<'_>,
    ) -> Result<Fields, Stop> {
        if let Some(fields) = self.settled(&self.known(), (owner, funnel), asker.clock.now()) {
            return Ok(fields);
        }
        let mut reading = self.turn(asker, means).await?;
        let (stored, when) = self.stored().await;
        let now = asker.clock.now();
        if let Some(fields) = self.settled(&stored, (owner, funnel), now) {
            self.learn(stored);
            return Ok(fields);
        }
        if let Some(stop) = still_failing(reading.as_ref(), now) {
            return Err(stop);
        }
        let read = async {
            let body = asker.ask("custom_field_schema/lead/", Question::Fields, means).await?;
            let fields = custom_fields(&body).map_err(|error| unreadable(Question::Fields, &error))?;
            let find = |setting: &FieldSetting| {
                let found = setting.find(&fields).map(|field| (setting.to_string(), field.id.clone()));
                found.map_err(|count| {
                    let what = match count {
                        0 => format!("no custom field of leads is called {:?}", setting.to_string()),
                        _ => format!("{count} custom fields of leads are called {:?}", setting.to_string()),
                    };
                    Stop::failed(Code::CloseFieldUnknown, what, false)
                })
            };
            let mut found = BTreeMap::from([find(owner)?]);
            match funnel.map(find) {
                Some(Ok((name, id))) => drop(found.insert(name, id)),
                // A lead without its funnel is a lead with its owner.
                Some(Err(stop)) => note(stop.fault(), "leads are announced without their funnel"),
                None => {}
            }
            Ok(found)
        };
        match read.await {
            Ok(found) => {
                *reading = None;
                *self.looked_for.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                let mut stored = stored;
                stored.fields.extend(found);
                if let Some(when) = when
                    && let Err(PutError::Fault(fault)) = self.store(&stored, when).await
                {
                    note(&fault, "what was read of Close could not be stored");
                }
                let fields = Fields::of(&stored.fields, (owner, funnel));
                self.learn(stored);
                fields
                    .ok_or_else(|| Stop::failed(Code::Internal, "a field that was found is not there", false))
            }
            Err(stop) => {
                if let Stop::Failed { .. } = stop {
                    *reading = Some((now, stop.clone()));
                }
                Err(stop)
            }
        }
    }

    /// The fields, unless one has to be looked for. A funnel that was not there is not looked for again at once.
    fn settled(&self, known: &Retrieved, (owner, funnel): Named<'_>, now: Timestamp) -> Option<Fields> {
        let fields = Fields::of(&known.fields, (owner, funnel))?;
        let looked_for = *self.looked_for.lock().unwrap_or_else(PoisonError::into_inner);
        let lately =
            looked_for.is_some_and(|at| (SignedDuration::ZERO..FRESH).contains(&now.duration_since(at)));
        (fields.funnel.is_some() || funnel.is_none() || lately).then_some(fields)
    }

    /// The members, no older than `most` where they can be had.
    pub(super) async fn members(
        &self,
        asker: &Asker,
        means: &mut Means,
        organization: Option<&str>,
        most: SignedDuration,
    ) -> Result<Arc<Retrieved>, Stop> {
        let known = self.known();
        if known.is_fresh(asker.clock.now(), most) {
            return Ok(known);
        }
        let mut reading = match self.reading.try_lock() {
            Some(reading) => reading,
            // Somebody reads already.
            None if known.read_at.is_some() => return Ok(known),
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
            Claimed::Ours(stored, organization, claim) => (stored, organization, claim),
        };
        let read = async {
            let body = asker.ask(&members_path(&organization), Question::Members, means).await?;
            let roster = Roster::parse(&body).map_err(|error| unreadable(Question::Members, &error))?;
            Ok::<_, Stop>((organization, roster))
        };
        let read = read.await;
        let now = asker.clock.now();
        let (next, outcome) = match read {
            Ok((organization, roster)) => {
                *reading = None;
                let organization_id = Some(organization);
                (Retrieved { organization_id, roster, read_at: Some(now), failure: None, ..stored }, Ok(()))
            }
            Err(stop) => {
                *reading = Some((now, stop.clone()));
                let Fault { code, what } = stop.fault().clone();
                if let Some(age) = stored.age(now) {
                    let line = format!("{what}; those of {} min ago are used", age.as_mins());
                    note(&Fault::new(code, line), "the members of the organisation could not be read");
                }
                (Retrieved { failure: Some(Failure { at: now, code, what }), ..stored }, Err(stop))
            }
        };
        let next = Retrieved { claimed_until: None, ..next };
        if let Some(claim) = claim
            && let Err(PutError::Fault(fault)) = self.store(&next, claim).await
        {
            note(&fault, "what was read of Close could not be stored");
        }
        let has_members = next.read_at.is_some();
        let learned = self.learn(next);
        match outcome {
            Err(stop) if !has_members => Err(stop),
            _ => Ok(learned),
        }
    }

    /// Takes the reading upon this process, unless another has it or has done it.
    async fn claim(
        &self,
        asker: &Asker,
        means: &Means,
        organization: Option<&str>,
        most: SignedDuration,
    ) -> Result<Claimed, Stop> {
        let mut waited = Duration::ZERO;
        loop {
            let (mut stored, when) = self.stored().await;
            let now = asker.clock.now();
            let has_members = stored.read_at.is_some();
            let enough = stored.is_fresh(now, most)
                || (has_members && (stored.is_claimed(now) || stored.failed_lately(now, AGAIN)));
            if enough {
                return Ok(Claimed::Others(self.learn(stored)));
            }
            let known = stored.organization_id.clone();
            let organization = organization.map(str::to_owned).or(known).filter(|id| is_id(id, "orga"));
            let organization = organization.ok_or_else(|| {
                let what = "neither the webhook nor the lead names its organisation in Close";
                Stop::failed(Code::CloseUnavailable, what, false)
            })?;
            let Some(when) = when else { return Ok(Claimed::Ours(stored, organization, None)) };
            if stored.is_claimed(now) {
                let left = means.left(now).map_or(Duration::from_secs(5), |left| left / 2);
                if waited >= left {
                    let what = "another worker reads the members of the organisation just now";
                    let fault = Fault::new(Code::CloseBusy, what);
                    return Err(Stop::Wait { fault, pause: Duration::from_secs(1) });
                }
                asker.clock.sleep(LOOK).await;
                waited += LOOK;
                continue;
            }
            stored.claimed_until = Some(now + CLAIM);
            match self.store(&stored, when).await {
                Ok(version) => {
                    return Ok(Claimed::Ours(stored, organization, Some(When::Unchanged(version))));
                }
                Err(PutError::Precondition) => {
                    asker.clock.sleep(LOOK / 10).await;
                    waited += LOOK / 10;
                }
                Err(PutError::Fault(fault)) => {
                    note(&fault, "what was read of Close could not be stored");
                    return Ok(Claimed::Ours(stored, organization, None));
                }
            }
        }
    }

    /// The turn to read, waited for no longer than the look-up may take.
    async fn turn(
        &self,
        asker: &Asker,
        means: &Means,
    ) -> Result<futures_util::lock::MutexGuard<'_, Option<(Timestamp, Stop)>>, Stop> {
        let left = means.left(asker.clock.now());
        within(asker.clock.as_ref(), left, self.reading.lock()).await.ok_or_else(|| {
            Stop::failed(
                Code::CloseUnavailable,
                "Close was slow, and others were waiting for it already",
                true,
            )
        })
    }
}

enum Claimed {
    /// Ours to read, of this organisation; how to store what was read.
    Ours(Retrieved, String, Option<When>),
    /// Somebody else reads, or has read.
    Others(Arc<Retrieved>),
}

impl Fields {
    /// The fields, where the owner's is known.
    fn of(known: &BTreeMap<String, FieldId>, (owner, funnel): Named<'_>) -> Option<Self> {
        let id = |setting: &FieldSetting| match setting {
            FieldSetting::Id(id) => Some(id.clone()),
            FieldSetting::Name(name) => known.get(name).cloned(),
        };
        Some(Self { owner: id(owner)?, funnel: funnel.and_then(id) })
    }
}

/// Why the last reading failed, as long as another would fail as well.
fn still_failing(last: Option<&(Timestamp, Stop)>, now: Timestamp) -> Option<Stop> {
    let (at, stop) = last?;
    let long = match stop {
        Stop::Failed { again: false, .. } => AGAIN,
        _ => FAILED,
    };
    (SignedDuration::ZERO..long).contains(&now.duration_since(*at)).then(|| stop.clone())
}

/// How the members of an organisation are asked for: all of them in one answer, those who have left included.
pub(super) fn members_path(organization: &str) -> String {
    format!("organization/{organization}/?_fields=name,memberships,inactive_memberships")
}

fn note(fault: &Fault, doing: &str) {
    recorder::fault(Function::LeadProcessor, Level::Warn, doing, None, fault);
}
