//! Alarms: that each failure has one, and that it notifies somebody.

use serde_json::{Value, json};

use tests::template::{Template, text};

/// The alarms on a metric of a resource.
fn alarms<'a>(template: &'a Template, metric: &str, dimension: &Value) -> Vec<&'a Value> {
    let all = template.of_type("AWS::CloudWatch::Alarm").into_values().map(|alarm| &alarm["Properties"]);
    all.filter(|alarm| alarm["MetricName"] == metric && alarm["Dimensions"][0]["Value"] == *dimension)
        .collect()
}

fn queue(id: &str) -> Value {
    json!({"Fn::GetAtt": [id, "QueueName"]})
}

#[test]
fn the_first_dead_letter_of_each_queue_raises_an_alarm_and_another_before_it_expires() {
    let template = Template::read();
    for id in ["DelayDeadLetterQueue", "NotificationDeadLetterQueue"] {
        // Not how many were sent: SQS does not count those that it moves itself.
        let found = alarms(&template, "ApproximateNumberOfMessagesVisible", &queue(id));
        let [alarm] = found.as_slice() else { panic!("{id}: {found:?}") };
        assert_eq!(template.number(&alarm["Threshold"], &[]), 1, "{id}");
        assert_eq!((&alarm["Period"], &alarm["EvaluationPeriods"]), (&json!(60), &json!(1)), "{id}");
        let found = alarms(&template, "ApproximateAgeOfOldestMessage", &queue(id));
        let [alarm] = found.as_slice() else { panic!("{id}: {found:?}") };
        let retention = template.number(&template.properties(id)["MessageRetentionPeriod"], &[]);
        assert!(template.number(&alarm["Threshold"], &[]) <= retention - 2 * 86_400, "{id}");
    }
}

#[test]
fn what_is_not_handled_in_time_raises_an_alarm() {
    let template = Template::read();
    for id in ["DelayQueue", "NotificationQueue"] {
        let found = alarms(&template, "ApproximateAgeOfOldestMessage", &queue(id));
        let [alarm] = found.as_slice() else { panic!("{id}: {found:?}") };
        let delay = template.resolve(&template.properties(id)["DelaySeconds"], &[]).as_u64().unwrap_or(0);
        assert!(template.number(&alarm["Threshold"], &[]) >= delay + 600, "{id}: every lead would be late");
    }
}

#[test]
fn each_function_that_fails_or_is_not_run_raises_an_alarm() {
    let template = Template::read();
    for id in template.of_type("AWS::Lambda::Function").into_keys() {
        for metric in ["Errors", "Throttles"] {
            let found = alarms(&template, metric, &json!({"Ref": id}));
            let [alarm] = found.as_slice() else { panic!("{id} {metric}: {found:?}") };
            assert_eq!(alarm["Statistic"], "Sum", "{id}");
            assert_eq!(template.number(&alarm["Threshold"], &[]), 1, "{id}");
        }
    }
}

#[test]
fn a_loop_that_lambda_stops_raises_an_alarm() {
    let template = Template::read();
    let found = alarms(&template, "RecursiveInvocationsDropped", &json!({"Ref": "LeadProcessorFunction"}));
    let [alarm] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&alarm["Statistic"], &alarm["Threshold"]), (&json!("Sum"), &json!(1)));
}

#[test]
fn webhooks_that_are_not_accepted_raise_an_alarm() {
    let template = Template::read();
    let (name, stage) = (&template.properties("Api")["Name"], &template.properties("Stage")["StageName"]);
    for metric in ["5XXError", "4XXError"] {
        let found = alarms(&template, metric, name);
        let [alarm] = found.as_slice() else { panic!("{metric}: {found:?}") };
        assert_eq!(alarm["Dimensions"][1], json!({"Name": "Stage", "Value": stage}), "{metric}");
    }
}

#[test]
fn every_alarm_notifies_the_topic_when_it_begins_and_when_it_is_over() {
    let template = Template::read();
    let namespaces = ["AWS/SQS", "AWS/Lambda", "AWS/ApiGateway"];
    for (id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(alarm[actions], json!([{"Ref": "Topic"}]), "{id}");
        }
        // Without messages or invocations there are no figures, and nothing is wrong.
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{id}");
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanOrEqualToThreshold", "{id}");
        assert!(alarm["ActionsEnabled"].is_null() || alarm["ActionsEnabled"] == true, "{id}");
        assert!(namespaces.iter().any(|namespace| alarm["Namespace"] == *namespace), "{id}");
        let what = text(&alarm["AlarmDescription"]);
        assert!(what.len() > 40, "{id} says what to do: {what}");
    }
}

#[test]
fn the_address_that_was_given_is_subscribed() {
    let template = Template::read();
    let subscription = &template.0["Resources"]["EmailSubscription"];
    assert_eq!(subscription["Condition"], "HasEmail");
    let properties = &subscription["Properties"];
    assert_eq!(
        (&properties["TopicArn"], &properties["Protocol"]),
        (&json!({"Ref": "Topic"}), &json!("email"))
    );
    assert_eq!(properties["Endpoint"], json!({"Ref": "NotificationEmail"}));
}

#[test]
fn the_dashboard_is_json_and_shows_every_alarm_and_figure() {
    let template = Template::read();
    let body = text(&template.properties("Dashboard")["DashboardBody"]["Fn::Sub"]);
    let body_json: Value = serde_json::from_str(body).unwrap();
    assert!(body_json["widgets"].as_array().unwrap().len() >= 8);
    for id in template.of_type("AWS::CloudWatch::Alarm").into_keys() {
        assert!(body.contains(&format!("${{{id}.Arn}}")), "{id}");
    }
    let counted = [
        pipeline::LeadMetric::Accepted,
        pipeline::LeadMetric::Enriched,
        pipeline::LeadMetric::Notified,
        pipeline::LeadMetric::Failed,
    ];
    let metrics = counted.map(aws::metrics::metric).into_iter().chain([
        aws::metrics::DUE_TO_NOTIFIED,
        aws::metrics::NAMESPACE,
        aws::metrics::DIMENSION,
    ]);
    for metric in metrics {
        assert!(body.contains(&format!("\"{metric}\"")), "{metric}");
    }
}
