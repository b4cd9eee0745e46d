//! Checks of an installation, of definitions, workflows and the datastore. They change nothing, except that
//! [`Read::repair_data_catalog`] makes the catalog of data again.

use std::os::unix::fs::MetadataExt as _;

use marsh_api::checkup::{
    AutomaticUpdates, CheckedDefinition, CheckedWorkflow, DatastoreCheckup, DatastoreFinding, FileOwner,
    InstallationCheckup, InstallationStatus, LeakedSecrets, SecretRemediation, SecretsCheckup, VaultsCheckup,
    WorkflowsCheckup,
};
use marsh_api::doctor::CheckStatus;
use marsh_datastore::Choice;
use marsh_model::{Stored, TypeCode};

use crate::error::AppError;
use crate::session::{App, Read};

impl App {
    /// The installed program: where it is, whose it is, and whether this user can replace it. Needs no repository.
    ///
    /// # Errors
    ///
    /// When the program's file cannot be read.
    pub fn check_installation(&self) -> Result<InstallationCheckup, AppError> {
        let settings = self.settings();
        let program = &settings.program.path;
        let what = || program.display().to_string();
        let read = |source| AppError::Read { what: what(), source };
        let uid = program.metadata().map_err(read)?.uid();
        let dir = program.parent().unwrap_or(program);
        let writable = rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok();
        let preferences = self.preferences()?;
        Ok(InstallationCheckup {
            binary_path: what(),
            owner: FileOwner { uid, username: user_name(uid), is_root: uid == 0 },
            current_version: settings.version.to_owned(),
            writable: CheckStatus::of(writable),
            writable_message: match writable {
                true => format!("{} can be replaced", dir.display()),
                false => format!("this user cannot write to {}", dir.display()),
            },
            autoupdate: AutomaticUpdates {
                enabled: preferences.updates_are_automatic(),
                cadence: preferences.cadence().to_owned(),
                scheduler_installed: false,
                last_entry: None,
            },
            overall_status: match writable {
                true => InstallationStatus::Healthy,
                false => InstallationStatus::Unhealthy,
            },
        })
    }
}

/// The name that the system lists for a user.
fn user_name(uid: u32) -> Option<String> {
    let list = marsh_fs::read_to_string("/etc/passwd").ok()?;
    let of_user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    };
    list.lines().find_map(of_user)
}

fn row(stored: &Stored) -> CheckedDefinition {
    CheckedDefinition {
        definition_id: stored.definition.id.clone(),
        definition_name: stored.definition.name.clone(),
        type_name: stored.type_name.to_string(),
    }
}

/// The definitions with the code of their types, those without, and warnings.
struct Definitions {
    resolved: Vec<(Stored, TypeCode)>,
    unresolved: Vec<CheckedDefinition>,
    warnings: Vec<String>,
}

impl Read<'_> {
    fn definitions(&self) -> Definitions {
        let (all, broken) = self.models().definitions.list();
        let mut found = Definitions { resolved: Vec::new(), unresolved: Vec::new(), warnings: Vec::new() };
        found.warnings.extend(
            broken.iter().map(|broken| format!("skipped {}: {}", self.display(&broken.path), broken.message)),
        );
        for stored in all {
            match self.models().resolve_type(&stored.type_name) {
                Ok(code) => found.resolved.push((stored, code)),
                Err(error) => {
                    let type_name = &stored.type_name;
                    found.warnings.push(format!("cannot load the type `{type_name}`: {error}"));
                    found.unresolved.push(row(&stored));
                }
            }
        }
        found.warnings.dedup();
        found
    }

    /// The definitions that hold a sensitive argument in clear. Problems of files and types come as warnings.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn check_secrets(&self) -> Result<(SecretsCheckup, Vec<String>), AppError> {
        let definitions = self.definitions();
        let (vaults, _) = self.models().vaults.configs().list();
        let vault = match vaults.as_slice() {
            [only] => only.name.clone(),
            _ => self.models().repo.marker.text("defaultVault").unwrap_or("my-vault").to_owned(),
        };
        let mut findings = Vec::new();
        for (stored, code) in &definitions.resolved {
            let globals = &stored.definition.global_arguments;
            let leaked = marsh_model::direct::sensitive_literals(code, globals);
            if leaked.is_empty() {
                continue;
            }
            let remediations = leaked.iter().map(|field| {
                let vault_name = field.vault_name.clone().unwrap_or_else(|| vault.clone());
                let key = || format!("{}-{}", stored.definition.name, field.path.replace('.', "-"));
                let vault_key = field.vault_key.clone().unwrap_or_else(key);
                let expression = marsh_vault::render(&vault_name, &vault_key);
                SecretRemediation { path: field.path.clone(), vault_name, vault_key, expression }
            });
            findings.push(LeakedSecrets {
                definition: row(stored),
                leaked_paths: leaked.iter().map(|field| field.path.clone()).collect(),
                remediations: remediations.collect(),
            });
        }
        let checkup = SecretsCheckup {
            overall_status: CheckStatus::of(findings.is_empty()),
            scanned: definitions.resolved.len() + definitions.unresolved.len(),
            findings,
            unresolved: definitions.unresolved,
        };
        Ok((checkup, definitions.warnings))
    }

    /// The definitions whose results hold secrets, if there is no vault for them. Problems come as warnings.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn check_vaults(&self) -> Result<(VaultsCheckup, Vec<String>), AppError> {
        let definitions = self.definitions();
        let (vaults, broken) = self.models().vaults.configs().list();
        let mut warnings = definitions.warnings;
        warnings.extend(broken.iter().map(ToString::to_string));
        let has_vault = vaults.iter().any(|vault| !vault.is_internal());
        let needs =
            |code: &TypeCode| code.description.resources.iter().any(|(_, output)| output.holds_secrets());
        let findings: Vec<CheckedDefinition> = match has_vault {
            true => Vec::new(),
            false => {
                definitions.resolved.iter().filter(|(_, code)| needs(code)).map(|(one, _)| row(one)).collect()
            }
        };
        let checkup = VaultsCheckup {
            overall_status: CheckStatus::of(findings.is_empty()),
            scanned: definitions.resolved.len() + definitions.unresolved.len(),
            has_vault,
            findings,
            unresolved: definitions.unresolved,
        };
        Ok((checkup, warnings))
    }

    /// Whether the workflow files of the repository and of extensions can be read. Checks no models.
    ///
    /// # Errors
    ///
    /// When the files cannot be listed.
    pub fn check_workflows(&self) -> Result<WorkflowsCheckup, AppError> {
        let layout = &self.models().repo.layout;
        let listing = self.workflows().store().list()?;
        let readable = listing.workflows.iter().map(|stored| CheckedWorkflow {
            file: layout.root().join(&stored.path).display().to_string(),
            name: stored.workflow().name.clone(),
            status: CheckStatus::Pass,
            error: None,
        });
        let broken = listing.broken.iter().map(|broken| {
            let problems: Vec<String> = broken
                .problems
                .iter()
                .map(|problem| match problem.line {
                    Some(line) => format!("line {line}: {}", problem.message),
                    None => problem.message.clone(),
                })
                .collect();
            CheckedWorkflow {
                file: layout.root().join(&broken.path).display().to_string(),
                name: broken.path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                status: CheckStatus::Fail,
                error: Some(problems.join("; ")),
            }
        });
        let mut workflows: Vec<CheckedWorkflow> = readable.chain(broken).collect();
        workflows.sort_by(|one, other| one.file.cmp(&other.file));
        let total_failed = workflows.iter().filter(|one| one.status == CheckStatus::Fail).count();
        Ok(WorkflowsCheckup {
            overall_status: CheckStatus::of(total_failed == 0),
            total_passed: workflows.len() - total_failed,
            total_failed,
            workflows,
        })
    }

    /// The health of the datastore and of the catalog of data. `catalogued` is the result of a repair.
    ///
    /// # Errors
    ///
    /// When the configuration of the datastore is invalid, or the data cannot be read.
    pub fn check_datastore(&self, catalogued: Option<usize>) -> Result<DatastoreCheckup, AppError> {
        let status = self.datastore_status()?;
        let health = DatastoreFinding {
            check: "health".to_owned(),
            passed: status.healthy,
            message: status.message.clone(),
        };
        let catalog = self.models().catalog()?;
        let damaged = catalog.refreshed.damaged;
        let complete = DatastoreFinding {
            check: "catalog_completeness".to_owned(),
            passed: damaged == 0,
            message: match damaged {
                0 => "the catalog knows all data".to_owned(),
                one => format!("{one} metadata files of data are damaged"),
            },
        };
        Ok(DatastoreCheckup {
            overall_status: CheckStatus::of(health.passed && complete.passed),
            datastore_type: status.type_name.clone(),
            is_custom: matches!(
                Choice::of(&self.models().repo, &self.models().env)?,
                Choice::Extension { .. }
            ),
            health_findings: vec![health, complete.clone()],
            vault_mismatch_findings: Vec::new(),
            contamination_finding: None,
            catalog_completeness_finding: Some(complete),
            catalogued_versions: catalogued,
            status,
        })
    }

    /// Makes the catalog of data again. Returns how many versions were read.
    ///
    /// # Errors
    ///
    /// When the data cannot be read, or the catalog cannot be replaced.
    pub fn repair_data_catalog(&self) -> Result<usize, AppError> {
        Ok(self.models().stored_data().rebuild_catalog()?.refreshed.read)
    }
}
