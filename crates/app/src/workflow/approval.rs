//! Approvals and cancellations: decisions about runs of any process.

use marsh_api::workflow::{CancelledRuns, DecidedApproval, PendingApprovals};

use crate::error::AppError;
use crate::session::{Read, Write};

/// A decision about a step that waits for an approval.
#[derive(Debug, Clone, Default)]
pub struct ApprovalRequest {
    /// The workflow, by name or id.
    pub workflow: String,
    /// The step: `step` or `job/step`.
    pub step: String,
    /// The run, by the start of its id; `None`: the only run that waits.
    pub run: Option<String>,
    /// The reason, for the record.
    pub reason: Option<String>,
}

/// Which open runs a cancellation ends.
#[derive(Debug, Clone)]
pub enum OpenRuns {
    /// One run, by the start of its id.
    Run(String),
    /// The only open run of a workflow, by name or id.
    OnlyOf(String),
    /// Every open run of a workflow, by name or id.
    AllOf(String),
    /// Every open run.
    All,
}

/// Runs to cancel.
#[derive(Debug, Clone)]
pub struct CancelRequest {
    /// Which.
    pub runs: OpenRuns,
    /// The reason, for the record; `None`: the user who cancels.
    pub reason: Option<String>,
}

impl Read<'_> {
    /// The steps that wait for an approval, oldest first.
    ///
    /// # Errors
    ///
    /// When the runs cannot be listed, or the journal of an open run cannot be read.
    pub fn pending_approvals(&self) -> Result<PendingApprovals, AppError> {
        Ok(self.workflows().pending_approvals()?)
    }
}

impl Write<'_> {
    /// Approves a step that waits. The process that owns the run notes the decision, if there is one.
    ///
    /// # Errors
    ///
    /// When no step waits that fits, several runs wait, the request has expired, or the owner does not answer.
    pub fn approve_step(&self, request: &ApprovalRequest) -> Result<DecidedApproval, AppError> {
        self.decide(request, true)
    }

    /// Rejects a step that waits.
    ///
    /// # Errors
    ///
    /// Those of [`Write::approve_step`].
    pub fn reject_step(&self, request: &ApprovalRequest) -> Result<DecidedApproval, AppError> {
        self.decide(request, false)
    }

    fn decide(&self, request: &ApprovalRequest, approved: bool) -> Result<DecidedApproval, AppError> {
        let env = &self.models().env;
        let user = env.raw("USER").or_else(|| env.raw("LOGNAME")).map(str::to_owned);
        let (run, reason) = (request.run.as_deref(), request.reason.clone());
        let decided =
            self.workflows().decide(&request.workflow, &request.step, run, approved, reason, user)?;
        Ok(decided.document())
    }

    /// Cancels open runs: asks the processes that own them, or notes the end of runs without one.
    ///
    /// # Errors
    ///
    /// When several runs fit and one was meant, a run has ended, or its owner does not answer.
    pub fn cancel_runs(&self, request: &CancelRequest) -> Result<CancelledRuns, AppError> {
        let which = match &request.runs {
            OpenRuns::Run(run) => marsh_workflow::OpenRuns::Run(run),
            OpenRuns::OnlyOf(workflow) => marsh_workflow::OpenRuns::OnlyOf(workflow),
            OpenRuns::AllOf(workflow) => marsh_workflow::OpenRuns::AllOf(workflow),
            OpenRuns::All => marsh_workflow::OpenRuns::All,
        };
        let reason = match (&request.reason, self.models().env.raw("USER")) {
            (Some(reason), _) => reason.clone(),
            (None, Some(user)) => format!("cancelled by {user}"),
            (None, None) => "cancelled".to_owned(),
        };
        Ok(self.workflows().cancel_open(which, &reason)?)
    }
}
