//! A value that a JSON Schema accepts, as far as a few guesses go.

use serde_json::{Map, Value, json};

/// How deep required objects are filled.
const DEPTH: usize = 8;

/// Texts that patterns usually want, tried in this order.
const TEXTS: [&str; 22] = [
    "x",
    "example",
    "1",
    "a1",
    "10.0.0.1",
    "10.0.0.0/24",
    "example.test",
    "https://example.test/a",
    "user@example.test",
    "owner/name",
    "us-east-1",
    "123456789012",
    "arn:aws:iam::123456789012:role/x",
    "i-0123456789abcdef0",
    "2026-01-01",
    "2026-01-01T00:00:00Z",
    "00000000-0000-4000-8000-000000000000",
    "/tmp/x",
    "v1.0.0",
    "1.0.0",
    "0123456789abcdef0123456789abcdef01234567",
    "@owner/name",
];

/// The required properties of an object schema. `secret` stands for a property that is sensitive.
pub fn arguments(schema: &Value, secret: &str) -> Map<String, Value> {
    match object(schema, schema, secret, 0) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn object(root: &Value, schema: &Value, secret: &str, depth: usize) -> Value {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut map = Map::new();
    for name in required.iter().filter_map(Value::as_str) {
        let property = &schema["properties"][name];
        map.insert(name.to_owned(), value(root, property, name, secret, depth + 1));
    }
    Value::Object(map)
}

fn value(root: &Value, schema: &Value, name: &str, secret: &str, depth: usize) -> Value {
    if depth > DEPTH {
        return Value::Null;
    }
    if let Some(path) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return root.pointer(path).map_or(Value::Null, |target| value(root, target, name, secret, depth + 1));
    }
    if schema["sensitive"] == json!(true) {
        return secret.into();
    }
    for key in ["const", "default"] {
        if let Some(given) = schema.get(key) {
            return given.clone();
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(options) = schema[key].as_array() {
            let chosen = options.iter().find(|option| option["type"] != "null");
            return chosen.map_or(Value::Null, |option| value(root, option, name, secret, depth + 1));
        }
    }
    match kind(schema) {
        "string" => text(schema, name).into(),
        "integer" | "number" => number(schema),
        "boolean" => false.into(),
        "array" => {
            let least = schema["minItems"].as_u64().unwrap_or(0).min(5);
            (0..least).map(|_| value(root, &schema["items"], name, secret, depth + 1)).collect()
        }
        "object" => object(root, schema, secret, depth),
        "null" => Value::Null,
        _ => "x".into(),
    }
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(one) => one,
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).find(|one| *one != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "",
    }
}

fn number(schema: &Value) -> Value {
    let bound = |key: &str| schema[key].as_i64();
    let least = bound("minimum").or(bound("exclusiveMinimum").map(|least| least + 1));
    let most = bound("maximum").unwrap_or(i64::MAX);
    least.map_or(1, |least| least.max(1)).min(most).into()
}

fn text(schema: &Value, name: &str) -> String {
    let least = usize::try_from(schema["minLength"].as_u64().unwrap_or(0)).unwrap_or(0).min(200);
    let wanted = match schema["format"].as_str() {
        Some("uri" | "url") => "https://example.test/a",
        Some("email") => "user@example.test",
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("date") => "2026-01-01",
        Some("uuid" | "guid") => "00000000-0000-4000-8000-000000000000",
        Some("ipv4") => "10.0.0.1",
        Some("cidrv4") => "10.0.0.0/24",
        _ => guess(name),
    };
    let pattern = schema["pattern"].as_str().and_then(|pattern| regex::Regex::new(pattern).ok());
    let fits =
        |text: &&str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(text)) && text.len() >= least;
    let chosen = std::iter::once(wanted).chain(TEXTS).find(fits).unwrap_or(wanted);
    format!("{chosen:x<least$}")
}

/// What the name of an argument wants.
fn guess(name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&["url", "endpoint", "uri"]) {
        "https://example.test/a"
    } else if has(&["host", "domain", "server"]) {
        "example.test"
    } else if has(&["path", "dir", "file"]) {
        "/tmp/x"
    } else if has(&["email"]) {
        "user@example.test"
    } else if has(&["date", "time", "since", "until"]) {
        "2026-01-01T00:00:00Z"
    } else if has(&["region"]) {
        "us-east-1"
    } else {
        "x"
    }
}

#[cfg(test)]
mod tests {
    use super::arguments;
    use serde_json::{Value, json};

    #[test]
    fn required_properties_get_values_that_their_schemas_accept() {
        let schema = json!({
            "type": "object",
            "required": ["name", "count", "mode", "tags", "nested", "password", "when", "id", "either"],
            "properties": {
                "name": { "type": "string", "minLength": 3 },
                "count": { "type": "integer", "minimum": 5 },
                "mode": { "enum": ["fast", "slow"] },
                "tags": { "type": "array", "minItems": 1, "items": { "type": "string" } },
                "nested": { "$ref": "#/$defs/n" },
                "password": { "type": "string", "sensitive": true },
                "when": { "type": "string", "format": "date" },
                "id": { "type": "string", "pattern": "^i-[0-9a-f]+$" },
                "either": { "anyOf": [{ "type": "null" }, { "type": "boolean" }] },
                "optional": { "type": "string" },
            },
            "$defs": { "n": { "type": "object", "required": ["url"], "properties": { "url": { "type": "string" } } } },
        });
        let expected = json!({
            "name": "example", "count": 5, "mode": "fast", "tags": ["x"], "password": "SECRET",
            "nested": { "url": "https://example.test/a" }, "when": "2026-01-01", "id": "i-0123456789abcdef0",
            "either": false,
        });
        assert_eq!(Value::Object(arguments(&schema, "SECRET")), expected);
    }
}
