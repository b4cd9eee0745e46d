//! Reading and writing YAML. All YAML goes through this module, so that the library can change and every error has a line
//! and a column.
//!
//! Files are shared with other implementations, so readers of YAML 1.1 and 1.2 must both read a written string as the same
//! string. A string that a reader could take for a number, a date, a boolean or null is quoted
//! (`ambiguous_strings_round_trip`).

mod node;

use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

pub use node::{At, Key, Node, NodeKind};

/// A YAML document that could not be read. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// The parser's message, without the position.
    pub message: String,
    /// The line of the error.
    pub line: Option<u64>,
    /// The column of the error.
    pub column: Option<u64>,
    /// The source line of the error, without its line break.
    pub source_line: Option<String>,
}

/// Reads one document.
///
/// # Errors
/// The text is not YAML, or does not have the shape of `T`.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    // `yes`, `on` and `y` are text in YAML 1.2, which is what files of this format are written in.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| yaml_error(&error, text))
}

fn yaml_error(error: &serde_saphyr::Error, text: &str) -> YamlError {
    let plain = error.without_snippet();
    let location = plain.location();
    let line = location.map(|l| l.line());
    let column = location.map(|l| l.column());
    // The library appends ` at line L, column C`, which are fields here.
    let mut message = plain.to_string();
    if let Some(at) = message.rfind(" at line ") {
        message.truncate(at);
    }
    let source_line = line
        .and_then(|line| usize::try_from(line).ok())
        .and_then(|line| text.lines().nth(line.saturating_sub(1)))
        .map(str::to_owned);
    YamlError { message, line, column, source_line }
}

/// A value has no form in YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write YAML: {0}")]
pub struct YamlWriteError(String);

/// Writes one document in block style, with the keys in the order of `value`.
///
/// # Errors
/// `value` has no form in JSON, for example a map whose keys are lists.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, YamlWriteError> {
    // JSON text fixes the order of keys. Text, not a tree: the tree of a record with thousands of steps is large.
    let json = to_raw_value(value).map_err(|error| YamlWriteError(error.to_string()))?;
    let options = serde_saphyr::ser_options! { compact_list_indent: false, folded_wrap_chars: usize::MAX, min_fold_chars: usize::MAX };
    serde_saphyr::to_string_with_options(&Plain(&json), options)
        .map_err(|error| YamlWriteError(error.to_string()))
}

/// JSON text that is read level by level while it is written. It passes numbers to the writer as numbers: with
/// `arbitrary_precision`, serde_json would pass them as a private map that only its own serializer understands
/// (`numbers_are_written_as_numbers`).
struct Plain<'a>(&'a RawValue);

impl Serialize for Plain<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = read(text)?;
                serializer.collect_map(members.iter().map(|(key, value)| (key, Plain(value))))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = read(text)?;
                serializer.collect_seq(items.into_iter().map(Plain))
            }
            _ => match read(text)? {
                Value::Bool(flag) => serializer.serialize_bool(flag),
                Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                    (Some(number), _, _) => serializer.serialize_i64(number),
                    (_, Some(number), _) => serializer.serialize_u64(number),
                    (_, _, Some(number)) => serializer.serialize_f64(number),
                    _ => serializer.serialize_str(&number.to_string()),
                },
                Value::String(text) => serializer.serialize_str(&text),
                _ => serializer.serialize_unit(),
            },
        }
    }
}

fn read<'a, T: Deserialize<'a>, E: serde::ser::Error>(text: &'a str) -> Result<T, E> {
    serde_json::from_str(text).map_err(E::custom)
}

/// The members of an object, in order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{from_str, to_string};

    #[test]
    fn ambiguous_strings_round_trip() {
        let words = [
            "2026.02.09.1",
            "2026-08-22T10:15:00.123Z",
            "2026-08-22",
            "yes",
            "No",
            "on",
            "1e3",
            "0x1F",
            "null",
            "~",
            "",
            "1_000",
            "12:30:45",
            "1.5",
            ".5",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "@me/x",
            "`x`",
            "${{ inputs.a }}",
            "{a}",
            "[a]",
            "a, b",
            "*a",
            "&a",
            "!a",
            "%a",
            "|",
            ">",
            " lead",
            "trail ",
            "tab\there",
            "line\nline",
            "line\n",
            "a\n\n",
            "\n",
            "'quoted'",
            "\"double\"",
            "back\\slash",
            "ü",
            "日本",
            "\u{7f}",
            "\u{feff}x",
            "\r\n",
            "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001",
            "12345678-1234-1234-1234-123456789012",
            "1234",
            "=",
            "<<",
            "?",
            "? a",
            ":",
            "a:",
            "Infinity",
            "NaN",
            "a\n  b\n",
            "  a\nb",
            "x \ny",
            "---",
            "...",
            "--- a",
        ];
        let long = "word ".repeat(60);
        let words = words.into_iter().chain([long.as_str(), long.trim_end()]);
        for word in words {
            for document in [
                json!({"k": word}),
                json!([word]),
                json!({word: "v"}),
                json!({"a": [{"b": word, "c": [word]}]}),
                json!(word),
            ] {
                let text = to_string(&document).unwrap();
                let back: Value =
                    from_str(&text).unwrap_or_else(|error| panic!("{word:?}: {error:?}\n{text}"));
                assert_eq!(back, document, "{text}");
            }
        }
    }

    #[test]
    fn written_document_has_block_style_and_the_given_order() {
        let document = json!({"type": "command/shell", "typeVersion": "2026.02.09.1", "tags": {}, "methods": {"execute": {"arguments": {"run": "echo a\necho b\n"}}}, "jobs": [{"name": "main", "steps": [{"name": "a"}, {"name": "b"}]}], "list": [1, 2.5, true, null]});
        let expected = "type: command/shell\ntypeVersion: \"2026.02.09.1\"\ntags: {}\nmethods:\n  execute:\n    arguments:\n      run: |\n        echo a\n        echo b\njobs:\n  - name: main\n    steps:\n      - name: a\n      - name: b\nlist:\n  - 1\n  - 2.5\n  - true\n  - null\n";
        assert_eq!(to_string(&document).unwrap(), expected);
        assert_eq!(from_str::<Value>(expected).unwrap(), document);
    }

    #[test]
    fn invalid_yaml_fails_with_line_column_and_source_line() {
        let error = from_str::<Value>("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(error.line.is_some() && error.column.is_some(), "{error:?}");
        assert!(error.source_line.is_some(), "{error:?}");
        assert!(!error.message.contains(" at line "), "{error:?}");
    }

    #[test]
    fn numbers_are_written_as_numbers() {
        let document = json!({"int": 1, "big": u64::MAX, "negative": -3, "float": 0.5});
        let text = to_string(&document).unwrap();
        assert_eq!(text, "int: 1\nbig: 18446744073709551615\nnegative: -3\nfloat: 0.5\n");
        let back: Value = from_str(&text).unwrap();
        assert_eq!(back["big"].as_u64(), Some(u64::MAX));
        assert_eq!(back["int"], json!(1));
    }

    #[test]
    fn long_text_without_spaces_stays_on_one_line() {
        let path = "a/".repeat(100);
        assert_eq!(to_string(&json!({ "path": path })).unwrap(), format!("path: {path}\n"));
    }

    #[test]
    fn long_keys_round_trip() {
        for length in [1000, 1023, 1024, 1025, 4000] {
            let value = json!({ "a".repeat(length): { "b: ".repeat(length): 1 }, "last": [{ "é".repeat(length): null }] });
            let text = to_string(&value).unwrap();
            assert_eq!(from_str::<Value>(&text).unwrap(), value, "{length}: {text}");
        }
    }

    #[test]
    fn only_true_and_false_are_booleans() {
        let value: Value = from_str("a: yes\nb: on\nc: y\nd: true\ne: no\n").unwrap();
        assert_eq!(value, json!({"a": "yes", "b": "on", "c": "y", "d": true, "e": "no"}));
    }

    #[test]
    fn document_with_duplicate_keys_is_refused() {
        assert!(from_str::<Value>("a: 1\na: 2\n").is_err());
    }
}
