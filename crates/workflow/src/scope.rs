//! What `${{ … }}` in a step means, and when it is evaluated.
//!
//! Everything is evaluated once, strictly, when the step starts: `inputs`, `run`, `workflowRunId`, `env`, `model`, and `self` for
//! an item of a `forEach`. `vault.get` gives a sentinel of the secret, `data.latest(…)` and its kin ask stored data, and
//! `model.method(…)` runs a method where a condition asks for it. This file is the only one that evaluates; what can be known
//! before is checked before (`expressions`).
//!
//! **Text that came out of an expression is never read as one.** A definition is expanded again when its method runs,
//! so what becomes part of a definition ([`Expander::for_definition`]) may hold exactly the expressions that the
//! workflow's author left in it (`user_data_is_never_an_expression`). Inputs of a method are not expanded again.

use std::borrow::Cow;
use std::sync::Arc;

use marsh_expr::{
    Cel, DataSource, Evaluator as _, ExprErrorAt, FileSource, Looked, MethodSource, Mode, Scope, Variables,
    VaultSource, WorkerSource, expand, expressions, references,
};
use marsh_model::{RunInputs, SecretAccess, StoredData, WithData};
use marsh_repo::Environment;
use serde_json::{Map, Value, json};

use crate::schema::ExpressionTexts;

/// Roots that the definition itself resolves, at each run: their values must not be written into a file.
const LEFT_TO_DEFINITION: [&str; 3] = ["env", "vault", "self"];

/// What a run knows of itself.
#[derive(Debug, Clone)]
pub(crate) struct RunFacts<'a> {
    pub run_id: &'a str,
    pub workflow_id: &'a str,
    pub workflow_name: &'a str,
    pub started_at: &'a str,
    pub tags: Value,
    pub inputs: &'a RunInputs,
}

/// What the steps of one run can name.
#[derive(Debug)]
pub(crate) struct Expander {
    scope: Variables,
    access: SecretAccess,
    data: StoredData,
    caller: String,
    source: Option<Source>,
}

/// The file that the workflow is in.
#[derive(Debug)]
struct Source {
    file: String,
    texts: Arc<ExpressionTexts>,
}

/// What one step can name.
#[derive(Debug)]
pub(crate) struct StepScope<'e> {
    scope: Cow<'e, Variables>,
    /// `self.<item>` of a `forEach`.
    item: Option<String>,
    expander: &'e Expander,
    /// Where the step is in the file, such as `jobs.0.steps.1`.
    path: &'e str,
}

impl Expander {
    pub fn new(facts: &RunFacts<'_>, env: &Environment, access: SecretAccess, data: StoredData) -> Expander {
        let env: Map<String, Value> =
            env.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let mut scope = Variables::new();
        scope.set_made("inputs", facts.inputs.variable());
        let scope = scope
            .with(
                "run",
                json!({
                    "id": facts.run_id,
                    "workflowId": facts.workflow_id,
                    "workflowName": facts.workflow_name,
                    "startedAt": facts.started_at,
                    "tags": facts.tags,
                }),
            )
            .with("workflowRunId", facts.run_id)
            .with("env", Value::Object(env));
        let caller = format!("workflow {}", facts.workflow_name);
        Expander { scope, access, data, caller, source: None }
    }

    /// Errors point into this file.
    #[must_use]
    pub fn in_file(mut self, file: String, texts: Arc<ExpressionTexts>) -> Expander {
        self.source = Some(Source { file, texts });
        self
    }

    /// `path`: where the step is in the file, such as `jobs.0.steps.1`.
    pub fn step<'e>(&'e self, path: &'e str) -> StepScope<'e> {
        StepScope { scope: Cow::Borrowed(&self.scope), item: None, expander: self, path }
    }

    /// For one item of a `forEach`.
    pub fn with_item<'e>(&'e self, path: &'e str, name: &str, value: &Value) -> StepScope<'e> {
        let mut scope = self.scope.clone();
        scope.set("self", json!({ name: value }));
        let item = Some(format!("self.{name}"));
        StepScope { scope: Cow::Owned(scope), item, expander: self, path }
    }
}

impl StepScope<'_> {
    fn scope(&self) -> WithData<'_> {
        WithData { inner: &*self.scope, data: &self.expander.data }
    }

    /// A value that is not expanded again. `place` names it in errors.
    pub fn value(&self, value: &Value, place: &str) -> Result<Value, String> {
        self.value_in(value, place, &self.scope())
    }

    fn value_in(&self, value: &Value, place: &str, scope: &dyn Scope) -> Result<Value, String> {
        let cel = Cel::default();
        let evaluator = self.expander.access.evaluator(&cel, &self.expander.caller);
        let expanded = expand(value, &evaluator, scope, Mode::Strict, |_| false);
        expanded.map(|expanded| expanded.value).map_err(|error| self.message(place, &error))
    }

    /// A value that becomes part of a definition, which is expanded again: expressions about the environment stay, and
    /// no other may be in the result.
    pub fn for_definition(&self, value: &Value, place: &str) -> Result<Value, String> {
        let stays = |expression: &str| {
            let roots = references(expression);
            // A vault reference is text in the form of a call, with arguments that may be bare words.
            let is_item = self.item.as_ref().is_some_and(|item| expression.contains(item.as_str()));
            !is_item && expression.contains("vault.get(")
                || !is_item
                    && (!roots.is_empty()
                        && roots.iter().all(|root| LEFT_TO_DEFINITION.contains(&root.as_str())))
        };
        let expanded = expand(value, &Cel::default(), &self.scope(), Mode::Strict, stays)
            .map_err(|error| self.message(place, &error))?
            .value;
        let mut written = expressions(value);
        written.retain(|(_, expression)| stays(expression));
        if expressions(&expanded) != written {
            return Err(format!(
                "{place}: the result contains `${{{{`, and the definition that it goes into would evaluate it; refused"
            ));
        }
        if self.expander.access.is_secret(&expanded) {
            return Err(format!(
                "{place}: the result is secret, and the definition that it goes into is a file; refused: write \
                 `${{{{ vault.get(…) }}}}` there"
            ));
        }
        Ok(expanded)
    }

    pub fn text(&self, text: &str, place: &str) -> Result<String, String> {
        match self.value(&Value::from(text), place)? {
            Value::String(text) if !text.trim().is_empty() => Ok(text),
            Value::String(_) => Err(format!("{place}: `{text}` gives an empty text")),
            other => Err(format!("{place}: expected text, found {other} from `{text}`")),
        }
    }

    /// A map, or an expression that gives one.
    pub fn map(&self, value: Option<&Value>, place: &str) -> Result<Map<String, Value>, String> {
        match value {
            None => Ok(Map::new()),
            Some(value) => into_map(self.value(value, place)?, place),
        }
    }

    /// [`Self::map`] of [`Self::for_definition`].
    pub fn map_for_definition(&self, value: &Value, place: &str) -> Result<Map<String, Value>, String> {
        into_map(self.for_definition(value, place)?, place)
    }

    /// Whether a guard holds: one expression, in `${{ }}` or not.
    pub fn truth(&self, text: &str, place: &str, methods: &dyn MethodSource) -> Result<bool, String> {
        if !marsh_expr::contains_expression(&Value::from(text)) {
            return self.raw(text, place, methods);
        }
        let scope = WithMethods { inner: self.scope(), methods };
        Ok(is_true(&self.value_in(&Value::from(text.trim()), place, &scope)?))
    }

    /// Whether an expression that is written without `${{ }}` holds.
    pub fn raw(&self, expression: &str, place: &str, methods: &dyn MethodSource) -> Result<bool, String> {
        let expression = expression.trim();
        let cel = Cel::default();
        let evaluator = self.expander.access.evaluator(&cel, &self.expander.caller);
        let scope = WithMethods { inner: self.scope(), methods };
        let value = evaluator.evaluate(expression, &scope).and_then(|value| value.to_json());
        let value = value.map_err(|source| {
            let error = ExprErrorAt {
                pointer: String::new(),
                expression: expression.to_owned(),
                source: Box::new(source),
            };
            self.message(place, &error)
        })?;
        Ok(is_true(&value))
    }

    /// A text in which what cannot be evaluated stays as it is.
    pub fn lenient_text(&self, text: &str) -> String {
        let expanded = expand(&Value::from(text), &Cel::default(), &self.scope(), Mode::Lenient, |_| false);
        expanded.map_or_else(|_| text.to_owned(), |expanded| marsh_expr::to_text(&expanded.value))
    }

    /// `file:line:column: place: what is wrong; hint`
    fn message(&self, place: &str, error: &ExprErrorAt) -> String {
        let place = format!("{place}{}", error.pointer.replace('/', "."));
        let at = self.position(&place, error).unwrap_or_default();
        let mut text =
            format!("{at}{place}: cannot evaluate `${{{{ {} }}}}`: {}", error.expression, error.source);
        if let Some(hint) = marsh_types::Explain::hint(error) {
            text.push_str("; ");
            text.push_str(&hint);
        }
        text
    }

    fn position(&self, place: &str, error: &ExprErrorAt) -> Option<String> {
        let Source { file, texts } = self.expander.source.as_ref()?;
        let place = place.replace('[', ".").replace(']', "");
        let of_step = ["guard", "name", "forEach.", "dataOutputOverrides."];
        let is_of_step =
            of_step.iter().any(|key| place == *key || key.ends_with('.') && place.starts_with(key));
        let task = if is_of_step { "" } else { "task." };
        let text = texts.find(&format!("{}.{task}{place}", self.path))?;
        let offset = error.source.span().map_or(0, |span| span.start);
        let (line, column) = texts.position(text, &error.expression, offset)?;
        Some(format!("{file}:{line}:{column}: "))
    }
}

/// A scope with `model.method(…)`, for conditions.
struct WithMethods<'a> {
    inner: WithData<'a>,
    methods: &'a dyn MethodSource,
}

impl Scope for WithMethods<'_> {
    fn variable(&self, name: &str) -> Looked<Option<marsh_expr::Value>> {
        self.inner.variable(name)
    }

    fn names(&self) -> Vec<String> {
        self.inner.names()
    }

    fn data(&self) -> Option<&dyn DataSource> {
        self.inner.data()
    }

    fn files(&self) -> Option<&dyn FileSource> {
        self.inner.files()
    }

    fn vaults(&self) -> Option<&dyn VaultSource> {
        self.inner.vaults()
    }

    fn workers(&self) -> Option<&dyn WorkerSource> {
        self.inner.workers()
    }

    fn methods(&self) -> Option<&dyn MethodSource> {
        Some(self.methods)
    }
}

/// As JavaScript sees it.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn into_map(value: Value, place: &str) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(format!("{place}: expected a map, found {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Expander, RunFacts};
    use marsh_repo::Environment;
    use serde_json::{Value, json};

    fn expander() -> Expander {
        let inputs = json!({
            "name": "ada", "n": 3, "map": {"a": 1},
            "evil": "${{ env.SECRET }}", "half": "{{ env.SECRET }}", "evilMap": {"k": "${{ env.SECRET }}"},
        });
        let facts = RunFacts {
            run_id: "r-1",
            workflow_id: "w-1",
            workflow_name: "nightly",
            started_at: "2026-01-01T00:00:00.000Z",
            tags: json!({"team": "a"}),
            inputs: &marsh_model::RunInputs::new(inputs.as_object().unwrap().clone()).unwrap(),
        };
        let layout = marsh_vault::VaultLayout {
            repo: "/nowhere".into(),
            configs: "/nowhere/vaults".into(),
            audit: "/nowhere/audit".into(),
            home: None,
        };
        let access = marsh_model::SecretAccess {
            vaults: std::sync::Arc::new(marsh_vault::Vaults::new(layout, None, None)),
            secrets: marsh_vault::Secrets::new(),
        };
        let nowhere = std::path::Path::new("/nowhere");
        let data = marsh_model::StoredData::new(
            marsh_model::DefinitionStore::new(marsh_repo::Layout::new(nowhere)),
            marsh_data::RunData::new(
                marsh_data::DataStore::new(nowhere),
                marsh_data::EphemeralStore::default(),
            ),
            nowhere.join("x"),
            access.clone(),
        );
        Expander::new(
            &facts,
            &Environment::from_pairs([("SECRET", "hunter2"), ("HOME", "/root")]),
            access,
            data,
        )
    }

    #[test]
    fn the_variables_of_a_step() {
        for (text, expected) in [
            ("${{ inputs.n }}", json!(3)),
            ("${{ inputs.n + 1 }}", json!(4)),
            ("${{ run.id }}/${{ workflowRunId }}", json!("r-1/r-1")),
            ("${{ run.workflowName }}", json!("nightly")),
            ("${{ run.tags.team }}", json!("a")),
            ("${{ env.HOME }}", json!("/root")),
            ("${{ inputs.evil }}", json!("${{ env.SECRET }}")),
        ] {
            assert_eq!(expander().step("").value(&json!(text), "x").unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_evaluated_is_named() {
        for (text, words) in [
            ("${{ webhook.body }}", "unknown variable `webhook`"),
            ("${{ model.a-b.resource.x.y.attributes.z }}", "`model` has no key `a-b`"),
            ("${{ model.method('a', 'b') }}", "`model.method()` is not available here"),
            ("${{ inputs.n + 'x' }}", "`${{ inputs.n + 'x' }}`"),
            ("${{ inputs.nam }}", "did you mean `name`?"),
            ("${{ vault.get('v', 'k') }}", "has no vaults"),
        ] {
            let error = expander().step("").value(&json!({"k": text}), "inputs").unwrap_err();
            assert!(error.starts_with("inputs.k: ") && error.contains(words), "{error}");
        }
        assert!(expander().step("").map(Some(&json!("${{ inputs.n }}")), "inputs").is_err());
        assert_eq!(expander().step("").map(Some(&json!("${{ inputs.map }}")), "inputs").unwrap()["a"], 1);
        assert!(expander().step("").text("${{ inputs.map }}", "methodName").is_err());
    }

    #[test]
    fn user_data_is_never_an_expression() {
        let expander = expander();
        let expander = expander.step("");
        for written in [
            "${{ inputs.evil }}",
            "x ${{ inputs.evil }} y",
            "$${{ inputs.half }}",
            "${{ env.SECRET }} ${{ inputs.evil }}",
            "${{ inputs.evilMap }}",
        ] {
            let result = expander.for_definition(&json!({"k": written}), "globalArgs");
            assert!(result.is_err(), "{written}: {result:?}");
        }
        for (written, expected) in [
            ("${{ env.SECRET }}", "${{ env.SECRET }}"),
            ("${{ inputs.name }}:${{ env.SECRET }}", "ada:${{ env.SECRET }}"),
            ("${{ self.name }}", "${{ self.name }}"),
            ("${{ vault.get(main, key) }}", "${{ vault.get(main, key) }}"),
            ("plain", "plain"),
        ] {
            let expanded: Value = expander.for_definition(&json!({"k": written}), "globalArgs").unwrap();
            assert_eq!(expanded["k"], expected);
        }
    }

    #[test]
    fn an_item_is_a_variable_of_its_step() {
        let expander = expander();
        let scope = expander.with_item("", "host", &json!({"name": "a", "evil": "${{ env.SECRET }}"}));
        assert_eq!(scope.value(&json!("${{ self.host.name }}"), "x").unwrap(), "a");
        let global = scope.for_definition(&json!({"k": "${{ self.host.name }}"}), "globalArgs").unwrap();
        assert_eq!(global["k"], "a");
        let kept = scope.for_definition(&json!({"k": "${{ self.name }}"}), "globalArgs").unwrap();
        assert_eq!(kept["k"], "${{ self.name }}");
        assert!(scope.for_definition(&json!({"k": "${{ self.host.evil }}"}), "globalArgs").is_err());
        assert!(expander.step("").value(&json!("${{ self.host }}"), "x").is_err());
    }

    #[derive(Debug)]
    struct OneMethod;

    impl marsh_expr::MethodSource for OneMethod {
        fn call(
            &self,
            model: &str,
            _method: &str,
            _inputs: Option<&marsh_expr::Value>,
        ) -> marsh_expr::Looked<marsh_expr::Value> {
            Ok(marsh_expr::Value::from(model))
        }
    }

    #[test]
    fn guards_and_asserts_are_true_or_not() {
        let expander = expander();
        let scope = expander.step("");
        for (text, expected) in [
            ("${{ inputs.n }}", true),
            ("inputs.name", true),
            ("${{ false }}", false),
            ("''", false),
            ("0", false),
            ("model.method('m', 'run') == 'm'", true),
        ] {
            assert_eq!(scope.truth(text, "guard", &OneMethod).unwrap(), expected, "{text}");
        }
        let error = scope.truth("${{ inputs.none }}", "guard", &OneMethod).unwrap_err();
        assert!(error.starts_with("guard: "), "{error}");
        assert!(scope.raw("nope", "expr", &OneMethod).is_err());
        assert_eq!(scope.lenient_text("${{ inputs.n }} of ${{ nope }}"), "3 of ${{ nope }}");
    }
}
