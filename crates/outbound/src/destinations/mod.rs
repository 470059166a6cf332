//! Making destinations of settings, in one way for every place that has them.

mod signed_webhook;
mod unusable;

use std::sync::Arc;

use async_trait::async_trait;
use pipeline::{
    Fault, SecretText, Variables,
    destination::{Destination, DestinationId, Destinations, KINDS, Kind},
    ports::Secret,
};

use unusable::Unusable;

use crate::slack;
#[cfg(feature = "smtp")]
use crate::smtp;

/// One that was made, or none where it is not set up; or what is wrong with its settings.
pub(crate) type MadeOne = Result<Option<Arc<dyn Destination>>, Fault>;

/// How a destination of a kind is made of its settings.
struct Maker {
    /// The kind's name.
    kind: &'static str,
    /// Its settings that are secrets.
    secrets: &'static [&'static SecretSetting],
    make: fn(&mut Making<'_>) -> MadeOne,
}

/// The one for each kind.
const MAKERS: &[Maker] = &[
    Maker { kind: "slack", secrets: &[&slack::URL], make: slack::make },
    Maker { kind: "email", secrets: &[&SMTP_URL], make: by_mail },
    Maker {
        kind: "webhook",
        secrets: &[&signed_webhook::URL, &signed_webhook::SECRET],
        make: signed_webhook::make,
    },
];

/// The mail server's URL. A function has none, as its mail goes by a topic.
pub(crate) const SMTP_URL: SecretSetting = SecretSetting { value: "SMTP_URL", in_functions: "SNS_TOPIC_ARN" };

/// Makes mail by a server, where that is built in. Where it is not, a place's own way is the only one.
fn by_mail(making: &mut Making<'_>) -> MadeOne {
    #[cfg(feature = "smtp")]
    return smtp::make(making);
    #[cfg(not(feature = "smtp"))]
    making.none_is_set(making.origin.name_of(&SMTP_URL))
}

/// A setting that is a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretSetting {
    /// The variable that holds it.
    pub value: &'static str,
    /// The variable of a function that stands for it: the name of the secret that holds it, or what is used instead.
    pub in_functions: &'static str,
}

/// The secret among the settings of destinations that has this name.
pub fn secret_setting(name: &str) -> Option<&'static SecretSetting> {
    MAKERS.iter().flat_map(|maker| maker.secrets).copied().find(|setting| setting.value == name)
}

/// A secret that stays what it is as long as the process lives.
#[derive(Debug)]
pub struct ConstantSecret {
    /// What it is called in messages.
    pub name: &'static str,
    /// Its text.
    pub text: SecretText,
}

#[async_trait]
impl Secret for ConstantSecret {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn constant(&self) -> Option<&SecretText> {
        Some(&self.text)
    }

    async fn text(&self) -> Result<SecretText, Fault> {
        Ok(self.text.clone())
    }

    async fn refresh(&self) -> Result<bool, Fault> {
        Ok(false)
    }
}

/// Where settings come from.
pub trait Origin {
    /// One that is no secret.
    fn get(&self, name: &str) -> Option<String>;

    /// A secret, where it is set.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn secret(&self, setting: &SecretSetting) -> Result<Option<Arc<dyn Secret>>, Fault>;

    /// Under which name a secret is set here.
    fn name_of(&self, setting: &SecretSetting) -> &'static str;

    /// This place's own way to send alerts of a kind, where it has one.
    fn of_this_place(&self, kind: &Kind) -> Option<Arc<dyn Destination>>;
}

/// The making of one destination.
pub(crate) struct Making<'a> {
    pub(crate) origin: &'a dyn Origin,
    kind: &'static Kind,
    /// Whether new leads go there.
    in_use: bool,
    /// What is wrong with its settings, and does not keep it from being made.
    pub(crate) doubts: Vec<Fault>,
}

impl Making<'_> {
    /// The settings that are no secrets.
    pub(crate) fn variables(&self) -> Variables<'_> {
        Variables::new(|name| self.origin.get(name))
    }

    /// There is none, as a setting is missing: wrong where new leads are to go there.
    pub(crate) fn none_is_set<T>(&self, missing: &str) -> Result<Option<T>, Fault> {
        if !self.in_use {
            return Ok(None);
        }
        let what =
            format!("{} is true, and {missing} is not set: alerts become dead letters", self.kind.switch);
        Err(Fault::new(self.kind.not_configured, what))
    }
}

/// The destinations that are set up, and what is wrong with their settings.
#[derive(Clone, Default)]
pub struct Made {
    /// The destinations.
    pub destinations: Destinations,
    /// What is wrong.
    pub doubts: Vec<(DestinationId, Fault)>,
}

/// Makes all destinations that are set up. New leads go to those `in_use`.
pub fn make(origin: &dyn Origin, in_use: &[DestinationId]) -> Made {
    let mut doubts = Vec::new();
    let mut destinations: Vec<(DestinationId, Arc<dyn Destination>)> = Vec::new();
    for kind in KINDS {
        let id = DestinationId::of_kind(kind);
        let Some(maker) = MAKERS.iter().find(|maker| maker.kind == kind.name) else { continue };
        let mut making = Making { origin, kind, in_use: in_use.contains(&id), doubts: Vec::new() };
        let made = match origin.of_this_place(kind) {
            Some(own) => Ok(Some(own)),
            None => (maker.make)(&mut making),
        };
        doubts.extend(making.doubts.into_iter().map(|fault| (id.clone(), fault)));
        match made {
            Ok(made) => destinations.extend(made.map(|destination| (id, destination))),
            Err(fault) => {
                destinations.push((id.clone(), Arc::new(Unusable(fault.clone()))));
                doubts.push((id, fault));
            }
        }
    }
    Made { destinations: destinations.into_iter().collect(), doubts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_maker() {
        let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let makers: Vec<&str> = MAKERS.iter().map(|maker| maker.kind).collect();
        assert_eq!(kinds, makers);
    }
}
