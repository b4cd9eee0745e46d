//! Evaluation: from the text of a definition to the arguments of one call.

use std::cell::OnceCell;

use marsh_expr::{Cel, Evaluator, ExprError, Mode, Scope, TooDeep, Value as Term, Variables, expand};
use marsh_extension::ArgumentsDescription;
use marsh_types::near;
use serde_json::{Map, Value, json};

use super::{Observer, RunEvent, RunRequest, Trigger, WorkflowTrigger};
use crate::definition::{Definition, Stored};
use crate::error::{Issue, ModelError};
use crate::inputs::{InputSchema, InputUses};
use crate::source_location::DefinitionText;
use crate::types::TypeCode;
use crate::validate::takes;
use crate::{Models, SecretAccess, WithData};

/// A definition's values with their expressions evaluated.
#[derive(Debug, Clone)]
pub struct Evaluated {
    pub global_arguments: Map<String, Value>,
    /// Global arguments that could not be evaluated, with the reason. Code that uses one fails at that moment.
    pub unresolved_globals: Map<String, Value>,
    pub method_arguments: Map<String, Value>,
}

/// The evaluated copy of a definition.
#[derive(Debug, Clone)]
pub struct EvaluatedCopy {
    /// Whether the definition has expressions.
    pub had_expressions: bool,
    /// The file of the copy.
    pub path: std::path::PathBuf,
    /// Its global arguments.
    pub global_arguments: Map<String, Value>,
}

impl Evaluated {
    /// Replaces global arguments for this call. A replaced one need not have been evaluated.
    pub(super) fn override_globals(&mut self, globals: &Map<String, Value>) {
        for (key, value) in globals {
            self.unresolved_globals.remove(key);
            self.global_arguments.insert(key.clone(), value.clone());
        }
    }
}

impl Models {
    pub(super) fn evaluate(
        &self,
        stored: &Stored,
        code: &TypeCode,
        request: &RunRequest<'_>,
        inputs: Map<String, Value>,
        observer: &dyn Observer,
    ) -> Result<Evaluated, ModelError> {
        let definition = &stored.definition;
        let uses = definition.input_uses(&request.method);
        let schema = definition.input_schema();
        let method = &code.method(&request.method)?.arguments;
        let (declared, overrides) = self.split_inputs(schema.as_ref(), &uses, method, request, inputs);
        self.track_sensitive_inputs(definition.inputs.as_ref(), &declared);
        if let Some(schema) = &schema {
            check_inputs(definition, schema, &uses, &declared)
                .map_err(|error| error.redacted(&self.secrets))?;
        }
        check_overrides(method, &request.method, &overrides)?;
        let source = if request.last_evaluated {
            self.last_evaluated(stored)?
        } else {
            warn_about_env(definition, observer);
            definition.clone()
        };
        // An input that becomes an argument has its value in expressions too.
        let mut visible = overrides.clone();
        visible.extend(declared);
        let scope = self.scope(&source, request, &visible);
        let stored_data = self.stored_data();
        let scope = WithData { inner: &scope, data: &stored_data };
        let access = self.secret_access();
        let caller = super::secrets::caller(request);
        let cel = Cel::default();
        let evaluator = access.evaluator(&cel, &caller);
        // An evaluated copy holds results as text. Only values that it kept as written can still be expressions.
        let written = |key: &str, value: &Value, original: &Map<String, Value>| {
            !request.last_evaluated || original.get(key) == Some(value)
        };
        let places = OnceCell::new();
        let place = |pointer: &str, expression: &str, error: &ExprError| {
            let all = places.get_or_init(|| self.written(stored));
            let found = all.as_ref().and_then(|all| all.location(pointer, expression, error));
            found.map(|place| format!(" ({place})")).unwrap_or_default()
        };
        let globals = lenient(&source.global_arguments, &evaluator, &scope, |key, value| {
            written(key, value, &definition.global_arguments)
        })?;
        let mut unresolved_globals = Map::new();
        for message in evaluator.warnings() {
            observer.event(&RunEvent::Warning { code: "secret_not_refreshed", message });
        }
        for unresolved in &globals.unresolved {
            let key = first_key(&unresolved.pointer);
            let pointer = format!("/globalArguments{}", unresolved.pointer);
            let at = place(&pointer, &unresolved.expression, &unresolved.reason);
            unresolved_globals.insert(key, json!(format!("{}{at}", unresolved.reason)));
        }
        if let Some(error) = evaluator.failure() {
            return Err(error.into());
        }
        let original = definition.method_arguments(&request.method);
        let arguments =
            lenient(&source.method_arguments(&request.method), &evaluator, &scope, |key, value| {
                written(key, value, &original)
            })?;
        // An override replaces the definition's value, so that value need not evaluate.
        let failed = arguments.unresolved.iter().find(|unresolved| {
            let key = unresolved.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
            !overrides.contains_key(key)
        });
        if let Some(unresolved) = failed {
            if let Some(error) = evaluator.failure() {
                return Err(error.into());
            }
            let pointer = format!("/methods/{}/arguments{}", request.method, unresolved.pointer);
            let at = place(&pointer, &unresolved.expression, &unresolved.reason);
            let field = pointer.trim_start_matches('/').replace('/', ".");
            return Err(ModelError::Expression {
                place: format!("`{}` in {field}{at}", unresolved.expression),
                source: unresolved.reason.clone(),
            });
        }
        let mut method_arguments = into_map(arguments.value);
        let evaluated_globals = into_map(globals.value);
        if has_expressions(&source) && !request.last_evaluated {
            self.save_evaluated_copy(
                stored,
                &source,
                &request.method,
                &evaluated_globals,
                &method_arguments,
            )?;
        }
        for (key, value) in overrides {
            method_arguments.insert(key, value);
        }
        self.track_sensitive(code, &request.method, &[&evaluated_globals, &method_arguments]);
        Ok(Evaluated { global_arguments: evaluated_globals, unresolved_globals, method_arguments })
    }

    /// The global arguments, without a method.
    pub(super) fn evaluated_globals(
        &self,
        stored: &Stored,
        request: &RunRequest<'_>,
    ) -> Result<Evaluated, ModelError> {
        let definition = &stored.definition;
        let mut inputs = Map::new();
        if let Some(schema) = definition.input_schema() {
            schema.fill(&mut inputs);
        }
        let scope = self.scope(definition, request, &inputs);
        let stored_data = self.stored_data();
        let scope = WithData { inner: &scope, data: &stored_data };
        let access = self.secret_access();
        let caller = super::secrets::caller(request);
        let cel = Cel::default();
        let evaluator = access.evaluator(&cel, &caller);
        let globals = lenient(&definition.global_arguments, &evaluator, &scope, |_, _| true)?;
        if let Some(error) = evaluator.failure() {
            return Err(error.into());
        }
        let reasons = globals.unresolved.iter();
        let reasons =
            reasons.map(|found| (first_key(&found.pointer), Value::from(found.reason.to_string()))).collect();
        Ok(Evaluated {
            global_arguments: into_map(globals.value),
            unresolved_globals: reasons,
            method_arguments: Map::new(),
        })
    }

    /// Inputs of the definition, and the rest, which are arguments of the method. An input that the definition uses without a
    /// declaration is its own, unless the method has an argument of that name. What a step of a workflow does not give comes
    /// from the inputs of the run.
    fn split_inputs(
        &self,
        schema: Option<&InputSchema>,
        uses: &InputUses,
        method: &ArgumentsDescription,
        request: &RunRequest<'_>,
        inputs: Map<String, Value>,
    ) -> (Map<String, Value>, Map<String, Value>) {
        let properties = schema.map(|schema| &schema.properties);
        let is_own = |key: &str| {
            properties.is_some_and(|properties| properties.contains_key(key))
                || uses.contains(key) && !takes(method, key)
        };
        let (mut own, overrides): (Map<_, _>, Map<_, _>) =
            inputs.into_iter().partition(|(key, _)| is_own(key));
        if let Trigger::Workflow(workflow) = &request.trigger {
            for key in properties.into_iter().flat_map(Map::keys) {
                if let (false, Some(value)) = (own.contains_key(key), workflow.inputs.values.get(key)) {
                    own.insert(key.clone(), value.clone());
                }
            }
        }
        if let Some(schema) = schema {
            schema.fill(&mut own);
        }
        (own, overrides)
    }

    fn scope(
        &self,
        definition: &Definition,
        request: &RunRequest<'_>,
        inputs: &Map<String, Value>,
    ) -> Variables {
        let workflow = match &request.trigger {
            Trigger::Workflow(workflow) => Some(workflow.as_ref()),
            Trigger::Manual => None,
        };
        self.scope_of(definition, workflow, inputs)
    }

    fn scope_of(
        &self,
        definition: &Definition,
        workflow: Option<&WorkflowTrigger>,
        inputs: &Map<String, Value>,
    ) -> Variables {
        let below = workflow.map(|workflow| workflow.inputs.terms.as_slice()).unwrap_or_default();
        let env: Map<String, Value> =
            self.env.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let mut scope = Variables::new();
        // The step's own inputs win over the run's. Those are shared, not copied: there may be thousands.
        let own = inputs.iter().map(|(key, value)| Ok((key.as_str(), Term::from_json(value)?)));
        let below = below.iter().filter(|(key, _)| !inputs.contains_key(key));
        let below = below.map(|(key, term)| Ok((key.as_str(), term.clone())));
        let all = own.chain(below).collect::<Result<Vec<_>, TooDeep>>().and_then(Term::map);
        scope.set_made("inputs", all);
        let mut scope = scope
            .with(
                "self",
                json!({
                    "id": definition.id,
                    "name": definition.name,
                    "version": definition.version,
                    "tags": definition.tags,
                    "globalArguments": definition.global_arguments,
                }),
            )
            .with("env", Value::Object(env));
        if let Some(workflow) = workflow {
            scope.set("workflowRunId", json!(workflow.workflow_run_id));
            scope.set(
                "run",
                json!({
                    "id": workflow.workflow_run_id,
                    "workflowId": workflow.workflow_id,
                    "workflowName": workflow.workflow_name,
                }),
            );
        }
        scope
    }

    /// The text of a definition, for locations.
    fn written(&self, stored: &Stored) -> Option<DefinitionText> {
        DefinitionText::of(stored, self.repo.layout.display(&stored.path).display().to_string())
    }

    fn last_evaluated(&self, stored: &Stored) -> Result<Definition, ModelError> {
        match self.definitions.read_evaluated(stored)? {
            Some(definition) => Ok(definition),
            // A definition without expressions is its own evaluated copy.
            None if !has_expressions(&stored.definition) => Ok(stored.definition.clone()),
            None => Err(ModelError::NotEvaluated { name: stored.definition.name.clone() }),
        }
    }

    /// Writes the copy for `--last-evaluated` without a run. Expressions that use a vault, the environment or an input
    /// without a value stay as written.
    ///
    /// # Errors
    ///
    /// An expression is invalid, stored data that it uses cannot be read, or the copy cannot be written.
    pub fn evaluate_definition(&self, stored: &Stored) -> Result<EvaluatedCopy, ModelError> {
        let definition = &stored.definition;
        let mut inputs = Map::new();
        if let Some(schema) = definition.input_schema() {
            schema.fill(&mut inputs);
        }
        let scope = self.scope_of(definition, None, &inputs);
        let stored_data = self.stored_data();
        let scope = WithData { inner: &scope, data: &stored_data };
        let access = self.secret_access();
        let cel = Cel::default();
        let evaluator = access.evaluator(&cel, "model evaluate");
        let evaluated = |values: &Map<String, Value>| -> Result<Map<String, Value>, ModelError> {
            let values = lenient(values, &evaluator, &scope, |_, value| !is_private(value))?;
            Ok(into_map(values.value))
        };
        let mut copy = definition.clone();
        copy.global_arguments = evaluated(&definition.global_arguments)?;
        for (method, declared) in &mut copy.methods {
            let arguments = definition.method_arguments(method);
            if !arguments.is_empty()
                && let Value::Object(declared) = declared
            {
                declared.insert("arguments".to_owned(), Value::Object(evaluated(&arguments)?));
            }
        }
        let path = self.definitions.save_evaluated(&copy, &stored.type_name)?;
        Ok(EvaluatedCopy {
            had_expressions: has_expressions(definition),
            path,
            global_arguments: copy.global_arguments,
        })
    }

    /// Writes the copy for `--last-evaluated`. Values from the environment stay expressions: the copy is a file.
    fn save_evaluated_copy(
        &self,
        stored: &Stored,
        source: &Definition,
        method: &str,
        globals: &Map<String, Value>,
        arguments: &Map<String, Value>,
    ) -> Result<(), ModelError> {
        let mut copy = source.clone();
        let access = self.secret_access();
        copy.global_arguments = keep_env(&source.global_arguments, globals, &access);
        let kept = keep_env(&source.method_arguments(method), arguments, &access);
        if !kept.is_empty() {
            copy.methods.insert(method.to_owned(), json!({ "arguments": kept }));
        }
        self.definitions.save_evaluated(&copy, &stored.type_name)?;
        Ok(())
    }
}

/// Whether a value uses the environment or a vault: it never becomes part of a file.
fn is_private(value: &Value) -> bool {
    marsh_expr::expressions(value).iter().any(|(_, expression)| {
        expression.contains("vault.") || marsh_expr::references(expression).iter().any(|root| root == "env")
    })
}

/// The evaluated values; values that use the environment or a vault stay as written.
fn keep_env(
    written: &Map<String, Value>,
    evaluated: &Map<String, Value>,
    access: &SecretAccess,
) -> Map<String, Value> {
    written
        .iter()
        .map(|(key, value)| {
            let result = evaluated.get(key).unwrap_or(value);
            // An input may hold a secret, too.
            let kept = if is_private(value) || access.is_secret(result) { value } else { result };
            (key.clone(), kept.clone())
        })
        .collect()
}

/// Evaluates the values that `expandable` selects; the others stay as they are.
fn lenient(
    values: &Map<String, Value>,
    evaluator: &dyn Evaluator,
    scope: &dyn Scope,
    expandable: impl Fn(&str, &Value) -> bool,
) -> Result<marsh_expr::Expanded, ModelError> {
    let (expressions, literals): (Map<_, _>, Map<_, _>) =
        values.clone().into_iter().partition(|(key, value)| expandable(key, value));
    let mut expanded =
        expand(&Value::Object(expressions), evaluator, scope, Mode::Lenient, |_| false).map_err(|error| {
            ModelError::Expression { place: format!("`{}`", error.expression), source: *error.source }
        })?;
    if let Value::Object(map) = &mut expanded.value {
        map.extend(literals);
    }
    Ok(expanded)
}

/// The key at the beginning of a JSON pointer.
fn first_key(pointer: &str) -> String {
    let key = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
    key.replace("~1", "/").replace("~0", "~")
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn has_expressions(definition: &Definition) -> bool {
    marsh_expr::contains_expression(&Value::Object(definition.global_arguments.clone()))
        || marsh_expr::contains_expression(&Value::Object(definition.methods.clone()))
}

/// Checks the types of all inputs, and the presence of required ones that the definition uses.
fn check_inputs(
    definition: &Definition,
    schema: &InputSchema,
    uses: &InputUses,
    inputs: &Map<String, Value>,
) -> Result<(), ModelError> {
    let issues = schema.check(inputs, |name| uses.names(name));
    if issues.is_empty() {
        return Ok(());
    }
    Err(ModelError::Validation { what: format!("inputs of `{}`", definition.name), issues })
}

/// Inputs that are not the definition's own must be arguments of the method.
fn check_overrides(
    arguments: &ArgumentsDescription,
    method: &str,
    overrides: &Map<String, Value>,
) -> Result<(), ModelError> {
    let Some(keys) = &arguments.keys else { return Ok(()) };
    let unknown: Vec<Issue> = overrides
        .keys()
        .filter(|key| !takes(arguments, key))
        .map(|key| {
            let near = near::did_you_mean(key, keys.iter().map(String::as_str));
            let known = if keys.is_empty() {
                "it has no arguments".to_owned()
            } else {
                format!("known: {}", keys.join(", "))
            };
            Issue::new(key.clone(), format!("unknown argument of `{method}`; {}", near.unwrap_or(known)))
        })
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ModelError::Validation { what: format!("inputs of `{method}`"), issues: unknown })
}

fn warn_about_env(definition: &Definition, observer: &dyn Observer) {
    let values = [&definition.global_arguments, &definition.methods];
    let mut names: Vec<String> = values
        .iter()
        .flat_map(|map| marsh_expr::expressions(&Value::Object((*map).clone())))
        .filter(|(_, expression)| marsh_expr::references(expression).iter().any(|root| root == "env"))
        .map(|(_, expression)| expression)
        .collect();
    names.dedup();
    if !names.is_empty() {
        observer.event(&RunEvent::Warning {
            code: "env_var_usage",
            message: format!(
                "`{}` uses environment variables ({}): it may behave differently elsewhere",
                definition.name,
                names.join(", ")
            ),
        });
    }
}
