//! The inputs that a definition or a workflow declares, in every spelling that existing files use:
//!
//! * `{ type: object, properties: { who: { type: string } }, required: [who] }`, with or without `type`;
//! * a flat map of inputs, `{ who: { type: string } }`, also with `required: [who]` or `additionalProperties` beside them;
//! * `who: { type: string, required: true }` in either form;
//! * `who: string`, a name without a schema.
//!
//! A key of a flat map is an input when its value is a map, so that an input can be named `type` or `required`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::Issue;

/// Keywords beside the inputs of a flat map.
const KEYWORDS: [&str; 3] = ["type", "required", "additionalProperties"];
/// Keywords of an input that are checked when the rest of its schema is invalid.
const CHECKED: [&str; 9] = [
    "type",
    "enum",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "minItems",
    "maxItems",
    "uniqueItems",
];
const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/// The inputs that a definition or a workflow declares.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSchema {
    /// JSON Schemas, by input.
    pub properties: Map<String, Value>,
    /// Inputs without which a run fails.
    pub required: Vec<String>,
    /// Whether other inputs are allowed.
    pub additional: bool,
}

impl InputSchema {
    /// Reads `inputs` as written. `None`: it declares nothing.
    pub fn of(inputs: &Value) -> Option<InputSchema> {
        let map = inputs.as_object()?;
        let is_input = |key: &str, value: &Value| value.is_object() || !KEYWORDS.contains(&key);
        let (written, top): (Vec<_>, Option<&Map<String, Value>>) = match map.get("properties") {
            Some(Value::Object(properties)) => (properties.iter().collect(), Some(map)),
            _ => (map.iter().filter(|(key, value)| is_input(key, value)).collect(), Some(map)),
        };
        let keyword = |key: &str| top.and_then(|top| top.get(key));
        let mut required: Vec<String> = names(keyword("required")).map(str::to_owned).collect();
        let mut properties = Map::new();
        for (name, schema) in written {
            let (schema, is_required) = normalized(schema);
            // A default makes a value of an input that is marked so, but not of one that is listed.
            if is_required && schema.get("default").is_none() && !required.contains(name) {
                required.push(name.clone());
            }
            properties.insert(name.clone(), schema);
        }
        if properties.is_empty() && required.is_empty() && !map.contains_key("additionalProperties") {
            return None;
        }
        let additional = keyword("additionalProperties").and_then(Value::as_bool).unwrap_or(true);
        Some(InputSchema { properties, required, additional })
    }

    /// Whether the input is declared as sensitive.
    pub fn is_sensitive(&self, name: &str) -> bool {
        self.properties.get(name).and_then(|schema| schema.get("sensitive")) == Some(&Value::Bool(true))
    }

    /// Converts text to the type of its property, and adds the defaults of absent properties.
    pub fn fill(&self, values: &mut Map<String, Value>) {
        for (key, schema) in &self.properties {
            match values.get_mut(key) {
                Some(value) => coerce(value, schema),
                None => {
                    if let Some(default) = schema.get("default") {
                        values.insert(key.clone(), default.clone());
                    }
                }
            }
        }
    }

    /// All violations. `enforced` selects the required inputs that must be present.
    pub fn check(&self, values: &Map<String, Value>, enforced: impl Fn(&str) -> bool) -> Vec<Issue> {
        let mut issues = Vec::new();
        for name in &self.required {
            if enforced(name) && !values.contains_key(name) {
                issues.push(Issue::new(name.clone(), "is required"));
            }
        }
        if !self.additional {
            for key in values.keys().filter(|key| !self.properties.contains_key(*key)) {
                issues.push(Issue::new(key.clone(), "is not an input"));
            }
        }
        for (key, schema) in &self.properties {
            let Some(value) = values.get(key) else { continue };
            if value.is_null() && schema.get("default").is_some() {
                continue;
            }
            let Ok(validator) =
                jsonschema::validator_for(schema).or_else(|_| jsonschema::validator_for(&checked(schema)))
            else {
                continue;
            };
            for error in validator.iter_errors(value) {
                let below = error.instance_path().to_string().replace('/', ".");
                issues.push(Issue::new(format!("{key}{below}"), error.to_string()));
            }
        }
        issues
    }

    /// The declarations with an invalid JSON Schema, which a run does not check in full.
    pub fn problems(&self) -> Vec<Issue> {
        self.properties
            .iter()
            .filter_map(|(name, schema)| {
                let error = jsonschema::validator_for(schema).err()?;
                Some(Issue::new(name.clone(), format!("invalid schema, checked in part: {error}")))
            })
            .collect()
    }
}

fn names(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The JSON Schema of an input as written, and whether it says `required: true`. At each level below, that mark becomes
/// an entry of the list `required`. What is not a map is a name without a schema.
fn normalized(written: &Value) -> (Value, bool) {
    let Value::Object(map) = written else { return (Value::Object(Map::new()), false) };
    let mut schema = map.clone();
    let is_required = match schema.get("required") {
        Some(Value::Bool(mark)) => {
            let mark = *mark;
            schema.remove("required");
            mark
        }
        _ => false,
    };
    if let Some(Value::Object(properties)) = map.get("properties") {
        let mut required: BTreeSet<String> = names(schema.get("required")).map(str::to_owned).collect();
        let mut inner = Map::new();
        for (name, property) in properties {
            let (property, is_required) = normalized(property);
            if is_required && property.get("default").is_none() {
                required.insert(name.clone());
            }
            inner.insert(name.clone(), property);
        }
        schema.insert("properties".to_owned(), Value::Object(inner));
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into_iter().collect());
        }
    }
    if let Some(items @ Value::Object(_)) = map.get("items") {
        schema.insert("items".to_owned(), normalized(items).0);
    }
    (Value::Object(schema), is_required)
}

/// The part of an invalid JSON Schema that is checked: the known keywords that have the right shape.
fn checked(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return Value::Object(Map::new()) };
    let is_usable = |key: &str, value: &Value| match key {
        "type" => value.as_str().is_some_and(|name| TYPES.contains(&name)),
        "enum" => value.as_array().is_some_and(|values| !values.is_empty()),
        "required" => value.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
        "additionalProperties" | "uniqueItems" => value.is_boolean(),
        "minItems" | "maxItems" => value.is_u64(),
        "items" | "properties" => value.is_object(),
        _ => false,
    };
    let below = |key: &str, value: &Value| match (key, value) {
        ("items", value) => checked(value),
        ("properties", Value::Object(map)) => {
            Value::Object(map.iter().map(|(name, schema)| (name.clone(), checked(schema))).collect())
        }
        _ => value.clone(),
    };
    let known = map.iter().filter(|(key, value)| CHECKED.contains(&key.as_str()) && is_usable(key, value));
    Value::Object(known.map(|(key, value)| (key.clone(), below(key, value))).collect())
}

fn coerce(value: &mut Value, schema: &Value) {
    let Value::String(text) = value else { return };
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or("string");
    let converted = match wanted {
        "boolean" => text.parse::<bool>().ok().map(Value::Bool),
        "integer" => number(text).map(|number| match number.as_f64() {
            // Within this range every integer has a double of its own, and the cast is exact.
            #[expect(clippy::cast_possible_truncation, reason = "checked against the range")]
            Some(float) if number.as_i64().is_none() && float.abs() < 9_007_199_254_740_992.0 => {
                Value::from(float.trunc() as i64)
            }
            _ => Value::Number(number),
        }),
        "number" => number(text).map(Value::Number),
        "array" => serde_json::from_str::<Value>(text).ok().filter(Value::is_array),
        "object" => serde_json::from_str::<Value>(text).ok().filter(Value::is_object),
        _ => None,
    };
    if let Some(converted) = converted {
        *value = converted;
    }
}

/// A number as JavaScript reads it from text: space around it does not matter, `0x1f`, `0b1` and `0o7` are integers. An
/// empty text is not a number here, although it is 0 there.
fn number(text: &str) -> Option<serde_json::Number> {
    let text = text.trim();
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok().map(Into::into);
        }
    }
    match text.parse::<i64>() {
        Ok(number) => Some(number.into()),
        Err(_) => text.parse::<f64>().ok().and_then(serde_json::Number::from_f64),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::InputSchema;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    /// What is wrong with the values after they are filled.
    fn issues(inputs: Value, values: Value) -> Vec<String> {
        let schema = InputSchema::of(&inputs).unwrap();
        let mut values = map(values);
        schema.fill(&mut values);
        schema.check(&values, |_| true).into_iter().map(|issue| issue.field).collect()
    }

    #[test]
    fn every_spelling_of_a_required_text_is_the_same_schema() {
        let who = json!({"type": "string"});
        let marked = json!({"type": "string", "required": true});
        for inputs in [
            json!({"type": "object", "properties": {"who": who}, "required": ["who"]}),
            json!({"properties": {"who": who}, "required": ["who"]}),
            json!({"properties": {"who": marked}}),
            json!({"who": marked}),
            json!({"who": who, "required": ["who"]}),
            json!({"type": "object", "who": marked}),
        ] {
            let schema = InputSchema::of(&inputs).unwrap();
            let expected = InputSchema {
                properties: map(json!({"who": who})),
                required: vec!["who".to_owned()],
                additional: true,
            };
            assert_eq!(schema, expected, "{inputs}");
            assert_eq!(issues(inputs.clone(), json!({})), ["who"], "{inputs}");
            assert!(issues(inputs, json!({"who": "x"})).is_empty());
        }
    }

    #[test]
    fn flat_inputs_are_converted_filled_and_checked() {
        let inputs =
            json!({"n": {"type": "number", "default": 3}, "free": "string", "flag": {"type": "boolean"}});
        let schema = InputSchema::of(&inputs).unwrap();
        let mut values = map(json!({"free": "7", "flag": "true"}));
        schema.fill(&mut values);
        assert_eq!(Value::Object(values), json!({"n": 3, "free": "7", "flag": true}));
        assert_eq!(issues(inputs.clone(), json!({"n": "x", "flag": "yes"})), ["n", "flag"]);
        assert!(issues(inputs, json!({"free": {"any": 1}})).is_empty());
    }

    #[test]
    fn flat_input_can_have_the_name_of_a_keyword() {
        let inputs = json!({"type": {"type": "string", "required": true}, "required": {"type": "boolean"}});
        assert_eq!(issues(inputs.clone(), json!({})), ["type"]);
        assert_eq!(issues(inputs, json!({"type": "a", "required": "x"})), ["required"]);
    }

    #[test]
    fn marked_input_with_a_default_is_never_missing() {
        assert!(issues(json!({"who": {"required": true, "default": "x"}}), json!({})).is_empty());
        assert!(issues(json!({"who": {"type": "string", "default": "x"}}), json!({"who": null})).is_empty());
        assert_eq!(issues(json!({"who": {"type": "string"}}), json!({"who": null})), ["who"]);
    }

    #[test]
    fn mark_below_the_first_level_is_enforced() {
        let inner = json!({"type": "object", "properties": {"b": {"type": "string", "required": true}}});
        let inputs = json!({"a": inner, "list": {"type": "array", "items": inner}});
        assert_eq!(issues(inputs.clone(), json!({"a": {}, "list": [{}]})), ["a", "list.0"]);
        assert!(issues(inputs, json!({"a": {"b": "x"}})).is_empty());
    }

    #[test]
    fn only_known_keywords_of_an_invalid_schema_are_checked() {
        let inputs = json!({"who": {"type": "string", "pattern": "["}, "odd": {"type": "text"}});
        assert!(issues(inputs.clone(), json!({"who": "a", "odd": 1})).is_empty());
        assert_eq!(issues(inputs.clone(), json!({"who": 1})), ["who"]);
        let problems = InputSchema::of(&inputs).unwrap().problems();
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["who", "odd"]);
    }

    #[test]
    fn closed_map_refuses_other_inputs_and_an_empty_one_declares_nothing() {
        let closed = json!({"who": {"type": "string"}, "additionalProperties": false});
        assert_eq!(issues(closed, json!({"other": 1})), ["other"]);
        for nothing in [json!({}), json!({"type": "object"}), json!({"properties": {}})] {
            assert_eq!(InputSchema::of(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn text_becomes_a_number_as_in_javascript() {
        let filled = |wanted: &str, text: &str| {
            let inputs = json!({"n": {"type": wanted}});
            let mut values = map(json!({"n": text}));
            InputSchema::of(&inputs).unwrap().fill(&mut values);
            values["n"].clone()
        };
        for (wanted, text, number) in [
            ("integer", "3.9", json!(3)),
            ("integer", "-3.9", json!(-3)),
            ("integer", "1e3", json!(1000)),
            ("integer", " 4 ", json!(4)),
            ("number", "0x1f", json!(31)),
            ("number", "1.5", json!(1.5)),
            ("number", "", json!("")),
            ("number", "four", json!("four")),
            ("array", "{\"a\":1}", json!("{\"a\":1}")),
            ("object", "{\"a\":1}", json!({"a": 1})),
        ] {
            assert_eq!(filled(wanted, text), number, "{wanted} {text:?}");
        }
    }
}
