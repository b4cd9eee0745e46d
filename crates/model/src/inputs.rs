//! Inputs of runs: the forms of `--input`, the schema that definitions and workflows declare, and what definitions use.

use serde_json::{Map, Value};

use crate::error::{Issue, ModelError};

pub use crate::input_schema::InputSchema;
pub use crate::input_uses::InputUses;

/// Reads the files of `key=@file`. The caller decides what `~` and relative paths mean.
pub trait FileReader {
    /// Reads a file as text.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not UTF-8.
    fn read(&self, path: &str) -> std::io::Result<String>;
}

/// Merges the values of `--input`: `key=value`, nested `a.b=value`, typed `key:json=…`, `key=@file`, or one JSON object.
/// Values are text until a schema converts them.
///
/// # Errors
///
/// [`ModelError::Validation`] names the key of the first invalid value.
pub fn parse_inputs(values: &[String], files: &dyn FileReader) -> Result<Map<String, Value>, ModelError> {
    let fail = |field: &str, message: String| ModelError::Validation {
        what: "inputs".into(),
        issues: vec![Issue::new(field, message)],
    };
    if let [single] = values
        && single.trim_start().starts_with('{')
    {
        return match serde_json::from_str(single) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(fail("", "expected a JSON object or key=value".into())),
            Err(error) => Err(fail("", format!("invalid JSON in `--input`: {error}"))),
        };
    }
    let mut result = Map::new();
    for text in values {
        let Some((key, value)) = text.split_once('=') else {
            return Err(fail(text, "expected key=value".into()));
        };
        let (key, value) = match key.strip_suffix(":json") {
            Some(key) => {
                let value = serde_json::from_str(value)
                    .map_err(|error| fail(key, format!("invalid JSON: {error}")))?;
                (key, value)
            }
            None => {
                (key, Value::String(text_value(key, value, files).map_err(|message| fail(key, message))?))
            }
        };
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(fail(key, "the key is empty".into()));
        }
        insert_nested(&mut result, key, value).map_err(|message| fail(key, message))?;
    }
    Ok(result)
}

fn text_value(key: &str, value: &str, files: &dyn FileReader) -> Result<String, String> {
    if let Some(literal) = value.strip_prefix("\\@") {
        return Ok(format!("@{literal}"));
    }
    match value.strip_prefix('@') {
        Some(path) if !looks_like_scoped_name(value) => {
            files.read(path).map_err(|error| format!("cannot read the file of `{key}`, {path}: {error}"))
        }
        _ => Ok(value.to_owned()),
    }
}

/// Whether the text is a name such as `@scope/name` and not a file: it has only the characters of names, so no dot.
fn looks_like_scoped_name(value: &str) -> bool {
    value.strip_prefix('@').is_some_and(|rest| {
        rest.contains('/')
            && rest.split('/').all(|segment| {
                !segment.is_empty()
                    && segment
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
            })
    })
}

fn insert_nested(map: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), String> {
    let Some((head, rest)) = key.split_once('.') else {
        map.insert(key.to_owned(), value);
        return Ok(());
    };
    let entry = map.entry(head.to_owned()).or_insert_with(|| Value::Object(Map::new()));
    match entry {
        Value::Object(inner) => insert_nested(inner, rest, value),
        _ => Err(format!("`{head}` is already a value and cannot hold `{rest}`")),
    }
}

/// Merges `over` into `base`: maps merge key by key, other values are replaced.
pub fn merge(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => merge(inner, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FileReader, InputSchema, merge, parse_inputs};

    struct Files;
    impl FileReader for Files {
        fn read(&self, path: &str) -> std::io::Result<String> {
            if path == "f.txt" { Ok("content\n".into()) } else { Err(std::io::ErrorKind::NotFound.into()) }
        }
    }

    fn parse(values: &[&str]) -> Result<Value, String> {
        let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
        parse_inputs(&values, &Files).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_of_input_is_parsed() {
        let cases = [
            (vec!["a=1"], json!({"a": "1"})),
            (vec!["a.b.c=v", "a.b.d=w"], json!({"a": {"b": {"c": "v", "d": "w"}}})),
            (vec!["n:json=[1,2]"], json!({"n": [1, 2]})),
            (vec!["a.b:json=true"], json!({"a": {"b": true}})),
            (vec!["t=@f.txt"], json!({"t": "content\n"})),
            (vec!["t=\\@x"], json!({"t": "@x"})),
            (vec!["t=@scope/name"], json!({"t": "@scope/name"})),
            (vec!["t=a=b"], json!({"t": "a=b"})),
            (vec![r#"{"a": {"b": 1}}"#], json!({"a": {"b": 1}})),
            (vec!["empty="], json!({"empty": ""})),
        ];
        for (values, expected) in cases {
            assert_eq!(parse(&values).unwrap(), expected, "{values:?}");
        }
    }

    #[test]
    fn an_invalid_input_names_its_key() {
        for (values, word) in [
            (vec!["abc"], "abc"),
            (vec!["k:json={"], "`k`"),
            (vec!["k=@none.txt"], "none.txt"),
            (vec!["=v"], "empty"),
            (vec!["a=1", "a.b=2"], "`a`"),
            (vec!["{not json"], "JSON"),
        ] {
            let error = parse(&values).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_schema_converts_fills_and_names_fields() {
        let schema = json!({"properties": {"n": {"type": "integer"}, "flag": {"type": "boolean", "default": true}, "s": {"type": "string", "enum": ["a", "b"]}}, "required": ["n"]});
        let schema = InputSchema::of(&schema).unwrap();
        let mut values = json!({"n": "4"}).as_object().unwrap().clone();
        schema.fill(&mut values);
        assert_eq!(Value::Object(values.clone()), json!({"n": 4, "flag": true}));
        assert!(schema.check(&values, |_| true).is_empty());
        let wrong = json!({"n": "four", "s": "c"}).as_object().unwrap().clone();
        let fields: Vec<String> = schema.check(&wrong, |_| true).into_iter().map(|i| i.field).collect();
        assert_eq!(fields, ["n", "s"]);
        let none = serde_json::Map::new();
        assert_eq!(schema.check(&none, |_| true)[0].field, "n");
        assert!(schema.check(&none, |_| false).is_empty());
    }

    #[test]
    fn maps_merge_at_every_level() {
        let mut base = json!({"a": {"x": 1}, "b": 1}).as_object().unwrap().clone();
        merge(&mut base, json!({"a": {"y": 2}, "b": {"c": 3}}).as_object().unwrap().clone());
        assert_eq!(Value::Object(base), json!({"a": {"x": 1, "y": 2}, "b": {"c": 3}}));
    }
}
