//! What is retained: through updates, replacements and deletion of the stack.

use serde_json::{Value, json};

use tests::template::{Template, list, text, walk};

#[test]
fn the_bucket_outlives_the_stack_and_queues_outlive_a_replacement() {
    let template = Template::read();
    for (id, bucket) in template.of_type("AWS::S3::Bucket") {
        assert_eq!(
            (&bucket["DeletionPolicy"], &bucket["UpdateReplacePolicy"]),
            (&json!("Retain"), &json!("Retain")),
            "{id}"
        );
    }
    assert_eq!(template.of_type("AWS::S3::Bucket").len(), 1);
    for (id, queue) in template.of_type("AWS::SQS::Queue") {
        assert_eq!(queue["UpdateReplacePolicy"], "Retain", "{id}");
    }
}

/// A new name replaces a resource: what it held is gone, or its address is another.
#[test]
fn no_parameter_is_in_the_name_of_what_holds_something_or_is_known_outside() {
    let template = Template::read();
    let names = [
        ("AWS::S3::Bucket", "BucketName"),
        ("AWS::SQS::Queue", "QueueName"),
        ("AWS::SecretsManager::Secret", "Name"),
        ("AWS::SNS::Topic", "TopicName"),
        ("AWS::Lambda::Function", "FunctionName"),
        ("AWS::Logs::LogGroup", "LogGroupName"),
        ("AWS::ApiGateway::Resource", "PathPart"),
        ("AWS::ApiGateway::Stage", "StageName"),
        ("AWS::ApiGateway::Method", "HttpMethod"),
    ];
    for (kind, property) in names {
        let found = template.of_type(kind);
        assert!(!found.is_empty(), "{kind}");
        for (id, resource) in found {
            let name = &resource["Properties"][property];
            assert!(!name.is_null(), "{id} has no {property}");
            walk(name, id, &mut |path, value| {
                let referred = value.get("Ref").and_then(Value::as_str);
                let written = value.as_str().filter(|text| text.contains("${"));
                for parameter in template.0["Parameters"].as_object().unwrap().keys() {
                    assert_ne!(referred, Some(parameter.as_str()), "{path}");
                    assert!(
                        !written.is_some_and(|text| text.contains(&format!("${{{parameter}}}"))),
                        "{path}"
                    );
                }
            });
        }
    }
}

#[test]
fn only_history_expires() {
    let template = Template::read();
    let rules = &template.properties("Bucket")["LifecycleConfiguration"]["Rules"];
    let mut expiring = Vec::new();
    for rule in list(rules) {
        assert_eq!(rule["Status"], "Enabled");
        let keys = rule.as_object().unwrap().keys();
        if keys.clone().any(|key| key.contains("xpiration")) {
            assert_eq!(rule["ExpirationInDays"], json!({"Ref": "HistoryDays"}), "{rule}");
            expiring.push(text(&rule["Prefix"]));
        }
    }
    assert_eq!(expiring, ["journal/", "receipts/"]);
    // Receipts keep an alert from being sent twice, for as long as its message can come again: ten days in
    // the queue, fourteen among the dead letters.
    assert!(template.bound("HistoryDays", "MinValue") >= 24);
    let uploads = list(rules).into_iter().find(|rule| !rule["AbortIncompleteMultipartUpload"].is_null());
    assert!(
        uploads.is_some_and(|rule| rule["Prefix"].is_null()),
        "unfinished uploads are cleaned up everywhere"
    );
}

#[test]
fn the_bucket_is_private_and_encrypted() {
    let template = Template::read();
    let bucket = template.properties("Bucket");
    let block = &bucket["PublicAccessBlockConfiguration"];
    for name in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
        assert_eq!(block[name], true, "{name}");
    }
    assert_eq!(bucket["OwnershipControls"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced");
    let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    assert_eq!(encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
}

#[test]
fn the_delay_queue_is_notified_of_raw_events() {
    let template = Template::read();
    let configuration = &template.properties("Bucket")["NotificationConfiguration"];
    let expected = json!({"QueueConfigurations": [{
        "Event": "s3:ObjectCreated:*",
        "Queue": {"Fn::GetAtt": ["DelayQueue", "Arn"]},
        "Filter": {"S3Key": {"Rules": [
            {"Name": "prefix", "Value": {"Ref": "SourcePrefix"}},
            {"Name": "suffix", "Value": ".json"},
        ]}},
    }]});
    assert_eq!(*configuration, expected);
    assert!(list(&template.0["Resources"]["Bucket"]["DependsOn"]).contains(&&json!("DelayQueuePolicy")));
    // Nothing that could part the two again.
    for (id, resource) in template.resources() {
        let kind = text(&resource["Type"]);
        assert!(!kind.starts_with("Custom::") && kind != "AWS::CloudFormation::CustomResource", "{id}");
    }
}

#[test]
fn secrets_keep_what_was_put_into_them() {
    let template = Template::read();
    let secrets = template.of_type("AWS::SecretsManager::Secret");
    assert_eq!(
        secrets.keys().copied().collect::<Vec<_>>(),
        ["CloseApiKeySecret", "CloseSignatureSecret", "SlackSecret"]
    );
    for id in secrets.keys() {
        assert!(template.properties(id)["GenerateSecretString"].is_null(), "{id}");
    }
    assert!(template.properties("CloseSignatureSecret")["SecretString"].is_null());
    for (id, condition, parameter) in [
        ("SlackSecret", "HasSlackWebhookUrl", "SlackWebhookUrl"),
        ("CloseApiKeySecret", "HasCloseApiKey", "CloseApiKey"),
    ] {
        let secret = template.properties(id);
        // A condition of its own would have it deleted, and made again under a name that is still taken.
        assert!(template.0["Resources"][id]["Condition"].is_null(), "{id}");
        let value = &secret["SecretString"]["Fn::If"];
        assert_eq!((&value[0], &value[2]), (&json!(condition), &json!({"Ref": "AWS::NoValue"})));
        // What changes with every deployment would put the first value back.
        let of_template = |name: &str| matches!(name, "Name" | "Description" | "SecretString");
        assert!(secret.as_object().unwrap().keys().all(|name| of_template(name)), "{secret}");
        let given = template.parameter(parameter);
        assert_eq!((&given["NoEcho"], &given["Default"]), (&json!(true), &json!("")));
    }
    assert_eq!(template.parameter("NotificationEmail")["Default"], "");
}

#[test]
fn log_lines_have_an_end() {
    let template = Template::read();
    let groups = template.of_type("AWS::Logs::LogGroup");
    for (id, group) in &groups {
        assert_eq!(group["Properties"]["RetentionInDays"], json!({"Ref": "LogRetentionDays"}), "{id}");
    }
    for (id, function) in template.of_type("AWS::Lambda::Function") {
        // `leadops --stack` finds the lines by this name.
        let name = format!("/aws/lambda/{}", text(&function["Properties"]["FunctionName"]["Fn::Sub"]));
        let group =
            groups.iter().find(|(_, group)| group["Properties"]["LogGroupName"]["Fn::Sub"] == name.as_str());
        let (group, _) = group.unwrap_or_else(|| panic!("{id} has no log group"));
        assert!(
            list(&function["DependsOn"]).contains(&&json!(group)),
            "{id} would make its log group itself"
        );
    }
}

#[test]
fn the_outputs_that_an_operator_needs_are_there() {
    let template = Template::read();
    let source = include_str!("../../../crates/aws/src/operator/stack.rs");
    let needed: Vec<_> =
        source.split("output(\"").skip(1).filter_map(|rest| rest.split_once("\")")).collect();
    assert!(needed.len() >= 11, "stack.rs names its outputs in another way");
    for (name, _) in needed {
        assert!(!template.0["Outputs"][name]["Value"].is_null(), "there is no output {name}");
    }
}

/// CloudFormation takes 51,200 bytes at most directly, and a million from a bucket:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>.
#[test]
fn it_is_deployed_from_a_bucket_and_small_enough_for_that() {
    assert!(tests::template::TEXT.len() <= 1_000_000);
    assert!(include_str!("../../../infrastructure/deploy").contains("--s3-bucket \"$bucket\""));
}
