//! Expansion: results replace expressions anywhere in a value.

use std::fmt;

use serde_json::{Map, Value};

use crate::pointer::{Pointers, below};
use crate::program::redact;
use crate::template::{Segment, only_expression, segments};
use crate::too_deep::TooDeep;
use crate::{Evaluator, ExprError, ExprErrorAt, ExprErrorKind, Scope};

/// The deepest nesting of a value whose expressions are expanded.
const MAX_DEPTH: usize = 300;

/// What happens when an expression fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The first failure ends the expansion.
    Strict,
    /// An expression that fails stays text, and is reported.
    Lenient,
}

/// A value with its expressions replaced.
#[derive(Clone, PartialEq)]
pub struct Expanded {
    /// Secrets in clear.
    pub value: Value,
    /// JSON pointers to the secret parts.
    pub secrets: Vec<String>,
    /// The expressions that failed, in lenient mode, without those that were skipped.
    pub unresolved: Vec<Unresolved>,
}

impl Expanded {
    /// Whether any part is secret.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The value with `mark` in the place of each secret, for display.
    pub fn redacted(&self, mark: &str) -> Value {
        redact(&self.value, &self.secrets, mark)
    }

    /// The value for a file: where a text became a value that holds a secret, the `written` text stays, with its reference.
    /// The whole text stays, so that a user's text is not evaluated later.
    pub fn with_references(&self, written: &Value) -> Value {
        with_references(&self.value, written, &self.secrets, &mut String::new())
    }
}

fn with_references(value: &Value, written: &Value, secrets: &[String], pointer: &mut String) -> Value {
    match (written, value) {
        (Value::String(_), _) => {
            let inside = format!("{pointer}/");
            let is_secret = |secret: &String| secret == pointer || secret.starts_with(&inside);
            if secrets.iter().any(is_secret) { written.clone() } else { value.clone() }
        }
        (Value::Array(written), Value::Array(items)) => {
            let pairs = written.iter().zip(items).enumerate();
            pairs
                .map(|(index, (written, item))| {
                    below(pointer, &index.to_string(), |at| with_references(item, written, secrets, at))
                })
                .collect()
        }
        (Value::Object(written), Value::Object(map)) => {
            let entry = |(key, item): (&String, &Value)| {
                let kept = match written.get(key) {
                    Some(written) => below(pointer, key, |at| with_references(item, written, secrets, at)),
                    None => item.clone(),
                };
                (key.clone(), kept)
            };
            Value::Object(map.iter().map(entry).collect())
        }
        _ => value.clone(),
    }
}

/// Secrets do not show.
impl fmt::Debug for Expanded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expanded")
            .field("value", &self.redacted("(secret)"))
            .field("secrets", &self.secrets)
            .field("unresolved", &self.unresolved)
            .finish()
    }
}

/// An expression that stayed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// JSON pointer to the text that holds it.
    pub pointer: String,
    /// The expression.
    pub expression: String,
    /// Why it failed.
    pub reason: ExprError,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`: {}", self.pointer, self.expression, self.reason)
    }
}

/// Replaces the expressions in `value`. Those that `skip` selects stay text for a later pass.
///
/// Results are not expanded again in this pass, but in a later one they are: a caller with several passes must protect text
/// that users supply.
///
/// # Errors
///
/// In strict mode, the first failure; in both modes, a value that nests too deeply.
pub fn expand(
    value: &Value,
    evaluator: &dyn Evaluator,
    scope: &dyn Scope,
    mode: Mode,
    skip: impl Fn(&str) -> bool,
) -> Result<Expanded, ExprErrorAt> {
    let mut expansion = Expansion {
        evaluator,
        scope,
        mode,
        skip: &skip,
        unresolved: Vec::new(),
        secrets: Pointers::new(),
        depth: 0,
    };
    let value = expansion.value(value, &mut String::new())?;
    Ok(Expanded { value, secrets: expansion.secrets, unresolved: expansion.unresolved })
}

/// [`expand()`] for one text, in strict mode.
///
/// # Errors
///
/// The first failure.
pub fn expand_text(
    text: &str,
    evaluator: &dyn Evaluator,
    scope: &dyn Scope,
) -> Result<Expanded, ExprErrorAt> {
    let value = Value::String(text.to_owned());
    expand(&value, evaluator, scope, Mode::Strict, |_| false)
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

struct Expansion<'a> {
    evaluator: &'a dyn Evaluator,
    scope: &'a dyn Scope,
    mode: Mode,
    skip: &'a dyn Fn(&str) -> bool,
    unresolved: Vec<Unresolved>,
    secrets: Pointers,
    depth: usize,
}

impl Expansion<'_> {
    fn value(&mut self, value: &Value, pointer: &mut String) -> Result<Value, ExprErrorAt> {
        if self.depth > MAX_DEPTH {
            let source = Box::new(ExprErrorKind::TooDeep(TooDeep).into());
            return Err(ExprErrorAt { pointer: pointer.clone(), expression: String::new(), source });
        }
        self.depth += 1;
        let expanded = match value {
            Value::String(text) => self.text(text, pointer)?,
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| {
                        below(pointer, &index.to_string(), |pointer| self.value(item, pointer))
                    })
                    .collect::<Result<_, _>>()?
            }
            Value::Object(map) => {
                let mut expanded = Map::with_capacity(map.len());
                for (key, item) in map {
                    let item = below(pointer, key, |pointer| self.value(item, pointer))?;
                    expanded.insert(key.clone(), item);
                }
                Value::Object(expanded)
            }
            other => other.clone(),
        };
        self.depth -= 1;
        Ok(expanded)
    }

    fn text(&mut self, text: &str, pointer: &str) -> Result<Value, ExprErrorAt> {
        if let Some(expression) = only_expression(text) {
            let mut inside = pointer.to_owned();
            let result = self.evaluate(expression, pointer, |value| {
                let mut secrets = Pointers::new();
                Ok((value.to_json_noting(&mut inside, &mut secrets)?, secrets))
            })?;
            let Some((value, secrets)) = result else { return Ok(Value::String(text.to_owned())) };
            self.secrets.extend(secrets);
            return Ok(value);
        }
        let mut expanded = String::with_capacity(text.len());
        let mut has_secret = false;
        for piece in segments(text) {
            match piece {
                Segment::Text(text) => expanded.push_str(text),
                Segment::Expression { source, expression } => {
                    let result = self
                        .evaluate(expression, pointer, |value| Ok((value.to_text()?, value.has_secret())))?;
                    match result {
                        Some((text, secret)) => {
                            has_secret |= secret;
                            expanded.push_str(&text);
                        }
                        None => expanded.push_str(source),
                    }
                }
            }
        }
        if has_secret {
            self.secrets.push(pointer.to_owned());
        }
        Ok(Value::String(expanded))
    }

    /// What `render` makes of the result. `None`: the expression stays text.
    fn evaluate<T>(
        &mut self,
        expression: &str,
        pointer: &str,
        render: impl FnOnce(&crate::Value) -> Result<T, ExprError>,
    ) -> Result<Option<T>, ExprErrorAt> {
        if (self.skip)(expression) {
            return Ok(None);
        }
        let result = self.evaluator.evaluate(expression, self.scope);
        let (pointer, reason) = match result.and_then(|value| render(&value)) {
            Ok(rendered) => return Ok(Some(rendered)),
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
    use crate::{Cel, Scope, Variables, VaultSource, references};
    use marsh_types::Explain;
    use serde_json::{Value, json};

    fn scope() -> Variables {
        Variables::new()
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
            assert_eq!(expand_text(text, &Cel::default(), &scope()).unwrap().value, expected, "{text}");
        }
    }

    #[test]
    fn values_are_expanded_at_any_depth_and_keys_never() {
        let value = json!({"${{ inputs.n }}": [{"a": "${{ inputs.n }}"}, 1, true, null]});
        let expanded = expand(&value, &Cel::default(), &scope(), Mode::Strict, |_| false).unwrap();
        assert_eq!(expanded.value, json!({"${{ inputs.n }}": [{"a": 3}, 1, true, null]}));
        assert!(expanded.unresolved.is_empty());
    }

    #[test]
    fn strict_expansion_says_where_it_failed() {
        let value = json!({"jobs": [{"a/b": "x ${{ inputs.nam }}"}]});
        let error = expand(&value, &Cel::default(), &scope(), Mode::Strict, |_| false).unwrap_err();
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
        let expanded = expand(&value, &Cel::default(), &scope(), Mode::Lenient, |_| false).unwrap();
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
        let expanded = expand(&value, &Cel::default(), &scope(), Mode::Strict, late).unwrap();
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

    #[derive(Debug)]
    struct WithVault(Variables);

    impl Scope for WithVault {
        fn variable(&self, name: &str) -> crate::Looked<Option<crate::Value>> {
            self.0.variable(name)
        }

        fn vaults(&self) -> Option<&dyn VaultSource> {
            Some(self)
        }
    }

    impl VaultSource for WithVault {
        fn secret(&self, vault: &str, key: &str) -> crate::Looked<String> {
            Ok(format!("{vault}-{key}-secret"))
        }
    }

    #[test]
    fn secrets_are_known_by_their_place_and_can_be_stored_as_they_were_written() {
        let written = json!({
            "url": "https://${{ inputs.name }}:${{ vault.get(main, 'pass') }}@host",
            "auth": "${{ {'user': inputs.name, 'token': vault.get(`main`, token)} }}",
            "plain": ["${{ inputs.n }}"],
        });
        let expanded =
            expand(&written, &Cel::default(), &WithVault(scope()), Mode::Strict, |_| false).unwrap();
        assert_eq!(expanded.value["url"], "https://ada:main-pass-secret@host");
        assert_eq!(expanded.value["auth"], json!({"user": "ada", "token": "main-token-secret"}));
        assert_eq!(expanded.secrets, ["/url", "/auth/token"]);
        assert_eq!(expanded.redacted("***")["auth"], json!({"user": "ada", "token": "***"}));
        let stored = expanded.with_references(&written);
        assert_eq!(stored, json!({"url": written["url"], "auth": written["auth"], "plain": [3]}));
        assert!(!format!("{expanded:?}").contains("-secret"));
    }
}
