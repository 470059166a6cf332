//! Whether the pipeline has the key that a subscription signs with.

use close::client::Subscription;
use close::signature::Keys;
use pipeline::{Code, Fault};

use super::{super::Grade, Check, NAME};

/// Whether the pipeline has a subscription's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyState {
    /// It has the key that Close shows.
    Held,
    /// Close does not show it, and the pipeline has one for this subscription.
    HeldForSubscription,
    /// Close does not show it, and the pipeline has one that is good for any.
    HeldForAny,
    /// Close does not show it, and the pipeline has none that could be it.
    Missing,
    /// Close shows it, and the pipeline does not have it.
    Different,
    /// Close shows it, and the pipeline has it under this other subscription.
    HeldForOther(String),
    /// The pipeline's keys cannot be read, for this reason.
    Unreadable(String),
}

impl KeyState {
    pub(super) fn of(subscription: &Subscription, keys: Result<&Keys, &Fault>) -> Self {
        let keys = match keys {
            Ok(keys) => keys,
            Err(fault) => return Self::Unreadable(fault.what.clone()),
        };
        let id = subscription.id.as_str();
        let Some(key) = &subscription.key else {
            return match (keys.has_own(id), keys.has_general()) {
                (true, _) => Self::HeldForSubscription,
                (false, true) => Self::HeldForAny,
                (false, false) => Self::Missing,
            };
        };
        if keys.has(id, key.expose()) {
            return Self::Held;
        }
        match keys.scopes_of(key.expose()).into_iter().flatten().next() {
            Some(other) => Self::HeldForOther(other.to_owned()),
            None => Self::Different,
        }
    }

    /// Whether the pipeline accepts what the subscription signs, as far as can be known.
    pub(super) fn is_good(&self) -> bool {
        matches!(self, Self::Held | Self::HeldForSubscription | Self::HeldForAny)
    }

    /// Its check, with the result `grade` if webhooks are refused; or else the end of the subscription's line.
    pub(super) fn check(&self, subscription: &Subscription, grade: Grade) -> (Option<Check>, &'static str) {
        let it = format!("{} (to {})", subscription.id, subscription.shown_url());
        let mismatch =
            |what: String| (Some(Check::bad(NAME, grade, &Fault::new(Code::SignatureKeyForeign, what))), "");
        match self {
            Self::Held => (None, "its key is ours"),
            Self::HeldForSubscription => {
                (None, "there is a key for it, which could not be compared as Close does not show its own")
            }
            Self::HeldForAny => {
                let what = format!(
                    "{it}: its key could not be compared, as Close does not show it; the pipeline has one that is \
                     good for any subscription"
                );
                (Some(Check::note(NAME, what)), "")
            }
            Self::Unreadable(why) => {
                (Some(Check::note(NAME, format!("{it}: its key could not be compared: {why}"))), "")
            }
            Self::Missing => {
                mismatch(format!("the pipeline has no key for {it}, and Close does not show it"))
            }
            Self::Different => mismatch(format!("{it} signs with a key that the pipeline does not have")),
            Self::HeldForOther(other) => mismatch(format!(
                "{it} signs with a key that the pipeline has only for {}",
                outside::text::shorten(other, 80)
            )),
        }
    }
}

/// The checks of keys without a subscription: their ids are misspelt, or they were left behind.
pub(super) fn orphaned_keys(keys: &Keys, all: &[Subscription]) -> Vec<Check> {
    let mut ids: Vec<&str> = keys.subscriptions().filter(|id| all.iter().all(|it| it.id != *id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let note = |id: &str| {
        let id = outside::text::shorten(id, 80);
        Check::note(
            NAME,
            format!(
                "the key for {id} matches no subscription in Close: the id is misspelt, or the subscription was \
                 deleted and the key can be removed"
            ),
        )
    };
    ids.into_iter().map(note).collect()
}
