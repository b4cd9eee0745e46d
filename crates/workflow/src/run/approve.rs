//! Approvals, rejections and cancellations from outside of the process that runs.
//!
//! For a run that a process owns, the command writes a request to the inbox of the run and waits until the owner has
//! noted the decision. For a run without an owner, the command takes the lock and notes the decision itself. No step runs
//! here: a run that can continue stays suspended until a user resumes it.

use std::time::{Duration, Instant};

use marsh_types::time::iso_millis;

use super::owner_request::{self, OwnerRequest};
use super::resume::waits;
use crate::Workflows;
use crate::error::WorkflowError;
use crate::fold::Recorder;
use crate::journal::{ApprovalDecision, Fact, Line, StepKey};
use crate::machine::{Machine, Phase};
use crate::record::{NodeStatus, RunRecord, RunStatus};
use crate::schema::Workflow;

/// How long the owner of a run may take to note a request.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A step that waits for an approval.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingApproval {
    /// The name of the workflow.
    pub workflow_name: String,
    /// The id of the workflow.
    pub workflow_id: String,
    /// The id of the run.
    pub run_id: String,
    /// The job of the step.
    pub job_name: String,
    /// The step that waits.
    pub step_name: String,
    /// Its question.
    pub prompt: String,
    /// When it began to wait, RFC 3339.
    pub since: Option<String>,
    /// When it expires, if ever.
    pub expires: Option<String>,
    /// The inputs of the run, secrets masked.
    pub inputs: serde_json::Map<String, serde_json::Value>,
}

/// What became of a run by a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Approved {
    /// The id of the run.
    pub run_id: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// The step that was decided.
    pub step_name: String,
    /// What was decided.
    pub decision: ApprovalDecision,
    /// The state of the run afterwards.
    pub status: RunStatus,
}

/// A question that was asked.
struct Asked {
    key: StepKey,
    name: String,
    prompt: String,
    at: String,
    timeout_ms: Option<u64>,
}

impl Asked {
    fn expires(&self) -> Option<jiff::Timestamp> {
        let at: jiff::Timestamp = self.at.parse().ok()?;
        let millis = i64::try_from(self.timeout_ms?).ok()?;
        at.checked_add(jiff::SignedDuration::from_millis(millis)).ok()
    }
}

/// The open approval requests of a journal.
fn asked(lines: &[Line]) -> Vec<Asked> {
    let Some(recorder) = Recorder::of(lines) else { return Vec::new() };
    let mut open = Vec::new();
    for line in lines {
        if let Fact::ApprovalRequested { key, prompt, timeout_ms } = &line.fact {
            open.retain(|known: &Asked| known.key != *key);
            let Some(step) = recorder.step(key).filter(|step| waits(step.status)) else { continue };
            open.push(Asked {
                key: key.clone(),
                name: step.step_name.clone(),
                prompt: prompt.clone(),
                at: line.at.clone(),
                timeout_ms: *timeout_ms,
            });
        }
    }
    open
}

impl Workflows<'_> {
    /// The steps that wait for an approval, oldest first.
    pub fn approvals(&self) -> Result<Vec<PendingApproval>, WorkflowError> {
        let mut pending = Vec::new();
        for summary in self.runs.list(None)? {
            if !matches!(summary.entry.status, RunStatus::Suspended | RunStatus::Running) {
                continue;
            }
            let lines = self.runs.journal(&summary.entry.workflow_id, &summary.run_id)?;
            for asked in asked(&lines) {
                pending.push(PendingApproval {
                    workflow_name: summary.entry.workflow_name.clone(),
                    workflow_id: summary.entry.workflow_id.clone(),
                    run_id: summary.run_id.clone(),
                    expires: asked.expires().map(iso_millis),
                    job_name: asked.key.job,
                    step_name: asked.name,
                    prompt: asked.prompt,
                    since: Some(asked.at),
                    inputs: summary.entry.inputs.clone().unwrap_or_default(),
                });
            }
        }
        pending.sort_by(|a, b| a.since.cmp(&b.since));
        Ok(pending)
    }

    /// Approves or rejects a step that waits.
    pub fn decide(
        &self,
        workflow: &str,
        step: &str,
        run: Option<&str>,
        approved: bool,
        reason: Option<String>,
        decided_by: Option<String>,
    ) -> Result<Approved, WorkflowError> {
        let stored = self.store.find(workflow)?;
        let run_id = self.run_that_waits(stored.workflow(), run)?;
        let decision =
            ApprovalDecision { approved, reason, decided_by, decided_at: iso_millis(jiff::Timestamp::now()) };
        let workflow_id = &stored.workflow().id;
        let find = |lines: &[Line]| -> Result<Asked, WorkflowError> {
            let mut open = asked(lines);
            let is_meant = |asked: &Asked| {
                asked.name == step
                    || asked.key.step == step
                    || format!("{}/{}", asked.key.job, asked.name) == step
            };
            let known = open.iter().map(|asked| asked.name.clone()).collect();
            match open.iter().position(is_meant) {
                Some(at) => Ok(open.swap_remove(at)),
                None => Err(WorkflowError::NotWaiting { run: run_id.clone(), step: step.to_owned(), known }),
            }
        };
        let begun = Instant::now();
        let mut sent: Option<StepKey> = None;
        loop {
            if let Some(mut owned) = self.runs.try_own(workflow_id, &run_id)? {
                let lines = owned.lines().unwrap_or_default();
                if let Some(done) =
                    sent.as_ref().and_then(|key| self.decided(&lines, key, &stored.workflow().name))
                {
                    return Ok(done);
                }
                let asked = find(&lines)?;
                refuse_expired(&asked)?;
                owned.append(Fact::ApprovalDecided { key: asked.key.clone(), decision: decision.clone() })?;
                let status = self.settle_quietly(&stored, &mut owned)?;
                return Ok(Approved {
                    run_id,
                    workflow_name: stored.workflow().name.clone(),
                    step_name: asked.name,
                    decision,
                    status,
                });
            }
            let lines = self.runs.journal(workflow_id, &run_id)?;
            match &sent {
                Some(key) => {
                    if let Some(done) = self.decided(&lines, key, &stored.workflow().name) {
                        return Ok(done);
                    }
                }
                None => {
                    let asked = find(&lines)?;
                    refuse_expired(&asked)?;
                    let mail = OwnerRequest::Decide { key: asked.key.clone(), decision: decision.clone() };
                    owner_request::send(&self.runs.requests_path(workflow_id, &run_id), &mail)?;
                    sent = Some(asked.key);
                }
            }
            if begun.elapsed() > PATIENCE {
                return Err(WorkflowError::OwnerSilent { run: run_id });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// What was decided about a key, once it is.
    fn decided(&self, lines: &[Line], key: &StepKey, workflow: &str) -> Option<Approved> {
        let found = lines.iter().rev().find_map(|line| match &line.fact {
            Fact::ApprovalDecided { key: of, decision } if of == key => Some(decision.clone()),
            Fact::ApprovalRequested { key: of, .. } if of == key => None,
            _ => None,
        })?;
        let recorder = Recorder::of(lines)?;
        let step = recorder.step(key)?;
        (!waits(step.status)).then(|| Approved {
            run_id: recorder.head().id.clone(),
            workflow_name: workflow.to_owned(),
            step_name: step.step_name.clone(),
            decision: found,
            status: recorder.head().status,
        })
    }

    fn run_that_waits(&self, workflow: &Workflow, run: Option<&str>) -> Result<String, WorkflowError> {
        if let Some(run) = run {
            let stored = self.runs.find(run)?;
            if !stored.record.workflow_id.eq_ignore_ascii_case(&workflow.id) {
                return Err(WorkflowError::RunNotFound { id: run.to_owned() });
            }
            return Ok(stored.record.id);
        }
        let mut waiting: Vec<String> = self
            .approvals()?
            .into_iter()
            .filter(|pending| pending.workflow_id.eq_ignore_ascii_case(&workflow.id))
            .map(|pending| pending.run_id)
            .collect();
        waiting.dedup();
        match waiting.as_slice() {
            [] => Err(WorkflowError::NothingWaits { workflow: workflow.name.clone() }),
            [only] => Ok(only.clone()),
            _ => Err(WorkflowError::SeveralRuns { workflow: workflow.name.clone(), runs: waiting }),
        }
    }

    /// Cancels a run: asks its owner, or notes the end of a run without an owner. Returns the record after that.
    pub fn cancel(&self, run: &str, reason: &str) -> Result<RunRecord, WorkflowError> {
        let stored = self.runs.find(run)?;
        let (workflow_id, run_id) = (stored.record.workflow_id.clone(), stored.record.id.clone());
        let ended =
            |status| matches!(status, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled);
        if ended(stored.record.status) {
            return Err(WorkflowError::NotRunning { run: run_id, status: stored.record.status });
        }
        let begun = Instant::now();
        let mut sent = false;
        loop {
            if let Some(mut owned) = self.runs.try_own(&workflow_id, &run_id)? {
                let lines = owned.lines().ok_or_else(|| WorkflowError::NoJournal { run: run_id.clone() })?;
                let status = Recorder::of(&lines).map(|recorder| recorder.head().status);
                if !status.is_some_and(ended) {
                    self.end_unowned(&mut owned, &lines, RunStatus::Cancelled, reason)?;
                }
                break;
            }
            if !sent {
                let mail = OwnerRequest::Cancel { reason: reason.to_owned() };
                owner_request::send(&self.runs.requests_path(&workflow_id, &run_id), &mail)?;
                sent = true;
            }
            if begun.elapsed() > PATIENCE {
                return Err(WorkflowError::OwnerSilent { run: run_id });
            }
            std::thread::sleep(PAUSE);
        }
        Ok(self.runs.find(&run_id)?.record)
    }

    /// Notes that a run has failed whose process died. `None`: a process runs it, or it has ended.
    pub fn fail_abandoned(&self, run: &str, reason: &str) -> Result<Option<RunRecord>, WorkflowError> {
        let stored = self.runs.find(run)?;
        let (workflow_id, run_id) = (&stored.record.workflow_id, &stored.record.id);
        let Some(mut owned) = self.runs.try_own(workflow_id, run_id)? else { return Ok(None) };
        let lines = owned.lines().ok_or_else(|| WorkflowError::NoJournal { run: run_id.clone() })?;
        if Recorder::of(&lines).is_none_or(|recorder| recorder.head().status != RunStatus::Running) {
            return Ok(None);
        }
        self.end_unowned(&mut owned, &lines, RunStatus::Failed, reason)?;
        Ok(Some(self.runs.find(run_id)?.record))
    }

    /// Notes the end of a run without an owner.
    fn end_unowned(
        &self,
        owned: &mut crate::runs::OwnedRun,
        lines: &[Line],
        status: RunStatus,
        reason: &str,
    ) -> Result<(), WorkflowError> {
        let Some(recorder) = Recorder::of(lines) else { return Ok(()) };
        let plan = recorder.plan();
        let mut machine = Machine::new(&plan);
        lines.iter().for_each(|line| machine.apply(&line.fact));
        let mut facts = Vec::new();
        // What ran when its process died will not be run again.
        let running = machine.keys_in(Phase::Running);
        facts.push(Fact::Stopping { reason: reason.to_owned() });
        for key in running {
            let end = crate::journal::StepEnd::failed(crate::schema::FailureKind::Cancelled, reason);
            facts.push(Fact::StepEnded { key, end: Box::new(end) });
        }
        facts.iter().for_each(|fact| machine.apply(fact));
        facts.extend(machine.decide(false));
        facts.push(Fact::Ended { status, reason: Some(reason.to_owned()) });
        for fact in facts {
            owned.append(fact)?;
        }
        let record = Recorder::of(&owned.lines().unwrap_or_default()).map(|recorder| recorder.record());
        if let Some(record) = record {
            self.runs.write(&record, marsh_fs::Durability::Synced)?;
            self.runs.update_index(&record)?;
        }
        Ok(())
    }
}

fn refuse_expired(asked: &Asked) -> Result<(), WorkflowError> {
    match asked.expires() {
        Some(expires) if expires < jiff::Timestamp::now() => {
            Err(WorkflowError::ApprovalExpired { step: asked.name.clone(), at: iso_millis(expires) })
        }
        _ => Ok(()),
    }
}

impl RunRecord {
    /// The steps that wait for an approval.
    pub fn waiting(&self) -> impl Iterator<Item = (&str, &crate::record::StepRecord)> {
        self.jobs.iter().flat_map(|job| {
            let steps = job.steps.iter().filter(|step| step.status == NodeStatus::WaitingApproval);
            steps.map(|step| (job.job_name.as_str(), &**step))
        })
    }
}
