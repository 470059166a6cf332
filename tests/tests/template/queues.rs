//! The queues: their figures, who may send to them, what works on them.

use serde_json::{Value, json};

use tests::template::{Template, list, text};

const DAY: u64 = 24 * 60 * 60;
/// Each queue, its dead-letter queue, the function that works on it.
const QUEUES: [(&str, &str, &str); 2] = [
    ("DelayQueue", "DelayDeadLetterQueue", "LeadProcessorFunction"),
    ("NotificationQueue", "NotificationDeadLetterQueue", "NotificationFunction"),
];

fn mapping<'a>(template: &'a Template, queue: &str) -> &'a Value {
    let mappings = template.of_type("AWS::Lambda::EventSourceMapping");
    let of_queue = json!({"Fn::GetAtt": [queue, "Arn"]});
    let mut found = mappings.values().filter(|mapping| mapping["Properties"]["EventSourceArn"] == of_queue);
    let mapping = &found.next().unwrap_or_else(|| panic!("nothing works on {queue}"))["Properties"];
    assert!(found.next().is_none(), "two mappings work on {queue}");
    mapping
}

#[test]
fn a_lead_waits_as_long_as_sqs_can_delay() {
    let template = Template::read();
    let bounds = ["MinValue", "MaxValue", "Default"].map(|bound| template.bound("DelaySeconds", bound));
    assert_eq!(bounds, [0, 900, 600]);
    assert_eq!(template.properties("DelayQueue")["DelaySeconds"], json!({"Ref": "DelaySeconds"}));
    assert_eq!(template.properties("NotificationQueue")["DelaySeconds"], Value::Null);
}

#[test]
fn a_visibility_timeout_is_six_times_the_functions_and_the_window_or_twice_the_shortest() {
    let template = Template::read();
    for (queue, _, function) in QUEUES {
        let visibility = &template.properties(queue)["VisibilityTimeout"];
        let parameter = text(&visibility["Ref"]);
        let choices = list(&template.parameter(parameter)["AllowedValues"]);
        assert!(choices.len() >= 3, "{parameter} can be chosen");
        let window = match &mapping(&template, queue)["MaximumBatchingWindowInSeconds"] {
            Value::Null => 0,
            window => template.bound(text(&window["Ref"]), "MaxValue"),
        };
        for choice in choices {
            let given = [(parameter, text(choice))];
            let (visibility, timeout) = (
                template.number(visibility, &given),
                template.number(&template.properties(function)["Timeout"], &given),
            );
            // Six, so that invocations that are throttled have time to be repeated; none is, as the mapping
            // has a MaximumConcurrency. Five seconds would end before a slow directory has answered.
            let times = if visibility == 30 { 2 } else { 6 };
            assert!(
                visibility >= times * timeout + window,
                "{queue}: {visibility} s for a timeout of {timeout} s"
            );
            // Two seconds to settle, twice the longest look-up, and some slow requests.
            assert!(timeout >= 15, "{queue}: {timeout} s are too short where everything is slow");
        }
    }
}

#[test]
fn dead_letters_are_kept_for_fourteen_days_and_outlive_what_sqs_moves() {
    let template = Template::read();
    for (queue, dead, _) in QUEUES {
        let retention =
            |queue: &str| template.number(&template.properties(queue)["MessageRetentionPeriod"], &[]);
        assert_eq!(retention(dead), 14 * DAY, "{dead}");
        assert!(
            (4 * DAY..14 * DAY).contains(&retention(queue)),
            "{queue} keeps messages for {} s",
            retention(queue)
        );
        // A message whose function dies each time has to come to the dead letters before it expires.
        let properties = template.properties(queue);
        let receives = text(&properties["RedrivePolicy"]["maxReceiveCount"]["Ref"]);
        let visibilities =
            &template.parameter(text(&properties["VisibilityTimeout"]["Ref"]))["AllowedValues"];
        let longest = list(visibilities).into_iter().map(|value| template.number(value, &[])).max().unwrap();
        assert!(template.bound(receives, "MaxValue") * longest < retention(queue), "{queue}");
    }
}

#[test]
fn sqs_gives_up_only_after_the_stage_has() {
    let template = Template::read();
    for ((queue, dead, _), attempts) in QUEUES.into_iter().zip(["ProcessAttempts", "NotifyAttempts"]) {
        let policy = &template.properties(queue)["RedrivePolicy"];
        assert_eq!(policy["deadLetterTargetArn"], json!({"Fn::GetAtt": [dead, "Arn"]}));
        let receives = text(&policy["maxReceiveCount"]["Ref"]);
        let (least, most) = (template.bound(receives, "MinValue"), template.bound(attempts, "MaxValue"));
        assert!(least > most && least >= 5, "{queue}: {receives} from {least}, {attempts} up to {most}");
        let receives = template.bound(receives, "Default");
        let patient = u64::from(pipeline::store_retry::RECEIVES);
        assert!(receives >= patient, "{queue}: a store is waited out for a day, {patient} receives");
        let defaults = pipeline::Settings::default();
        let expected =
            if queue == "DelayQueue" { defaults.process_attempts } else { defaults.notify_attempts };
        assert_eq!(template.bound(attempts, "Default"), u64::from(expected), "{attempts}");
    }
}

#[test]
fn a_dead_letter_queue_takes_the_messages_of_its_queue_alone() {
    let template = Template::read();
    for (queue, dead, _) in QUEUES {
        let name = text(&template.properties(queue)["QueueName"]["Fn::Sub"]);
        let arn = format!("arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}");
        let expected = json!({"redrivePermission": "byQueue", "sourceQueueArns": [{"Fn::Sub": arn}]});
        assert_eq!(template.properties(dead)["RedriveAllowPolicy"], expected);
    }
}

#[test]
fn queues_are_encrypted() {
    let template = Template::read();
    let queues = template.of_type("AWS::SQS::Queue");
    assert_eq!(queues.len(), 4);
    for (id, queue) in queues {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{id}");
    }
}

#[test]
fn failures_are_reported_message_by_message_and_concurrency_burns_no_receives() {
    let template = Template::read();
    for (queue, _, function) in QUEUES {
        let mapping = mapping(&template, queue);
        assert_eq!(mapping["FunctionName"], json!({"Ref": function}));
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{queue}");
        let most = &mapping["ScalingConfig"]["MaximumConcurrency"];
        assert!(template.number(most, &[]) >= 2, "{queue}: the fewest that SQS knows are two");
        let size = template.number(&mapping["BatchSize"], &[]);
        let window = template.resolve(&mapping["MaximumBatchingWindowInSeconds"], &[]);
        assert!(size <= 10 || window.as_u64() >= Some(1), "{queue}: batches over ten need a window");
    }
    for (id, function) in template.of_type("AWS::Lambda::Function") {
        assert_eq!(function["Properties"]["ReservedConcurrentExecutions"], Value::Null, "{id}");
    }
    // Slack's pace is one message a second: what a batch brings is to fit into a few digests.
    let alerts = &mapping(&template, "NotificationQueue");
    assert_eq!(alerts["ScalingConfig"]["MaximumConcurrency"], 2);
    assert!(template.number(&alerts["BatchSize"], &[]) >= lead::slack::DIGEST_LEADS as u64);
}
