//! What stands between an operator and a stack is said in one line, with its code and what to do.

use std::collections::BTreeMap;

use tests::{
    aws::{Moto, Stack},
    operator::Operator,
};

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// That the command fails with this status, and one line that has these parts.
async fn assert_refused(operator: &Operator, args: &[&str], status: i32, parts: &[&str]) {
    let (code, line) = operator.refused(args).await;
    assert_eq!(code, Some(status), "{args:?}: {line}");
    for part in parts {
        assert!(line.contains(part), "{args:?} does not say {part:?}: {line}");
    }
}

#[tokio::test]
async fn what_credentials_lack_is_reported_with_the_command_that_fixes_it() {
    let operator = Operator::new(BTreeMap::new());
    operator.write(
        ".aws/config",
        "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = Ops\n\
         region = eu-central-1\n[sso-session s]\nsso_region = eu-central-1\n\
         sso_start_url = https://nowhere.invalid/start\n\
         [profile bare]\naws_access_key_id = a\naws_secret_access_key = geheim\n\
         [profile role]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = gone\n\
         region = eu-central-1\n",
    );
    let region = ["--region", "eu-central-1"];
    let stack = ["status", "--stack", "leads"];
    let with = |more: &[&'static str]| [&stack[..], more].concat();
    assert_refused(&operator, &stack, 1, &["LO421", "no AWS region", "--region", "aws configure set region"])
        .await;
    assert_refused(&operator, &with(&region), 1, &["LO415", "no AWS credentials", "aws configure"]).await;
    assert_refused(&operator, &with(&["--profile", "bare"]), 1, &["LO421", "the profile bare"]).await;
    let unknown = with(&["--profile", "absent", "--region", "eu-central-1"]);
    assert_refused(&operator, &unknown, 1, &["LO415", "no profile absent"]).await;
    assert_refused(&operator, &with(&["--profile", "role"]), 1, &["LO415", "`gone` was not defined"]).await;
    assert_refused(&operator, &with(&["--profile", "sso"]), 1, &["LO416", "aws sso login --profile sso"])
        .await;
    let operator = operator.with(&[("AWS_PROFILE", "sso")]);
    assert_refused(&operator, &stack, 1, &["LO416", "aws sso login --profile sso"]).await;
    let operator = operator.with(&[("AWS_PROFILE", "absent"), ("AWS_REGION", "eu-central-1")]);
    assert_refused(&operator, &stack, 1, &["LO415", "no profile absent"]).await;
    // A profile that is named goes before keys that are at hand, as in the AWS CLI.
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "geheim")];
    let operator = operator.with(&keys);
    assert_refused(&operator, &unknown, 1, &["LO415", "no profile absent"]).await;
}

#[tokio::test]
async fn what_aws_refuses_is_told_apart() {
    let nowhere = variables(&[
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "geheim"),
    ]);
    let operator = Operator::new(nowhere.clone());
    let unreachable = ["status", "--stack", "leads", "--endpoint-url", "http://127.0.0.1:1"];
    assert_refused(&operator, &unreachable, 1, &["LO411", "http://127.0.0.1:1", "network"]).await;

    let moto = Moto::start().await;
    Stack::deploy(&moto, &[]).await;
    let operator = Operator::new(moto.variables());
    assert_refused(
        &operator,
        &["status", "--stack", "absent"],
        1,
        &["LO417", "no stack absent in us-east-1"],
    )
    .await;
    let strange = ["--stack", "leads", "--region", "eu-west-1", "pending"];
    assert_refused(&operator, &strange, 1, &["LO417", "eu-west-1"]).await;

    let unknown = Operator::new(nowhere).with(&[("AWS_ENDPOINT_URL", moto.endpoint())]);
    assert_refused(&unknown, &["status", "--stack", "leads"], 1, &["LO416", "Sign in again"]).await;

    // A role that may do its own work and nothing here.
    let role = moto.permissions().await.into_iter().next().unwrap().role;
    let stranger = Operator::new(moto.variables_as(&role).await);
    let denied = &["LO412", "cloudformation:DescribeStacks", "permission"];
    assert_refused(&stranger, &["dead", "list", "--stack", "leads"], 1, denied).await;
}

#[tokio::test]
async fn flags_that_make_no_sense_together_are_wrong_usage() {
    let operator = Operator::new(variables(&[("CLOSE_API_KEY", "api_x.y")]));
    operator.write("config.toml", "[env.prod]\nstack = \"leads\"\n[env.box]\ndata = \"x\"\n");
    for (args, part) in [
        (&["--stack", "a", "--data", "b", "status"][..], "--data and --stack"),
        (&["--stack", "a", "status", "--env", "prod"], "--stack and --env"),
        (&["status", "--profile", "p"], "--stack NAME"),
        (&["status", "--env", "box", "--region", "r"], "folder"),
        (&["status", "--stack", "a", "--endpoint-url", "nowhere"], "nowhere"),
        (&["up", "--stack", "a"], "embedded"),
        (&["up", "--env", "prod"], "embedded"),
        (&["demo", "--stack", "a"], "demo"),
        (&["subscribe"], "--url"),
    ] {
        assert_refused(&operator, args, 2, &["LO901", part]).await;
    }
}

/// One that an earlier template has let through: the functions of this version do not start with such prefixes,
/// and whoever looks at it is warned, and can look.
#[tokio::test]
async fn prefixes_that_begin_with_each_other_are_reported() {
    let moto = Moto::start().await;
    Stack::create(&moto, &[("SourcePrefix", "in/"), ("TargetPrefix", "in/done/")]).await;
    let operator = Operator::new(moto.variables());
    assert_eq!(operator.json(&["status", "--stack", "leads"]).await["pending"], 0);
    let doctor = operator.run(&["doctor", "--stack", "leads", "--json"]).await;
    let checks: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let check = checks.as_array().unwrap().iter().find(|check| check["check"] == "prefixes").unwrap();
    assert_eq!((&check["result"], &check["code"]), (&"failed".into(), &"LO906".into()), "{check}");
    assert!(check["detail"].as_str().unwrap().contains("in/done/"), "{check}");
}
