//! The destinations of a function that sends alerts.

use std::sync::Arc;

use aws::{Clients, NamedSecret, Secrets, SnsTopic};
use futures_util::future::join_all;
use outbound::destinations::{BuiltDestinations, SecretSetting, SettingsSource, make};
use pipeline::{
    Code, Fault, Function, Variables,
    destination::{Destination, Destinations, Kind, NotReady},
    ports::{Clock, Level, Secret},
    recorder,
};

use crate::common::Common;

/// Makes the destinations from a function's variables.
///
/// What is missing or wrong is an error in the log and stops no other destination: the alerts of this one become dead
/// letters with their reason.
pub fn read(variables: &Variables<'_>, common: &Common) -> Destinations {
    let (clients, secrets, clock) = (&common.clients, &common.secrets, &common.recorder.clock);
    let BuiltDestinations { destinations, warnings } =
        make(&FunctionSettings { variables, clients, secrets, clock }, &common.settings.destinations);
    for (_, Fault { what, .. }) in warnings {
        recorder::fault(Function::Notification, Level::Error, "", None, &Fault::new(Code::SettingBad, what));
    }
    destinations
}

/// Loads what the destinations in use need, so that the first alert need not wait for it.
pub async fn warm_up(common: &Common, destinations: &Destinations) {
    let in_use = common.settings.destinations.iter().filter_map(|id| destinations.get(id));
    for ready in join_all(in_use.map(|destination| destination.ready())).await {
        if let Err(NotReady::NotConfigured(fault) | NotReady::Later(fault, _)) = ready {
            recorder::fault(Function::Notification, Level::Warn, "", None, &fault);
        }
    }
}

/// A function's variables: secrets by their names, mail through an SNS topic.
struct FunctionSettings<'a> {
    variables: &'a Variables<'a>,
    clients: &'a Clients,
    secrets: &'a Arc<Secrets>,
    clock: &'a Arc<dyn Clock>,
}

impl SettingsSource for FunctionSettings<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name)
    }

    fn secret(&self, setting: &SecretSetting) -> Result<Option<Arc<dyn Secret>>, Fault> {
        let named = |name| {
            let secret: Arc<dyn Secret> = Arc::new(NamedSecret { secrets: Arc::clone(self.secrets), name });
            secret
        };
        Ok(self.variables.get(setting.in_functions).map(named))
    }

    fn name_of(&self, setting: &SecretSetting) -> &'static str {
        setting.in_functions
    }

    fn own_destination(&self, kind: &Kind) -> Option<Arc<dyn Destination>> {
        let topic = self.variables.get("SNS_TOPIC_ARN")?;
        SnsTopic::new(self.clients, topic, Arc::clone(self.clock)).of_kind(kind)
    }
}
