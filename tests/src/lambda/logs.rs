//! What becomes of what a function prints: lines in CloudWatch Logs, and figures in CloudWatch.

use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, MetricDatum},
};
use aws_sdk_cloudwatchlogs::{error::DisplayErrorContext, types::InputLogEvent};
use serde_json::Value;

use super::{Ahead, host::Problems};

/// The log stream of one environment, written with the role of its function as on AWS: a role that may not
/// write logs is a problem.
pub(super) struct Stream {
    logs: aws_sdk_cloudwatchlogs::Client,
    metrics: aws_sdk_cloudwatch::Client,
    group: String,
    name: String,
    clock: Ahead,
    problems: Problems,
    waiting: Vec<InputLogEvent>,
    data: Vec<(String, MetricDatum)>,
}

impl Stream {
    /// Makes the stream. `logs` has the role's keys, `metrics` are CloudWatch's own.
    pub(super) async fn create(
        logs: aws_sdk_cloudwatchlogs::Client,
        metrics: aws_sdk_cloudwatch::Client,
        function: &str,
        id: &str,
        clock: Ahead,
        problems: Problems,
    ) -> Self {
        let group = format!("/aws/lambda/{function}");
        let name = format!("{}/[$LATEST]{id}", clock.now().strftime("%Y/%m/%d"));
        if let Err(error) =
            logs.create_log_stream().log_group_name(&group).log_stream_name(&name).send().await
        {
            problems.add(format!("no log stream in {group}: {}", DisplayErrorContext(&error)));
        }
        Self { logs, metrics, group, name, clock, problems, waiting: Vec::new(), data: Vec::new() }
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Adds a line, to be sent with the next [`Stream::flush`].
    pub(super) fn line(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        let now = self.clock.now().as_millisecond();
        self.waiting.push(InputLogEvent::builder().timestamp(now).message(line).build().unwrap());
        let document = serde_json::from_str::<Value>(line).unwrap_or_default();
        self.data.extend(figures(&document));
        if matches!(document["level"].as_str(), Some("WARN" | "ERROR")) {
            self.problems.log(line);
        }
    }

    /// Sends what has been added.
    pub(super) async fn flush(&mut self) {
        let events = std::mem::take(&mut self.waiting);
        if !events.is_empty() {
            let put = self.logs.put_log_events().log_group_name(&self.group).log_stream_name(&self.name);
            if let Err(error) = put.set_log_events(Some(events)).send().await {
                self.problems.add(format!("no lines in {}: {}", self.group, DisplayErrorContext(&error)));
            }
        }
        for (namespace, datum) in std::mem::take(&mut self.data) {
            let put = self.metrics.put_metric_data().namespace(namespace).metric_data(datum);
            put.send().await.unwrap();
        }
    }
}

/// The figures in a line of the embedded metric format, each with its namespace:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
fn figures(line: &Value) -> Vec<(String, MetricDatum)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let at = line["_aws"]["Timestamp"].as_i64().map(DateTime::from_millis);
    let mut found = Vec::new();
    for directive in list(&line["_aws"]["CloudWatchMetrics"]) {
        let namespace = directive["Namespace"].as_str().unwrap_or_default().to_owned();
        for (names, metric) in list(&directive["Dimensions"]).into_iter().flat_map(|names| {
            list(&directive["Metrics"]).into_iter().map(move |metric| (names.clone(), metric))
        }) {
            let name = metric["Name"].as_str().unwrap_or_default();
            let dimensions = list(&names).into_iter().map(|name| {
                let name = name.as_str().unwrap_or_default().to_owned();
                Dimension::builder().value(line[&name].as_str().unwrap_or_default()).name(name).build()
            });
            let datum = MetricDatum::builder()
                .metric_name(name)
                .set_dimensions(Some(dimensions.collect()))
                .set_timestamp(at)
                .set_unit(metric["Unit"].as_str().map(Into::into))
                .set_value(line[name].as_f64());
            found.push((namespace.clone(), datum.build()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_found_in_lines_of_the_embedded_metric_format_alone() {
        let line = json!({
            "_aws": {"Timestamp": 1_000, "CloudWatchMetrics": [{
                "Namespace": "n", "Dimensions": [["D"]], "Metrics": [{"Name": "A", "Unit": "Count"}, {"Name": "B"}],
            }]},
            "D": "d", "A": 1, "B": 2.5,
        });
        let found = figures(&line);
        let read: Vec<_> = found
            .iter()
            .map(|(namespace, datum)| {
                (namespace.as_str(), datum.metric_name().unwrap(), datum.value().unwrap())
            })
            .collect();
        assert_eq!(read, [("n", "A", 1.0), ("n", "B", 2.5)]);
        assert_eq!(found[0].1.dimensions()[0].value(), Some("d"));
        assert!(figures(&json!({"message": "x"})).is_empty());
    }
}
