//! Webhook filters as text: <https://developer.close.com/resources/webhook-subscriptions/webhook-filters/>.

use outside::text;
use serde_json::Value;

/// Deeper than a filter written by a person is nested.
const DEEPEST: usize = 12;
/// How much of it is shown, in characters.
const LONGEST: usize = 300;
/// How much of one value.
const LONGEST_VALUE: usize = 60;

/// Which events a filter lets through, to follow "where". `None` where there is no filter.
pub(super) fn words(filter: &Value) -> Option<String> {
    let is_none = match filter {
        Value::Null | Value::Bool(false) => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(filters) => filters.is_empty(),
        _ => false,
    };
    (!is_none).then(|| text::shorten(&of(filter, "it", DEEPEST), LONGEST))
}

/// What a filter says of `subject`.
fn of(filter: &Value, subject: &str, depth: usize) -> String {
    let kind = filter.get("type").and_then(Value::as_str).unwrap_or_default();
    let value = || filter.get("value").map_or_else(|| "…".to_owned(), quoted);
    let inner = filter.get("filter").filter(|_| depth > 0);
    let several =
        filter.get("filters").and_then(Value::as_array).filter(|several| depth > 0 && !several.is_empty());
    match (kind, inner, several) {
        ("equals", ..) => format!("{subject} is {}", value()),
        ("not_equals", ..) => format!("{subject} is not {}", value()),
        ("is_null", ..) => format!("{subject} is empty"),
        ("non_null", ..) => format!("{subject} is not empty"),
        ("contains", ..) => format!("{subject} contains {}", value()),
        ("field_accessor", Some(inner), _) => {
            let field = filter.get("field").and_then(Value::as_str).unwrap_or("…");
            let field = text::shorten(field, LONGEST_VALUE);
            let path = if subject == "it" { field } else { format!("{subject}.{field}") };
            of(inner, &path, depth - 1)
        }
        ("any_array_value", Some(inner), _) => of(inner, &format!("one of {subject}"), depth - 1),
        ("not", Some(inner), _) => format!("not ({})", of(inner, subject, depth - 1)),
        ("and" | "or", _, Some(several)) => {
            let parts: Vec<String> = several.iter().map(|filter| of(filter, subject, depth - 1)).collect();
            match &parts[..] {
                [one] => one.clone(),
                _ => format!("({})", parts.join(&format!(" {kind} "))),
            }
        }
        _ => format!("{subject} passes {}", text::shorten(&filter.to_string(), LONGEST_VALUE)),
    }
}

fn quoted(value: &Value) -> String {
    text::shorten(&value.to_string(), LONGEST_VALUE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(name: &str, filter: Value) -> Value {
        json!({"type": "field_accessor", "field": name, "filter": filter})
    }

    #[test]
    fn every_kind_of_filter_has_its_words() {
        let equals = |value: &str| json!({"type": "equals", "value": value});
        let contains = json!({"type": "contains", "value": "custom.cf_1"});
        for (filter, expected) in [
            (field("data", field("status_label", equals("Potential"))), "data.status_label is \"Potential\""),
            (field("changed_fields", contains.clone()), "changed_fields contains \"custom.cf_1\""),
            (
                field("changed_fields", json!({"type": "any_array_value", "filter": equals("name")})),
                "one of changed_fields is \"name\"",
            ),
            (
                json!({"type": "and", "filters": [
                    field("data", field("custom.cf_1", json!({"type": "non_null"}))),
                    field("meta", field("bulk_action_id", json!({"type": "is_null"}))),
                ]}),
                "(data.custom.cf_1 is not empty and meta.bulk_action_id is empty)",
            ),
            (
                field(
                    "data",
                    json!({"type": "or", "filters": [
                        field("source", equals("Web")), json!({"type": "not", "filter": field("url", json!({"type": "is_null"}))}),
                    ]}),
                ),
                "(data.source is \"Web\" or not (data.url is empty))",
            ),
            (
                json!({"type": "and", "filters": [field("user_id", json!({"type": "not_equals", "value": 7}))]}),
                "user_id is not 7",
            ),
            (json!({"type": "regex", "value": "x"}), "it passes {\"type\":\"regex\",\"value\":\"x\"}"),
            (json!("junk"), "it passes \"junk\""),
        ] {
            assert_eq!(words(&filter).as_deref(), Some(expected));
        }
    }

    #[test]
    fn no_filter_leaves_nothing_out() {
        for none in [Value::Null, json!({}), json!([]), json!(false)] {
            assert_eq!(words(&none), None);
        }
    }

    #[test]
    fn what_strangers_wrote_is_short_and_harmless() {
        let mut deep = json!({"type": "is_null"});
        for _ in 0..100 {
            deep = json!({"type": "not", "filter": deep});
        }
        let wide = json!({"type": "or", "filters": vec![json!({"type": "equals", "value": "\u{1b}[2J\u{202e}x"}); 500]});
        for filter in [deep, wide, field(&"long".repeat(500), json!({"type": "is_null"}))] {
            let said = words(&filter).unwrap();
            assert!(said.chars().count() <= LONGEST && !said.contains(['\u{1b}', '\u{202e}']), "{said}");
        }
    }
}
