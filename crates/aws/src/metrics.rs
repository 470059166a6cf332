//! Counting what happens: CloudWatch metrics through the log.
//!
//! A function prints a line in the embedded metric format, and CloudWatch makes metrics of it:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use lead::Timestamp;
use pipeline::{Code, Entry, JournalEvent, LeadMetric};
use serde_json::{Map, Value, json};

/// The namespace of the metrics.
pub const NAMESPACE: &str = "leadops";
/// The template's default of `ProjectName`.
pub const DEFAULT_PROJECT: &str = "crm-lead-system";
/// The dimension that distinguishes the stacks of an account: `ProjectName`.
pub const DIMENSION: &str = "Project";
/// How long an alert took from its due time, in milliseconds.
pub const DUE_TO_NOTIFIED: &str = "DueToNotified";

/// How many requests to the webhook the function refused.
pub const REFUSED: &str = "Refused";
/// The dimension of [`REFUSED`] besides the stack: the HTTP status of the answer.
pub const STATUS: &str = "Status";
/// The statuses with which the function refuses a request.
pub const STATUSES: [u16; 5] = [400, 401, 405, 413, 503];

/// How many of [`REFUSED`] looked like Close's: a metric that a stack has only while something is wrong.
pub const REFUSED_WEBHOOKS: &str = "RefusedWebhooks";
/// The dimension of [`REFUSED_WEBHOOKS`] besides the stack: why.
pub const CODE: &str = "Code";
/// The codes by which they are counted.
pub const CODES: [Code; 9] = [
    Code::SignatureMissing,
    Code::SignatureWrong,
    Code::SignatureOfAnother,
    Code::SignatureStale,
    Code::EventMalformed,
    Code::LeadIdUnusable,
    Code::BodyTooLarge,
    Code::NotStored,
    Code::NotTheWebhook,
];

/// Where metrics are sent.
pub trait MetricsSink: Send + Sync {
    /// Records a measurement.
    fn count(&self, at: Timestamp, measured: &Measurement);

    /// Records that a request to the webhook was refused with this HTTP status; where it looked like Close's, with the
    /// code.
    fn refused(&self, at: Timestamp, status: u16, webhook: Option<Code>);
}

/// Discards metrics: for an operator's commands.
pub struct NoMetrics;

impl MetricsSink for NoMetrics {
    fn count(&self, _: Timestamp, _: &Measurement) {}

    fn refused(&self, _: Timestamp, _: u16, _: Option<Code>) {}
}

/// What an entry of the journal adds to the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measurement {
    /// What it counts as, at most once per lead.
    pub counted: Option<LeadMetric>,
    /// How long the alert took, in milliseconds.
    pub after_ms: Option<u64>,
}

impl Measurement {
    /// What `entry` adds, which counts as `counted`.
    pub(crate) fn of(entry: &Entry, counted: Option<LeadMetric>) -> Self {
        let after_ms = match entry.event {
            JournalEvent::Notified { after_ms, .. } => after_ms,
            _ => None,
        };
        Self { counted, after_ms }
    }

    /// Whether it adds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The line in the embedded metric format for the stack `project`.
    pub fn line(&self, at: Timestamp, project: &str) -> String {
        let counted = self.counted.map(|counted| (metric(counted), 1, "Count"));
        let after = self.after_ms.map(|after_ms| (DUE_TO_NOTIFIED, after_ms, "Milliseconds"));
        line(at, counted.into_iter().chain(after), &[(DIMENSION, project)])
    }
}

/// The line in the embedded metric format for a request that the stack `project` has refused.
pub fn refused_line(at: Timestamp, status: u16, project: &str) -> String {
    line(at, [(REFUSED, 1, "Count")], &[(DIMENSION, project), (STATUS, &status.to_string())])
}

/// The line for one of them that looked like Close's. A code that is not among [`CODES`] is a failure of the function or
/// of AWS.
pub fn refused_webhook_line(at: Timestamp, code: Code, project: &str) -> String {
    let code = if CODES.contains(&code) { code } else { Code::NotStored };
    line(at, [(REFUSED_WEBHOOKS, 1, "Count")], &[(DIMENSION, project), (CODE, code.as_str())])
}

/// The line for these metrics, each with its value and its unit.
fn line(
    at: Timestamp,
    measured: impl IntoIterator<Item = (&'static str, u64, &'static str)>,
    dimensions: &[(&str, &str)],
) -> String {
    let (mut metrics, mut values) = (Vec::new(), Map::new());
    for (name, value, unit) in measured {
        metrics.push(json!({"Name": name, "Unit": unit}));
        values.insert(name.to_owned(), value.into());
    }
    for (name, value) in dimensions {
        values.insert((*name).to_owned(), (*value).into());
    }
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics});
    let about = json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive]});
    values.insert("_aws".to_owned(), about);
    Value::Object(values).to_string()
}

/// The name of a count's metric.
pub fn metric(counted: LeadMetric) -> &'static str {
    match counted {
        LeadMetric::Accepted => "Accepted",
        LeadMetric::Enriched => "Enriched",
        LeadMetric::Notified => "Notified",
        LeadMetric::Failed => "Failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_follows_the_specification() {
        let measured = Measurement { counted: Some(LeadMetric::Notified), after_ms: Some(850) };
        let line = measured.line(outside::from_millis(1_789_398_131_642), "crm-lead-system");
        let expected = json!({
            "_aws": {
                "Timestamp": 1_789_398_131_642_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "leadops",
                    "Dimensions": [["Project"]],
                    "Metrics": [
                        {"Name": "Notified", "Unit": "Count"},
                        {"Name": "DueToNotified", "Unit": "Milliseconds"},
                    ],
                }],
            },
            "Project": "crm-lead-system", "Notified": 1, "DueToNotified": 850,
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        assert!(!line.contains('\n'));
    }

    #[test]
    fn and_that_of_a_refused_webhook_which_is_told_apart_by_its_code() {
        for (code, counted) in [(Code::SignatureWrong, "LO102"), (Code::AwsDenied, "LO107")] {
            let line = refused_webhook_line(outside::from_millis(1_789_398_131_642), code, "crm-lead-system");
            let expected = json!({
                "_aws": {
                    "Timestamp": 1_789_398_131_642_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "leadops",
                        "Dimensions": [["Project", "Code"]],
                        "Metrics": [{"Name": "RefusedWebhooks", "Unit": "Count"}],
                    }],
                },
                "Project": "crm-lead-system", "Code": counted, "RefusedWebhooks": 1,
            });
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        }
    }

    #[test]
    fn so_does_that_of_a_refusal_which_is_told_apart_by_its_status() {
        let line = refused_line(outside::from_millis(1_789_398_131_642), 401, "crm-lead-system");
        let expected = json!({
            "_aws": {
                "Timestamp": 1_789_398_131_642_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "leadops",
                    "Dimensions": [["Project", "Status"]],
                    "Metrics": [{"Name": "Refused", "Unit": "Count"}],
                }],
            },
            "Project": "crm-lead-system", "Status": "401", "Refused": 1,
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        assert!(!line.contains('\n'));
    }
}
