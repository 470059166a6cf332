//! The webhook's address.

use serde_json::{Value, json};

use tests::template::{Template, function, list, text, walk};

/// The resources that a deployment is a copy of.
const COPIED: [&str; 3] =
    ["AWS::ApiGateway::RestApi", "AWS::ApiGateway::Resource", "AWS::ApiGateway::Method"];

/// FNV-1a, 32 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>. Nothing depends on its strength.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn only<'a>(template: &'a Template, kind: &str) -> (&'a str, &'a Value) {
    let found = template.of_type(kind);
    assert_eq!(found.len(), 1, "{kind}");
    found.into_iter().next().unwrap()
}

#[test]
fn a_changed_api_is_deployed_again_under_the_same_stage() {
    let template = Template::read();
    let mut copied = Vec::new();
    for kind in COPIED {
        for (id, resource) in template.of_type(kind) {
            walk(&resource["Properties"], id, &mut |path, value| {
                if !value.is_array() && !value.is_object() {
                    copied.push(format!("{path} {value}"));
                }
            });
        }
    }
    copied.sort_unstable();
    assert!(copied.len() > 15, "{copied:?}");
    let expected = format!("WebhookDeployment{:08x}", fnv(&copied.join("\n")));
    let (id, deployment) = only(&template, "AWS::ApiGateway::Deployment");
    assert_eq!(id, expected, "the API has changed: call its deployment {expected}, so that it is published");
    let (_, stage) = only(&template, "AWS::ApiGateway::Stage");
    assert_eq!(stage["Properties"]["DeploymentId"], json!({"Ref": id}));
    // Without its methods a deployment is empty, or fails.
    for method in template.of_type("AWS::ApiGateway::Method").into_keys() {
        assert!(list(&deployment["DependsOn"]).contains(&&json!(method)), "{method}");
    }
}

#[test]
fn what_is_posted_to_the_url_of_the_outputs_invokes_the_function_which_lets_it() {
    let template = Template::read();
    let (method_id, method) = only(&template, "AWS::ApiGateway::Method");
    let integration = &method["Properties"]["Integration"];
    assert_eq!(
        (&integration["Type"], &integration["IntegrationHttpMethod"]),
        (&json!("AWS_PROXY"), &json!("POST"))
    );
    let uri = text(&integration["Uri"]["Fn::Sub"]);
    assert_eq!(
        uri,
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${WebhookIngestionFunction.Arn}/invocations"
    );
    let mut path = String::new();
    let mut at = text(&method["Properties"]["ResourceId"]["Ref"]);
    while let Some(resource) =
        template.of_type("AWS::ApiGateway::Resource").get(at).map(|it| &it["Properties"])
    {
        path = format!("/{}{path}", text(&resource["PathPart"]));
        at = resource["ParentId"]["Ref"].as_str().unwrap_or_default();
    }
    assert_eq!(
        (path.as_str(), &method["Properties"]["HttpMethod"]),
        ("/crm/webhook", &json!("POST")),
        "{method_id}"
    );
    let (stage_id, stage) = only(&template, "AWS::ApiGateway::Stage");
    let stage = text(&stage["Properties"]["StageName"]);

    let url = text(&template.0["Outputs"]["WebhookUrl"]["Value"]["Fn::Sub"]);
    assert_eq!(
        url,
        format!("https://${{Api}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/${{{stage_id}}}{path}")
    );
    let permission = template.properties("WebhookPermission");
    let expected = json!({
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "WebhookIngestionFunction"},
        "Principal": "apigateway.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": {"Fn::Sub": format!(
            "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Api}}/{stage}/POST{path}"
        )},
    });
    assert_eq!(*permission, expected);
}

#[test]
fn signed_bytes_arrive_as_they_were_sent() {
    let template = Template::read();
    assert_eq!(template.properties("Api")["BinaryMediaTypes"], json!(["*/*"]));
    assert!(template.properties("Api")["MinimumCompressionSize"].is_null());
}

#[test]
fn it_is_throttled_and_logs_no_body_and_no_signature() {
    let template = Template::read();
    let (_, stage) = only(&template, "AWS::ApiGateway::Stage");
    let stage = &stage["Properties"];
    let settings = &stage["MethodSettings"][0];
    assert_eq!((&settings["ResourcePath"], &settings["HttpMethod"]), (&json!("/*"), &json!("*")));
    for name in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
        assert!(template.number(&settings[name], &[]) >= 1, "{name}");
    }
    assert_eq!((&settings["DataTraceEnabled"], &settings["MetricsEnabled"]), (&json!(false), &json!(false)));
    let log = &stage["AccessLogSetting"];
    let format = text(&log["Format"]);
    let line: Value = serde_json::from_str(format).unwrap();
    assert_eq!(line["request_id"], "$context.requestId");
    assert!(line["status"].is_string() && line["ip"].is_string());
    assert!(!format.contains('\n'), "one line for each request");
    for secret in ["header", "body", "Sig"] {
        assert!(!format.contains(secret), "{format}");
    }
}

/// Access logs are refused until the account has a role for them.
#[test]
fn the_stage_waits_for_the_log_role_where_the_stack_makes_it() {
    let template = Template::read();
    let (account, _) = only(&template, "AWS::ApiGateway::Account");
    let (_, stage) = only(&template, "AWS::ApiGateway::Stage");
    let mut mentioned = false;
    walk(&stage["Properties"], "", &mut |_, value| {
        mentioned |= function(value).is_some_and(|(name, argument)| match name {
            "Ref" => argument == account,
            "Fn::Sub" => argument.as_str().is_some_and(|text| text.contains(&format!("${{{account}}}"))),
            _ => false,
        });
    });
    assert!(mentioned);
    // It serves all APIs of the account by then.
    assert_eq!(template.0["Resources"][account]["DeletionPolicy"], "Retain");
}
