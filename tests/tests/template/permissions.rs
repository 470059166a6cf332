//! Who may do what.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use tests::template::{TEXT, Template, function, list, text, walk};

/// The statements of every policy, with where they are.
fn statements(template: &Template) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (id, resource) in template.resources() {
        walk(&resource["Properties"], id, &mut |path, value| {
            if let Some(inner) = value.get("Statement") {
                found.extend(list(inner).into_iter().map(|statement| (path.to_owned(), statement)));
            }
        });
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

#[test]
fn nothing_is_allowed_by_a_wildcard() {
    for (path, statement) in statements(&Template::read()) {
        if statement["Effect"] != "Allow" {
            continue;
        }
        assert!(statement["NotAction"].is_null() && statement["NotResource"].is_null(), "{path}");
        for action in list(&statement["Action"]) {
            assert!(!text(action).contains('*'), "{path} allows {action}");
        }
        assert_ne!(statement["Principal"], "*", "{path}");
        for resource in list(&statement["Resource"]) {
            // A role's own `sts:AssumeRole` has no resource.
            let written = match resource {
                Value::String(text) => text.as_str(),
                value => value["Fn::Sub"].as_str().unwrap_or("${a resource's own ARN}"),
            };
            let star = written.matches('*').count();
            assert!(star <= 1 && written != "*", "{path} allows on {written}");
            if star == 1 {
                let prefix = written.strip_prefix("${Bucket.Arn}/").and_then(|key| key.strip_suffix('*'));
                assert!(prefix.is_some_and(|prefix| !prefix.is_empty()), "{path} allows on {written}");
            }
        }
    }
}

/// The list of what the prefixes are distinguished from is complete: a function can write nothing else.
#[test]
fn whatever_may_be_written_has_a_prefix_of_its_own() {
    let mut count = 0;
    for (path, statement) in statements(&Template::read()) {
        for resource in list(&statement["Resource"]).into_iter().filter(|_| statement["Effect"] == "Allow") {
            let Some(key) = resource["Fn::Sub"].as_str().and_then(|arn| arn.strip_prefix("${Bucket.Arn}/"))
            else {
                continue;
            };
            let of_leads = ["${SourcePrefix}crm_event_*", "${TargetPrefix}enriched_*"].contains(&key);
            let ours = lead::keys::OURS.iter().any(|ours| key.strip_suffix('*') == Some(ours));
            assert!(of_leads || ours, "{path}: {key}");
            count += 1;
        }
    }
    assert!(count >= 15, "{count}");
}

/// What each function may do. A line more here is a thought about what an intruder could do with it.
#[test]
fn each_role_has_what_its_function_does_and_no_more() {
    const SOURCE: &str = "${SourcePrefix}crm_event_*";
    const TARGET: &str = "${TargetPrefix}enriched_*";
    const WEBHOOK_SECRET: &str = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:\
                                  ${WebhookSecretName}-??????";
    let template = Template::read();
    let allowed = |role: &str| {
        let mut allowed = BTreeMap::<String, BTreeSet<String>>::new();
        for statement in list(&template.properties(role)["Policies"][0]["PolicyDocument"]["Statement"]) {
            // What a setting turns on stands in a condition.
            let statement = match function(statement) {
                Some(("Fn::If", branches)) => {
                    assert_eq!(branches[2], json!({"Ref": "AWS::NoValue"}));
                    let known =
                        [("LeadProcessorRole", "OwnersAreInClose"), ("NotificationRole", "HasWebhook")];
                    assert!(known.contains(&(role, text(&branches[0]))), "{role}: {}", branches[0]);
                    &branches[1]
                }
                _ => statement,
            };
            for action in list(&statement["Action"]) {
                for resource in list(&statement["Resource"]) {
                    let resource = match resource {
                        value if value["Fn::Sub"].is_string() => {
                            text(&value["Fn::Sub"]).replace("${Bucket.Arn}/", "")
                        }
                        value if value["Ref"].is_string() => text(&value["Ref"]).to_owned(),
                        value => text(&value["Fn::GetAtt"][0]).to_owned(),
                    };
                    allowed.entry(text(action).to_owned()).or_default().insert(resource);
                }
            }
        }
        allowed
    };
    let expected = |lines: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        lines.iter().map(|(action, resources)| ((*action).to_owned(), owned(resources))).collect()
    };
    let take = |queue| {
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]
            .map(|action| (action, queue))
    };
    let log = |group| [("logs:CreateLogStream", group), ("logs:PutLogEvents", group)];
    let mut ingestion = vec![
        ("s3:ListBucket", &["Bucket"][..]),
        ("s3:GetObject", &[SOURCE, "leads/*"]),
        ("s3:PutObject", &[SOURCE, "leads/*", "journal/*", "open/*"]),
        ("s3:DeleteObject", &["open/*"]),
        ("secretsmanager:GetSecretValue", &["CloseSignatureSecret"]),
    ];
    ingestion.extend(log(&["WebhookIngestionLogGroup"][..]));
    assert_eq!(allowed("WebhookIngestionRole"), expected(&ingestion));
    let mut processor = vec![
        ("s3:ListBucket", &["Bucket"][..]),
        ("s3:GetObject", &[SOURCE, TARGET, "receipts/*", "leads/*", "roster/*"]),
        (
            "s3:PutObject",
            &[TARGET, "receipts/*", "leads/*", "roster/*", "journal/*", "open/*", "scheduled/*"],
        ),
        ("secretsmanager:GetSecretValue", &["CloseApiKeySecret"]),
        ("s3:DeleteObject", &["open/*"]),
        ("sqs:SendMessage", &["DelayQueue", "DelayDeadLetterQueue", "NotificationQueue"]),
    ];
    processor.extend(take(&["DelayQueue"][..]));
    processor.extend(log(&["LeadProcessorLogGroup"][..]));
    assert_eq!(allowed("LeadProcessorRole"), expected(&processor));
    let mut notification = vec![
        ("s3:ListBucket", &["Bucket"][..]),
        ("s3:GetObject", &[SOURCE, TARGET, "receipts/*", "leads/*", "pace/*"]),
        ("s3:PutObject", &["receipts/*", "leads/*", "pace/*", "journal/*", "open/*"]),
        ("s3:DeleteObject", &["open/*"]),
        ("sqs:SendMessage", &["NotificationDeadLetterQueue"]),
        ("sns:Publish", &["Topic"]),
        ("sns:ListSubscriptionsByTopic", &["Topic"]),
        ("secretsmanager:GetSecretValue", &["SlackSecret", WEBHOOK_SECRET]),
    ];
    notification.extend(take(&["NotificationQueue"][..]));
    notification.extend(log(&["NotificationLogGroup"][..]));
    assert_eq!(allowed("NotificationRole"), expected(&notification));
    let mut housekeeping = vec![
        ("s3:ListBucket", &["Bucket"][..]),
        ("s3:GetObject", &["scheduled/*"]),
        ("s3:DeleteObject", &["scheduled/*"]),
        ("sqs:SendMessage", &["DelayQueue"]),
    ];
    housekeeping.extend(log(&["HousekeepingLogGroup"][..]));
    assert_eq!(allowed("HousekeepingRole"), expected(&housekeeping));
}

#[test]
fn s3_may_send_to_the_delay_queue_for_our_bucket_and_account_alone() {
    let template = Template::read();
    let policies = template.of_type("AWS::SQS::QueuePolicy");
    let mut allowing = Vec::new();
    for (id, policy) in &policies {
        for statement in list(&policy["Properties"]["PolicyDocument"]["Statement"]) {
            if statement["Effect"] == "Allow" {
                allowing.push((id, statement));
            }
        }
    }
    let [(id, statement)] = allowing.as_slice() else { panic!("{allowing:?}") };
    assert_eq!(template.properties(id)["Queues"], json!([{"Ref": "DelayQueue"}]));
    assert_eq!(statement["Principal"], json!({"Service": "s3.amazonaws.com"}));
    assert_eq!(statement["Action"], "sqs:SendMessage");
    assert_eq!(statement["Resource"], json!({"Fn::GetAtt": ["DelayQueue", "Arn"]}));
    // The bucket's name, as the bucket itself has it.
    let name = &template.properties("Bucket")["BucketName"]["Fn::Sub"];
    let arn = format!("arn:${{AWS::Partition}}:s3:::{}", text(&name[0]));
    let condition = json!({
        "ArnEquals": {"aws:SourceArn": {"Fn::Sub": [arn, name[1]]}},
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    });
    assert_eq!(statement["Condition"], condition);
}

#[test]
fn nothing_is_taken_without_tls() {
    let template = Template::read();
    let mut covered = BTreeSet::new();
    for (_, statement) in statements(&template) {
        if statement["Effect"] == "Deny"
            && statement["Condition"] == json!({"Bool": {"aws:SecureTransport": "false"}})
        {
            assert_eq!(statement["Principal"], "*");
            for resource in list(&statement["Resource"]) {
                let of = resource["Ref"].as_str().or_else(|| resource["Fn::GetAtt"][0].as_str());
                covered.insert(of.unwrap_or_else(|| text(&resource["Fn::Sub"])).to_owned());
            }
        }
    }
    let queues = template.of_type("AWS::SQS::Queue");
    for id in queues.keys().copied().chain(["Bucket", "${Bucket.Arn}/*", "Topic"]) {
        assert!(covered.contains(id), "{id}: {covered:?}");
    }
    // A policy covers the queues that it is put on.
    let on: BTreeSet<_> = template
        .of_type("AWS::SQS::QueuePolicy")
        .values()
        .flat_map(|policy| list(&policy["Properties"]["Queues"]))
        .map(|queue| text(&queue["Ref"]))
        .collect();
    assert_eq!(on, queues.keys().copied().collect());
}

#[test]
fn alarms_may_publish_and_nobody_else_outside() {
    let template = Template::read();
    let statements = list(&template.properties("TopicPolicy")["PolicyDocument"]["Statement"]);
    let allowing: Vec<_> =
        statements.into_iter().filter(|statement| statement["Effect"] == "Allow").collect();
    let [statement] = allowing.as_slice() else { panic!("{allowing:?}") };
    assert_eq!(statement["Principal"], json!({"Service": "cloudwatch.amazonaws.com"}));
    let from = text(&statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"]);
    assert!(from.ends_with(":alarm:${AWS::StackName}-*"), "{from}");
    assert_eq!(statement["Condition"]["StringEquals"]["aws:SourceAccount"], json!({"Ref": "AWS::AccountId"}));
    for (id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let name = text(&alarm["Properties"]["AlarmName"]["Fn::Sub"]);
        assert!(name.starts_with("${AWS::StackName}-"), "{id} is not of those that may publish: {name}");
    }
    // AWS's own key for SNS may not be used by CloudWatch.
    assert!(template.properties("Topic")["KmsMasterKeyId"].is_null());
}

#[test]
fn it_is_for_every_partition_region_and_account() {
    let code: String =
        TEXT.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    for partition in ["arn:aws:", "arn:aws-cn:", "arn:aws-us-gov:", "amazonaws.com/", ".amazonaws.com.cn"] {
        assert!(!code.contains(partition), "{partition}");
    }
    for word in code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        let parts: Vec<&str> = word.split('-').collect();
        let is_region = parts.len() >= 3
            && parts[0].len() == 2
            && parts[0].bytes().all(|b| b.is_ascii_lowercase())
            && parts.last().is_some_and(|last| last.len() == 1 && last.bytes().all(|b| b.is_ascii_digit()));
        assert!(!is_region, "the region {word}");
        assert!(!(word.len() == 12 && word.bytes().all(|b| b.is_ascii_digit())), "the account {word}");
    }
}
