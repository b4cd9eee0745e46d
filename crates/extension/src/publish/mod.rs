//! From a `manifest.yaml` to a published version.
//!
//! [`prepare`] reads and checks; it writes nothing and runs no code. [`build`] bundles in a private directory; [`publish`]
//! packs there and uploads the archive to the registry.
//!
//! Invariants (`crates/app/tests/it/publish.rs`):
//! * Only files that the manifest lists, and what they import, are packed; links are refused.
//! * Every type is written out and belongs to the collective of the extension's name.
//! * Code that is made from text while it runs is refused, found by a parser.
//! * The same files make the same archive.

mod bundles;
mod error;
mod files;
mod source;
mod warnings;

use std::path::{Path, PathBuf};

use marsh_archive::{Packed, rules};
use marsh_registry::{Published, PushMetadata, Registry};
use marsh_repo::Repo;
use marsh_types::{CalVer, Channel, ExtensionName, KINDS, Kind, Manifest, TypeName};
use serde_json::{Map, Value, json};

pub use bundles::{Builder, Shipped, build, without_bundles};
pub use error::{Issue, Mismatch, PublishError};
pub use files::{ArchiveFile, Entry, Files, Role};
use source::{ending, is_code, read};

/// An extension that passed all checks that need no registry.
#[derive(Debug)]
pub struct Prepared {
    /// The manifest, with the version to publish.
    pub manifest: Manifest,
    /// The files of the archive.
    pub files: Files,
    /// What registries store beside the version.
    pub content: Value,
    /// Declared types: kind, name, version, file.
    pub types: Vec<(Kind, String, Option<String>, String)>,
}

/// Reads a manifest file.
///
/// # Errors
///
/// The file is not YAML by its name, cannot be read, or holds an invalid manifest.
pub fn read_manifest(path: &Path) -> Result<Manifest, PublishError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    if !matches!(extension, Some("yaml" | "yml")) {
        return Err(PublishError::NotAManifest { path: path.to_owned() });
    }
    let text = marsh_fs::read_to_string(path)
        .map_err(|source| PublishError::Read { path: path.to_owned(), source })?;
    Manifest::parse(&text).map_err(|source| PublishError::Manifest { path: path.to_owned(), source })
}

/// Runs all checks that need no registry. `version` replaces the manifest's.
///
/// # Errors
///
/// A file is missing, or a check refuses the extension.
pub fn prepare(repo: &Repo, path: &Path, version: Option<CalVer>) -> Result<Prepared, PublishError> {
    let mut manifest = read_manifest(path)?;
    if let Some(version) = version {
        manifest.version = version;
    }
    let dir = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut files = files::collect(repo, &manifest, &dir)?;
    check_rules(&files)?;
    files.warnings.extend(warnings::warnings(&files)?);
    let (types, helpers) = check_types(&manifest.name, &files)?;
    for helper in &helpers {
        files
            .warnings
            .push(format!("{helper} declares no model; a file that models import need not be listed"));
    }
    let content = content(&manifest, &files, &types, &helpers);
    Ok(Prepared { manifest, files, content, types })
}

/// The TypeScript files of an extension, for a formatter: entry points, what they import, and additional files. Checks nothing
/// but that they exist.
///
/// # Errors
///
/// The manifest is invalid, or a file is missing.
pub fn code_files(repo: &Repo, path: &Path) -> Result<Vec<PathBuf>, PublishError> {
    let manifest = read_manifest(path)?;
    let dir = path.parent().map(Path::to_owned).unwrap_or_default();
    let files = files::collect(repo, &manifest, &dir)?;
    let code = files.files.values().filter(|file| is_source(&file.source));
    let mut code: Vec<PathBuf> = code.map(|file| file.source.clone()).collect();
    code.extend(files.outside.iter().filter(|file| is_source(file)).cloned());
    code.sort();
    code.dedup();
    Ok(code)
}

/// Whether a file is TypeScript.
pub fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "ts" || ending == "tsx")
}

fn check_rules(files: &Files) -> Result<(), PublishError> {
    let candidates: Vec<rules::Candidate<'_>> = files
        .files
        .iter()
        .filter(|(_, file)| file.role != Role::Skill)
        .map(|(path, file)| rules::Candidate { path, bytes: file.bytes, binary: file.role == Role::Binary })
        .collect();
    let breaches = rules::check(&candidates);
    let mut issues: Vec<Issue> =
        breaches.into_iter().map(|breach| Issue { file: breach.file, message: breach.message }).collect();
    let packed = files.files.iter().map(|(path, file)| (path.to_string(), &file.source));
    let bundled = files.outside.iter().map(|path| (path.display().to_string(), path));
    for (path, file) in packed.chain(bundled).filter(|(_, file)| is_code(file)) {
        let source = read(file)?;
        // The parser goes by the ending, as it is written everywhere else.
        let ending = file.with_extension(ending(file));
        let found = marsh_bundle::dynamic_code(&source, &ending).map_err(|diagnostic| {
            PublishError::Syntax { file: path.clone(), diagnostic: Box::new(diagnostic) }
        })?;
        issues.extend(found.into_iter().map(|one| Issue {
            file: Some(path.clone()),
            message: format!("line {}: {}", one.line.unwrap_or(1), one.message),
        }));
    }
    if issues.is_empty() { Ok(()) } else { Err(PublishError::Safety { issues }) }
}

type Declared = Vec<(Kind, String, Option<String>, String)>;

/// Every declaration names a type of the collective. A method extension names the type that it extends, which may belong to
/// any collective. The other list has the files among the models that declare nothing: existing manifests list what their
/// models import, too.
fn check_types(name: &ExtensionName, files: &Files) -> Result<(Declared, Vec<String>), PublishError> {
    let mut types = Vec::new();
    let mut helpers = Vec::new();
    let mut mismatches = Vec::new();
    for entry in &files.entries {
        let file = entry.listed.to_string();
        let declarations =
            marsh_bundle::declarations(&read(&entry.source)?, &entry.source).map_err(|diagnostic| {
                PublishError::Syntax { file: file.clone(), diagnostic: Box::new(diagnostic) }
            })?;
        let listed = |kind: Kind| kind.home() == entry.kind;
        if declarations.is_empty() && entry.kind == Kind::Model {
            helpers.push(file);
            continue;
        }
        let mut any = false;
        for one in declarations.into_iter().filter(|one| listed(one.kind)) {
            any = true;
            let Some(raw) = one.name else {
                return Err(PublishError::ComputedType { file, line: one.line, kind: one.kind });
            };
            let owned = TypeName::parse(&raw)
                .is_ok_and(|type_name| type_name.collective() == Some(name.collective()));
            if !owned && one.kind.declares_types() {
                mismatches.push(Mismatch {
                    kind: one.kind,
                    identifier: raw.clone(),
                    file_name: file.clone(),
                });
            }
            if let (Some(upgrades), Some(version)) = (&one.upgrades, &one.version) {
                check_upgrades(upgrades, version)
                    .map_err(|reason| PublishError::UpgradeChain { file: file.clone(), reason })?;
            }
            types.push((one.kind, raw, one.version, file.clone()));
        }
        if !any {
            return Err(PublishError::NothingDeclared { key: entry.kind.directory(), file });
        }
    }
    if mismatches.is_empty() {
        return Ok((types, helpers));
    }
    Err(PublishError::ForeignTypes { collective: name.collective().to_owned(), mismatches })
}

/// Strictly increasing, and the last one leads to the version.
fn check_upgrades(upgrades: &[String], version: &str) -> Result<(), String> {
    let parsed = |text: &str| text.parse::<CalVer>().map_err(|error| error.to_string());
    let mut previous: Option<CalVer> = None;
    for text in upgrades {
        let next = parsed(text)?;
        if previous.is_some_and(|previous| previous >= next) {
            return Err(format!("`toVersion: {text}` does not come after the one before it"));
        }
        previous = Some(next);
    }
    match previous {
        Some(last) if last != parsed(version)? => {
            Err(format!("the last leads to {last}, and the version is {version}"))
        }
        _ => Ok(()),
    }
}

fn content(manifest: &Manifest, files: &Files, types: &Declared, helpers: &[String]) -> Value {
    let of = |kind: Kind| -> Vec<Value> {
        let declared = types.iter().filter(|(found, ..)| *found == kind);
        let shape = |(kind, name, version, file): &(Kind, String, Option<String>, String)| {
            let mut map = Map::new();
            map.insert("fileName".into(), json!(file));
            map.insert(kind.spec().registry_name_field.into(), json!(name));
            if let Some(version) = version {
                map.insert("version".into(), json!(version));
            }
            Value::Object(map)
        };
        declared.map(shape).collect()
    };
    let mut content: Map<String, Value> =
        KINDS.iter().map(|row| (row.registry_key.to_owned(), json!(of(row.kind)))).collect();
    let workflows: Vec<Value> =
        files.workflows.iter().map(|path| json!({ "fileName": path.file_name() })).collect();
    let skills: Vec<Value> =
        files.skills.iter().map(|(name, count)| json!({ "dirName": name, "fileCount": count })).collect();
    // Registries know a helper by its file.
    let helpers = helpers.iter().map(|file| json!({ "fileName": file, "type": file }));
    let models = content.entry(Kind::Model.spec().registry_key).or_insert_with(|| json!([]));
    if let Some(models) = models.as_array_mut() {
        models.extend(helpers);
    }
    content.insert("workflows".into(), json!(workflows));
    content.insert("skills".into(), json!(skills));
    content.insert("labels".into(), json!(manifest.labels));
    Value::Object(content)
}

/// Asks the registry, before an upload, whether the user owns the collective and whether the version is new.
///
/// # Errors
///
/// The user does not own the collective, the version exists, or the registry does not answer.
pub fn check_registry(registry: &Registry, manifest: &Manifest) -> Result<(), PublishError> {
    let identity = registry.whoami()?;
    let collective = manifest.name.collective();
    // A directory has no users; the permissions of the file system decide.
    if identity.authenticated
        && identity.username != collective
        && !identity.organizations.iter().any(|one| one.slug == collective)
    {
        return Err(PublishError::NotOwner {
            username: identity.username,
            collective: collective.to_owned(),
        });
    }
    let versions = published_versions(registry, &manifest.name)?;
    if versions.iter().any(|(version, _)| *version == manifest.version) {
        let newest = versions.iter().map(|(version, _)| *version).max();
        return Err(PublishError::AlreadyPublished {
            name: manifest.name.clone(),
            version: manifest.version,
            next: CalVer::next_after(newest, today()),
        });
    }
    Ok(())
}

/// The published versions; empty for an extension that was never published.
///
/// # Errors
///
/// The registry does not answer.
pub fn published_versions(
    registry: &Registry,
    name: &ExtensionName,
) -> Result<Vec<(CalVer, Channel)>, PublishError> {
    match registry.versions(name) {
        Ok(versions) => Ok(versions.into_iter().map(|one| (one.version, one.channel)).collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// The day in UTC, so that versions of several time zones keep their order.
pub fn today() -> (u16, u8, u8) {
    let text = jiff::Timestamp::now().to_string();
    let number = |range| text.get(range).and_then(|part: &str| part.parse::<u16>().ok()).unwrap_or_default();
    let small = |range| u8::try_from(number(range)).unwrap_or_default();
    (number(0..4), small(5..7), small(8..10))
}

/// The manifest's day, with the Unix time as micro.
pub fn epoch_version(version: CalVer) -> CalVer {
    version.with_micro(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default())
}

/// Writes the archive. The same files make the same bytes.
///
/// # Errors
///
/// A file cannot be read, or breaks the limits of archives.
pub fn pack(
    prepared: &Prepared,
    shipped: &Shipped,
    out: impl std::io::Write,
) -> Result<Packed, PublishError> {
    let entries = shipped.pack_entries(&prepared.files, prepared.manifest.to_archive_yaml()?)?;
    Ok(marsh_archive::pack(entries, out)?)
}

/// Packs into `scratch`, a private directory, and publishes.
///
/// # Errors
///
/// Packing fails, or the registry refuses the version.
pub fn publish(
    registry: &Registry,
    prepared: &Prepared,
    shipped: &Shipped,
    channel: Option<Channel>,
    release_notes: Option<&str>,
    scratch: &Path,
) -> Result<(Published, Packed), PublishError> {
    let archive: PathBuf = scratch.join("extension.tar.gz");
    let mut bytes = Vec::new();
    let packed = pack(prepared, shipped, &mut bytes)?;
    marsh_fs::atomic_write(&archive, &bytes, marsh_fs::Durability::Atomic)?;
    let manifest = &prepared.manifest;
    let metadata = PushMetadata {
        name: manifest.name.clone(),
        version: manifest.version,
        description: manifest.description.clone().unwrap_or_default(),
        dependencies: manifest.dependencies.clone(),
        platforms: manifest.platforms.clone(),
        labels: manifest.labels.clone(),
        repository: manifest.repository.clone(),
        release_notes: release_notes.map(str::to_owned).or_else(|| manifest.release_notes.clone()),
        binaries: manifest.binaries.iter().map(ToString::to_string).collect(),
        channel: channel.and_then(Channel::unless_stable),
        checksum: Some(packed.sha256),
    };
    let published = registry.publish(&metadata, &prepared.content, &archive)?;
    Ok((published, packed))
}

#[cfg(test)]
mod tests {
    use super::check_upgrades;

    #[test]
    fn upgrades_rise_and_end_at_the_version() {
        let chain = |steps: &[&str], version| {
            check_upgrades(&steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>(), version)
        };
        assert!(chain(&["2025.01.01.1", "2025.01.01.2"], "2025.01.01.2").is_ok());
        assert!(chain(&[], "2025.01.01.2").is_ok());
        assert!(chain(&["2025.01.01.2", "2025.01.01.1"], "2025.01.01.1").is_err());
        assert!(chain(&["2025.01.01.1"], "2025.01.01.2").is_err());
        assert!(chain(&["soon"], "2025.01.01.2").is_err());
    }
}
