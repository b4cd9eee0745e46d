//! From the facts of a run to its record.

use std::collections::HashMap;
use std::sync::Arc;

use marsh_data::Tags;
use serde_json::{Map, Value, json};

use crate::journal::{Fact, JobOutline, Line, Output, StepEnd, StepKey};
use crate::machine::{Plan, PlanJob, PlanStep};
use crate::record::{DataArtifact, JobRecord, NodeStatus, RunRecord, RunStatus, StepRecord};
use crate::schema::FailureKind;

/// A step, or the steps that it was expanded to.
#[derive(Debug, Clone)]
struct Slot {
    template: Arc<StepRecord>,
    items: Option<Vec<Arc<StepRecord>>>,
}

impl Slot {
    fn new(name: &str) -> Slot {
        Slot { template: Arc::new(StepRecord::new(name)), items: None }
    }
}

/// The record of a run, brought up to date fact by fact.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    /// Without its steps.
    head: RunRecord,
    slots: Vec<Vec<Slot>>,
    names: HashMap<String, (usize, HashMap<String, usize>)>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        let head = RunRecord {
            id: String::new(),
            workflow_id: String::new(),
            workflow_name: String::new(),
            status: RunStatus::Pending,
            started_at: None,
            completed_at: None,
            jobs: Vec::new(),
            tags: Tags::new(),
            pid: None,
            log_file: None,
            workflow_data_artifacts: None,
            inputs: None,
            resume_inputs: None,
            initiated_by: None,
            instance_id: None,
            trigger_source: None,
            failed_step: None,
            failure_reason: None,
            step_progress: None,
        };
        Recorder { head, slots: Vec::new(), names: HashMap::new() }
    }
}

impl Recorder {
    /// The record that a journal tells; `None` without a start.
    pub fn of(lines: &[Line]) -> Option<Recorder> {
        let mut recorder = Recorder::default();
        lines.iter().for_each(|line| recorder.apply(line));
        (!lines.is_empty()).then_some(recorder)
    }

    /// Takes the jobs and steps of a file, and keeps the state of those that it already has.
    fn outline(&mut self, outline: &[JobOutline]) {
        let (mut jobs, mut slots, mut names) = (Vec::new(), Vec::new(), HashMap::new());
        for (at, job) in outline.iter().enumerate() {
            let known = self.job(&job.name);
            jobs.push(known.map_or_else(|| new_job(&job.name), |known| self.head.jobs[known].clone()));
            let kept = |step: &String| {
                let known = self.position(&job.name, step).map(|(job, step)| self.slots[job][step].clone());
                known.unwrap_or_else(|| Slot::new(step))
            };
            slots.push(job.steps.iter().map(kept).collect());
            let steps = job.steps.iter().enumerate().map(|(at, step)| (step.clone(), at)).collect();
            names.insert(job.name.clone(), (at, steps));
        }
        (self.head.jobs, self.slots, self.names) = (jobs, slots, names);
    }

    fn job(&self, name: &str) -> Option<usize> {
        self.names.get(name).map(|(at, _)| *at)
    }

    fn position(&self, job: &str, step: &str) -> Option<(usize, usize)> {
        let (job, steps) = self.names.get(job)?;
        Some((*job, *steps.get(step)?))
    }

    /// Names alone, for what follows from a journal without its workflow. Which steps have items is known as far as they
    /// were expanded.
    pub fn plan(&self) -> Plan {
        let jobs = self.head.jobs.iter().zip(&self.slots).map(|(job, slots)| PlanJob {
            name: job.job_name.clone(),
            steps: slots
                .iter()
                .map(|slot| PlanStep {
                    name: slot.template.step_name.clone(),
                    for_each: slot.items.is_some(),
                    ..PlanStep::default()
                })
                .collect(),
            ..PlanJob::default()
        });
        Plan::new(jobs.collect(), None, None)
    }

    /// The record as it is now. The steps of a `forEach` stand where the file has it; one that has no item yet stands for
    /// itself, and one that has none at all is not there.
    pub fn record(&self) -> RunRecord {
        let mut record = self.head.clone();
        for (job, slots) in record.jobs.iter_mut().zip(&self.slots) {
            job.steps = slots
                .iter()
                .flat_map(|slot| slot.items.as_deref().unwrap_or(std::slice::from_ref(&slot.template)))
                .cloned()
                .collect();
        }
        record.count_progress();
        record
    }

    /// How many steps the record has.
    pub fn steps(&self) -> usize {
        let of = |slot: &Slot| slot.items.as_ref().map_or(1, Vec::len);
        self.slots.iter().flatten().map(of).sum()
    }

    pub fn head(&self) -> &RunRecord {
        &self.head
    }

    /// The step as the record has it.
    pub fn step(&self, key: &StepKey) -> Option<&StepRecord> {
        let (job, step) = self.position(&key.job, &key.step)?;
        let slot = &self.slots[job][step];
        match (key.item, &slot.items) {
            (Some(item), Some(items)) => items.get(item).map(|step| &**step),
            (Some(_), None) => None,
            (None, _) => Some(&slot.template),
        }
    }

    fn step_mut(&mut self, key: &StepKey) -> Option<&mut StepRecord> {
        let (job, step) = self.position(&key.job, &key.step)?;
        let slot = &mut self.slots[job][step];
        let step = match (key.item, &mut slot.items) {
            (Some(item), Some(items)) => items.get_mut(item)?,
            (Some(_), None) => return None,
            (None, _) => &mut slot.template,
        };
        // A record that was written has let go of it by now.
        Some(Arc::make_mut(step))
    }

    fn with_step(&mut self, key: &StepKey, change: impl FnOnce(&mut StepRecord)) {
        if let Some(step) = self.step_mut(key) {
            change(step);
        }
    }

    fn with_job(&mut self, name: &str, change: impl FnOnce(&mut JobRecord)) {
        if let Some(job) = self.job(name) {
            change(&mut self.head.jobs[job]);
        }
    }

    pub fn apply(&mut self, line: &Line) {
        let at = || Some(line.at.clone());
        match &line.fact {
            Fact::Started(started) => {
                self.outline(&started.outline);
                let head = &mut self.head;
                head.id.clone_from(&started.run_id);
                head.workflow_id.clone_from(&started.workflow_id);
                head.workflow_name.clone_from(&started.workflow_name);
                head.status = RunStatus::Running;
                head.started_at = at();
                head.tags = started.tags.clone();
                head.pid = Some(started.pid);
                head.log_file = Some(started.log_file.clone());
                head.inputs = Some(started.inputs.clone());
                head.initiated_by.clone_from(&started.initiated_by);
                head.trigger_source = Some(started.trigger_source.clone());
            }
            Fact::Resumed { pid, inputs, outline, .. } => {
                if let Some(outline) = outline {
                    self.outline(outline);
                }
                self.resumed(*pid, inputs);
            }
            Fact::Reset { steps, jobs } => self.reset(steps, jobs),
            Fact::Pinned { .. } | Fact::JobTimedOut { .. } | Fact::Stopping { .. } => {}
            Fact::JobStarted { job } => self.with_job(job, |job| {
                job.status = NodeStatus::Running;
                // A job that goes on after a reset began when it began.
                job.started_at = job.started_at.take().or_else(at);
            }),
            Fact::JobEnded { job, succeeded } => self.with_job(job, |job| {
                job.status = if *succeeded { NodeStatus::Succeeded } else { NodeStatus::Failed };
                job.completed_at = at();
            }),
            Fact::JobSkipped { job, .. } => self.with_job(job, |job| job.status = NodeStatus::Skipped),
            Fact::StepStarted { key, attempt } => {
                let attempt = *attempt;
                self.with_step(key, |step| {
                    step.status = NodeStatus::Running;
                    step.started_at = at();
                    step.error = None;
                    step.attempts = (attempt > 1).then_some(attempt);
                });
            }
            Fact::Expanded { job, step, items } => {
                if let Some((job, step)) = self.position(job, step) {
                    let records = items.iter().map(|item| Arc::new(StepRecord::new(&item.name))).collect();
                    self.slots[job][step].items = Some(records);
                }
            }
            Fact::StepRetried { key, error, .. } => self.with_step(key, |step| {
                step.status = NodeStatus::Pending;
                step.error = Some(error.clone());
            }),
            Fact::StepDue { .. } => {}
            Fact::StepEnded { key, end } => self.step_ended(key, end, &line.at),
            Fact::StepSkipped { key, reason } => self.with_step(key, |step| {
                step.status = NodeStatus::Skipped;
                step.skip_reason = Some(*reason);
            }),
            Fact::ApprovalRequested { key, prompt, .. } => self.with_step(key, |step| {
                step.status = NodeStatus::WaitingApproval;
                step.approval_prompt = Some(prompt.clone());
            }),
            Fact::ApprovalDecided { key, decision } => {
                self.with_step(key, |step| {
                    step.status = if decision.approved { NodeStatus::Succeeded } else { NodeStatus::Failed };
                    step.completed_at = at();
                    step.error = (!decision.approved).then(|| match &decision.reason {
                        Some(reason) => format!("rejected: {reason}"),
                        None => "rejected".to_owned(),
                    });
                    step.approval_decision = Some(decision.clone());
                });
                if !decision.approved {
                    let error = self.step(key).and_then(|step| step.error.clone());
                    self.failed(key, error.unwrap_or_default());
                }
            }
            Fact::ChildSuspended { key, run_id } => self.with_step(key, |step| {
                step.status = NodeStatus::Suspended;
                step.output = Some(json!({ "type": "workflow", "runId": run_id, "status": "suspended" }));
            }),
            Fact::Suspended => {
                self.head.status = RunStatus::Suspended;
                for job in &mut self.head.jobs {
                    if job.status == NodeStatus::Running {
                        job.status = NodeStatus::Suspended;
                    }
                }
            }
            Fact::Ended { status, reason } => {
                self.head.status = *status;
                self.head.completed_at = at();
                if let (RunStatus::Cancelled, Some(reason)) = (status, reason) {
                    self.head.tags.set("cancel_reason", reason.as_str());
                }
            }
        }
    }

    fn failed(&mut self, key: &StepKey, error: String) {
        // The first one is what went wrong; others may follow from it.
        if self.head.failed_step.is_none() {
            let name = self.step(key).map_or_else(|| key.step.clone(), |step| step.step_name.clone());
            self.head.failed_step = Some(name);
            self.head.failure_reason = Some(error);
        }
    }

    fn step_ended(&mut self, key: &StepKey, end: &StepEnd, at: &str) {
        self.with_step(key, |step| {
            step.completed_at = Some(at.to_owned());
            step.status = if end.error.is_some() { NodeStatus::Failed } else { NodeStatus::Succeeded };
            step.error.clone_from(&end.error);
            step.allowed_failure = end.allowed.then_some(true);
            step.assert_result.clone_from(&end.assert);
            match &end.output {
                Some(Output::ModelMethod { code, artifacts, .. }) => {
                    step.code = Some(code.clone());
                    step.data_artifacts.clone_from(artifacts);
                }
                Some(Output::Workflow { .. }) | None => {}
            }
            step.output = end.output.as_ref().map(output);
        });
        // A step that was stopped is not why a run failed.
        if let Some(error) = &end.error
            && !end.allowed
            && end.kind != Some(FailureKind::Cancelled)
        {
            self.failed(key, error.clone());
        }
    }

    fn resumed(&mut self, pid: u32, inputs: &Map<String, Value>) {
        let head = &mut self.head;
        head.status = RunStatus::Running;
        head.completed_at = None;
        head.pid = Some(pid);
        if !inputs.is_empty() {
            head.inputs.get_or_insert_default().extend(inputs.clone());
            let names = head.resume_inputs.get_or_insert_default();
            names.extend(inputs.keys().cloned());
            names.sort();
            names.dedup();
        }
        for job in &mut head.jobs {
            if job.status == NodeStatus::Suspended {
                job.status = NodeStatus::Running;
            }
        }
        for slot in self.slots.iter_mut().flatten() {
            let steps = slot.items.as_deref_mut().unwrap_or(std::slice::from_mut(&mut slot.template));
            for step in steps {
                if matches!(step.status, NodeStatus::Running | NodeStatus::Suspended) {
                    Arc::make_mut(step).status = NodeStatus::Pending;
                }
            }
        }
    }

    fn reset(&mut self, steps: &[StepKey], jobs: &[String]) {
        for key in steps {
            if let Some((job, step)) = self.position(&key.job, &key.step) {
                self.slots[job][step] = Slot::new(&key.step);
            }
        }
        for name in jobs {
            self.with_job(name, |job| {
                job.status = NodeStatus::Pending;
                job.completed_at = None;
            });
        }
        self.head.status = RunStatus::Running;
        self.head.completed_at = None;
        self.head.failed_step = None;
        self.head.failure_reason = None;
        self.head.tags.remove("cancel_reason");
    }
}

fn new_job(name: &str) -> JobRecord {
    JobRecord {
        job_name: name.to_owned(),
        status: NodeStatus::Pending,
        started_at: None,
        completed_at: None,
        steps: Vec::new(),
    }
}

/// Names of results, by spec and instance, and nothing of their content: records stay small, and hold no secret.
fn output(output: &Output) -> Value {
    match output {
        Output::ModelMethod { model, method, output_id, artifacts, .. } => {
            let mut resources = Map::new();
            let mut files = Map::new();
            for DataArtifact { data_id, name, version, tags } in artifacts {
                let of_kind = if tags.get("type") == Some("file") { &mut files } else { &mut resources };
                let spec = tags.get("specName").unwrap_or(name);
                let instances = of_kind.entry(spec).or_insert_with(|| json!({}));
                instances[name] = json!({ "id": data_id, "name": name, "version": version });
            }
            json!({
                "type": "model_method",
                "model": model,
                "method": method,
                "outputId": output_id,
                "resources": resources,
                "files": files,
            })
        }
        Output::Workflow { workflow, run_id, status } => {
            json!({ "type": "workflow", "workflow": workflow, "runId": run_id, "status": status })
        }
    }
}
