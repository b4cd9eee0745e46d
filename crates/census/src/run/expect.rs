//! Whether a result holds what a plan says.
//!
//! Objects hold at least the named members; a list is as long as expected; the text `*` stands for any value, and
//! a text `~…` for a text that contains the rest. Everything else is equal.

use serde_json::Value;

/// The first difference, as a sentence.
pub fn difference(actual: &Value, expected: &Value, at: &str) -> Option<String> {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected.iter().find_map(|(key, expected)| {
            let at = format!("{at}.{key}");
            match actual.get(key) {
                Some(actual) => difference(actual, expected, &at),
                None => Some(format!("{at} is missing")),
            }
        }),
        (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => {
            actual.iter().zip(expected).enumerate().find_map(|(index, (actual, expected))| {
                difference(actual, expected, &format!("{at}[{index}]"))
            })
        }
        (_, Value::String(pattern)) if pattern == "*" => None,
        (Value::String(text), Value::String(pattern))
            if pattern.strip_prefix('~').is_some_and(|part| text.contains(part)) =>
        {
            None
        }
        (actual, expected) if actual == expected => None,
        // The sources of both numbers are texts: `1.0` and `1` are one number.
        (Value::Number(actual), Value::Number(expected)) if actual.as_f64() == expected.as_f64() => None,
        (actual, expected) => Some(format!("{at} is {actual}, not {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::difference;
    use serde_json::json;

    #[test]
    fn members_may_be_more_and_lists_may_not() {
        let actual = json!({ "a": 1, "b": [1, { "c": "hello" }], "d": null });
        assert_eq!(difference(&actual, &json!({ "a": 1.0, "b": [1, { "c": "~ell" }] }), ""), None);
        assert_eq!(difference(&actual, &json!({ "b": "*", "d": "*" }), ""), None);
        assert_eq!(difference(&actual, &json!({ "e": "*" }), "r").unwrap(), "r.e is missing");
        assert_eq!(
            difference(&actual, &json!({ "b": [1] }), "r").unwrap(),
            r#"r.b is [1,{"c":"hello"}], not [1]"#
        );
        assert_eq!(
            difference(&actual, &json!({ "b": [1, { "c": "~x" }] }), "r").unwrap(),
            r#"r.b[1].c is "hello", not "~x""#
        );
    }
}
