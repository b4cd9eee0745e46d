//! Conversion of values from and to JSON.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Number, Value as Json};

use super::{Kind, Value};
use crate::error::{ExprError, ExprErrorKind};
use crate::pointer::{Pointers, below, push};
use crate::too_deep::{MAX_DEPTH, TooDeep};

/// How large a result may be as JSON, about.
const MAX_JSON: usize = 64 << 20;

/// Whole numbers up to here are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Value {
    /// A value from JSON. Numbers become doubles; a number that a double cannot hold keeps its digits until an expression
    /// computes with it.
    ///
    /// # Errors
    ///
    /// The JSON nests too deeply.
    pub fn from_json(json: &Json) -> Result<Value, TooDeep> {
        Value::from_json_with_secrets(json, &|_| false)
    }

    /// [`Value::from_json`]; `is_secret` selects secrets by their JSON pointers.
    ///
    /// # Errors
    ///
    /// The JSON nests too deeply.
    pub fn from_json_with_secrets(json: &Json, is_secret: &dyn Fn(&str) -> bool) -> Result<Value, TooDeep> {
        from_json(json, &mut String::new(), is_secret, 0)
    }

    /// The JSON of the value, with secrets in clear. Bytes, timestamps and durations are text, as in the JSON form of protocol
    /// buffers. An optional is its value, or null.
    ///
    /// # Errors
    ///
    /// The value has no JSON (infinite numbers, types), or is too large.
    pub fn to_json(&self) -> Result<Json, ExprError> {
        self.to_json_noting(&mut String::new(), &mut Vec::new())
    }

    /// [`Value::to_json`]; the pointers of what is secret go to `secrets`.
    pub(crate) fn to_json_noting(
        &self,
        pointer: &mut String,
        secrets: &mut Pointers,
    ) -> Result<Json, ExprError> {
        Writer { pointer, secrets, left: MAX_JSON }.write(self, 0)
    }
}

/// Values share their parts, and JSON does not: what is small as a value may be large in JSON.
struct Writer<'w> {
    pointer: &'w mut String,
    secrets: &'w mut Pointers,
    left: usize,
}

impl Writer<'_> {
    fn write(&mut self, value: &Value, depth: u16) -> Result<Json, ExprError> {
        let length = match &value.kind {
            Kind::String(text) => text.len(),
            Kind::Bytes(bytes) => bytes.len() * 2,
            _ => 0,
        };
        let limit = ExprErrorKind::Limit { what: "the result has more bytes", limit: MAX_JSON };
        self.left = self.left.checked_sub(length + size_of::<Json>()).ok_or(limit)?;
        if value.secret {
            self.secrets.push(self.pointer.clone());
        }
        Ok(match &value.kind {
            Kind::Null | Kind::Optional(None) => Json::Null,
            Kind::Bool(truth) => Json::Bool(*truth),
            Kind::Int(number) => Json::from(*number),
            Kind::Uint(number) => Json::from(*number),
            Kind::Double(number) => Json::Number(double_to_json(*number)?),
            Kind::Large(number) => Json::Number(number.clone()),
            Kind::String(text) => Json::String(text.to_string()),
            Kind::List(list) => {
                let items = list.items.iter().enumerate();
                let items = items.map(|(index, item)| self.below(&index.to_string(), item, depth));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Kind::Map(map) => {
                let mut object = JsonMap::with_capacity(map.entries.len());
                for (key, item) in &map.entries {
                    object.insert(key.to_string(), self.below(key, item, depth)?);
                }
                Json::Object(object)
            }
            Kind::Lazy(lookup) => {
                // Lookups may return lookups without end.
                if depth >= MAX_DEPTH {
                    return Err(ExprErrorKind::TooDeep(TooDeep).into());
                }
                let mut object = JsonMap::new();
                for key in lookup.keys()? {
                    let Some(item) = lookup.get(&key)? else { continue };
                    let item = self.below(&key, &item, depth)?;
                    object.insert(key, item);
                }
                Json::Object(object)
            }
            Kind::Optional(Some(inside)) => {
                let before = self.secrets.len();
                let json = self.write(inside, depth + 1)?;
                if value.secret {
                    self.secrets.truncate(before);
                }
                json
            }
            Kind::Bytes(_) | Kind::Timestamp(_) | Kind::Duration(_) | Kind::Type(_) => {
                Json::String(value.to_text()?)
            }
        })
    }

    fn below(&mut self, key: &str, value: &Value, depth: u16) -> Result<Json, ExprError> {
        let length = self.pointer.len();
        push(self.pointer, key);
        let json = self.write(value, depth + 1);
        self.pointer.truncate(length);
        json
    }
}

fn from_json(
    json: &Json,
    pointer: &mut String,
    is_secret: &dyn Fn(&str) -> bool,
    depth: u16,
) -> Result<Value, TooDeep> {
    if depth > MAX_DEPTH {
        return Err(TooDeep);
    }
    let value = match json {
        Json::Null => Value::NULL,
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => Value::new(number_from_json(number)),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => {
            let items: Result<Vec<Value>, TooDeep> = items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    below(pointer, &index.to_string(), |pointer| {
                        from_json(item, pointer, is_secret, depth + 1)
                    })
                })
                .collect();
            Value::list(items?)?
        }
        Json::Object(map) => {
            let mut entries: Vec<(Arc<str>, Value)> = Vec::with_capacity(map.len());
            for (key, item) in map {
                let item = below(pointer, key, |pointer| from_json(item, pointer, is_secret, depth + 1))?;
                entries.push((key.as_str().into(), item));
            }
            Value::map(entries)?
        }
    };
    Ok(value.tainted(is_secret(pointer)))
}

fn number_from_json(number: &Number) -> Kind {
    match number.as_f64() {
        Some(double) if double.abs() < EXACT || !(number.is_i64() || number.is_u64()) => Kind::Double(double),
        _ => Kind::Large(number.clone()),
    }
}

/// Written as JavaScript writes it: JSON has one kind of number, and 1.0 is 1.
fn double_to_json(double: f64) -> Result<Number, ExprError> {
    let text = write_double(double);
    text.parse().map_err(|_| ExprErrorKind::NotFinite { value: text }.into())
}

/// Decimal from 1e-6 up to 1e21, else with an exponent, as JavaScript prints numbers.
pub(crate) fn write_double(double: f64) -> String {
    if double == 0.0 {
        return "0".to_owned();
    }
    if !double.is_finite() {
        let text = if double.is_nan() {
            "NaN"
        } else if double > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        return text.to_owned();
    }
    if (1e-6..1e21).contains(&double.abs()) {
        return double.to_string();
    }
    let text = format!("{double:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use serde_json::{Value as Json, json};

    #[test]
    fn json_passes_through_unchanged_but_for_the_form_of_numbers() {
        for (given, expected) in [
            (
                json!({"b": [1, 2.5, null, true, "x"], "a": {}}),
                json!({"b": [1, 2.5, null, true, "x"], "a": {}}),
            ),
            (json!(3.0), json!(3)),
            (json!(-0.0), json!(0)),
            (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_993_i64)),
            (json!(18_446_744_073_709_551_615_u64), json!(18_446_744_073_709_551_615_u64)),
        ] {
            let through = Value::from_json(&given).unwrap().to_json().unwrap();
            assert_eq!(through.to_string(), expected.to_string());
        }
    }

    #[test]
    fn secrets_are_noted_by_pointer() {
        let json = json!({"user": "ada", "auth": {"pass": "x", "a/b": ["y", "z"]}});
        let secret = ["/auth/pass", "/auth/a~1b/1"];
        let value = Value::from_json_with_secrets(&json, &|pointer| secret.contains(&pointer)).unwrap();
        let mut noted = Vec::new();
        assert_eq!(value.to_json_noting(&mut String::new(), &mut noted).unwrap(), json);
        assert_eq!(noted, secret);
    }

    #[test]
    fn what_nests_too_deeply_is_refused() {
        let mut json = Json::Null;
        for _ in 0..super::MAX_DEPTH + 1 {
            json = Json::Array(vec![json]);
        }
        assert!(Value::from_json(&json).is_err());
    }
}
