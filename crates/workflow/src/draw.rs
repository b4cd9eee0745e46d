//! The graph of a workflow, drawn: as text for people, as Mermaid for documents.

use crate::schema::{Condition, ForEach, ModelTarget, Step, Task, Workflow};

/// How a workflow is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFormat {
    /// Lines and boxes of text.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
}

/// Draws a workflow.
pub fn draw(workflow: &Workflow, format: GraphFormat) -> String {
    match format {
        GraphFormat::Text => text(workflow),
        GraphFormat::Mermaid => mermaid(workflow),
    }
}

/// What a step does, in a few words.
fn does(task: &Task) -> String {
    match task {
        Task::ModelMethod(call) => match &call.target {
            ModelTarget::Definition { model_id_or_name } => {
                format!("{model_id_or_name}.{}", call.method_name)
            }
            ModelTarget::Direct { model_type, model_name, .. } => {
                format!("{model_type}:{model_name}.{}", call.method_name)
            }
        },
        Task::Workflow { workflow_id_or_name, .. } => format!("workflow {workflow_id_or_name}"),
        Task::ManualApproval { .. } => "approval".to_owned(),
        Task::Assert { expr, .. } => format!("assert {expr}"),
    }
}

fn marks(step: &Step) -> String {
    let mut marks = Vec::new();
    if let Some(ForEach { item, items }) = &step.for_each {
        marks.push(format!("for each {item} in {items}"));
    }
    if step.guard.is_some() {
        marks.push("guarded".to_owned());
    }
    if step.allow_failure {
        marks.push("may fail".to_owned());
    }
    if let Some(retry) = &step.retry {
        marks.push(format!("up to {} tries", retry.attempts));
    }
    if marks.is_empty() { String::new() } else { format!("  [{}]", marks.join(", ")) }
}

pub(crate) fn condition_text(condition: &Condition) -> String {
    let joined = |conditions: &[Condition], word: &str| {
        let parts: Vec<String> = conditions.iter().map(condition_text).collect();
        format!("({})", parts.join(word))
    };
    match condition {
        Condition::Always => "always".into(),
        Condition::Succeeded => "succeeded".into(),
        Condition::Failed => "failed".into(),
        Condition::Completed => "completed".into(),
        Condition::Skipped => "skipped".into(),
        Condition::And { conditions } => joined(conditions, " and "),
        Condition::Or { conditions } => joined(conditions, " or "),
        Condition::Not { condition } => format!("not {}", condition_text(condition)),
    }
}

fn after<'a>(entries: impl Iterator<Item = (&'a str, &'a Condition)>) -> String {
    let parts: Vec<String> =
        entries.map(|(name, condition)| format!("{name} {}", condition_text(condition))).collect();
    if parts.is_empty() { String::new() } else { format!("  <- {}", parts.join(", ")) }
}

fn text(workflow: &Workflow) -> String {
    let mut text = format!("{}\n", workflow.name);
    for (at, job) in workflow.jobs.iter().enumerate() {
        let is_last = at + 1 == workflow.jobs.len();
        let (branch, trunk) = if is_last { ("└─", "   ") } else { ("├─", "│  ") };
        let depends = after(job.depends_on.iter().map(|entry| (entry.job.as_str(), &entry.condition)));
        text.push_str(&format!("{branch} {}{depends}\n", job.name));
        for (at, step) in job.steps.iter().enumerate() {
            let branch = if at + 1 == job.steps.len() { "└─" } else { "├─" };
            let depends = after(step.depends_on.iter().map(|entry| (entry.step.as_str(), &entry.condition)));
            text.push_str(&format!(
                "{trunk}{branch} {}: {}{depends}{}\n",
                step.name,
                does(&step.task),
                marks(step)
            ));
        }
    }
    text
}

/// Text in a Mermaid label: quotes and what Mermaid reads as markup become entities.
fn label(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("#quot;"),
            '#' => escaped.push_str("#35;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

fn mermaid(workflow: &Workflow) -> String {
    let mut text = String::from("flowchart TD\n");
    for (job_at, job) in workflow.jobs.iter().enumerate() {
        text.push_str(&format!("  subgraph j{job_at}[\"{}\"]\n", label(&job.name)));
        for (at, step) in job.steps.iter().enumerate() {
            let words = format!("{}: {}", step.name, does(&step.task));
            let (open, close) = match step.task {
                Task::ManualApproval { .. } => ("{{\"", "\"}}"),
                Task::Assert { .. } => ("{\"", "\"}"),
                Task::Workflow { .. } => ("[[\"", "\"]]"),
                Task::ModelMethod(_) if step.for_each.is_some() => ("[/\"", "\"/]"),
                Task::ModelMethod(_) => ("[\"", "\"]"),
            };
            text.push_str(&format!("    j{job_at}s{at}{open}{}{close}\n", label(&words)));
        }
        for (at, step) in job.steps.iter().enumerate() {
            for entry in &step.depends_on {
                if let Some(on) = job.steps.iter().position(|other| other.name == entry.step) {
                    let words = label(&condition_text(&entry.condition));
                    text.push_str(&format!("    j{job_at}s{on} -->|\"{words}\"| j{job_at}s{at}\n"));
                }
            }
        }
        text.push_str("  end\n");
    }
    for (at, job) in workflow.jobs.iter().enumerate() {
        for entry in &job.depends_on {
            if let Some(on) = workflow.jobs.iter().position(|other| other.name == entry.job) {
                text.push_str(&format!(
                    "  j{on} -->|\"{}\"| j{at}\n",
                    label(&condition_text(&entry.condition))
                ));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{GraphFormat, draw};
    use crate::schema::parse;

    const TEXT: &str = "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\njobs:\n- name: a\n  steps:\n  - name: scan\n    forEach: {item: host, in: '${{ inputs.hosts }}'}\n    retry: 3\n    task: {type: model_method, modelIdOrName: scanner, methodName: run}\n  - name: ask\n    dependsOn: [{step: scan, condition: {type: or, conditions: [{type: succeeded}, {type: skipped}]}}]\n    task: {type: manual_approval, prompt: go?}\n- name: b\n  dependsOn: [{job: a, condition: {type: not, condition: {type: failed}}}]\n  steps:\n  - name: check\n    task: {type: assert, expr: 'size(\"x\") > 0', message: m}\n";

    #[test]
    fn a_graph_is_drawn() {
        let workflow = parse(TEXT).unwrap().workflow;
        assert_eq!(
            draw(&workflow, GraphFormat::Text),
            "w\n├─ a\n│  ├─ scan: scanner.run  [for each host in ${{ inputs.hosts }}, up to 3 tries]\n│  └─ ask: approval  <- scan (succeeded or skipped)\n└─ b  <- a not failed\n   └─ check: assert size(\"x\") > 0\n"
        );
        assert_eq!(
            draw(&workflow, GraphFormat::Mermaid),
            "flowchart TD\n  subgraph j0[\"a\"]\n    j0s0[/\"scan: scanner.run\"/]\n    j0s1{{\"ask: approval\"}}\n    j0s0 -->|\"(succeeded or skipped)\"| j0s1\n  end\n  subgraph j1[\"b\"]\n    j1s0{\"check: assert size(#quot;x#quot;) #gt; 0\"}\n  end\n  j0 -->|\"not failed\"| j1\n"
        );
    }
}
