//! Results as text, as JavaScript prints them: files that hold such text must not depend on who expanded them.

use serde_json::{Number, Value};

/// The text that stands in place of an expression inside a longer text. Null is nothing; lists and maps are JSON,
/// indented by two.
pub fn to_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number_text(number),
        Value::Array(_) | Value::Object(_) => format!("{:#}", with_plain_numbers(value)),
    }
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(double) if number.is_f64() => double_text(double),
        _ => number.to_string(),
    }
}

/// Decimal from 1e-6 up to 1e21, else with an exponent.
fn double_text(double: f64) -> String {
    if double == 0.0 {
        return "0".to_owned();
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

/// JSON has one kind of number, and prints 1.0 as 1.
fn with_plain_numbers(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_plain_numbers).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), with_plain_numbers(value))).collect()
        }
        Value::Number(number) => {
            let integral = number.as_f64().filter(|double| double.fract() == 0.0 && double.abs() < 1e15);
            integral.map_or_else(|| value.clone(), |double| Value::from(double as i64))
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::to_text;
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
            assert_eq!(to_text(&value), text, "{value}");
        }
    }
}
