//! What the commands of a version printed.

use std::collections::BTreeMap;

use lead::Timestamp;
use serde_json::Value;

use super::{Site, leads};

/// What each command printed with `--json`, by its arguments.
pub type Outputs = BTreeMap<String, Value>;

/// What changes from one second to the next, or is said in other words by another version.
const ASIDE: [&str; 5] = ["as_of", "due_in_seconds", "oldest_dead_seconds", "detail", "last_24h"];

impl dyn Site + '_ {
    /// What the commands that only look print from a moment on, while nobody is at work.
    pub async fn outputs(&self, at: Timestamp) -> Outputs {
        self.time().set(at).await;
        let mut questions: Vec<Vec<String>> =
            ["status", "pending", "leads --limit 100", "dead list", "logs --since 30d"]
                .map(|line| line.split(' ').map(str::to_owned).collect())
                .into();
        questions.extend(leads::ALL.map(|name| vec!["lead".to_owned(), leads::id(name).to_string()]));
        let letters = self.json(&["dead", "list"]).await;
        let ids = letters.as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap());
        questions.extend(ids.map(|id| ["dead", "show", id].map(str::to_owned).into()));
        // CloudWatch's lines are in no fixture.
        let on_aws = self.name() == "aws";
        if on_aws {
            questions.retain(|question| question[0] != "logs");
        }
        let mut outputs = Outputs::new();
        for question in questions {
            let words: Vec<&str> = question.iter().map(String::as_str).collect();
            let mut answer = self.json(&words).await;
            if let (true, Some(fields)) = (on_aws, answer.as_object_mut()) {
                fields.remove("logs");
            }
            outputs.insert(question.join(" "), self.anywhere(answer));
        }
        outputs
    }
}

/// What `now` does not say that was said `before`, as `path: before, now`. What is said beside it is welcome.
pub fn lacks(path: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(fields), Value::Object(_)) => {
            for (name, value) in fields.iter().filter(|(name, _)| !ASIDE.contains(&name.as_str())) {
                lacks(&format!("{path}.{name}"), value, &now[name], found);
            }
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            for (index, (item, other)) in items.iter().zip(others).enumerate() {
                lacks(&format!("{path}[{index}]"), item, other, found);
            }
        }
        _ if before == now => {}
        _ => found.push(format!("{path}: {before}, now {now}")),
    }
}
