//! The table of all public documents, and their JSON Schemas.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::{
    audit, auth, checkup, data, datastore, doctor, engine, error, extension, help, model, preferences,
    publish, registry, report, repository, run, server, source, telemetry, vault, workflow,
};

/// A public document: its name, where it appears, and how its schema is made.
#[derive(Clone, Copy)]
pub struct DocumentSpec {
    /// The name, in kebab case; `marsh schema NAME` prints the schema.
    pub name: &'static str,
    /// The commands that print it with `--json`, without `marsh`.
    pub commands: &'static [&'static str],
    schema: fn() -> Schema,
}

impl fmt::Debug for DocumentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentSpec").field("name", &self.name).field("commands", &self.commands).finish()
    }
}

impl DocumentSpec {
    const fn new<T: JsonSchema>(name: &'static str, commands: &'static [&'static str]) -> DocumentSpec {
        DocumentSpec { name, commands, schema: schema_of::<T> }
    }

    /// The parameters of a request to the server.
    const fn request<T: JsonSchema>(name: &'static str) -> DocumentSpec {
        DocumentSpec { name, commands: &[], schema: request_schema_of::<T> }
    }

    /// The JSON Schema (draft 2020-12).
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }
}

fn schema_of<T: JsonSchema>() -> Schema {
    // What is printed: fields that are always written are required.
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    SchemaGenerator::new(settings).into_root_schema_for::<T>()
}

fn request_schema_of<T: JsonSchema>() -> Schema {
    // What is read: fields with a default are optional.
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_deserialize();
    SchemaGenerator::new(settings).into_root_schema_for::<T>()
}

/// Every public document.
pub const DOCUMENTS: &[DocumentSpec] = &[
    DocumentSpec::new::<error::ErrorDocument>("error", &[]),
    DocumentSpec::new::<error::BareError>("bare-error", &[]),
    DocumentSpec::new::<telemetry::TelemetryStatistics>("telemetry-statistics", &["telemetry stats"]),
    DocumentSpec::new::<Version>("version", &["version"]),
    DocumentSpec::new::<engine::EngineList>("engine-list", &["engine list"]),
    DocumentSpec::new::<engine::EngineInstalled>("engine-installed", &["engine install"]),
    DocumentSpec::new::<engine::EnginesRemoved>("engines-removed", &["engine remove"]),
    DocumentSpec::new::<help::HelpDocument>("help", &["help"]),
    DocumentSpec::new::<DocumentList>("document-list", &["schema"]),
    DocumentSpec::new::<model::TypeSearch>("type-search", &["model type search"]),
    DocumentSpec::new::<model::TypeDescription>("type-description", &["model type describe"]),
    DocumentSpec::new::<model::ModelCreated>("model-created", &["model create"]),
    DocumentSpec::new::<model::ModelDocument>("model", &["model get"]),
    DocumentSpec::new::<model::ModelSearch>("model-search", &["model search"]),
    DocumentSpec::new::<model::ModelEdited>("model-edited", &["model edit"]),
    DocumentSpec::new::<model::ModelDeleted>("model-deleted", &["model delete"]),
    DocumentSpec::new::<model::ModelEvaluationDocument>("model-evaluation", &["model evaluate"]),
    DocumentSpec::new::<model::ModelValidationDocument>("model-validation", &["model validate"]),
    DocumentSpec::new::<model::MethodDescribed>("method-description", &["model method describe"]),
    DocumentSpec::new::<model::MethodRunDocument>("method-run", &["model method run"]),
    DocumentSpec::new::<model::OutputDocument>(
        "model-output",
        &["model output", "model output get", "model method history", "model method history get"],
    ),
    DocumentSpec::new::<model::OutputSearch>(
        "model-output-search",
        &["model output search", "model method history search"],
    ),
    DocumentSpec::new::<model::OutputLog>(
        "model-output-log",
        &["model output logs", "model method history logs"],
    ),
    DocumentSpec::new::<model::OutputData>("model-output-data", &["model output data"]),
    DocumentSpec::new::<run::MethodCancellation>("model-cancelled", &["model cancel"]),
    DocumentSpec::new::<run::RunHistory>("run-history", &["run history"]),
    DocumentSpec::new::<run::RunDiagnosis>("run-diagnosis", &["run doctor"]),
    DocumentSpec::new::<run::RunsCollected>("runs-collected", &["run gc"]),
    DocumentSpec::new::<report::ReportResult>("report-result", &["report run"]),
    DocumentSpec::new::<report::ReportSearch>("report-search", &["report search"]),
    DocumentSpec::new::<report::ReportDocument>("report", &["report get"]),
    DocumentSpec::new::<report::ReportDescription>("report-description", &["report describe"]),
    DocumentSpec::new::<report::ReportTypeSearch>("report-type-search", &["report type search"]),
    DocumentSpec::new::<data::DataDocument>("data", &["data get"]),
    DocumentSpec::new::<data::DataList>("data-list", &["data list"]),
    DocumentSpec::new::<workflow::WorkflowDataList>("workflow-data-list", &["data list --workflow"]),
    DocumentSpec::new::<data::DataVersions>("data-versions", &["data versions"]),
    DocumentSpec::new::<data::DataSearch>("data-search", &["data search"]),
    DocumentSpec::new::<data::DataQuery>("data-query", &["data query"]),
    DocumentSpec::new::<data::DataRenamed>("data-renamed", &["data rename"]),
    DocumentSpec::new::<data::DataDeleted>("data-deleted", &["data delete"]),
    DocumentSpec::new::<data::DataCollected>("data-collected", &["data gc"]),
    DocumentSpec::new::<data::DataPruned>("data-pruned", &["data prune"]),
    DocumentSpec::new::<datastore::DatastoreStatus>("datastore-status", &["datastore status"]),
    DocumentSpec::new::<datastore::DatastoreSynced>("datastore-synced", &["datastore sync"]),
    DocumentSpec::new::<datastore::DatastoreLock>("datastore-lock", &["datastore lock status"]),
    DocumentSpec::new::<datastore::DatastoreLockReleased>(
        "datastore-lock-released",
        &["datastore lock release"],
    ),
    DocumentSpec::new::<datastore::DatastoreMoved>(
        "datastore-moved",
        &["datastore setup filesystem", "datastore setup extension"],
    ),
    DocumentSpec::new::<datastore::NamespaceSet>("datastore-namespace-set", &["datastore namespace set"]),
    DocumentSpec::new::<datastore::NamespaceUnset>(
        "datastore-namespace-unset",
        &["datastore namespace unset"],
    ),
    DocumentSpec::new::<datastore::NamespaceMigrated>(
        "datastore-namespace-migrated",
        &["datastore namespace migrate"],
    ),
    DocumentSpec::new::<datastore::NamespaceList>("datastore-namespace-list", &["datastore namespace list"]),
    DocumentSpec::new::<datastore::DatastoreCompacted>("datastore-compacted", &["datastore compact"]),
    DocumentSpec::new::<datastore::IndexMigrated>("datastore-index-migrated", &["datastore migrate-index"]),
    DocumentSpec::new::<datastore::CatalogPulled>("datastore-catalog-pulled", &["datastore catalog pull"]),
    DocumentSpec::new::<datastore::DatastoreTypeSearch>("datastore-type-search", &["datastore type search"]),
    DocumentSpec::new::<vault::VaultCreated>("vault-created", &["vault create"]),
    DocumentSpec::new::<vault::VaultTypeSearch>("vault-type-search", &["vault type search"]),
    DocumentSpec::new::<vault::VaultSearch>("vault-search", &["vault search"]),
    DocumentSpec::new::<vault::VaultDocument>("vault", &["vault get"]),
    DocumentSpec::new::<vault::VaultEdited>("vault-edited", &["vault edit"]),
    DocumentSpec::new::<vault::VaultMigrated>("vault-migrated", &["vault migrate"]),
    DocumentSpec::new::<vault::SecretStored>("secret-stored", &["vault put"]),
    DocumentSpec::new::<vault::SecretDocument>("secret", &["vault read-secret"]),
    DocumentSpec::new::<vault::SecretKeys>("secret-keys", &["vault list-keys"]),
    DocumentSpec::new::<vault::SecretInspection>("secret-inspection", &["vault inspect"]),
    DocumentSpec::new::<vault::SecretDeleted>("secret-deleted", &["vault delete"]),
    DocumentSpec::new::<vault::SecretAnnotated>("secret-annotated", &["vault annotate"]),
    DocumentSpec::new::<vault::AuditTrail>("audit-trail", &["vault audit-trail"]),
    DocumentSpec::new::<extension::ExtensionPulled>("extension-pulled", &["extension pull"]),
    DocumentSpec::new::<extension::ExtensionRemoved>("extension-removed", &["extension rm"]),
    DocumentSpec::new::<extension::ExtensionUpdated>("extension-updated", &["extension update"]),
    DocumentSpec::new::<extension::ExtensionsInstalled>("extensions-installed", &["extension install"]),
    DocumentSpec::new::<extension::ExtensionsRolledBack>("extensions-rolled-back", &["extension rollback"]),
    DocumentSpec::new::<extension::ExtensionsCollected>("extensions-collected", &["extension gc"]),
    DocumentSpec::new::<extension::ExtensionList>("extension-list", &["extension list"]),
    DocumentSpec::new::<extension::ExtensionsOutdated>("extensions-outdated", &["extension outdated"]),
    DocumentSpec::new::<extension::ExtensionInfo>("extension", &["extension info"]),
    DocumentSpec::new::<extension::ExtensionSearch>("extension-search", &["extension search"]),
    DocumentSpec::new::<extension::ExtensionHistory>("extension-history", &["extension history"]),
    DocumentSpec::new::<publish::ExtensionPushed>("extension-pushed", &["extension push"]),
    DocumentSpec::new::<publish::ExtensionFormatted>("extension-formatted", &["extension fmt"]),
    DocumentSpec::new::<publish::ExtensionQuality>("extension-quality", &["extension quality"]),
    DocumentSpec::new::<publish::ExtensionVersion>("extension-version", &["extension version"]),
    DocumentSpec::new::<publish::ExtensionYanked>("extension-yanked", &["extension yank"]),
    DocumentSpec::new::<publish::ExtensionUnyanked>("extension-unyanked", &["extension unyank"]),
    DocumentSpec::new::<publish::ExtensionDeprecated>("extension-deprecated", &["extension deprecate"]),
    DocumentSpec::new::<publish::ExtensionUndeprecated>("extension-undeprecated", &["extension undeprecate"]),
    DocumentSpec::new::<publish::ExtensionPromoted>("extension-promoted", &["extension promote"]),
    DocumentSpec::new::<workflow::CreatedWorkflow>("workflow-created", &["workflow create"]),
    DocumentSpec::new::<workflow::WorkflowDetails>("workflow", &["workflow get"]),
    DocumentSpec::new::<workflow::WorkflowGraph>("workflow-graph", &["workflow get --graph"]),
    DocumentSpec::new::<workflow::WorkflowList>("workflow-search", &["workflow search"]),
    DocumentSpec::new::<workflow::EditedWorkflow>("workflow-edited", &["workflow edit"]),
    DocumentSpec::new::<workflow::DeletedWorkflow>("workflow-deleted", &["workflow delete"]),
    DocumentSpec::new::<workflow::WorkflowValidation>("workflow-validation", &["workflow validate NAME"]),
    DocumentSpec::new::<workflow::WorkflowValidations>("workflow-validations", &["workflow validate"]),
    DocumentSpec::new::<workflow::WorkflowEvaluationDocument>("workflow-evaluated", &["workflow evaluate"]),
    DocumentSpec::new::<workflow::TriggerSet>("workflow-trigger-set", &["workflow trigger set"]),
    DocumentSpec::new::<workflow::TriggerDetails>("workflow-trigger", &["workflow trigger get"]),
    DocumentSpec::new::<workflow::TriggerRemoved>("workflow-trigger-removed", &["workflow trigger remove"]),
    DocumentSpec::new::<workflow::WorkflowRunDocument>("workflow-run", &["workflow run", "workflow resume"]),
    DocumentSpec::new::<workflow::PendingApprovals>("workflow-approvals", &["workflow approvals"]),
    DocumentSpec::new::<workflow::DecidedApproval>(
        "workflow-approval",
        &["workflow approve", "workflow reject"],
    ),
    DocumentSpec::new::<workflow::CancelledRuns>("workflow-cancelled", &["workflow cancel"]),
    DocumentSpec::new::<workflow::RunRecord>(
        "workflow-run-record",
        &["workflow history", "workflow history get"],
    ),
    DocumentSpec::new::<workflow::RunList>("workflow-run-search", &["workflow history search"]),
    DocumentSpec::new::<workflow::RunLog>("workflow-run-log", &["workflow history logs"]),
    DocumentSpec::new::<workflow::event::WorkflowEvent>("workflow-event", &[]),
    DocumentSpec::new::<workflow::ActivitySummary>("summary", &["summarise"]),
    DocumentSpec::new::<repository::RepositoryInitialized>("repository-initialized", &["init", "repo init"]),
    DocumentSpec::new::<repository::RepositoryUpgraded>("repository-upgraded", &["repo upgrade"]),
    DocumentSpec::new::<repository::AgentAdded>("agent-added", &["agent setup"]),
    DocumentSpec::new::<repository::AgentList>("agent-list", &["agent list"]),
    DocumentSpec::new::<repository::AgentRemoved>("agent-removed", &["agent rm"]),
    DocumentSpec::new::<audit::AuditTimeline>("audit-timeline", &["audit"]),
    DocumentSpec::new::<audit::AuditCheckup>("doctor-audit", &["doctor audit"]),
    DocumentSpec::new::<checkup::DatastoreCheckup>("doctor-datastores", &["doctor datastores"]),
    DocumentSpec::new::<checkup::InstallationCheckup>("doctor-install", &["doctor install"]),
    DocumentSpec::new::<checkup::SecretsCheckup>("doctor-secrets", &["doctor secrets"]),
    DocumentSpec::new::<checkup::VaultsCheckup>("doctor-vaults", &["doctor vaults"]),
    DocumentSpec::new::<checkup::WorkflowsCheckup>("doctor-workflows", &["doctor workflows"]),
    DocumentSpec::new::<preferences::PreferenceList>("config-list", &["config list"]),
    DocumentSpec::new::<preferences::Preference>("config", &["config get", "config set"]),
    DocumentSpec::new::<preferences::UpdateCheck>("update-check", &["update"]),
    DocumentSpec::new::<preferences::ProgramSource>(
        "program-source",
        &["source fetch", "source path", "source clean"],
    ),
    DocumentSpec::new::<auth::LoggedIn>("auth-login", &["auth login"]),
    DocumentSpec::new::<auth::LoggedOut>("auth-logout", &["auth logout"]),
    DocumentSpec::new::<auth::AuthIdentity>("auth-identity", &["auth whoami"]),
    DocumentSpec::new::<auth::AuthTokenCreated>("auth-token", &["auth token create"]),
    DocumentSpec::new::<auth::ServerTokenStored>("auth-server-token", &["auth server-login"]),
    DocumentSpec::new::<doctor::ExtensionsReport>("doctor-extensions", &["doctor extensions"]),
    DocumentSpec::new::<source::SourceList>("source-list", &["extension source list"]),
    DocumentSpec::new::<source::SourceChanged>(
        "source-changed",
        &["extension source add", "extension source rm"],
    ),
    DocumentSpec::new::<source::TrustList>("trust-list", &["extension trust list"]),
    DocumentSpec::new::<source::TrustChanged>(
        "trust-changed",
        &["extension trust add", "extension trust rm"],
    ),
    DocumentSpec::new::<source::MemberTrust>("trust-members", &["extension trust auto-trust"]),
    DocumentSpec::new::<registry::RegistryCreated>("registry-created", &["registry init"]),
    DocumentSpec::new::<registry::RegistryStarted>("registry-started", &["registry serve"]),
    DocumentSpec::new::<registry::TokenCreated>("registry-token-created", &["registry token add"]),
    DocumentSpec::new::<registry::TokenList>("registry-token-list", &["registry token list"]),
    DocumentSpec::new::<registry::TokenRemoved>("registry-token-removed", &["registry token rm"]),
    DocumentSpec::new::<server::ServerStarted>("server-started", &["serve"]),
    DocumentSpec::new::<server::Status>("server-status", &["serve status"]),
    DocumentSpec::new::<server::Reloaded>("server-reloaded", &["serve reload"]),
    DocumentSpec::new::<server::ServerStopped>("server-stopped", &["serve stop"]),
    DocumentSpec::request::<server::CallParams>("server-call-params"),
    DocumentSpec::request::<server::WorkflowParams>("server-workflow-params"),
    DocumentSpec::request::<server::ResumeParams>("server-resume-params"),
    DocumentSpec::request::<server::EvictParams>("server-evict-params"),
    DocumentSpec::request::<server::CancelParams>("server-cancel-params"),
    DocumentSpec::new::<server::Evicted>("server-evicted", &[]),
    DocumentSpec::new::<server::Cancelled>("server-cancelled", &[]),
    DocumentSpec::new::<server::ShutdownAccepted>("server-shutdown-accepted", &[]),
    DocumentSpec::new::<server::EventNotification>("server-event", &[]),
];

/// What `version` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// The version of marsh.
    pub version: String,
}

/// What `schema` lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentList {
    /// Every public document.
    pub documents: Vec<DocumentRow>,
}

/// A document in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentRow {
    /// The name; `schema NAME` prints the schema.
    pub name: String,
    /// The commands that print the document with `--json`.
    pub commands: Vec<String>,
}

impl DocumentList {
    /// All documents, in the order of the table.
    pub fn new() -> DocumentList {
        let rows = DOCUMENTS.iter().map(|document| DocumentRow {
            name: document.name.to_owned(),
            commands: document.commands.iter().map(|command| (*command).to_owned()).collect(),
        });
        DocumentList { documents: rows.collect() }
    }
}

impl Default for DocumentList {
    fn default() -> DocumentList {
        DocumentList::new()
    }
}

/// All schemas, by the names of their documents.
pub fn all_schemas() -> BTreeMap<&'static str, Schema> {
    DOCUMENTS.iter().map(|document| (document.name, document.schema())).collect()
}

/// The document with this name.
pub fn find(name: &str) -> Option<&'static DocumentSpec> {
    DOCUMENTS.iter().find(|document| document.name == name)
}

/// The document that a command prints, by the command's words (`["model", "get"]`).
pub fn of_command(words: &[&str]) -> Option<&'static DocumentSpec> {
    let wanted = words.join(" ");
    DOCUMENTS.iter().find(|document| document.commands.contains(&wanted.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_names_and_commands_are_unique() {
        let mut names: Vec<&str> = DOCUMENTS.iter().map(|document| document.name).collect();
        let mut commands: Vec<&str> =
            DOCUMENTS.iter().flat_map(|document| document.commands).copied().collect();
        for list in [&mut names, &mut commands] {
            let all = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), all);
        }
    }

    #[test]
    fn every_document_has_a_schema_with_descriptions() {
        for document in DOCUMENTS {
            let schema = document.schema();
            let schema = schema.as_object().unwrap();
            assert!(schema.contains_key("description"), "{}", document.name);
        }
    }
}
