//! Whether the pipeline holds what a subscription signs with.

use close::client::Subscription;
use close::signature::Keys;
use pipeline::{Code, Fault};

use super::{Check, NAME};

/// How the pipeline stands to a subscription's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyState {
    /// It holds the key that Close shows.
    Ours,
    /// Close does not show it, and the pipeline holds one for this subscription.
    Own,
    /// Close does not show it, and the pipeline holds one that is good for any.
    General,
    /// Close does not show it, and the pipeline holds none that could be it.
    None,
    /// Close shows it, and the pipeline does not hold it.
    Foreign,
    /// Close shows it, and the pipeline holds it in the name of this other subscription.
    Misnamed(String),
    /// The pipeline's keys cannot be read, for this reason.
    Unread(String),
}

impl KeyState {
    pub(super) fn of(subscription: &Subscription, keys: Result<&Keys, &Fault>) -> Self {
        let keys = match keys {
            Ok(keys) => keys,
            Err(fault) => return Self::Unread(fault.what.clone()),
        };
        let id = subscription.id.as_str();
        let Some(key) = &subscription.key else {
            return match (keys.has_own(id), keys.has_general()) {
                (true, _) => Self::Own,
                (false, true) => Self::General,
                (false, false) => Self::None,
            };
        };
        if keys.has(id, key.expose()) {
            return Self::Ours;
        }
        match keys.scopes_of(key.expose()).into_iter().flatten().next() {
            Some(other) => Self::Misnamed(other.to_owned()),
            None => Self::Foreign,
        }
    }

    /// Whether the pipeline takes what the subscription signs, as far as anybody can see.
    pub(super) fn is_good(&self) -> bool {
        matches!(self, Self::Ours | Self::Own | Self::General)
    }

    /// What is to be said of it, `grade` where the webhooks are refused; or else what ends the subscription's line.
    pub(super) fn check(
        &self,
        subscription: &Subscription,
        grade: &'static str,
    ) -> (Option<Check>, &'static str) {
        let it = format!("{} (to {})", subscription.id, subscription.shown_url());
        let foreign =
            |what: String| (Some(Check::bad(NAME, grade, &Fault::new(Code::SignatureKeyForeign, what))), "");
        match self {
            Self::Ours => (None, "its key is ours"),
            Self::Own => {
                (None, "there is a key for it, which could not be compared as Close does not show its own")
            }
            Self::General => {
                let what = format!(
                    "{it}: its key could not be compared, as Close does not show it; the pipeline holds one that is \
                     good for any subscription"
                );
                (Some(Check::note(NAME, what)), "")
            }
            Self::Unread(why) => {
                (Some(Check::note(NAME, format!("{it}: its key could not be compared: {why}"))), "")
            }
            Self::None => foreign(format!("the pipeline holds no key for {it}, and Close does not show it")),
            Self::Foreign => foreign(format!("{it} signs with a key that the pipeline does not hold")),
            Self::Misnamed(other) => foreign(format!(
                "{it} signs with a key that the pipeline holds for {} alone",
                outside::text::shorten(other, 80)
            )),
        }
    }
}

/// What is to be said of keys that are for no subscription: their ids are misspelt, or they were left behind.
pub(super) fn strays(keys: &Keys, all: &[Subscription]) -> Vec<Check> {
    let mut ids: Vec<&str> = keys.subscriptions().filter(|id| all.iter().all(|it| it.id != *id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let note = |id: &str| {
        let id = outside::text::shorten(id, 80);
        Check::note(
            NAME,
            format!(
                "the key of {id} is for no subscription of Close's: the id is misspelt, or the subscription is \
                 deleted and the key can go"
            ),
        )
    };
    ids.into_iter().map(note).collect()
}
