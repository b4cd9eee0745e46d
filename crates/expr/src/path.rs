//! The evaluator of this version: literals and paths.

use std::fmt::Write;

use marsh_types::near::nearest;
use serde_json::Value;

use crate::scan::{ident, is_ident_byte, skip_space, string_end};
use crate::{Evaluator, ExprError, Scope};

/// Evaluates `name`, `a.b`, `a["b-c"]`, `a[0]`, and literals. A path that a value does not have is an error, as it is
/// in CEL; everything else that CEL knows is [`ExprError::Unsupported`].
#[derive(Debug, Clone, Copy, Default)]
pub struct PathEvaluator;

impl Evaluator for PathEvaluator {
    fn evaluate(&self, expression: &str, scope: &Scope) -> Result<Value, ExprError> {
        let unsupported = || ExprError::Unsupported { expression: expression.to_owned() };
        if let Some(value) = literal(expression) {
            return Ok(value);
        }
        let (root, steps) = parse(expression).ok_or_else(unsupported)?;
        let mut value = scope.get(root).ok_or_else(|| ExprError::UnknownVariable {
            name: root.to_owned(),
            known: scope.roots().map(str::to_owned).collect(),
            near: nearest(root, scope.roots()).first().map(|near| (*near).to_owned()),
        })?;
        let mut path = root.to_owned();
        for step in steps {
            value = step.of(value, &path)?;
            step.append_to(&mut path);
        }
        Ok(value.clone())
    }
}

enum Step {
    Key(String),
    Index(i64),
}

impl Step {
    fn of<'v>(&self, value: &'v Value, path: &str) -> Result<&'v Value, ExprError> {
        let path = path.to_owned();
        match (self, value) {
            (Step::Key(key), Value::Object(map)) => map.get(key).ok_or_else(|| ExprError::NoSuchKey {
                key: key.clone(),
                path,
                near: nearest(key, map.keys().map(String::as_str)).first().map(|near| (*near).to_owned()),
            }),
            (Step::Index(index), Value::Array(items)) => {
                let item = usize::try_from(*index).ok().and_then(|index| items.get(index));
                item.ok_or(ExprError::OutOfBounds { path, index: *index, length: items.len() })
            }
            (Step::Index(index), Value::Object(_)) => {
                Err(ExprError::NoSuchKey { key: index.to_string(), path, near: None })
            }
            (step, other) => Err(ExprError::NotAContainer { key: step.name(), path, kind: kind_of(other) }),
        }
    }

    fn name(&self) -> String {
        match self {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        }
    }

    fn append_to(&self, path: &mut String) {
        let written = match self {
            Step::Key(key) if ident(key, 0) == Some(key.as_str()) => write!(path, ".{key}"),
            Step::Key(key) => write!(path, "[{}]", Value::from(key.as_str())),
            Step::Index(index) => write!(path, "[{index}]"),
        };
        // Writing to a string does not fail.
        written.ok();
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn parse(expression: &str) -> Option<(&str, Vec<Step>)> {
    let root = ident(expression, 0)?;
    let mut steps = Vec::new();
    let mut at = skip_space(expression, root.len());
    while at < expression.len() {
        let (step, end) = match expression.as_bytes()[at] {
            b'.' => {
                let start = skip_space(expression, at + 1);
                let key = ident(expression, start)?;
                (Step::Key(key.to_owned()), start + key.len())
            }
            b'[' => parse_index(expression, skip_space(expression, at + 1))?,
            _ => return None,
        };
        steps.push(step);
        at = skip_space(expression, end);
    }
    Some((root, steps))
}

/// From after the bracket to after the closing one.
fn parse_index(expression: &str, start: usize) -> Option<(Step, usize)> {
    let (step, end) = if let Some(end) = string_end(expression, start, false) {
        (Step::Key(unquote(&expression[start..end])?), end)
    } else {
        let length =
            expression[start..].bytes().take_while(|byte| is_ident_byte(*byte) || *byte == b'-').count();
        let end = start + length;
        (Step::Index(expression[start..end].parse().ok()?), end)
    };
    let close = skip_space(expression, end);
    expression[close..].starts_with(']').then_some((step, close + 1))
}

fn literal(expression: &str) -> Option<Value> {
    match expression {
        "true" => return Some(Value::Bool(true)),
        "false" => return Some(Value::Bool(false)),
        "null" => return Some(Value::Null),
        _ => {}
    }
    if string_end(expression, 0, false) == Some(expression.len()) {
        return unquote(expression).map(Value::String);
    }
    let (sign, digits) = expression.strip_prefix('-').map_or((1, expression), |digits| (-1, digits));
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok().map(|number| Value::from(sign * number));
    }
    if let Ok(integer) = expression.parse::<i64>() {
        return Some(Value::from(integer));
    }
    let is_double = digits.contains(['.', 'e', 'E']) && !digits.ends_with('.');
    let double = if is_double { expression.parse::<f64>().ok() } else { None };
    double.and_then(serde_json::Number::from_f64).map(Value::Number)
}

/// The text of a quoted string with the usual escapes. `None`: an escape we do not know.
fn unquote(quoted: &str) -> Option<String> {
    let width =
        if quoted.len() >= 6 && (quoted.starts_with("\"\"\"") || quoted.starts_with("'''")) { 3 } else { 1 };
    let inner = &quoted[width..quoted.len() - width];
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'u' => {
                let digits: String = chars.by_ref().take(4).collect();
                if digits.len() != 4 {
                    return None;
                }
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            c @ ('"' | '\'' | '\\' | '`' | '?') => c,
            _ => return None,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::PathEvaluator;
    use crate::{Evaluator, ExprError, Scope};
    use marsh_types::Explain;
    use serde_json::{Value, json};

    fn scope() -> Scope {
        Scope::new()
            .with(
                "inputs",
                json!({"name": "ada", "n": 3, "list": [1, {"k": "v"}], "a-b": 1, "nul": null, "it's": 2}),
            )
            .with("env", json!({"HOME": "/root"}))
            .with("workflowRunId", "7d3c")
    }

    fn eval(expression: &str) -> Result<Value, ExprError> {
        PathEvaluator.evaluate(expression, &scope())
    }

    #[test]
    fn paths_lead_to_values() {
        for (expression, value) in [
            ("inputs.name", json!("ada")),
            ("inputs . n", json!(3)),
            ("inputs.list", json!([1, {"k": "v"}])),
            ("inputs.list[1].k", json!("v")),
            ("inputs[\"list\"][ 0 ]", json!(1)),
            ("inputs['a-b']", json!(1)),
            (r"inputs['it\'s']", json!(2)),
            ("inputs.nul", json!(null)),
            ("workflowRunId", json!("7d3c")),
        ] {
            assert_eq!(eval(expression).unwrap(), value, "{expression}");
        }
    }

    #[test]
    fn literals_are_themselves() {
        for (expression, value) in [
            ("true", json!(true)),
            ("false", json!(false)),
            ("null", json!(null)),
            ("42", json!(42)),
            ("-1", json!(-1)),
            ("0x1F", json!(31)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("'a\"b'", json!("a\"b")),
            (r#""a\n\u00e9""#, json!("a\né")),
            ("\"\"", json!("")),
            ("'''a'b'''", json!("a'b")),
        ] {
            assert_eq!(eval(expression).unwrap(), value, "{expression}");
        }
    }

    #[test]
    fn what_is_not_a_path_is_refused_as_such() {
        for expression in [
            "inputs.n + 1",
            "inputs.a-b",
            "size(inputs.list)",
            "inputs.",
            "inputs[",
            "inputs[0",
            "inputs[x]",
            "inputs.?n",
            "[1]",
            "{}",
            "a b",
            "1u",
            "1.",
            "9223372036854775808",
            "'a' + 'b'",
            "'a",
            "-x",
            "!true",
            "",
            "inputs..n",
            r"'\q'",
            "é",
            "inputs.name // why",
        ] {
            let error = eval(expression).unwrap_err();
            assert_eq!(error, ExprError::Unsupported { expression: expression.to_owned() });
        }
    }

    #[test]
    fn errors_say_what_is_missing_and_what_was_meant() {
        for (expression, message, hint) in [
            (
                "input.name",
                "unknown variable `input`; known here: inputs, env, workflowRunId",
                Some("did you mean `inputs`?"),
            ),
            ("inputs.nme", "`inputs` has no key `nme`", Some("did you mean `name`?")),
            ("inputs.list[1].zzz", "`inputs.list[1]` has no key `zzz`", None),
            ("inputs[0]", "`inputs` has no key `0`", None),
            ("inputs.list[2]", "`inputs.list` has 2 elements, so there is none at index 2", None),
            ("inputs.list[-1]", "`inputs.list` has 2 elements, so there is none at index -1", None),
            ("inputs.nul.x", "`inputs.nul` is null and has no `x`", None),
            ("inputs['a-b'].x", "`inputs[\"a-b\"]` is a number and has no `x`", None),
            ("inputs.name[0]", "`inputs.name` is a string and has no `0`", None),
        ] {
            let error = eval(expression).unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.hint().as_deref()),
                (message, hint),
                "{expression}"
            );
        }
    }
}
