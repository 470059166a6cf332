//! Which prefixes the template takes: those that the pipeline does.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use lead::keys;
use pipeline::{Settings, Variables};
use serde_json::json;

use tests::template::{Template, text};

/// Whether each value matches a pattern as a whole, which is what CloudFormation asks. Rust's own expressions
/// know nothing that looks ahead.
pub(super) fn matches(pattern: &str, values: &[String]) -> Vec<bool> {
    const SCRIPT: &str = "import json, re, sys\npattern, values = json.load(sys.stdin)\n\
                          print(json.dumps([bool(re.fullmatch(pattern, value)) for value in values]))";
    let mut python = Command::new("python3");
    let python = python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().expect("python3, which `infrastructure/deploy` needs as well");
    let input = json!([pattern, values]).to_string();
    python.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    serde_json::from_slice(&python.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
#[cfg_attr(skip_aws, ignore = "LEADOPS_SKIP_AWS leaves out what needs Python")]
fn a_prefix_that_the_pipeline_refuses_is_refused_before_anything_is_deployed() {
    let mut values: Vec<String> = [
        "in",
        "in/",
        "in=1/a_b/",
        "source",
        "target",
        "journals/",
        "my/journal/",
        "runner.json",
        "a..b",
        "..",
        "/x",
    ]
    .map(str::to_owned)
    .into();
    values.extend(["a b", "é/", "a\n", "", "_", "-x", "JOURNAL/"].map(str::to_owned));
    values.push("x".repeat(201));
    for ours in keys::OURS {
        values.extend((1..=ours.len()).map(|length| ours.chars().take(length).collect()));
        values.extend(["x", "/", "/x/", ".json"].map(|end| format!("{ours}{end}")));
        values.extend([format!("x{ours}"), format!("{}x", ours.trim_end_matches(['/', 'n']))]);
    }
    let template = Template::read();
    for (parameter, variable, other) in [
        ("SourcePrefix", "SOURCE_PREFIX", "TARGET_PREFIX"),
        ("TargetPrefix", "TARGET_PREFIX", "SOURCE_PREFIX"),
    ] {
        let found = matches(text(&template.parameter(parameter)["AllowedPattern"]), &values);
        assert!(found.contains(&true) && found.contains(&false));
        for (value, found) in values.iter().zip(found) {
            let read = Settings::read(&Variables::new(|name| match name {
                // In the way of none of these.
                name if name == other => Some("zone/".to_owned()),
                name => (name == variable).then(|| value.clone()),
            }));
            let taken = read.is_ok_and(|settings| settings.check_prefixes().is_ok());
            // A value that is empty, or has space around it, stands for another to the pipeline.
            let taken = taken && !value.is_empty() && value.trim() == value;
            assert_eq!(found, taken, "{parameter} {value:?}");
        }
    }
}
