//! The functions and their variables.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

use outbound::destinations::{SecretSetting, SettingsSource, make};
use pipeline::{
    Fault, Settings, Variables,
    destination::{Destination, DestinationId, KINDS, Kind},
    ports::Secret,
};
use serde_json::{Value, json};

use tests::template::{Template, entries, function, text};

const ALL: [&str; 4] =
    ["WebhookIngestionFunction", "LeadProcessorFunction", "NotificationFunction", "HousekeepingFunction"];
/// What all functions read, and what each reads besides.
const COMMON: &str = include_str!("../../../crates/lambdas/src/common.rs");
const INGESTION: &[&str] = &[include_str!("../../../crates/lambdas/src/ingestion.rs")];
const PROCESSOR: &[&str] = &[
    include_str!("../../../crates/lambdas/src/processor.rs"),
    include_str!("../../../crates/lambdas/src/close_keys.rs"),
    include_str!("../../../crates/outbound/src/owners/base.rs"),
    include_str!("../../../crates/outbound/src/source.rs"),
];
const NOTIFICATION: &[&str] = &[
    include_str!("../../../crates/lambdas/src/notification.rs"),
    include_str!("../../../crates/lambdas/src/destinations.rs"),
];
const HOUSEKEEPING: &[&str] = &[include_str!("../../../crates/lambdas/src/housekeeping.rs")];
/// What each reads, in the same order.
const READ: [&[&str]; 4] = [INGESTION, PROCESSOR, NOTIFICATION, HOUSEKEEPING];
/// Left at its default: for measurements only.
const LEFT: [&str; 1] = ["LEADOPS_WARM_UP"];
/// Read by the TLS library.
const OF_LIBRARIES: [&str; 1] = ["SSL_CERT_FILE"];

/// The names of settings that were asked for.
#[derive(Default)]
struct Asked(RefCell<BTreeSet<String>>);

impl Asked {
    fn ask(&self, name: &str) {
        self.0.borrow_mut().insert(name.to_owned());
    }

    /// Those of the stages, of which each function checks all.
    fn by_stages() -> BTreeSet<String> {
        let asked = Self::default();
        let nothing = Variables::new(|name| {
            asked.ask(name);
            None
        });
        Settings::read(&nothing).unwrap();
        drop(nothing);
        asked.0.into_inner()
    }

    /// Those of the destinations.
    fn by_destinations() -> BTreeSet<String> {
        let asked = Self::default();
        let all: Vec<DestinationId> = KINDS.iter().map(DestinationId::of_kind).collect();
        make(&asked, &all);
        asked.0.into_inner()
    }
}

impl SettingsSource for Asked {
    fn get(&self, name: &str) -> Option<String> {
        self.ask(name);
        None
    }

    fn secret(&self, setting: &SecretSetting) -> Result<Option<Arc<dyn Secret>>, Fault> {
        self.ask(setting.in_functions);
        Ok(None)
    }

    fn name_of(&self, setting: &SecretSetting) -> &'static str {
        setting.in_functions
    }

    fn own_destination(&self, _: &Kind) -> Option<Arc<dyn Destination>> {
        None
    }
}

/// What a function reads of its own: what its sources name, and what its destinations ask for.
fn read_by(function: &str, sources: &[&'static str]) -> BTreeSet<String> {
    let mut read: BTreeSet<String> =
        sources.iter().flat_map(|source| variables_in(source)).map(str::to_owned).collect();
    read.extend(variables_in(COMMON).into_iter().map(str::to_owned));
    if function == "NotificationFunction" {
        read.extend(Asked::by_destinations());
    }
    read
}

/// The names of variables in a source: its texts in capitals, but the shortest, outside of its tests.
fn variables_in(source: &str) -> BTreeSet<&str> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let texts = code.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_name = |text: &&str| {
        (text.contains('_') || text.len() >= 8)
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    texts.filter(is_name).collect()
}

/// `DELAY_SECONDS` is `DelaySeconds`.
fn parameter_of(variable: &str) -> String {
    let words = variable.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_owned() + &rest.to_ascii_lowercase()
    });
    words.collect()
}

fn variables_of<'a>(template: &'a Template, function: &str) -> BTreeSet<&'a str> {
    entries(&template.properties(function)["Environment"]["Variables"]).into_keys().collect()
}

#[test]
fn every_variable_that_a_function_reads_is_set() {
    let template = Template::read();
    for (function, own) in ALL.into_iter().zip(READ) {
        let set = variables_of(&template, function);
        let mut count = 0;
        for name in read_by(function, own).iter().filter(|name| !LEFT.contains(&name.as_str())) {
            assert!(set.contains(name.as_str()), "{function} reads {name}, which is not set");
            count += 1;
        }
        assert!(count >= 3, "{function} names its variables in another way");
    }
    let all: BTreeSet<_> = ALL.iter().flat_map(|function| variables_of(&template, function)).collect();
    let settings = Asked::by_stages();
    assert!(settings.len() >= 9, "{settings:?}");
    for name in &settings {
        assert!(all.contains(name.as_str()), "nobody can set {name}");
    }
}

#[test]
fn every_variable_that_is_set_is_read() {
    let template = Template::read();
    for (function, own) in ALL.into_iter().zip(READ) {
        let mut read = read_by(function, own);
        read.extend(Asked::by_stages());
        read.extend(OF_LIBRARIES.map(str::to_owned));
        for name in variables_of(&template, function) {
            assert!(read.contains(name), "{function} does not read {name}");
        }
    }
}

/// `leadops --stack` finds the figures of a stack by this rule.
#[test]
fn a_parameter_is_called_as_its_variable() {
    let template = Template::read();
    let parameters = template.0["Parameters"].as_object().unwrap();
    let mut count = 0;
    for id in ALL {
        for (name, value) in entries(&template.properties(id)["Environment"]["Variables"]) {
            let value = match function(value) {
                Some(("Fn::If", branches)) => &branches[1],
                _ => value,
            };
            let Some(parameter) = value["Ref"].as_str().filter(|name| parameters.contains_key(*name)) else {
                continue;
            };
            assert_eq!(parameter, parameter_of(name), "{id}: {name}");
            count += 1;
        }
    }
    assert!(count >= 20, "{count}");
}

#[test]
fn defaults_are_those_of_the_code() {
    let template = Template::read();
    let of_template = pipeline::Variables::new(|name| {
        let default = &template.0["Parameters"][parameter_of(name)]["Default"];
        default.as_str().map(str::to_owned).or_else(|| Some(default.as_u64()?.to_string()))
    });
    assert_eq!(pipeline::Settings::read(&of_template).unwrap(), pipeline::Settings::default());
    let burst = of_template.number("SLACK_BURST", (1, 30), 0).unwrap();
    assert_eq!(burst, outbound::SlackDestination::BURST);
    let rate = of_template.number("SLACK_RATE", (1, 1_000), 0).unwrap();
    assert_eq!(rate, outbound::SlackDestination::RATE);
    let bucket = format!("BUCKET: &str = \"{}\"", of_template.get("LOOKUP_BUCKET").unwrap());
    assert!(PROCESSOR.iter().any(|source| source.contains(&bucket)), "{bucket}");
    assert_eq!(of_template.get("CLOSE_API_URL").as_deref(), Some(close::client::CloseBase::URL));
    assert!(matches!(
        outbound::OwnerSource::of_variables(&of_template),
        Ok(outbound::OwnerSource::Bucket(_))
    ));
}

#[test]
fn functions_run_on_amazon_linux_2023_of_either_architecture_with_a_role_of_their_own() {
    let template = Template::read();
    let functions = template.of_type("AWS::Lambda::Function");
    assert_eq!(functions.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from(ALL));
    let mut roles = BTreeSet::new();
    for (id, function) in functions {
        let properties = &function["Properties"];
        assert_eq!(
            (&properties["Runtime"], &properties["Handler"]),
            (&json!("provided.al2023"), &json!("bootstrap"))
        );
        assert_eq!(properties["Architectures"], json!([{"Ref": "Architecture"}]), "{id}");
        assert!(properties["MemorySize"]["Ref"].is_string(), "{id}");
        assert_eq!(properties["Code"]["S3Bucket"], json!({"Ref": "CodeBucket"}), "{id}");
        roles.insert(text(&properties["Role"]["Fn::GetAtt"][0]));
    }
    assert_eq!(roles.len(), ALL.len(), "each has a role of its own");
    assert_eq!(template.parameter("Architecture")["AllowedValues"], json!(["x86_64", "arm64"]));
    assert_eq!(template.parameter("CodeBucket")["Default"], Value::Null);
}

/// Lambda stops a function that calls itself too often, and a scheduler that is called again before it is
/// done would send everything twice.
#[test]
fn owners_are_looked_for_again_without_a_loop_that_lambda_stops() {
    let template = Template::read();
    let processor = template.properties("LeadProcessorFunction");
    assert_eq!(processor["RecursiveLoop"], "Allow");
    assert_eq!(processor["Environment"]["Variables"]["SCHEDULE"], "true");
    let rules = template.of_type("AWS::Events::Rule");
    let [(rule, properties)] = rules.iter().collect::<Vec<_>>()[..] else { panic!("{rules:?}") };
    let properties = &properties["Properties"];
    assert_eq!(
        (&properties["ScheduleExpression"], &properties["State"]),
        (&json!("rate(1 minute)"), &json!("ENABLED"))
    );
    assert_eq!(properties["Targets"][0]["Arn"], json!({"Fn::GetAtt": ["HousekeepingFunction", "Arn"]}));
    let permission = template.properties("HousekeepingPermission");
    assert_eq!(permission["SourceArn"], json!({"Fn::GetAtt": [rule, "Arn"]}));
    assert_eq!(permission["FunctionName"], json!({"Ref": "HousekeepingFunction"}));
    assert!(template.number(&template.properties("HousekeepingFunction")["Timeout"], &[]) < 60);
    // By itself Lambda would call it twice more for each time that it fails.
    let calls = template.properties("HousekeepingCalls");
    assert_eq!(
        (&calls["FunctionName"], &calls["MaximumRetryAttempts"]),
        (&json!({"Ref": "HousekeepingFunction"}), &json!(0))
    );
}

#[test]
fn the_webhook_is_answered_before_api_gateway_gives_up_and_an_alert_can_be_sent() {
    let template = Template::read();
    let timeout =
        |id: &str, given: &[(&str, &str)]| template.number(&template.properties(id)["Timeout"], given);
    assert!(timeout("WebhookIngestionFunction", &[]) < 29);
    // Sending takes 25 s at most, and answering Lambda 2.
    assert!(timeout("NotificationFunction", &[("NotificationVisibilitySeconds", "210")]) > 27);
}
