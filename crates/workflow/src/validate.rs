//! Checking a workflow without running anything.

use std::collections::HashMap;
use std::path::PathBuf;

use marsh_extension::ArgumentsDescription;
use marsh_model::inputs::InputSchema;
use marsh_model::types::TypeCode;
use marsh_model::validate::{check_arguments, takes};
use marsh_model::{Issue, ModelError, Models, Stored, direct};
use marsh_types::{Explain, TypeName};
use serde_json::{Map, Value};

use crate::error::{Unsupported, WorkflowError};
use crate::schema::{ModelMethod, ModelTarget, Parsed, Placement, Problem, Task};
use crate::store::StoredWorkflow;
use crate::{expressions, graph};

/// One thing that was checked.
#[derive(Debug, Clone)]
pub struct ValidationCheck {
    /// The name of the check.
    pub name: String,
    /// `None`: passed.
    pub error: Option<String>,
    /// What to look at; the check has passed all the same.
    pub warning: Option<String>,
    /// The first place that the error or the warning is about.
    pub at: Option<Problem>,
}

/// The checks of a workflow.
#[derive(Debug, Clone)]
pub struct ValidationReport {
    /// The id of the workflow.
    pub workflow_id: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// The file that places are in.
    pub path: PathBuf,
    /// The checks, in the order in which they ran.
    pub checks: Vec<ValidationCheck>,
}

impl ValidationReport {
    /// Whether every check has passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.error.is_none())
    }

    /// How many checks have a warning.
    pub fn warnings(&self) -> usize {
        self.checks.iter().filter(|check| check.warning.is_some()).count()
    }

    fn passed_check(&mut self, name: impl Into<String>) {
        self.checks.push(ValidationCheck { name: name.into(), error: None, warning: None, at: None });
    }

    fn warn(&mut self, name: impl Into<String>, warning: impl Into<String>) {
        self.checks.push(ValidationCheck {
            name: name.into(),
            error: None,
            warning: Some(warning.into()),
            at: None,
        });
    }
}

/// Refuses a workflow whose parts do not fit together, and one with an expression that cannot have a value.
pub(crate) fn check_whole(stored: &StoredWorkflow) -> Result<(), WorkflowError> {
    let graph = graph::check(&stored.parsed).into_iter().flat_map(|check| check.problems);
    let expressions = expressions::check(&stored.parsed).into_iter().filter(|finding| finding.certain);
    let problems: Vec<Problem> = graph.chain(expressions.map(|finding| finding.problem)).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(WorkflowError::Invalid { name: stored.workflow().name.clone(), path: stored.path.clone(), problems })
}

/// What the workflow asks for and this machine is not.
pub(crate) fn unsupported(parsed: &Parsed) -> Vec<Unsupported> {
    let workflow = &parsed.workflow;
    let mut found = Vec::new();
    let mut add = |feature: &'static str, place: &str, path: String| {
        let problem = parsed.problem(
            &path,
            format!("`{feature}` asks for another machine, and remote workers are not supported yet"),
        );
        found.push(Unsupported { feature, place: place.to_owned(), problem });
    };
    let placed = |placement: &Placement, path: &str| {
        let key = placement.elsewhere()?;
        Some((key, if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }))
    };
    if let Some((key, path)) = placed(&workflow.placement, "") {
        add(key, "", path);
    }
    for (index, job) in workflow.jobs.iter().enumerate() {
        let job_path = format!("jobs[{index}]");
        if let Some((key, path)) = placed(&job.placement, &job_path) {
            add(key, &job.name, path);
        }
        for (at, step) in job.steps.iter().enumerate() {
            let path = format!("{job_path}.steps[{at}]");
            let place = format!("{}/{}", job.name, step.name);
            if let Some((key, path)) = placed(&step.placement, &path) {
                add(key, &place, path);
            }
        }
    }
    found
}

/// Everything that can be said of a workflow without running it.
pub(crate) fn validate(models: &Models, stored: &StoredWorkflow) -> ValidationReport {
    let parsed = &stored.parsed;
    let workflow = &parsed.workflow;
    let mut report = ValidationReport {
        workflow_id: workflow.id.clone(),
        workflow_name: workflow.name.clone(),
        path: models.repo.layout.display(&stored.path).to_owned(),
        checks: Vec::new(),
    };
    report.passed_check("schema");
    for warning in &parsed.warnings {
        let (message, at) = (warning.message.clone(), Some(warning.clone()));
        report.checks.push(ValidationCheck {
            name: "schema".into(),
            error: None,
            warning: Some(message),
            at,
        });
    }
    for check in graph::check(parsed) {
        let messages: Vec<String> = check.problems.iter().map(ToString::to_string).collect();
        let error = (!messages.is_empty()).then(|| messages.join("; "));
        let at = check.problems.into_iter().next();
        report.checks.push(ValidationCheck { name: check.name, error, warning: None, at });
    }
    for feature in unsupported(parsed) {
        let place = if feature.place.is_empty() { "workflow".to_owned() } else { feature.place };
        report.warn(place, format!("{}; `workflow run` will refuse it", feature.problem));
    }
    placement_warnings(parsed, &mut report);
    let inputs = workflow.inputs.as_ref().and_then(InputSchema::of);
    for problem in inputs.iter().flat_map(InputSchema::problems) {
        report.warn("inputs", format!("`{}`: {}", problem.field, problem.message));
    }
    for finding in expressions::check(parsed) {
        let (message, at) = (finding.problem.message.clone(), Some(finding.problem));
        let (error, warning) = if finding.certain { (Some(message), None) } else { (None, Some(message)) };
        report.checks.push(ValidationCheck { name: finding.place, error, warning, at });
    }
    let mut types = Types { models, known: HashMap::new(), definitions: HashMap::new() };
    for (index, job) in workflow.jobs.iter().enumerate() {
        for (at, step) in job.steps.iter().enumerate() {
            let place = format!("{}/{}", job.name, step.name);
            let path = format!("jobs[{index}].steps[{at}].task");
            match &step.task {
                Task::ModelMethod(task) => {
                    let check = match types
                        .missing_definition(task)
                        .map_or_else(|| types.check(task), |missing| Ok(Some(missing)))
                    {
                        Ok(warning) => ValidationCheck { name: place, error: None, warning, at: None },
                        Err(error) => ValidationCheck {
                            name: place,
                            at: Some(parsed.problem(&path, &error)),
                            error: Some(error),
                            warning: None,
                        },
                    };
                    report.checks.push(check);
                }
                Task::Assert { expr, .. } if expr.trim_start().starts_with("${{") => {
                    let error = "`expr` is an expression by itself; write it without `${{ }}`".to_owned();
                    let at = Some(parsed.problem(&format!("{path}.expr"), &error));
                    report.checks.push(ValidationCheck {
                        name: place,
                        error: Some(error),
                        warning: None,
                        at,
                    });
                }
                Task::Workflow { workflow_id_or_name, .. } if !is_dynamic(workflow_id_or_name) => {
                    let store = crate::store::WorkflowStore::new(models.repo.layout.clone());
                    let error = store.find(workflow_id_or_name).err().map(|error| error.to_string());
                    let at = error.as_ref().map(|error| parsed.problem(&path, error));
                    report.checks.push(ValidationCheck { name: place, error, warning: None, at });
                }
                _ => {}
            }
        }
    }
    report
}

fn placement_warnings(parsed: &Parsed, report: &mut ValidationReport) {
    let workflow = &parsed.workflow;
    let jobs = workflow.jobs.iter();
    let steps = jobs.clone().flat_map(|job| {
        job.steps.iter().map(move |step| (format!("{}/{}", job.name, step.name), &step.placement))
    });
    let all = std::iter::once(("workflow".to_owned(), &workflow.placement))
        .chain(jobs.map(|job| (job.name.clone(), &job.placement)))
        .chain(steps);
    let any_placed = all.clone().any(|(_, placement)| placement.places());
    for (place, placement) in all {
        for (key, is_there) in
            [("queueTimeout", placement.queue_timeout.is_some()), ("affinity", placement.affinity.is_some())]
        {
            if is_there && !any_placed {
                report.warn(
                    place.clone(),
                    format!("`{key}` has no effect without `target`, `labels` or `platform`"),
                );
            }
        }
    }
}

/// The types that steps use, each resolved once.
struct Types<'a> {
    models: &'a Models,
    known: HashMap<TypeName, Result<TypeCode, String>>,
    definitions: HashMap<String, Result<Stored, NoDefinition>>,
}

/// Why there is no definition of a name.
#[derive(Clone)]
struct NoDefinition {
    message: String,
    /// No file has this name; else a file cannot be read.
    is_missing: bool,
}

impl Types<'_> {
    fn look_up(&mut self, name_or_id: &str) -> &Result<Stored, NoDefinition> {
        let models = self.models;
        self.definitions.entry(name_or_id.to_owned()).or_insert_with(|| {
            models.definitions.find(name_or_id).map_err(|error| NoDefinition {
                message: explained(&error),
                is_missing: matches!(error, ModelError::ModelNotFound { .. }),
            })
        })
    }

    fn definition(&mut self, name_or_id: &str) -> Result<Stored, String> {
        self.look_up(name_or_id).clone().map_err(|none| none.message)
    }

    /// What to say of a task whose model is not in the repository. It may be created before the workflow runs.
    fn missing_definition(&mut self, task: &ModelMethod) -> Option<String> {
        match &task.target {
            ModelTarget::Definition { model_id_or_name } if !is_dynamic(model_id_or_name) => {
                match self.look_up(model_id_or_name) {
                    Err(NoDefinition { message, is_missing: true }) => {
                        Some(format!("{message}; a run fails until the model exists"))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn code(&mut self, type_name: &TypeName) -> Result<TypeCode, String> {
        if let Some(known) = self.known.get(type_name) {
            return known.clone();
        }
        let resolved = self.models.resolve_type(type_name).map_err(|error| explained(&error));
        self.known.insert(type_name.clone(), resolved.clone());
        resolved
    }

    /// `Ok`: nothing is wrong that can be known, with a warning if not all could.
    fn check(&mut self, task: &ModelMethod) -> Result<Option<String>, String> {
        let fields: [&str; 2] = match &task.target {
            ModelTarget::Definition { model_id_or_name } => [model_id_or_name, &task.method_name],
            ModelTarget::Direct { model_type, .. } => [model_type, &task.method_name],
        };
        if fields.iter().any(|field| is_dynamic(field)) {
            return Ok(Some(
                "the model or the method is named by an expression, so it was not checked".into(),
            ));
        }
        let empty = Map::new();
        let inputs = match &task.inputs {
            None => &empty,
            Some(Value::Object(inputs)) => inputs,
            // One expression: what it gives is known only when it runs.
            Some(_) => {
                self.method(task)?;
                return Ok(Some("`inputs` is an expression, so they were not checked".into()));
            }
        };
        match &task.target {
            ModelTarget::Definition { model_id_or_name } => {
                let stored = self.definition(model_id_or_name)?;
                let code = self.method(task)?;
                let arguments = &code.method(&task.method_name).map_err(|error| explained(&error))?.arguments;
                let declared = stored.definition.input_schema();
                let uses = stored.definition.input_uses(&task.method_name);
                let mut given = inputs.clone();
                given.retain(|key, _| {
                    let is_declared =
                        declared.as_ref().is_some_and(|schema| schema.properties.contains_key(key));
                    !is_declared && (takes(arguments, key) || !uses.contains(key))
                });
                let from_definition = stored.definition.method_arguments(&task.method_name);
                check_method(task, arguments, given, &from_definition)?;
            }
            ModelTarget::Direct { global_args, .. } => {
                let code = self.method(task)?;
                let explicit = global_args.as_ref().map(|args| args.as_object().cloned().unwrap_or_default());
                let routed = direct::route(&code, &task.method_name, inputs, explicit.as_ref())
                    .map_err(|error| explained(&error))?;
                let arguments = &code.method(&task.method_name).map_err(|error| explained(&error))?.arguments;
                check_method(task, arguments, routed.method, &empty)?;
                if let Some(description) = &code.description.global_arguments {
                    let mut globals = routed.global;
                    problems("global arguments", check_arguments(description, &mut globals))?;
                } else if let Some(key) = routed.global.keys().next() {
                    return Err(format!("`{key}`: the type takes no global arguments"));
                }
            }
        }
        Ok(None)
    }

    /// The code behind the task, which has the method.
    fn method(&mut self, task: &ModelMethod) -> Result<TypeCode, String> {
        let type_name = match &task.target {
            ModelTarget::Definition { model_id_or_name } => self.definition(model_id_or_name)?.type_name,
            ModelTarget::Direct { model_type, .. } => {
                TypeName::parse(model_type).map_err(|error| error.to_string())?
            }
        };
        let code = self.code(&type_name)?;
        code.method(&task.method_name).map_err(|error| explained(&error))?;
        Ok(code)
    }
}

fn check_method(
    task: &ModelMethod,
    arguments: &ArgumentsDescription,
    mut given: Map<String, Value>,
    from_definition: &Map<String, Value>,
) -> Result<(), String> {
    let mut issues = check_arguments(arguments, &mut given);
    let properties = arguments.schema.get("properties").and_then(Value::as_object);
    for name in arguments.schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = name.as_str() else { continue };
        let has_default =
            properties.and_then(|map| map.get(name)).is_some_and(|schema| schema.get("default").is_some());
        if !has_default && !given.contains_key(name) && !from_definition.contains_key(name) {
            issues.push(Issue::new(name, "is required"));
        }
    }
    problems(&format!("inputs of `{}`", task.method_name), issues)
}

fn problems(what: &str, issues: Vec<Issue>) -> Result<(), String> {
    if issues.is_empty() {
        return Ok(());
    }
    Err(ModelError::Validation { what: what.to_owned(), issues }.to_string())
}

fn is_dynamic(text: &str) -> bool {
    marsh_expr::contains_expression(&Value::from(text))
}

fn explained(error: &ModelError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}
