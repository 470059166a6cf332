//! Makes destinations from settings, in the same way everywhere.

mod misconfigured;
mod signed_webhook;

use std::sync::Arc;

use async_trait::async_trait;
use pipeline::{
    Fault, SecretText, Variables,
    destination::{Destination, DestinationId, Destinations, KINDS, Kind},
    ports::Secret,
};

use misconfigured::Misconfigured;

use crate::slack;
#[cfg(feature = "smtp")]
use crate::smtp;

/// The destination, none where it is not set up, or what is wrong with its settings.
pub(crate) type BuildResult = Result<Option<Arc<dyn Destination>>, Fault>;

/// How a destination of one kind is made from its settings.
struct Factory {
    /// The kind's name.
    kind: &'static str,
    /// Its settings that are secrets.
    secrets: &'static [&'static SecretSetting],
    make: fn(&mut BuildContext<'_>) -> BuildResult,
}

/// The factory of each kind.
const FACTORIES: &[Factory] = &[
    Factory { kind: "slack", secrets: &[&slack::URL], make: slack::make },
    Factory { kind: "email", secrets: &[&SMTP_URL], make: by_mail },
    Factory {
        kind: "webhook",
        secrets: &[&signed_webhook::URL, &signed_webhook::SECRET],
        make: signed_webhook::make,
    },
];

/// The mail server's URL. A function has none, as its mail goes by a topic.
pub(crate) const SMTP_URL: SecretSetting = SecretSetting { value: "SMTP_URL", in_functions: "SNS_TOPIC_ARN" };

/// Mail by SMTP, where that is compiled in. Where it is not, only a [`SettingsSource::own_destination`] can send mail.
fn by_mail(context: &mut BuildContext<'_>) -> BuildResult {
    #[cfg(feature = "smtp")]
    return smtp::make(context);
    #[cfg(not(feature = "smtp"))]
    context.not_set(context.source.name_of(&SMTP_URL))
}

/// A setting that is a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretSetting {
    /// The variable that holds it.
    pub value: &'static str,
    /// A function's variable instead of it: the name of the secret that holds it, or of what is used instead.
    pub in_functions: &'static str,
}

/// The secret among the settings of destinations that has this name.
pub fn secret_setting(name: &str) -> Option<&'static SecretSetting> {
    FACTORIES.iter().flat_map(|maker| maker.secrets).copied().find(|setting| setting.value == name)
}

/// A secret that does not change while the process runs.
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
pub trait SettingsSource {
    /// A setting that is not a secret.
    fn get(&self, name: &str) -> Option<String>;

    /// A secret, where it is set.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn secret(&self, setting: &SecretSetting) -> Result<Option<Arc<dyn Secret>>, Fault>;

    /// The name under which a secret is set here.
    fn name_of(&self, setting: &SecretSetting) -> &'static str;

    /// The source's own destination of a kind, where it has one, such as SNS for e-mail.
    fn own_destination(&self, kind: &Kind) -> Option<Arc<dyn Destination>>;
}

/// What a factory is given.
pub(crate) struct BuildContext<'a> {
    pub(crate) source: &'a dyn SettingsSource,
    kind: &'static Kind,
    /// Whether new leads go there.
    in_use: bool,
    /// What is wrong with its settings without preventing it from being made.
    pub(crate) warnings: Vec<Fault>,
}

impl BuildContext<'_> {
    /// The settings that are not secrets.
    pub(crate) fn variables(&self) -> Variables<'_> {
        Variables::new(|name| self.source.get(name))
    }

    /// There is none, as a setting is missing: an error where new leads are to go there.
    pub(crate) fn not_set<T>(&self, missing: &str) -> Result<Option<T>, Fault> {
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
pub struct BuiltDestinations {
    /// The destinations.
    pub destinations: Destinations,
    /// What is wrong with their settings.
    pub warnings: Vec<(DestinationId, Fault)>,
}

/// Makes all destinations that are set up. New leads go to those `in_use`.
pub fn make(source: &dyn SettingsSource, in_use: &[DestinationId]) -> BuiltDestinations {
    let mut warnings = Vec::new();
    let mut destinations: Vec<(DestinationId, Arc<dyn Destination>)> = Vec::new();
    for kind in KINDS {
        let id = DestinationId::of_kind(kind);
        let Some(maker) = FACTORIES.iter().find(|maker| maker.kind == kind.name) else { continue };
        let mut context = BuildContext { source, kind, in_use: in_use.contains(&id), warnings: Vec::new() };
        let made = match source.own_destination(kind) {
            Some(own) => Ok(Some(own)),
            None => (maker.make)(&mut context),
        };
        warnings.extend(context.warnings.into_iter().map(|fault| (id.clone(), fault)));
        match made {
            Ok(made) => destinations.extend(made.map(|destination| (id, destination))),
            Err(fault) => {
                destinations.push((id.clone(), Arc::new(Misconfigured(fault.clone()))));
                warnings.push((id, fault));
            }
        }
    }
    BuiltDestinations { destinations: destinations.into_iter().collect(), warnings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_maker() {
        let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let makers: Vec<&str> = FACTORIES.iter().map(|maker| maker.kind).collect();
        assert_eq!(kinds, makers);
    }
}
