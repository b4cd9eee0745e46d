//! Putting results in the place of expressions, anywhere in a value.

use std::fmt;

use serde_json::{Map, Value};

use crate::refs::quote_model_names;
use crate::template::{Segment, only_expression, segments};
use crate::text::to_text;
use crate::{Evaluator, ExprError, ExprErrorAt, Scope};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The first failure ends the expansion.
    Strict,
    /// An expression that fails stays as the text it was, and is reported.
    Lenient,
}

/// A value with its expressions replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Expanded {
    pub value: Value,
    /// What failed, in lenient mode. Expressions that were skipped are not in it.
    pub unresolved: Vec<Unresolved>,
}

/// An expression that stayed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    pub pointer: String,
    pub expression: String,
    pub reason: ExprError,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`: {}", self.pointer, self.expression, self.reason)
    }
}

/// Replaces every expression in `value`, except those for which `skip` is true: they stay text for a later pass.
///
/// Results are not looked at again in this pass. In a later pass they are: whoever expands in several passes must keep
/// text that users supplied from being read as an expression then.
pub fn expand(
    value: &Value,
    evaluator: &dyn Evaluator,
    scope: &Scope,
    mode: Mode,
    skip: impl Fn(&str) -> bool,
) -> Result<Expanded, ExprErrorAt> {
    let mut expansion = Expansion { evaluator, scope, mode, skip: &skip, unresolved: Vec::new() };
    let value = expansion.value(value, &mut String::new())?;
    Ok(Expanded { value, unresolved: expansion.unresolved })
}

/// [`expand()`] for one text, in strict mode.
pub fn expand_text(text: &str, evaluator: &dyn Evaluator, scope: &Scope) -> Result<Value, ExprErrorAt> {
    let value = Value::String(text.to_owned());
    expand(&value, evaluator, scope, Mode::Strict, |_| false).map(|expanded| expanded.value)
}

/// Whether there is an expression anywhere in the value.
pub fn contains_expression(value: &Value) -> bool {
    match value {
        Value::String(text) => segments(text).iter().any(|piece| matches!(piece, Segment::Expression { .. })),
        Value::Array(items) => items.iter().any(contains_expression),
        Value::Object(map) => map.values().any(contains_expression),
        _ => false,
    }
}

/// All expressions in the value, with the JSON pointers of the texts that hold them.
pub fn expressions(value: &Value) -> Vec<(String, String)> {
    fn collect(value: &Value, pointer: &mut String, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => {
                found.extend(segments(text).into_iter().filter_map(|piece| match piece {
                    Segment::Expression { expression, .. } => Some((pointer.clone(), expression.to_owned())),
                    Segment::Text(_) => None,
                }));
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    below(pointer, &index.to_string(), |pointer| collect(item, pointer, found));
                }
            }
            Value::Object(map) => {
                for (key, item) in map {
                    below(pointer, key, |pointer| collect(item, pointer, found));
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(value, &mut String::new(), &mut found);
    found
}

/// Runs `visit` with the pointer one level down.
fn below<T>(pointer: &mut String, key: &str, visit: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    let result = visit(pointer);
    pointer.truncate(length);
    result
}

struct Expansion<'a> {
    evaluator: &'a dyn Evaluator,
    scope: &'a Scope,
    mode: Mode,
    skip: &'a dyn Fn(&str) -> bool,
    unresolved: Vec<Unresolved>,
}

impl Expansion<'_> {
    fn value(&mut self, value: &Value, pointer: &mut String) -> Result<Value, ExprErrorAt> {
        match value {
            Value::String(text) => self.text(text, pointer),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| {
                        below(pointer, &index.to_string(), |pointer| self.value(item, pointer))
                    })
                    .collect()
            }
            Value::Object(map) => {
                let mut expanded = Map::with_capacity(map.len());
                for (key, item) in map {
                    let item = below(pointer, key, |pointer| self.value(item, pointer))?;
                    expanded.insert(key.clone(), item);
                }
                Ok(Value::Object(expanded))
            }
            other => Ok(other.clone()),
        }
    }

    fn text(&mut self, text: &str, pointer: &str) -> Result<Value, ExprErrorAt> {
        if let Some(expression) = only_expression(text) {
            let result = self.evaluate(expression, pointer)?;
            return Ok(result.unwrap_or_else(|| Value::String(text.to_owned())));
        }
        let mut expanded = String::with_capacity(text.len());
        for piece in segments(text) {
            match piece {
                Segment::Text(text) => expanded.push_str(text),
                Segment::Expression { source, expression } => match self.evaluate(expression, pointer)? {
                    Some(value) => expanded.push_str(&to_text(&value)),
                    None => expanded.push_str(source),
                },
            }
        }
        Ok(Value::String(expanded))
    }

    /// `None`: the expression stays text.
    fn evaluate(&mut self, expression: &str, pointer: &str) -> Result<Option<Value>, ExprErrorAt> {
        if (self.skip)(expression) {
            return Ok(None);
        }
        let (pointer, reason) = match self.evaluator.evaluate(&quote_model_names(expression), self.scope) {
            Ok(value) => return Ok(Some(value)),
            Err(reason) => (pointer.to_owned(), reason),
        };
        let expression = expression.to_owned();
        if self.mode == Mode::Strict {
            return Err(ExprErrorAt { pointer, expression, source: Box::new(reason) });
        }
        self.unresolved.push(Unresolved { pointer, expression, reason });
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, contains_expression, expand, expand_text, expressions};
    use crate::{PathEvaluator, Scope, references};
    use marsh_types::Explain;
    use serde_json::{Value, json};

    fn scope() -> Scope {
        Scope::new()
            .with(
                "inputs",
                json!({"name": "ada", "n": 3, "list": [1, 2], "nul": null, "trap": "${{ inputs.name }}"}),
            )
            .with("model", json!({"my-vpc": {"resource": {"id": "vpc-1"}}}))
    }

    #[test]
    fn a_lone_expression_keeps_its_type_and_others_become_text() {
        for (text, expected) in [
            ("${{ inputs.n }}", json!(3)),
            ("${{ inputs.list }}\n", json!([1, 2])),
            ("${{ inputs.nul }}", json!(null)),
            ("n=${{ inputs.n }}", json!("n=3")),
            ("${{ inputs.name }}${{ inputs.n }}", json!("ada3")),
            ("[${{ inputs.nul }}]", json!("[]")),
            ("l: ${{ inputs.list }}", json!("l: [\n  1,\n  2\n]")),
            ("${{ model.my-vpc.resource.id }}", json!("vpc-1")),
            ("no expression", json!("no expression")),
            ("${{ inputs.trap }}!", json!("${{ inputs.name }}!")),
        ] {
            assert_eq!(expand_text(text, &PathEvaluator, &scope()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn values_are_expanded_at_any_depth_and_keys_never() {
        let value = json!({"${{ inputs.n }}": [{"a": "${{ inputs.n }}"}, 1, true, null]});
        let expanded = expand(&value, &PathEvaluator, &scope(), Mode::Strict, |_| false).unwrap();
        assert_eq!(expanded.value, json!({"${{ inputs.n }}": [{"a": 3}, 1, true, null]}));
        assert!(expanded.unresolved.is_empty());
    }

    #[test]
    fn strict_expansion_says_where_it_failed() {
        let value = json!({"jobs": [{"a/b": "x ${{ inputs.nam }}"}]});
        let error = expand(&value, &PathEvaluator, &scope(), Mode::Strict, |_| false).unwrap_err();
        assert_eq!(error.pointer, "/jobs/0/a~1b");
        assert!(value.pointer(&error.pointer).is_some());
        assert_eq!(
            error.to_string(),
            "cannot evaluate `inputs.nam` at /jobs/0/a~1b: `inputs` has no key `nam`"
        );
        assert_eq!(error.hint().as_deref(), Some("did you mean `name`?"));
    }

    #[test]
    fn lenient_expansion_leaves_what_fails_as_it_was() {
        let value = json!(["${{ inputs.n }}", "${{ nope }} ", "${{ inputs.name }}-${{ a + b }}"]);
        let expanded = expand(&value, &PathEvaluator, &scope(), Mode::Lenient, |_| false).unwrap();
        assert_eq!(expanded.value, json!([3, "${{ nope }} ", "ada-${{ a + b }}"]));
        let unresolved: Vec<_> =
            expanded.unresolved.iter().map(|left| (&*left.pointer, &*left.expression)).collect();
        assert_eq!(unresolved, [("/1", "nope"), ("/2", "a + b")]);
    }

    #[test]
    fn skipped_expressions_wait_for_a_later_pass() {
        let value = json!({"a": "${{ vault.get('v', 'k') }}", "b": "${{ inputs.name }}:${{ env.HOME }}"});
        let late =
            |expression: &str| references(expression).iter().any(|root| root == "vault" || root == "env");
        let expanded = expand(&value, &PathEvaluator, &scope(), Mode::Strict, late).unwrap();
        assert_eq!(expanded.value, json!({"a": "${{ vault.get('v', 'k') }}", "b": "ada:${{ env.HOME }}"}));
        assert!(expanded.unresolved.is_empty());
    }

    #[test]
    fn expressions_are_found_without_evaluation() {
        let value = json!({"a": ["x", "${{ p }} ${{ q.r }}"], "b": {"${{ k }}": 1}});
        let found = expressions(&value);
        assert_eq!(found, [("/a/1".to_owned(), "p".to_owned()), ("/a/1".to_owned(), "q.r".to_owned())]);
        assert!(contains_expression(&value));
        assert!(!contains_expression(&json!({"${{ k }}": ["${{ open", 1]})));
        assert!(!contains_expression(&Value::Null));
    }
}
