//! Results as text, in the form of JavaScript: existing implementations write the same files.

use base64::Engine as _;

use super::json::write_double;
use super::{Kind, Value};
use crate::error::ExprError;

impl Value {
    /// The text that replaces an expression inside a longer text, with secrets in clear. Null is empty; lists and maps are
    /// JSON, indented by two.
    ///
    /// # Errors
    ///
    /// The value has no JSON, or is too large.
    pub fn to_text(&self) -> Result<String, ExprError> {
        Ok(match &self.kind {
            Kind::Null | Kind::Optional(None) => String::new(),
            Kind::Bool(truth) => truth.to_string(),
            Kind::Int(number) => number.to_string(),
            Kind::Uint(number) => number.to_string(),
            Kind::Double(number) => write_double(*number),
            Kind::Large(number) => number.to_string(),
            Kind::String(text) => text.to_string(),
            Kind::Bytes(bytes) => base64::engine::general_purpose::STANDARD.encode(bytes),
            Kind::List(_) | Kind::Map(_) | Kind::Lazy(_) => format!("{:#}", self.to_json()?),
            Kind::Timestamp(at) => at.to_string(),
            Kind::Duration(length) => length.to_string(),
            Kind::Type(name) => (*name).to_owned(),
            Kind::Optional(Some(value)) => value.to_text()?,
        })
    }
}

/// [`Value::to_text`] of JSON. JSON that nests too deeply for a value is written on one line.
pub fn to_text(json: &serde_json::Value) -> String {
    let text = Value::from_json(json).ok().and_then(|value| value.to_text().ok());
    text.unwrap_or_else(|| json.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use serde_json::json;

    #[test]
    fn prints_as_javascript_does() {
        for (value, text) in [
            (json!(null), ""),
            (json!(true), "true"),
            (json!("a\nb"), "a\nb"),
            (json!(3), "3"),
            (json!(-7), "-7"),
            (json!(18446744073709551615_u64), "18446744073709551615"),
            (json!(3.0), "3"),
            (json!(-0.0), "0"),
            (json!(1.5), "1.5"),
            (json!(0.1), "0.1"),
            (json!(123456789012345680000.0), "123456789012345680000"),
            (json!(1e21), "1e+21"),
            (json!(1.5e300), "1.5e+300"),
            (json!(0.000001), "0.000001"),
            (json!(1.5e-7), "1.5e-7"),
            (json!({}), "{}"),
            (json!([]), "[]"),
            (
                json!({"b": 1.0, "a": [null, "x", 2.5]}),
                "{\n  \"b\": 1,\n  \"a\": [\n    null,\n    \"x\",\n    2.5\n  ]\n}",
            ),
        ] {
            assert_eq!(Value::from_json(&value).unwrap().to_text().unwrap(), text, "{value}");
        }
        assert_eq!(Value::from(f64::INFINITY).to_text().unwrap(), "Infinity");
        assert!(Value::list([Value::from(f64::NAN)]).unwrap().to_text().is_err(), "JSON knows no NaN");
    }
}
