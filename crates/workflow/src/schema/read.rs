//! From the text of a file to a [`Workflow`], or to everything that is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use marsh_types::DefinitionName;
use serde_json::Value;

use super::expression_text::ExpressionTexts;
use super::fields::{Fields, NEEDS, Reader, Unknown, join, problem};
use super::{
    Condition, DataOutputOverride, ForEach, Job, JobDependency, ModelMethod, ModelTarget, Placement, Problem,
    Severity, Step, StepDependency, Task, Trigger, Workflow,
};
use marsh_types::yaml::{At, Node, NodeKind};

const PLACEMENT: [&str; 5] = ["affinity", "target", "labels", "platform", "queueTimeout"];
const WORKFLOW: [&str; 11] = [
    "id",
    "name",
    "description",
    "trigger",
    "tags",
    "inputs",
    "jobs",
    "version",
    "concurrency",
    "reports",
    "code",
];
const JOB: [&str; 7] = ["name", "description", "steps", "dependsOn", "weight", "concurrency", "timeout"];
/// The maximum length of an id that is not a UUID, in bytes.
const MAX_ID: usize = 128;
const STEP: [&str; 13] = [
    "name",
    "description",
    "task",
    "forEach",
    "dependsOn",
    "weight",
    "concurrency",
    "dataOutputOverrides",
    "allowFailure",
    "guard",
    "retry",
    "timeout",
    "code",
];

/// A file that is a workflow as far as its form goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The workflow that the file describes.
    pub workflow: Workflow,
    /// Keys that mean nothing where they stand.
    pub warnings: Vec<Problem>,
    /// Where expressions stand.
    pub expressions: Arc<ExpressionTexts>,
    /// Where each path of the file is, such as `jobs[0].steps[1].dependsOn[0].step`.
    places: BTreeMap<String, At>,
    lines: Vec<String>,
}

impl Parsed {
    /// A problem at a path of the file.
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        problem(&lines, path, self.places.get(path).copied(), message.into())
    }
}

/// Reads a workflow file.
pub fn parse(text: &str) -> Result<Parsed, Vec<Problem>> {
    let node = Node::parse(text).map_err(|error| {
        vec![Problem {
            path: String::new(),
            message: error.message,
            line: error.line,
            column: error.column,
            source_line: error.source_line,
        }]
    })?;
    let mut reader = Reader::new(text);
    let workflow = workflow(&mut reader, &node);
    reader.problems.sort_by_key(|problem| (problem.line, problem.column));
    match workflow {
        Some(workflow) if reader.problems.is_empty() => Ok(Parsed {
            workflow,
            warnings: reader.warnings,
            expressions: Arc::new(ExpressionTexts::of(text, &node)),
            places: reader.places,
            lines: text.lines().map(str::to_owned).collect(),
        }),
        _ => Err(reader.problems),
    }
}

fn with_placement(keys: &[&'static str]) -> Vec<&'static str> {
    keys.iter().chain(&PLACEMENT).copied().collect()
}

fn workflow(reader: &mut Reader<'_>, node: &Node) -> Option<Workflow> {
    let fields = reader.fields(node, "", &with_placement(&WORKFLOW), Unknown::Error)?;
    let id = fields.required_text(reader, "id");
    if let Some(id) = &id {
        check_id(reader, id, fields.value_at("id"));
    }
    let name = fields.required_text(reader, "name");
    if let Some(name) = &name
        // The rule for names that are read is the one of definitions: nothing that could leave a directory.
        && DefinitionName::from_file(name).is_err()
    {
        let message =
            format!("`{name}` cannot be the name of a workflow: it must not contain `..`, `\\` or NUL");
        reader.fail("name", fields.value_at("name"), message);
    }
    let trigger = fields.get("trigger").and_then(|node| trigger(reader, node));
    let tags = fields.text_map(reader, "tags").into_iter().collect();
    let inputs = fields.map(reader, "inputs");
    if let Some(inputs) = &inputs {
        check_inputs(reader, &fields, inputs);
    }
    let version = fields.get("version").map_or(Some(1), |_| fields.count(reader, "version")).unwrap_or(1);
    if version == 0 {
        reader.fail("version", fields.value_at("version"), "`version` must be above 0");
    }
    let jobs = items(reader, &fields, "jobs", job);
    let workflow = Workflow {
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        description: fields.text(reader, "description"),
        trigger,
        tags,
        inputs,
        jobs,
        version: version.into(),
        concurrency: fields.count(reader, "concurrency"),
        reports: fields.map(reader, "reports"),
        code: fields.code_policy(reader),
        placement: placement(reader, &fields),
    };
    Some(workflow)
}

/// The id becomes the name of a directory. A UUID is what everybody should write; files with other ids are in use, and
/// one that is safe as such a name is taken.
fn check_id(reader: &mut Reader<'_>, id: &str, at: At) {
    if id.len() == 36 && uuid::Uuid::parse_str(id).is_ok() {
        return;
    }
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let is_name = id.len() <= MAX_ID
        && id.chars().all(is_plain)
        && id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !id.ends_with('.');
    if is_name {
        let message = format!(
            "`id` is `{id}` and should be a UUID: another workflow with this id would share the runs of this one"
        );
        reader.warn("id", at, message);
    } else {
        reader.fail("id", at, format!("`id` must be a UUID, not `{id}`"));
    }
}

/// The items of a list that must have some.
fn items<T>(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    read: fn(&mut Reader<'_>, &Node, &str) -> Option<T>,
) -> Vec<T> {
    let Some(node) = fields.required(reader, key) else { return Vec::new() };
    let path = fields.path_of(key);
    let list = fields.list(reader, key);
    if list.is_empty() && matches!(node.kind, NodeKind::Sequence(_)) {
        reader.fail(&path, node.at, format!("`{path}` must not be empty"));
    }
    let mut result = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        result.extend(read(reader, item, &format!("{path}[{index}]")));
    }
    result
}

fn check_inputs(reader: &mut Reader<'_>, fields: &Fields<'_>, inputs: &Value) {
    let at = fields.value_at("inputs");
    if let Some(properties) = inputs.get("properties")
        && !properties.is_object()
    {
        reader.fail("inputs.properties", at, "`inputs.properties` must be a map of inputs");
    }
    // In a flat map, `required: {…}` is an input of that name.
    if let Some(required) = inputs.get("required")
        && (inputs.get("properties").is_some() || !required.is_object())
        && !required.as_array().is_some_and(|names| names.iter().all(Value::is_string))
    {
        reader.fail("inputs.required", at, "`inputs.required` must be a list of names");
    }
}

fn trigger(reader: &mut Reader<'_>, node: &Node) -> Option<Trigger> {
    let fields = reader.fields(node, "trigger", &["schedule", "inputs"], Unknown::Warning)?;
    Some(Trigger { schedule: fields.text(reader, "schedule"), inputs: fields.map(reader, "inputs") })
}

fn placement(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Placement {
    let labels = fields.has("labels").then(|| fields.text_map(reader, "labels").into_iter().collect());
    Placement {
        affinity: fields.boolean(reader, "affinity"),
        target: fields.text(reader, "target"),
        labels,
        platform: fields.text(reader, "platform"),
        queue_timeout: fields.number_from(reader, "queueTimeout", 0.0, false),
    }
}

fn job(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Job> {
    let fields = reader.fields(node, path, &with_placement(&JOB), Unknown::Error)?;
    let name = fields.required_text(reader, "name");
    let steps = items(reader, &fields, "steps", step);
    let depends_on = dependencies(reader, &fields, "job");
    Some(Job {
        name: name?,
        description: fields.text(reader, "description"),
        steps,
        depends_on: depends_on.into_iter().map(|(job, condition)| JobDependency { job, condition }).collect(),
        weight: fields.number(reader, "weight").unwrap_or(0.0),
        concurrency: fields.count(reader, "concurrency"),
        timeout: fields.duration(reader, "timeout"),
        placement: placement(reader, &fields),
    })
}

fn step(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Step> {
    let fields = reader.fields(node, path, &with_placement(&STEP), Unknown::Error)?;
    let name = fields.required_text(reader, "name");
    let task = fields.required(reader, "task").and_then(|node| task(reader, node, &join(path, "task")));
    let for_each = fields.get("forEach").and_then(|node| for_each(reader, node, &join(path, "forEach")));
    let depends_on = dependencies(reader, &fields, "step");
    let overrides = fields.list(reader, "dataOutputOverrides");
    let mut data_output_overrides = Vec::new();
    for (index, item) in overrides.iter().enumerate() {
        let path = format!("{path}.dataOutputOverrides[{index}]");
        data_output_overrides.extend(data_output_override(reader, item, &path));
    }
    Some(Step {
        name: name?,
        description: fields.text(reader, "description"),
        task: task?,
        for_each,
        depends_on: depends_on
            .into_iter()
            .map(|(step, condition)| StepDependency { step, condition })
            .collect(),
        weight: fields.number(reader, "weight").unwrap_or(0.0),
        concurrency: fields.count(reader, "concurrency"),
        data_output_overrides,
        allow_failure: fields.boolean(reader, "allowFailure").unwrap_or(false),
        guard: fields.text(reader, "guard"),
        retry: fields.retry(reader),
        timeout: fields.duration(reader, "timeout"),
        code: fields.code_policy(reader),
        placement: placement(reader, &fields),
    })
}

fn for_each(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<ForEach> {
    let fields = reader.fields(node, path, &["item", "in"], Unknown::Warning)?;
    let (item, items) = (fields.required_text(reader, "item"), fields.required_text(reader, "in"));
    Some(ForEach { item: item?, items: items? })
}

fn data_output_override(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<DataOutputOverride> {
    let known = ["specName", "lifetime", "garbageCollection", "tags", "vary", "vaultName"];
    let fields = reader.fields(node, path, &known, Unknown::Warning)?;
    let mut vary = Vec::new();
    for item in fields.list(reader, "vary") {
        match &item.kind {
            NodeKind::Scalar(Value::String(name)) => vary.push(name.clone()),
            _ => reader.fail(
                &join(path, "vary"),
                item.at,
                format!("`{path}.vary` must be a list of input names"),
            ),
        }
    }
    Some(DataOutputOverride {
        spec_name: fields.required_text(reader, "specName")?,
        lifetime: fields.get("lifetime").map(Node::to_json),
        garbage_collection: fields.get("garbageCollection").map(Node::to_json),
        tags: fields.map(reader, "tags"),
        vary,
        vault_name: fields.text(reader, "vaultName"),
    })
}

/// `dependsOn`: what is depended on (key `what`), and the condition, which is mandatory.
fn dependencies(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    what: &'static str,
) -> Vec<(String, Condition)> {
    let path = fields.path_of("dependsOn");
    let mut result = Vec::new();
    for (index, item) in fields.list(reader, "dependsOn").iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let NodeKind::Scalar(Value::String(name)) = &item.kind {
            let message = format!(
                "an entry of `dependsOn` is a map; write `- {{{what}: {name}, condition: {{type: succeeded}}}}`"
            );
            reader.fail(&path, item.at, message);
            continue;
        }
        let Some(entry) = reader.fields(item, &path, &[what, "condition"], Unknown::Warning) else {
            continue;
        };
        let name = entry.required_text(reader, what);
        let condition = entry
            .required(reader, "condition")
            .and_then(|node| condition(reader, node, &join(&path, "condition")));
        if let (Some(name), Some(condition)) = (name, condition) {
            result.push((name, condition));
        }
    }
    needs(reader, fields, what, &mut result);
    result
}

/// `needs`: a name or a list of names. To leave it out would run at once what was meant to wait, so it is read as it is
/// meant, with a warning.
fn needs(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    what: &'static str,
    dependencies: &mut Vec<(String, Condition)>,
) {
    let Some(node) = fields.get(NEEDS) else { return };
    let names = match &node.kind {
        NodeKind::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut written = Vec::new();
    for item in names {
        let NodeKind::Scalar(Value::String(name)) = &item.kind else {
            let message =
                format!("`needs` is a name or a list of names of {what}s, and this is {}", item.word());
            reader.fail(&fields.path_of(NEEDS), item.at, message);
            continue;
        };
        // Where problems of the dependency are looked for.
        let path = fields.path_of(&format!("dependsOn[{}].{what}", dependencies.len()));
        reader.places.insert(path, item.at);
        dependencies.push((name.clone(), Condition::Succeeded));
        written.push(format!("{{{what}: {name}, condition: {{type: succeeded}}}}"));
    }
    let message = format!("unknown key `needs` is read as `dependsOn: [{}]`; write that", written.join(", "));
    reader.warn(&fields.path_of(NEEDS), fields.key_at(NEEDS), message);
}

fn condition(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Condition> {
    if let NodeKind::Scalar(Value::String(name)) = &node.kind {
        reader.fail(path, node.at, format!("a condition is a map; write `condition: {{type: {name}}}`"));
        return None;
    }
    let fields = reader.fields(node, path, &["type", "conditions", "condition"], Unknown::Warning)?;
    let kind = fields.required_text(reader, "type")?;
    match kind.as_str() {
        "always" => Some(Condition::Always),
        "succeeded" => Some(Condition::Succeeded),
        "failed" => Some(Condition::Failed),
        "completed" => Some(Condition::Completed),
        "skipped" => Some(Condition::Skipped),
        "and" | "or" => {
            let list = fields.list(reader, "conditions");
            if list.len() < 2 {
                let message = format!("a condition of type `{kind}` needs `conditions`, two or more");
                reader.fail(&join(path, "conditions"), fields.key_at("conditions"), message);
            }
            let mut conditions = Vec::with_capacity(list.len());
            for (index, item) in list.iter().enumerate() {
                conditions.push(condition(reader, item, &format!("{path}.conditions[{index}]"))?);
            }
            Some(if kind == "and" { Condition::And { conditions } } else { Condition::Or { conditions } })
        }
        "not" => {
            let inner = fields.required(reader, "condition")?;
            let inner = condition(reader, inner, &join(path, "condition"))?;
            Some(Condition::Not { condition: Box::new(inner) })
        }
        other => {
            let message = unknown_word("condition type", other, &Condition::TYPES);
            reader.fail(&join(path, "type"), fields.value_at("type"), message);
            None
        }
    }
}

pub(super) fn unknown_word(what: &str, word: &str, known: &[&str]) -> String {
    let near = marsh_types::near::did_you_mean(word, known.iter().copied())
        .unwrap_or_else(|| format!("known: {}", known.join(", ")));
    format!("unknown {what} `{word}`; {near}")
}

fn task(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Task> {
    // Which keys are known depends on the type, so it is looked at first.
    let kind = match &node.kind {
        NodeKind::Mapping(entries) => {
            entries.iter().find(|(key, _)| key.name == "type").map(|(_, node)| node.to_json())
        }
        _ => None,
    };
    let known: &[&str] = match kind.as_ref().and_then(Value::as_str) {
        Some("model_method") => &[
            "type",
            "modelIdOrName",
            "modelType",
            "modelName",
            "methodName",
            "inputs",
            "globalArgs",
            "arguments",
        ],
        Some("workflow") => &["type", "workflowIdOrName", "inputs", "arguments"],
        Some("manual_approval") => &["type", "prompt", "timeout"],
        Some("assert") => &["type", "expr", "message", "severity"],
        _ => {
            let fields = reader.fields(node, path, &["type"], Unknown::Warning)?;
            let kind = fields.required_text(reader, "type")?;
            let message = if kind == "shell" {
                "the task type `shell` was removed; use `model_method` with `modelType: command/shell`, \
                 `methodName: execute` and the command line in `inputs.run`"
                    .to_owned()
            } else {
                unknown_word("task type", &kind, &Task::TYPES)
            };
            reader.fail(&join(path, "type"), fields.value_at("type"), message);
            return None;
        }
    };
    let fields = reader.fields(node, path, known, Unknown::Warning)?;
    if known.contains(&"arguments") && fields.has("arguments") {
        let message = "a task has no `arguments`; did you mean `inputs`?";
        reader.fail(&join(path, "arguments"), fields.key_at("arguments"), message);
    }
    match known.get(1).copied() {
        Some("workflowIdOrName") => Some(Task::Workflow {
            inputs: fields.map_or_expression(reader, "inputs"),
            workflow_id_or_name: fields.required_text(reader, "workflowIdOrName")?,
        }),
        Some("prompt") => Some(Task::ManualApproval {
            timeout: fields.number_from(reader, "timeout", 0.0, true),
            prompt: fields.required_text(reader, "prompt")?,
        }),
        Some("expr") => assert(reader, &fields),
        _ => model_method(reader, &fields),
    }
}

fn assert(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Task> {
    let severity = match fields.text(reader, "severity").as_deref() {
        None | Some("high") => Severity::High,
        Some("medium") => Severity::Medium,
        Some("low") => Severity::Low,
        Some(other) => {
            let message = unknown_word("severity", other, &["low", "medium", "high"]);
            reader.fail(&fields.path_of("severity"), fields.value_at("severity"), message);
            Severity::High
        }
    };
    let (expr, message) = (fields.required_text(reader, "expr"), fields.required_text(reader, "message"));
    Some(Task::Assert { expr: expr?, message: message?, severity })
}

fn model_method(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Task> {
    let method_name = fields.required_text(reader, "methodName");
    let inputs = fields.map_or_expression(reader, "inputs");
    let direct = fields.has("modelType") || fields.has("modelName");
    let target = if fields.has("modelIdOrName") {
        if direct {
            let message =
                "a task names its model by `modelIdOrName`, or by `modelType` and `modelName`, not by both";
            reader.fail(&fields.path, fields.at, message);
        }
        if fields.has("globalArgs") {
            let message = "`globalArgs` goes with `modelType`; a definition has its own `globalArguments`";
            reader.fail(&fields.path_of("globalArgs"), fields.key_at("globalArgs"), message);
        }
        ModelTarget::Definition { model_id_or_name: fields.required_text(reader, "modelIdOrName")? }
    } else if direct {
        let global_args = fields.map_or_expression(reader, "globalArgs");
        let (model_type, model_name) =
            (fields.required_text(reader, "modelType"), fields.required_text(reader, "modelName"));
        ModelTarget::Direct { model_type: model_type?, model_name: model_name?, global_args }
    } else {
        let message = "the task names no model: give `modelIdOrName`, or `modelType` and `modelName`";
        reader.fail(&fields.path, fields.at, message);
        return None;
    };
    Some(Task::ModelMethod(ModelMethod { target, method_name: method_name?, inputs }))
}
