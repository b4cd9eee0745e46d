//! What marsh can do, once: sessions, operations and queries under every interface.
//!
//! The command line, the server and every later interface call this crate. An operation takes a request and an event
//! sink, and returns a document of `marsh-api`. Nothing here writes to a terminal, reads the process's environment or
//! decides an exit code; the caller passes these in ([`Settings`]) or makes them from the result. Two things still come
//! from the process: variables in the paths of mounted sources, and the directory for temporary files.
//!
//! A [`Session`] works on definitions, data and vaults, [`Extensions`] on the installed set and its registry.
//!
//! Invariants:
//! * Only a [`Write`] can change data, and only [`Session::write`] makes one, which takes the lock of the repository's
//!   datastore first and pushes the changes afterwards. So no operation can forget the lock (`src/session.rs`).
//! * Documents carry no secret that entered the session: [`Session::secrets`] masks them where they leave.

#![warn(missing_docs)]

mod agent;
mod audit;
mod auth;
mod checkup;
mod data;
mod datastore;
mod datastore_setup;
mod doctor;
mod engine;
mod error;
mod extension;
mod input;
mod install_events;
mod markdown;
mod method;
mod method_events;
mod model;
mod output;
mod preferences;
mod publish;
mod quality;
mod registry;
mod report;
mod repository;
mod run;
mod server;
mod session;
mod source;
mod trust;
mod types;
mod vault;
mod workflow;

pub use agent::AgentSuggestion;
pub use audit::AuditTimelineRequest;
pub use auth::{LoginRequest, NewTokenRequest};
pub use datastore_setup::{DirectorySetupRequest, ExtensionSetupRequest};
pub use doctor::{Diagnosis, DoctorRequest, OwnSources};
pub use error::AppError;
pub use extension::{
    Changed, CollectRequest, ExtensionListing, Extensions, InstallRequest, PullRequest, RemoveRequest,
    SearchRequest, SearchSort, UpdateRequest,
};
pub use input::{DEFAULT_TIMEOUT, InputItems, RunOptions, parse_tags};
pub use markdown::{MarkdownWidth, fit_markdown};
pub use marsh_host_client::CancelToken;
pub use marsh_model::run::reports::ReportSelection;
pub use method::{MethodRunRequest, MethodTarget};
pub use model::{DeleteModel, ModelEdit};
pub use preferences::Preferences;
pub use publish::{PreparedPush, PushRequest, VersionSelection, VersionTarget};
pub use quality::QualityRequest;
pub use registry::{RegistryDirectory, TokenAddRequest};
pub use report::{ReportFilter, is_built_in_report};
pub use repository::InitRequest;
pub use run::CancelMethodsRequest;
pub use server::{NewestCode, Server};
pub use session::{App, Canceller, Program, Pushed, Read, RegistryChoice, Session, Settings, Write};
pub use source::SourceAddRequest;
pub use vault::{PreparedSecret, VaultSource};
pub use workflow::{
    ApprovalRequest, CancelRequest, FilesStamp, GraphFormat, JobOutline, OpenRuns, RunInitiator, RunSearch,
    RunView, StepData, StepOutline, TriggerChange, TriggerRequest, TriggerSource, WorkflowDataRequest,
    WorkflowEdit, WorkflowResumeRequest, WorkflowRunRequest, WorkflowRunResult, WorkflowRuns,
    WorkflowSchedule, WorkflowView, duration_ms, workflow_schemas,
};
