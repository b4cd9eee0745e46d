//! Documents about publishing extensions, and changes of published versions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use marsh_types::Kind;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What `extension push` published, or with `--dry-run` would publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExtensionPushed {
    /// It was published.
    Published(Box<PublishedVersion>),
    /// It was checked and packed only.
    DryRun(Box<PublishDryRun>),
}

/// What happened to the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PushStatus {
    /// It was checked and packed only.
    DryRun,
    /// The registry has it.
    Published,
}

/// The contents of a version, as the manifest and its files say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishContents {
    /// The extension.
    pub name: String,
    /// The version.
    pub version: String,
    /// The description in the manifest.
    pub description: Option<String>,
    /// The URL of the source repository.
    pub repository: Option<String>,
    /// The changes in this version.
    pub release_notes: Option<String>,
    /// The workflow files that the manifest lists.
    pub workflow_files: Vec<String>,
    /// The skills that the manifest lists.
    pub skills: Vec<PublishedSkill>,
    /// Other files that the manifest lists.
    pub additional_files: Vec<String>,
    /// The platforms that the extension works on; empty: all.
    pub platforms: Vec<String>,
    /// Words for searching.
    pub labels: Vec<String>,
    /// The extensions that this one needs, with their versions.
    pub dependencies: Vec<String>,
    /// Every file of the archive.
    pub files: Vec<String>,
    /// Suspicious content that does not prevent publishing.
    pub warnings: Vec<String>,
    /// The declared types of each kind.
    #[serde(flatten)]
    pub types: DeclaredTypes,
}

/// A skill of an extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedSkill {
    /// The name of its directory.
    pub name: String,
    /// How many files it has.
    pub file_count: usize,
}

/// A type that a source declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredType {
    /// The source file, as the manifest lists it.
    pub file_name: String,
    /// The type. Reports have a `name` instead.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// The name of a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version that the source declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The declared types, a list of [`DeclaredType`] for each kind that has a directory: `models`, `vaults`, ….
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub struct DeclaredTypes(Map<String, Value>);

impl From<Map<String, Value>> for DeclaredTypes {
    fn from(fields: Map<String, Value>) -> DeclaredTypes {
        DeclaredTypes(of_kinds(fields, Kind::directory))
    }
}

impl DeclaredTypes {
    /// With the list of each kind, as registries store it.
    pub fn new(list: impl Fn(Kind) -> Value) -> DeclaredTypes {
        DeclaredTypes(Kind::with_directory().map(|kind| (kind.directory().to_owned(), list(kind))).collect())
    }
}

impl JsonSchema for DeclaredTypes {
    fn schema_name() -> Cow<'static, str> {
        "DeclaredTypes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<Vec<DeclaredType>>();
        by_kind(Kind::directory, "The declared types of this kind.", &list)
    }
}

/// How many types of each kind that has a directory: `modelCount`, `vaultCount`, ….
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub struct TypeCounts(Map<String, Value>);

impl From<Map<String, Value>> for TypeCounts {
    fn from(fields: Map<String, Value>) -> TypeCounts {
        TypeCounts(of_kinds(fields, count_key))
    }
}

impl TypeCounts {
    /// With the count of each kind.
    pub fn new(count: impl Fn(Kind) -> usize) -> TypeCounts {
        TypeCounts(Kind::with_directory().map(|kind| (count_key(kind), count(kind).into())).collect())
    }
}

impl JsonSchema for TypeCounts {
    fn schema_name() -> Cow<'static, str> {
        "TypeCounts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let count = generator.subschema_for::<usize>();
        by_kind(count_key, "How many types of this kind the extension declares.", &count)
    }
}

fn count_key(kind: Kind) -> String {
    format!("{kind}Count")
}

/// The fields that belong to kinds; a flattened map is read from all fields of the document.
fn of_kinds<K: AsRef<str>>(fields: Map<String, Value>, key: impl Fn(Kind) -> K) -> Map<String, Value> {
    let belongs = |field: &str| Kind::with_directory().any(|kind| key(kind).as_ref() == field);
    fields.into_iter().filter(|(field, _)| belongs(field)).collect()
}

/// The schema of an object with one required property for each kind that has a directory.
fn by_kind<K: Into<String>>(key: impl Fn(Kind) -> K, description: &str, property: &Schema) -> Schema {
    let mut property = property.clone();
    property.insert("description".into(), description.into());
    let keys: Vec<String> = Kind::with_directory().map(|kind| key(kind).into()).collect();
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.clone(), property.clone().to_value())).collect();
    json_schema!({ "type": "object", "properties": properties, "required": keys })
}

/// A version that would be published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishDryRun {
    /// Its contents.
    #[serde(flatten)]
    pub contents: PublishContents,
    /// The size of the archive in bytes.
    pub archive_size: u64,
    /// The SHA-256 of the archive.
    pub checksum: String,
    /// Always `dry_run`.
    pub status: PushStatus,
}

/// A version that was published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedVersion {
    /// Its contents.
    #[serde(flatten)]
    pub contents: PublishContents,
    /// The registry's id of the extension.
    pub extension_id: String,
    /// The size of the archive in bytes.
    pub archive_size: u64,
    /// The SHA-256 of the archive.
    pub checksum: String,
    /// How many workflows it has.
    pub workflow_count: usize,
    /// How many bundles the archive has.
    pub bundle_count: usize,
    /// How many skills it has.
    pub skill_count: usize,
    /// The channel.
    pub channel: String,
    /// Always `published`.
    pub status: PushStatus,
    /// How many types of each kind it declares.
    #[serde(flatten)]
    pub type_counts: TypeCounts,
}

/// The published versions of an extension, and the version to publish next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionVersion {
    /// The extension.
    pub extension_name: String,
    /// The newest stable version; `null` when there is none.
    pub current_published: Option<String>,
    /// Always `null`: registries do not say when.
    pub published_at: Option<String>,
    /// The version to publish next.
    pub next_version: String,
    /// The newest version of every other channel that has one.
    pub channels: BTreeMap<String, ChannelVersion>,
}

/// The newest version of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelVersion {
    /// The version.
    pub latest: String,
}

/// What `extension yank` withdrew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionYanked {
    /// What was withdrawn.
    pub yanked: Yank,
    /// The registry's answer, for people.
    pub message: String,
}

/// What `extension unyank` offers again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionUnyanked {
    /// What is offered again.
    pub unyanked: Yank,
    /// The registry's answer, for people.
    pub message: String,
}

/// Versions that were withdrawn or are offered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Yank {
    /// The extension.
    pub name: String,
    /// The version; `null`: all versions.
    pub version: Option<String>,
    /// The channel; `null`: all channels.
    pub channel: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// What `extension deprecate` deprecated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionDeprecated {
    /// The deprecated extension.
    pub deprecated: DeprecatedExtension,
    /// The registry's answer, for people.
    pub message: String,
}

/// A deprecated extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeprecatedExtension {
    /// The extension.
    pub name: String,
    /// Why.
    pub reason: String,
    /// The extension to use instead.
    pub superseded_by: Option<String>,
}

/// What `extension undeprecate` recommends again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionUndeprecated {
    /// The extension that is no longer deprecated.
    pub undeprecated: UndeprecatedExtension,
    /// The registry's answer, for people.
    pub message: String,
}

/// An extension that is no longer deprecated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndeprecatedExtension {
    /// The extension.
    pub name: String,
}

/// A version that `extension promote` moved to another channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionPromoted {
    /// The extension.
    pub name: String,
    /// The version.
    pub version: String,
    /// The channel before.
    pub previous_channel: String,
    /// The channel after.
    pub channel: String,
    /// The registry's answer, for people.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn published_version_reads_back_with_the_fields_of_each_kind() {
        let contents = PublishContents {
            name: "@a/b".into(),
            version: "2026.01.01.1".into(),
            description: None,
            repository: None,
            release_notes: None,
            workflow_files: Vec::new(),
            skills: vec![PublishedSkill { name: "s".into(), file_count: 1 }],
            additional_files: Vec::new(),
            platforms: Vec::new(),
            labels: Vec::new(),
            dependencies: Vec::new(),
            files: vec!["models/a.ts".into()],
            warnings: Vec::new(),
            types: DeclaredTypes::new(|kind| json!([{ "fileName": "a.ts", "type": kind.to_string() }])),
        };
        let dry = PublishDryRun {
            contents: contents.clone(),
            archive_size: 10,
            checksum: "00".into(),
            status: PushStatus::DryRun,
        };
        let published = PublishedVersion {
            contents,
            extension_id: "1".into(),
            archive_size: 10,
            checksum: "00".into(),
            workflow_count: 0,
            bundle_count: 1,
            skill_count: 1,
            channel: "stable".into(),
            status: PushStatus::Published,
            type_counts: TypeCounts::new(|_| 1),
        };
        for document in
            [ExtensionPushed::DryRun(Box::new(dry)), ExtensionPushed::Published(Box::new(published))]
        {
            let text = serde_json::to_string(&document).unwrap();
            assert_eq!(serde_json::from_str::<ExtensionPushed>(&text).unwrap(), document, "{text}");
        }
    }
}

/// What a formatter did to the sources of an extension, or would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionFormatted {
    /// The outcome.
    pub status: FormatStatus,
    /// How many files there are.
    pub file_count: usize,
    /// What the formatter printed; absent with `--check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmt_output: Option<String>,
    /// What the linter printed; absent with `--check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lint_output: Option<String>,
    /// What could not be corrected; absent with `--check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_issues: Option<Vec<FormatIssue>>,
    /// What was found; with `--check` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issues: Option<Vec<FormatIssue>>,
}

/// The outcome of formatting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FormatStatus {
    /// `--check` found nothing.
    Passed,
    /// `--check` found something.
    Failed,
    /// Everything is formatted now.
    Fixed,
    /// Something could not be corrected.
    Partial,
}

/// What a formatter or linter found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FormatIssue {
    /// `fmt` or `lint`.
    pub check: String,
    /// What it printed.
    pub output: String,
}

/// An extension, judged by the rubric of registries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionQuality {
    /// `passed` if every row is earned or provisional.
    pub status: QualityStatus,
    /// The version of the rubric.
    pub rubric_version: u32,
    /// The points that are earned.
    pub earned_points: u32,
    /// All points.
    pub max_earnable_points: u32,
    /// The points that do not depend on the registry.
    pub max_client_earnable_points: u32,
    /// The points that the registry decides about.
    pub provisional_points: u32,
    /// Earned of those that do not depend on the registry, in percent.
    pub percentage: u32,
    /// Whether every row is earned or provisional.
    pub all_passed: bool,
    /// The rows.
    pub factors: Vec<QualityFactor>,
    /// The packages that the extension imports.
    pub dependency_trust: DependencyTrust,
    /// The SHA-256 of the archive.
    pub cache_hash: String,
    /// The size of the archive, in bytes.
    pub archive_size: u64,
    /// Always false: the archive is made each time.
    pub cache_hit: bool,
}

/// The verdict about an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QualityStatus {
    /// Every row is earned or provisional.
    Passed,
    /// A row is missing.
    Failed,
}

/// A row of the rubric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QualityFactor {
    /// The id.
    pub id: String,
    /// What it asks for.
    pub label: String,
    /// The points that are earned.
    pub earned_points: u32,
    /// The points that it can earn.
    pub max_points: u32,
    /// Whether it is earned.
    pub status: QualityFactorStatus,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
}

/// Whether a row of the rubric is earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QualityFactorStatus {
    /// It is.
    Earned,
    /// It is not.
    Missing,
    /// The registry decides.
    Provisional,
}

/// The packages that an extension imports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DependencyTrust {
    /// Whether none of them is a problem.
    pub passed: bool,
    /// Always empty: marsh asks no public service.
    pub audited: Vec<TrustIssue>,
    /// Those that are a problem.
    pub errors: Vec<TrustIssue>,
    /// Those that were not audited.
    pub warnings: Vec<TrustIssue>,
}

/// A remark about a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrustIssue {
    /// The package.
    pub dependency: String,
    /// The remark.
    pub message: String,
}
