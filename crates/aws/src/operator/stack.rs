//! A pipeline's CloudFormation stack: where everything is, and by which figures it works.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::{Client, error::ProvideErrorMetadata};
use lead::Timestamp;
use outside::text;
use pipeline::{Code, Fault, Function, Settings, Variables};

use crate::{QueueUrls, fault::fault, metrics::DEFAULT_PROJECT};

/// A stack that was made from `infrastructure/cloudformation.yaml`.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub id: String,
    /// What CloudFormation says of it, such as `UPDATE_COMPLETE`.
    pub status: String,
    /// When it was updated last, or made.
    pub changed_at: Option<Timestamp>,
    /// `ProjectName`: what its metrics and resources are called after.
    pub project: String,
    /// Where Close posts.
    pub webhook_url: String,
    /// The bucket's name.
    pub bucket: String,
    /// The queues.
    pub queues: QueueUrls,
    /// The names of the functions. A stack of an earlier version has no housekeeping.
    pub functions: Vec<(Function, String)>,
    /// The SNS topic's ARN.
    pub topic: String,
    /// The secret with Close's signature keys.
    pub signature_secret: String,
    /// The secret with Close's API key. A stack of an earlier version has none.
    pub close_secret: Option<String>,
    /// The figures and names that the stages work by.
    pub settings: Settings,
    parameters: BTreeMap<String, String>,
    /// The names of all secrets, by the names of their outputs.
    secrets: BTreeMap<String, String>,
}

impl Stack {
    pub(super) async fn describe(client: &Client, name: &str, region: &str) -> Result<Self, Fault> {
        let doing = format!("describing the stack {}", text::shorten(name, 130));
        let what = format!("there is no stack {} in {region}", text::shorten(name, 130));
        let missing = || Fault::new(Code::StackMissing, what.clone());
        let described = client.describe_stacks().stack_name(name).send().await.map_err(|error| {
            let is_missing = error.as_service_error().is_some_and(|error| {
                error.code() == Some("ValidationError")
                    && error.message().is_some_and(|message| message.contains("does not exist"))
            });
            if is_missing { missing() } else { fault(&doing, &error) }
        })?;
        let stack = described.stacks.unwrap_or_default().into_iter().next().ok_or_else(missing)?;
        let status = stack.stack_status.as_ref().map_or("", |status| status.as_str()).to_owned();
        let outputs = stack.outputs.unwrap_or_default().into_iter();
        let parameters = stack.parameters.unwrap_or_default().into_iter();
        let changed_at = stack.last_updated_time.or(stack.creation_time);
        Self::read(StackDescription {
            name: stack.stack_name.unwrap_or_else(|| name.to_owned()),
            id: stack.stack_id.unwrap_or_default(),
            status,
            changed_at: changed_at.and_then(|time| Timestamp::from_second(time.secs()).ok()),
            outputs: outputs.filter_map(|output| Some((output.output_key?, output.output_value?))).collect(),
            parameters: parameters.filter_map(|it| Some((it.parameter_key?, it.parameter_value?))).collect(),
        })
    }

    fn read(described: StackDescription) -> Result<Self, Fault> {
        let StackDescription { name, id, status, changed_at, mut outputs, parameters } = described;
        if status == "DELETE_COMPLETE" {
            return Err(Fault::new(Code::StackMissing, format!("the stack {name} has been deleted")));
        }
        let mut optional = |name| outputs.remove(name).filter(|value| !value.is_empty());
        let (housekeeping, close_secret) =
            (optional("HousekeepingFunctionName"), optional("CloseApiKeySecretName"));
        let mut secrets = outputs.clone();
        secrets.retain(|name, value| name.ends_with("SecretName") && !value.is_empty());
        let mut missing = Vec::new();
        let mut output = |name: &'static str| {
            let value = outputs.remove(name).filter(|value| !value.is_empty());
            value.unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let housekeeping = housekeeping.map(|name| (Function::Housekeeping, name));
        let stack = Self {
            webhook_url: output("WebhookUrl"),
            bucket: output("BucketName"),
            queues: QueueUrls {
                delay: Some(output("DelayQueueUrl")),
                delay_dead: Some(output("DelayDeadLetterQueueUrl")),
                notification: Some(output("NotificationQueueUrl")),
                notification_dead: Some(output("NotificationDeadLetterQueueUrl")),
            },
            functions: [
                (Function::WebhookIngestion, output("WebhookIngestionFunctionName")),
                (Function::LeadProcessor, output("LeadProcessorFunctionName")),
                (Function::Notification, output("NotificationFunctionName")),
            ]
            .into_iter()
            .chain(housekeeping)
            .collect(),
            topic: output("TopicArn"),
            signature_secret: output("CloseSignatureSecretName"),
            close_secret,
            settings: settings(&name, &parameters)?,
            project: parameters.get("ProjectName").cloned().unwrap_or_else(|| DEFAULT_PROJECT.to_owned()),
            name,
            id,
            status,
            changed_at,
            parameters,
            secrets,
        };
        if !stack.secrets.contains_key("SlackSecretName") {
            missing.push("SlackSecretName");
        }
        if missing.is_empty() {
            return Ok(stack);
        }
        let what =
            format!("the stack {} ({}) has no output {}", stack.name, stack.status, missing.join(", "));
        Err(Fault::new(Code::StackUnusable, what))
    }

    /// A parameter of the template. Absent ones have the template's default.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The parameters by the names of the functions' variables: `LookupBaseUrl` as `LOOKUP_BASE_URL`.
    pub fn variables(&self) -> Variables<'_> {
        variables(&self.parameters)
    }

    /// The secret that a variable of the functions names: `SLACK_SECRET_NAME` is the output `SlackSecretName`, or the
    /// parameter of that name where the stack did not make the secret.
    pub fn secret(&self, variable: &str) -> Option<&str> {
        let name = parameter_of(variable);
        let made = self.secrets.get(&name).or_else(|| self.parameters.get(&name));
        made.map(String::as_str).filter(|secret| !secret.is_empty())
    }

    /// The name of a function, where the stack has it.
    pub fn function(&self, function: Function) -> Option<&str> {
        let mut functions = self.functions.iter();
        functions.find(|(known, _)| *known == function).map(|(_, name)| name.as_str())
    }

    /// The log groups of the functions.
    pub fn log_groups(&self) -> Vec<(Function, String)> {
        self.functions.iter().map(|(function, name)| (*function, format!("/aws/lambda/{name}"))).collect()
    }
}

/// What CloudFormation says of a stack.
struct StackDescription {
    name: String,
    id: String,
    status: String,
    changed_at: Option<Timestamp>,
    outputs: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
}

fn variables(parameters: &BTreeMap<String, String>) -> Variables<'_> {
    Variables::new(|variable| parameters.get(&parameter_of(variable)).cloned())
}

/// The parameter behind a variable: `DELAY_SECONDS` is `DelaySeconds`.
fn parameter_of(variable: &str) -> String {
    let words = variable.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().collect::<String>();
        first + &letters.as_str().to_ascii_lowercase()
    });
    words.collect()
}

fn settings(stack: &str, parameters: &BTreeMap<String, String>) -> Result<Settings, Fault> {
    Settings::read(&variables(parameters)).map_err(|Fault { what, .. }| {
        let what = format!("the stack {stack} has a parameter that cannot be: {what}");
        Fault::new(Code::StackUnusable, what)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OUTPUTS: [&str; 12] = [
        "WebhookUrl",
        "BucketName",
        "DelayQueueUrl",
        "DelayDeadLetterQueueUrl",
        "NotificationQueueUrl",
        "NotificationDeadLetterQueueUrl",
        "WebhookIngestionFunctionName",
        "LeadProcessorFunctionName",
        "NotificationFunctionName",
        "TopicArn",
        "CloseSignatureSecretName",
        "SlackSecretName",
    ];

    fn described(outputs: &[&str], parameters: &[(&str, &str)]) -> StackDescription {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        StackDescription {
            name: "leads".to_owned(),
            id: "arn:aws:cloudformation:us-east-1:123456789012:stack/leads/x".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            changed_at: None,
            outputs: outputs.iter().map(|name| ((*name).to_owned(), format!("the {name}"))).collect(),
            parameters: parameters.iter().map(text).collect(),
        }
    }

    #[test]
    fn outputs_and_parameters_make_a_stack() {
        let parameters = [
            ("DelaySeconds", "5"),
            ("UseEmail", "true"),
            ("LookupBaseUrl", "https://x"),
            ("ProjectName", "p"),
        ];
        let stack = Stack::read(described(&OUTPUTS, &parameters)).unwrap();
        assert_eq!(stack.settings.delay, Duration::from_secs(5));
        assert_eq!((stack.settings.destinations.len(), stack.project.as_str()), (2, "p"));
        assert_eq!(stack.variables().get("LOOKUP_BASE_URL").as_deref(), Some("https://x"));
        assert_eq!(stack.queues.delay_dead.as_deref(), Some("the DelayDeadLetterQueueUrl"));
        assert_eq!(stack.log_groups()[1].1, "/aws/lambda/the LeadProcessorFunctionName");
        assert_eq!(Stack::read(described(&OUTPUTS, &[])).unwrap().settings, Settings::default());
        // Of an earlier version.
        assert_eq!((stack.log_groups().len(), stack.function(Function::Housekeeping)), (3, None));
        let stack =
            Stack::read(described(&[&OUTPUTS[..], &["HousekeepingFunctionName"]].concat(), &[])).unwrap();
        assert_eq!(stack.function(Function::Housekeeping), Some("the HousekeepingFunctionName"));
    }

    #[test]
    fn what_is_not_ours_or_not_complete_is_named() {
        let fault = Stack::read(described(&OUTPUTS[1..11], &[])).unwrap_err();
        assert_eq!(fault.code, Code::StackUnusable);
        for part in ["leads", "CREATE_COMPLETE", "WebhookUrl", "SlackSecretName"] {
            assert!(fault.what.contains(part), "{fault}");
        }
        let fault = Stack::read(described(&OUTPUTS, &[("DelaySeconds", "9999")])).unwrap_err();
        assert!(fault.code == Code::StackUnusable && fault.what.contains("DELAY_SECONDS"), "{fault}");
    }
}
