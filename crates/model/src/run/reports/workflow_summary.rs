//! The summary of a workflow run, and its attestation for machines.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::WorkflowSubject;
use super::built_in::{cell, retrieval};

/// A step that runs a method, for summaries.
#[derive(Debug, Clone)]
pub struct SummaryStep {
    /// The job.
    pub job: String,
    /// The step.
    pub step: String,
    /// The model, as far as it is known.
    pub model: String,
    /// Its type; `None`: the step never came to know it.
    pub model_type: Option<String>,
    /// The method.
    pub method: String,
    /// The status of the step.
    pub status: &'static str,
    /// Name and version of what it wrote.
    pub written: Vec<(String, u32)>,
    /// The program of the commands that show what it wrote.
    pub program: &'static str,
}

/// What a workflow run did, for summaries.
#[derive(Debug, Clone, Default)]
pub struct RunSummary {
    /// Name and status of each job.
    pub jobs: Vec<(String, &'static str)>,
    /// The steps that run methods, in the order of the record.
    pub steps: Vec<SummaryStep>,
}

impl SummaryStep {
    fn commands(&self) -> Vec<String> {
        self.written
            .iter()
            .map(|(name, version)| retrieval(self.program, &self.model, name, *version))
            .collect()
    }

    fn call(&self) -> String {
        format!("{} → {}", self.model, self.method)
    }
}

impl RunSummary {
    fn count(&self, status: &str) -> usize {
        self.steps.iter().filter(|step| step.status == status).count()
    }

    fn failed(&self) -> impl Iterator<Item = &SummaryStep> {
        self.steps.iter().filter(|step| step.status == "failed")
    }

    pub(super) fn markdown(&self, subject: &WorkflowSubject<'_>) -> String {
        let mut text = format!("# {}: {}\n\n", subject.name, subject.status);
        let counts = (self.count("succeeded"), self.count("failed"), self.count("skipped"));
        text.push_str(&format!("{} succeeded · {} failed · {} skipped\n", counts.0, counts.1, counts.2));
        if counts.1 > 0 {
            text.push_str("\n## Failures\n\n| Job | Step | Model → method | Retrieval Commands |\n| --- | --- | --- | --- |\n");
            for step in self.failed() {
                let commands: Vec<String> =
                    step.commands().iter().map(|command| format!("`{command}`")).collect();
                let (job, name, call) = (cell(&step.job), cell(&step.step), cell(&step.call()));
                text.push_str(&format!("| {job} | {name} | {call} | {} |\n", commands.join(" ")));
            }
        }
        let mut by_job: BTreeMap<&str, Vec<&SummaryStep>> = BTreeMap::new();
        for step in &self.steps {
            by_job.entry(&step.job).or_default().push(step);
        }
        for (job, status) in &self.jobs {
            let Some(steps) = by_job.get(job.as_str()) else { continue };
            text.push_str(&format!(
                "\n## Job: {job} ({status})\n\n| Step | Model → method | Status |\n| --- | --- | --- |\n"
            ));
            for step in steps {
                let mark = if step.status == "failed" { "**" } else { "" };
                let (name, call) = (cell(&step.step), cell(&step.call()));
                text.push_str(&format!(
                    "| {mark}{name}{mark} | {mark}{call}{mark} | {mark}{}{mark} |\n",
                    step.status
                ));
            }
        }
        text
    }

    pub(super) fn json(&self, subject: &WorkflowSubject<'_>) -> Value {
        let failures: Vec<Value> = self
            .failed()
            .map(|step| {
                json!({
                    "jobName": step.job, "stepName": step.step, "modelName": step.model,
                    "methodName": step.method, "retrievalCommands": step.commands(),
                })
            })
            .collect();
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                json!({
                    "jobName": step.job, "stepName": step.step, "modelName": step.model,
                    "modelType": step.model_type, "methodName": step.method, "status": step.status,
                    "retrievalCommands": step.commands(),
                })
            })
            .collect();
        json!({
            "status": subject.status,
            "workflowId": subject.id,
            "workflowRunId": subject.run_id,
            "workflowName": subject.name,
            "totalSteps": self.steps.len(),
            "succeeded": self.count("succeeded"),
            "failed": self.count("failed"),
            "skipped": self.count("skipped"),
            "failures": failures,
            "steps": steps,
        })
    }

    pub(super) fn attestation(&self, subject: &WorkflowSubject<'_>) -> (String, Value) {
        let input = |name: &str| match subject.inputs.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "unknown".to_owned(),
            Some(other) => other.to_string(),
        };
        let (commit, branch) = (input("commit"), input("branch"));
        let step_json = |step: &SummaryStep| {
            let mut map = Map::new();
            map.insert("job".into(), json!(step.job));
            map.insert("step".into(), json!(step.step));
            map.insert("model".into(), json!(step.model_type.as_deref().unwrap_or(&step.model)));
            map.insert("method".into(), json!(step.method));
            map.insert("status".into(), json!(step.status));
            if step.status == "failed" {
                map.insert("retrievalCommands".into(), json!(step.commands()));
            }
            Value::Object(map)
        };
        let failures: Vec<Value> = self
            .failed()
            .map(|step| json!({"job": step.job, "step": step.step, "retrievalCommands": step.commands()}))
            .collect();
        let (succeeded, failed) = (self.count("succeeded"), self.count("failed"));
        let all_passed = failed == 0 && subject.status == "succeeded";
        let mut json = json!({
            "version": "1",
            "type": "verification-attestation",
            "workflowRunId": subject.run_id,
            "workflowId": subject.id,
            "workflowName": subject.name,
            "subject": {"commit": commit, "branch": branch},
            "steps": self.steps.iter().map(step_json).collect::<Vec<_>>(),
        });
        if let (Value::Object(map), false) = (&mut json, failures.is_empty()) {
            map.insert("failures".into(), Value::Array(failures));
        }
        if let Value::Object(map) = &mut json {
            map.insert(
                "gate".into(),
                json!({
                    "allPassed": all_passed,
                    "stepsCompleted": succeeded,
                    "stepsTotal": self.steps.len(),
                    "stepsSkipped": self.count("skipped"),
                    "stepsFailed": failed,
                }),
            );
        }
        let verdict = if all_passed { "passed" } else { "did not pass" };
        let markdown = format!(
            "# Verification of {}: {verdict}\n\nCommit {commit}, branch {branch}: {succeeded} of {} steps succeeded, {failed} failed, \
             {} skipped.\n\n```json\n{json:#}\n```\n",
            subject.name,
            self.steps.len(),
            self.count("skipped"),
        );
        (markdown, json)
    }
}
