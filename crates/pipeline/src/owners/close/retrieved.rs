//! What has been read of the organisation in Close, as it is stored, and how the settings name its fields.

use std::collections::BTreeMap;

use close::{FieldId, FieldSetting, MemberList};
use jiff::SignedDuration;
use lead::{Timestamp, keys};
use serde::{Deserialize, Serialize};

use crate::{Code, ports::Object};

/// How old members may be.
pub(super) const FRESH: SignedDuration = SignedDuration::from_mins(15);
/// How often they are read again at most for somebody whom they do not have, or after a failure.
pub(super) const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How long one reader has for it.
pub(super) const CLAIM: SignedDuration = SignedDuration::from_secs(25);

/// What was read of the organisation in Close, as it is stored under [`Retrieved::KEY`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retrieved {
    /// The organisation.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// Its members.
    #[serde(default)]
    pub roster: MemberList,
    /// When they were read; `None` where they never were.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// The custom fields that settings name, by those names.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldId>,
    /// Until when somebody reads the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) claimed_until: Option<Timestamp>,
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
    pub const KEY: &str = keys::ROSTER;

    /// What an object holds; one that cannot be read is as good as none.
    pub fn of(object: &Object) -> Self {
        serde_json::from_slice(&object.body).unwrap_or_default()
    }

    /// How old the members are; `None` where there are none.
    pub fn age(&self, now: Timestamp) -> Option<SignedDuration> {
        self.read_at.map(|read_at| now.duration_since(read_at))
    }

    /// How old the members are, for people.
    pub fn age_in_words(&self, now: Timestamp) -> Option<String> {
        self.age(now).map(in_words)
    }

    /// Whether the members are no older than `most`. Those of the future are of a clock that was set back.
    pub(super) fn is_fresh(&self, now: Timestamp, most: SignedDuration) -> bool {
        self.age(now).is_some_and(|age| (-AGAIN..most).contains(&age))
    }

    pub(super) fn failed_lately(&self, now: Timestamp, within: SignedDuration) -> bool {
        self.failure.as_ref().is_some_and(|failure| is_lately(failure.at, now, within))
    }

    pub(super) fn is_claimed(&self, now: Timestamp) -> bool {
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

impl Fields {
    /// The fields, where the owner's is known.
    pub(super) fn of(known: &BTreeMap<String, FieldId>, (owner, funnel): Named<'_>) -> Option<Self> {
        let id = |setting: &FieldSetting| match setting {
            FieldSetting::Id(id) => Some(id.clone()),
            FieldSetting::Name(name) => known.get(name).cloned(),
        };
        Some(Self { owner: id(owner)?, funnel: funnel.and_then(id) })
    }
}

/// Whether something happened less than `within` ago. What lies ahead is of a clock that was set back since.
pub(super) fn is_lately(at: Timestamp, now: Timestamp, within: SignedDuration) -> bool {
    (SignedDuration::ZERO..within).contains(&now.duration_since(at))
}

/// An age in its largest unit.
pub(super) fn in_words(age: SignedDuration) -> String {
    match age.as_hours() {
        0 => format!("{} min", age.as_mins()),
        hours @ 1..48 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    }
}
