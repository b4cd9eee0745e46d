//! The documents of what the lifecycle and the registry answer.

use std::path::Path;

use marsh_api::ErrorReport;
use marsh_api::extension::{
    Deprecation, ExtensionAuthor, ExtensionInfo, ExtensionItem, ExtensionScore, ExtensionSearch,
    ExtensionStatus, FoundExtension, Generation, InstallState, PageMeta, SetChange, ShadowedType, UnusedTree,
    VersionChange,
};
use marsh_extension::lifecycle::{self, ItemReport, ItemStatus, Outcome};
use marsh_types::{ErrorCode, Explain as _};

/// The text of something that may be missing.
pub(crate) fn text(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}

/// The texts of a list.
pub(crate) fn texts<'a, T: ToString + 'a>(list: impl IntoIterator<Item = &'a T>) -> Vec<String> {
    list.into_iter().map(ToString::to_string).collect()
}

pub(crate) fn path_text(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn status(status: &ItemStatus) -> ExtensionStatus {
    match status {
        ItemStatus::Installed => ExtensionStatus::Installed,
        ItemStatus::Updated { .. } => ExtensionStatus::Updated,
        ItemStatus::UpToDate => ExtensionStatus::UpToDate,
        ItemStatus::Restored => ExtensionStatus::Restored,
        ItemStatus::UpdateAvailable { .. } => ExtensionStatus::UpdateAvailable,
        ItemStatus::Deprecated { .. } => ExtensionStatus::Deprecated,
        ItemStatus::Failed { error } => match error.code() {
            ErrorCode::NotFound => ExtensionStatus::NotFound,
            _ => ExtensionStatus::Failed,
        },
    }
}

pub(crate) fn item(item: &ItemReport) -> ExtensionItem {
    let version = text(item.version.as_ref());
    let mut document = ExtensionItem {
        name: item.name.to_string(),
        version: version.clone(),
        status: status(&item.status),
        channel: text(item.channel.as_ref()),
        previous_version: None,
        new_version: None,
        installed_version: None,
        latest_version: None,
        deprecation: None,
        error: None,
        dependency: item.dependency,
        description: item.description.clone(),
        warnings: item.warnings.clone(),
    };
    match &item.status {
        ItemStatus::Updated { from } => {
            document.previous_version = Some(from.to_string());
            document.new_version = version;
        }
        ItemStatus::UpdateAvailable { latest } => {
            document.installed_version = version;
            document.latest_version = Some(latest.to_string());
        }
        ItemStatus::UpToDate => document.installed_version = version,
        ItemStatus::Deprecated { reason, superseded_by } => {
            document.deprecation = Some(Deprecation {
                deprecation_reason: reason.clone(),
                superseded_by: superseded_by.clone(),
            });
        }
        ItemStatus::Failed { error } => document.error = Some(ErrorReport::of(error)),
        ItemStatus::Installed | ItemStatus::Restored => {}
    }
    document
}

/// The documents of all extensions of a change.
pub(crate) fn items(outcome: &Outcome) -> Vec<ExtensionItem> {
    outcome.items.iter().map(item).collect()
}

/// What every change reports besides its extensions.
pub(crate) fn set_change(outcome: &Outcome) -> SetChange {
    SetChange {
        generation: outcome.generation,
        lock_held_ms: (outcome.held.as_secs_f64() * 1e6).round() / 1e3,
        shadowed_types: shadowed_types(&outcome.shadowed),
        warnings: outcome.warnings.clone(),
    }
}

pub(crate) fn shadowed_types(shadowed: &[lifecycle::Shadowed]) -> Vec<ShadowedType> {
    let documents = shadowed.iter().map(|one| ShadowedType {
        extension: one.extension.to_string(),
        kind: one.kind,
        type_name: one.type_name.to_string(),
        local_source_path: path_text(&one.local_source_path),
    });
    documents.collect()
}

pub(crate) fn install_state(state: lifecycle::InstallState) -> InstallState {
    match state {
        lifecycle::InstallState::Stored => InstallState::Stored,
        lifecycle::InstallState::Foreign => InstallState::Foreign,
        lifecycle::InstallState::Missing => InstallState::Missing,
        lifecycle::InstallState::Damaged { files } => InstallState::Damaged { files },
    }
}

pub(crate) fn version_changes(changes: &[marsh_store::Change]) -> Vec<VersionChange> {
    let document = |change: &marsh_store::Change| VersionChange {
        name: change.name.to_string(),
        from: text(change.from.as_ref()),
        to: text(change.to.as_ref()),
    };
    changes.iter().map(document).collect()
}

pub(crate) fn generation(generation: &marsh_store::Generation) -> Generation {
    Generation {
        number: generation.number,
        at: generation.at.clone(),
        command: generation.command.clone(),
        lockfile: generation.lockfile.to_string(),
        restores: generation.restores,
        changes: version_changes(&generation.changes),
    }
}

pub(crate) fn unused_trees(trees: &[marsh_store::Garbage]) -> Vec<UnusedTree> {
    let document = |tree: &marsh_store::Garbage| UnusedTree {
        digest: tree.digest.to_string(),
        name: text(tree.name.as_ref()),
        version: text(tree.version.as_ref()),
        bytes: tree.bytes,
    };
    trees.iter().map(document).collect()
}

/// What a registry says of an extension, without what is installed.
pub(crate) fn extension_info(info: marsh_registry::ExtensionInfo) -> ExtensionInfo {
    ExtensionInfo {
        id: Some(info.id),
        name: info.name.to_string(),
        namespace: info.namespace,
        description: Some(info.description),
        repository: info.repository,
        homepage_url: info.homepage_url,
        license: info.license,
        platforms: Some(info.platforms),
        labels: Some(info.labels),
        content_types: Some(info.content_types),
        content_names: Some(info.content_names),
        latest_version: text(info.latest_version.as_ref()),
        latest_rc: text(info.latest_rc.as_ref()),
        latest_beta: text(info.latest_beta.as_ref()),
        author: info
            .author
            .map(|author| ExtensionAuthor { username: author.username, display_name: author.display_name }),
        created_at: Some(info.created_at),
        updated_at: Some(info.updated_at),
        yanked_at: info.yanked_at,
        yank_reason: info.yank_reason,
        deprecated_at: info.deprecated_at,
        deprecated_by_user_id: info.deprecated_by_user_id,
        deprecation_reason: info.deprecation_reason,
        superseded_by: text(info.superseded_by.as_ref()),
        repository_verified: info.repository_verified,
        repository_verified_at: info.repository_verified_at,
        repository_verified_url: info.repository_verified_url,
        pull_count: Some(info.pull_count),
        score: info.score.map(|score| ExtensionScore { percentage: score.percentage, grade: score.grade }),
        dependencies: info.dependencies.as_ref().map(texts),
        is_private: info.is_private,
        content_metadata: info.content_metadata,
        installed: None,
    }
}

fn found_extension(entry: marsh_registry::SearchEntry) -> FoundExtension {
    FoundExtension {
        id: entry.id,
        name: entry.name.to_string(),
        description: entry.description,
        repository: entry.repository,
        repository_verified: entry.repository_verified,
        repository_verified_url: entry.repository_verified_url,
        platforms: entry.platforms,
        labels: entry.labels,
        content_types: entry.content_types,
        content_names: entry.content_names,
        latest_version: text(entry.latest_version.as_ref()),
        latest_rc: text(entry.latest_rc.as_ref()),
        latest_beta: text(entry.latest_beta.as_ref()),
        created_at: entry.created_at,
        updated_at: entry.updated_at,
        deprecated_at: entry.deprecated_at,
        deprecation_reason: entry.deprecation_reason,
        superseded_by: text(entry.superseded_by.as_ref()),
    }
}

pub(crate) fn search(query: &str, page: marsh_registry::SearchPage) -> ExtensionSearch {
    ExtensionSearch {
        query: query.to_owned(),
        results: page.extensions.into_iter().map(found_extension).collect(),
        meta: PageMeta {
            total: page.meta.total,
            page: page.meta.page,
            per_page: page.meta.per_page,
            all_channels: page.meta.all_channels,
        },
    }
}
