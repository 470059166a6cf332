//! Counting what happens: CloudWatch metrics through the log.
//!
//! A function prints a line in the embedded metric format, and CloudWatch makes metrics of it:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use lead::Timestamp;
use pipeline::{Counted, Entry, Happened};
use serde_json::{Map, Value, json};

/// The namespace of the metrics.
pub const NAMESPACE: &str = "leadops";
/// The dimension that tells the stacks of an account apart: `ProjectName`.
pub const DIMENSION: &str = "Project";
/// How long an alert took from its due time, in milliseconds.
pub const DUE_TO_NOTIFIED: &str = "DueToNotified";

/// Where counts go.
pub trait Counts: Send + Sync {
    /// Something was counted at a time.
    fn count(&self, at: Timestamp, measured: &Measured);
}

/// Counts that nobody keeps: an operator's.
pub struct Uncounted;

impl Counts for Uncounted {
    fn count(&self, _: Timestamp, _: &Measured) {}
}

/// What an entry of the journal adds to the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// What it counts as, at most once a lead.
    pub counted: Option<Counted>,
    /// How long the alert took, in milliseconds.
    pub after_ms: Option<u64>,
}

impl Measured {
    /// What `entry` adds, which counts as `counted`.
    pub(crate) fn of(entry: &Entry, counted: Option<Counted>) -> Self {
        let after_ms = match entry.happened {
            Happened::Notified { after_ms, .. } => after_ms,
            _ => None,
        };
        Self { counted, after_ms }
    }

    /// Whether it adds nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The line in the embedded metric format for the stack `project`.
    pub fn line(&self, at: Timestamp, project: &str) -> String {
        let mut metrics = Vec::new();
        let mut values = Map::new();
        let counted = self.counted.map(|counted| (metric(counted), 1, "Count"));
        let after = self.after_ms.map(|after_ms| (DUE_TO_NOTIFIED, after_ms, "Milliseconds"));
        for (name, value, unit) in counted.into_iter().chain(after) {
            metrics.push(json!({"Name": name, "Unit": unit}));
            values.insert(name.to_owned(), value.into());
        }
        values.insert(DIMENSION.to_owned(), project.into());
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics});
        let about = json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive]});
        values.insert("_aws".to_owned(), about);
        Value::Object(values).to_string()
    }
}

/// The name of a count's metric.
pub fn metric(counted: Counted) -> &'static str {
    match counted {
        Counted::Accepted => "Accepted",
        Counted::Enriched => "Enriched",
        Counted::Notified => "Notified",
        Counted::Failed => "Failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_follows_the_specification() {
        let measured = Measured { counted: Some(Counted::Notified), after_ms: Some(850) };
        let line = measured.line(lead::from_millis(1_789_398_131_642), "crm-lead-system");
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
}
