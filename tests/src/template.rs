//! The template as a value: YAML with CloudFormation's short forms, and what its expressions come to.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use serde_json::{Map, Value, json};

/// The text of the template.
pub const TEXT: &str = include_str!("../../infrastructure/cloudformation.yaml");

/// The template, its short forms written out: `!Ref X` is `{"Ref": "X"}`, `!GetAtt X.Y` is
/// `{"Fn::GetAtt": ["X", "Y"]}`, `!If …` is `{"Fn::If": …}`.
#[derive(Debug, Clone)]
pub struct Template(
    /// All of it.
    pub Value,
);

impl Template {
    /// The template of this version.
    pub fn read() -> Self {
        let documents = YamlOwned::load_from_str(TEXT).unwrap();
        assert_eq!(documents.len(), 1, "one document");
        Self(value(&documents[0]))
    }

    /// The resources of a type, by their logical ids.
    pub fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        self.resources().into_iter().filter(|(_, resource)| resource["Type"] == kind).collect()
    }

    /// All resources, by their logical ids.
    pub fn resources(&self) -> BTreeMap<&str, &Value> {
        entries(&self.0["Resources"])
    }

    /// A resource's properties.
    pub fn properties(&self, id: &str) -> &Value {
        let properties = &self.0["Resources"][id]["Properties"];
        assert!(properties.is_object(), "there is no resource {id} with properties");
        properties
    }

    /// A parameter.
    pub fn parameter(&self, name: &str) -> &Value {
        let parameter = &self.0["Parameters"][name];
        assert!(parameter.is_object(), "there is no parameter {name}");
        parameter
    }

    /// What an expression comes to with these parameters, all others having their defaults.
    pub fn resolve(&self, expression: &Value, given: &[(&str, &str)]) -> Value {
        let Some((function, argument)) = function(expression) else { return expression.clone() };
        match function {
            "Ref" if self.0["Parameters"][text(argument)].is_object() => {
                let name = text(argument);
                let given = given.iter().find(|(parameter, _)| *parameter == name);
                given.map_or_else(|| self.parameter(name)["Default"].clone(), |(_, value)| json!(value))
            }
            "Fn::If" => {
                let branch = if self.holds(&self.0["Conditions"][text(&argument[0])], given) { 1 } else { 2 };
                self.resolve(&argument[branch], given)
            }
            _ => expression.clone(),
        }
    }

    /// A whole number that an expression comes to.
    pub fn number(&self, expression: &Value, given: &[(&str, &str)]) -> u64 {
        let value = self.resolve(expression, given);
        value
            .as_u64()
            .or_else(|| value.as_str()?.parse().ok())
            .unwrap_or_else(|| panic!("{expression} is {value}"))
    }

    /// A bound or the default of a parameter that is a number.
    pub fn bound(&self, parameter: &str, bound: &str) -> u64 {
        self.number(&self.parameter(parameter)[bound], &[])
    }

    fn holds(&self, condition: &Value, given: &[(&str, &str)]) -> bool {
        match function(condition) {
            Some(("Fn::Equals", sides)) => self.resolve(&sides[0], given) == self.resolve(&sides[1], given),
            Some(("Fn::Not", inner)) => !self.holds(&inner[0], given),
            other => panic!("a condition of another kind: {other:?}"),
        }
    }
}

/// The members of an object.
pub fn entries(value: &Value) -> BTreeMap<&str, &Value> {
    let object = value.as_object().unwrap_or_else(|| panic!("{value} is no object"));
    object.iter().map(|(key, value)| (key.as_str(), value)).collect()
}

/// A value, or the values of a list.
pub fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// A text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// An intrinsic function and its argument.
pub fn function(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let (name, argument) = object.iter().next()?;
    (name == "Ref" || name == "Condition" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

/// Every value within a value, itself included, with its path.
pub fn walk<'a>(value: &'a Value, path: &str, visit: &mut dyn FnMut(&str, &'a Value)) {
    visit(path, value);
    match value {
        Value::Array(values) => {
            for (index, inner) in values.iter().enumerate() {
                walk(inner, &format!("{path}/{index}"), visit);
            }
        }
        Value::Object(values) => {
            for (key, inner) in values {
                walk(inner, &format!("{path}/{key}"), visit);
            }
        }
        _ => {}
    }
}

fn value(node: &YamlOwned) -> Value {
    match node {
        YamlOwned::Value(scalar) => match scalar {
            ScalarOwned::Null => Value::Null,
            ScalarOwned::Boolean(value) => json!(value),
            ScalarOwned::Integer(value) => json!(value),
            ScalarOwned::FloatingPoint(value) => json!(value.into_inner()),
            ScalarOwned::String(value) => json!(value),
        },
        YamlOwned::Sequence(nodes) => Value::Array(nodes.iter().map(value).collect()),
        YamlOwned::Mapping(nodes) => {
            let members = nodes.iter().map(|(key, node)| {
                let key = value(key);
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                (key, value(node))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        YamlOwned::Tagged(tag, node) => {
            let (name, inner) = (tag.suffix.as_str(), value(node));
            match name {
                "Ref" | "Condition" => json!({name: inner}),
                "GetAtt" => {
                    let (resource, attribute) = text(&inner).split_once('.').unwrap();
                    json!({"Fn::GetAtt": [resource, attribute]})
                }
                _ => json!({format!("Fn::{name}"): inner}),
            }
        }
        other => panic!("YAML of another kind: {other:?}"),
    }
}
