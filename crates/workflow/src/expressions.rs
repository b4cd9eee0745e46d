//! Checking every expression of a workflow before anything runs: its syntax, types that never fit, and names that are not
//! there where it stands. What depends on values is known when a step starts (`scope`).
//!
//! Held by `tests/it/expressions.rs`.

use marsh_expr::{Declared, ExprErrorKind};
use marsh_model::inputs::InputSchema;
use marsh_types::Explain as _;
use serde_json::Value;

use crate::schema::{ExpressionText, ModelMethod, ModelTarget, Parsed, Problem, Step, Task, Workflow};

/// One expression that is wrong.
#[derive(Debug)]
pub(crate) struct Finding {
    /// `<job>/<step>`
    pub place: String,
    pub problem: Problem,
    /// It has no value whatever the inputs are. Otherwise it may have one, or its failure is made up for.
    pub certain: bool,
}

/// What the text at a place is.
struct ExpressionContext {
    /// An expression without `${{ }}`.
    is_raw: bool,
    /// A failure leaves the text as it is.
    is_lenient: bool,
    /// `model.method(…)` is there.
    has_methods: bool,
    own: Own,
}

/// What `self` is at a place.
enum Own {
    None,
    Item,
    /// Perhaps the definition that the text goes into.
    Open,
}

pub(crate) fn check(parsed: &Parsed) -> Vec<Finding> {
    let mut found = Vec::new();
    for text in parsed.expressions.texts() {
        if text.path.starts_with("trigger.inputs.") {
            check_trigger(parsed, text, &mut found);
            continue;
        }
        let Some((job, step, rest)) = placed(&parsed.workflow, &text.path) else { continue };
        let Some(context) = context(step, rest, &text.text) else { continue };
        let declared = declared(&parsed.workflow, step, &context);
        let expressions: Vec<String> = if context.is_raw {
            vec![text.text.trim().to_owned()]
        } else {
            let all = marsh_expr::expressions(&Value::from(text.text.as_str()));
            all.into_iter().map(|(_, expression)| expression).collect()
        };
        for expression in expressions {
            for problem in marsh_expr::check_expression(&expression, &declared) {
                let offset = problem.span().map_or(0, |span| span.start);
                let is_input =
                    matches!(problem.kind(), ExprErrorKind::NoSuchKey { path, .. } if path == "inputs");
                let field = rest.strip_prefix("task.").unwrap_or(rest);
                let shown =
                    if context.is_raw { expression.clone() } else { format!("${{{{ {expression} }}}}") };
                let hint = problem.hint();
                let message = if is_input {
                    let hint = hint.unwrap_or_else(|| "declare it under `inputs`".to_owned());
                    format!("{field}: `{shown}` names no input that the workflow declares; {hint}")
                } else {
                    let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
                    format!("{field}: cannot evaluate `{shown}`: {problem}{hint}")
                };
                found.push(Finding {
                    place: format!("{job}/{}", step.name),
                    problem: parsed.expressions.problem(text, &expression, offset, message),
                    certain: !is_input && !context.is_lenient,
                });
            }
        }
    }
    found
}

/// The inputs of a trigger are evaluated when it starts the workflow, so their problems do not stop a manual run.
fn check_trigger(parsed: &Parsed, text: &ExpressionText, found: &mut Vec<Finding>) {
    let declared = everywhere().with("webhook");
    for (_, expression) in marsh_expr::expressions(&Value::from(text.text.as_str())) {
        for problem in marsh_expr::check_expression(&expression, &declared) {
            let offset = problem.span().map_or(0, |span| span.start);
            let hint = problem.hint().map_or_else(String::new, |hint| format!("; {hint}"));
            let message =
                format!("{}: cannot evaluate `${{{{ {expression} }}}}`: {problem}{hint}", text.path);
            let problem = parsed.expressions.problem(text, &expression, offset, message);
            found.push(Finding { place: "trigger".to_owned(), problem, certain: false });
        }
    }
}

/// What can be named wherever an expression stands.
fn everywhere() -> Declared {
    Declared::new()
        .with("env")
        .with("model")
        .with_functions_of("data")
        .with_functions_of("file")
        .with_functions_of("vault")
        .with_functions_of("workers")
}

/// The step that a path leads into, and the rest of the path.
fn placed<'w, 'p>(workflow: &'w Workflow, path: &'p str) -> Option<(&'w str, &'w Step, &'p str)> {
    let path = path.strip_prefix("jobs.")?;
    let (job, path) = path.split_once('.')?;
    let job = workflow.jobs.get(job.parse::<usize>().ok()?)?;
    let (step, rest) = path.strip_prefix("steps.")?.split_once('.')?;
    Some((&job.name, job.steps.get(step.parse::<usize>().ok()?)?, rest))
}

/// `None`: the text is never evaluated.
fn context(step: &Step, rest: &str, text: &str) -> Option<ExpressionContext> {
    let item = || if step.for_each.is_some() { Own::Item } else { Own::None };
    let is_bare = !marsh_expr::contains_expression(&Value::from(text));
    let plain = |own| ExpressionContext { is_raw: false, is_lenient: false, has_methods: false, own };
    match (rest.split('.').next()?, &step.task) {
        ("guard", _) => Some(ExpressionContext { is_raw: is_bare, has_methods: true, ..plain(item()) }),
        ("forEach", _) => (rest == "forEach.in").then(|| plain(Own::None)),
        ("name", _) => {
            step.for_each.as_ref().map(|_| ExpressionContext { is_lenient: true, ..plain(Own::Item) })
        }
        ("dataOutputOverrides", _) => Some(plain(item())),
        // `validate` reports `${{ }}` around the expression of an assert.
        ("task", Task::Assert { .. }) if rest == "task.expr" => {
            is_bare.then(|| ExpressionContext { is_raw: true, has_methods: true, ..plain(item()) })
        }
        ("task", Task::Assert { .. }) => Some(ExpressionContext { is_lenient: true, ..plain(item()) }),
        ("task", Task::ModelMethod(ModelMethod { target: ModelTarget::Direct { .. }, .. })) => {
            Some(plain(Own::Open))
        }
        ("task", _) => Some(plain(item())),
        _ => None,
    }
}

fn declared(workflow: &Workflow, step: &Step, context: &ExpressionContext) -> Declared {
    let inputs = workflow.inputs.as_ref().and_then(InputSchema::of);
    let inputs = inputs.into_iter().flat_map(|schema| schema.properties.into_iter().map(|(name, _)| name));
    let declared = everywhere()
        .with_keys("inputs", inputs)
        .with_keys("run", ["id", "workflowId", "workflowName", "startedAt", "tags"])
        .with("workflowRunId");
    let declared = match (&context.own, &step.for_each) {
        (Own::Open, _) => declared.with("self"),
        (Own::Item, Some(each)) => declared.with_keys("self", [each.item.clone()]),
        _ => declared,
    };
    if context.has_methods { declared.with_functions_of("model") } else { declared }
}
