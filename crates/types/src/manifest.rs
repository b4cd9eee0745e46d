//! `manifest.yaml`: the name, version and contents of an extension.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::calver::CalVer;
use crate::kind::Kind;
use crate::names::ExtensionName;
use crate::rel_path::RelPath;
use crate::requirement::ExtensionRef;
use crate::yaml::{self, YamlError};

/// What the paths of a manifest start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PathsBase {
    /// The directory of each kind.
    #[default]
    #[serde(rename = "typedDir")]
    TypedDir,
    /// The manifest's own directory.
    #[serde(rename = "manifest")]
    Manifest,
}

/// A checked manifest: every name, version and path in it is safe to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The extension's name.
    pub name: ExtensionName,
    /// The extension's version.
    pub version: CalVer,
    /// One line or more about the extension.
    pub description: Option<String>,
    /// The URL of the source repository.
    pub repository: Option<String>,
    /// What the paths of entry points start from.
    pub base: PathsBase,
    /// The entry points of each kind that has a manifest key, as listed.
    code: BTreeMap<Kind, Vec<RelPath>>,
    /// Workflow files.
    pub workflows: Vec<RelPath>,
    /// Directories of skills.
    pub skills: Vec<RelPath>,
    /// Further files beside the models.
    pub include: Vec<RelPath>,
    /// Files that methods read.
    pub additional_files: Vec<RelPath>,
    /// Executable files.
    pub binaries: Vec<RelPath>,
    /// Platforms that the binaries run on.
    pub platforms: Vec<String>,
    /// Search terms for registries; at most 20.
    pub labels: Vec<String>,
    /// What changed; at most 5000 characters. Archives leave it out.
    pub release_notes: Option<String>,
    /// Extensions that this one needs.
    pub dependencies: Vec<ExtensionRef>,
}

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant explains it")]
pub enum ManifestError {
    #[error("invalid YAML in the manifest: {0}")]
    Yaml(#[from] YamlError),
    #[error("invalid manifest: expected a map")]
    NotAMap,
    #[error("missing `manifestVersion` in the manifest; write `manifestVersion: 1`")]
    NoVersion,
    #[error("unsupported `manifestVersion: {found}`: this marsh reads version 1")]
    UnknownVersion { found: String },
    /// Every problem, each naming its key.
    #[error("invalid manifest: {}", problems.join("; "))]
    Invalid { problems: Vec<String> },
}

const MAX_LABELS: usize = 20;
const MAX_NOTES: usize = 5000;

impl Manifest {
    /// Parses and checks a manifest.
    ///
    /// # Errors
    ///
    /// Invalid YAML, an unknown `manifestVersion`, or all problems with keys at once.
    pub fn parse(text: &str) -> Result<Manifest, ManifestError> {
        let value: Value = yaml::from_str(text)?;
        let Value::Object(map) = value else { return Err(ManifestError::NotAMap) };
        match map.get("manifestVersion") {
            None | Some(Value::Null) => return Err(ManifestError::NoVersion),
            Some(version) if version.as_u64() == Some(1) => {}
            Some(other) => return Err(ManifestError::UnknownVersion { found: other.to_string() }),
        }
        let mut read = Reader { map: &map, problems: Vec::new() };
        let manifest = read.manifest();
        match (manifest, read.problems) {
            (Some(manifest), problems) if problems.is_empty() => Ok(manifest),
            (_, problems) => Err(ManifestError::Invalid { problems }),
        }
    }

    /// The entry points of a kind, as listed. Method extensions stand among the models.
    pub fn entries(&self, kind: Kind) -> &[RelPath] {
        self.code.get(&kind.home()).map_or(&[], Vec::as_slice)
    }

    /// The kinds that have a manifest key, with the entry points listed for each.
    pub fn code(&self) -> impl Iterator<Item = (Kind, &[RelPath])> {
        Kind::with_directory().map(|kind| (kind, self.entries(kind)))
    }

    /// The manifest as an archive carries it: without `releaseNotes`, and with optional keys only where they have a value.
    ///
    /// # Errors
    ///
    /// The YAML writer's.
    pub fn to_archive_yaml(&self) -> Result<String, yaml::YamlWriteError> {
        let mut map = Map::new();
        map.insert("manifestVersion".into(), json!(1));
        map.insert("name".into(), json!(self.name));
        map.insert("version".into(), json!(self.version));
        map.insert("description".into(), json!(self.description.as_deref().unwrap_or_default()));
        if let Some(repository) = &self.repository {
            map.insert("repository".into(), json!(repository));
        }
        if self.base != PathsBase::default() {
            map.insert("paths".into(), json!({ "base": self.base }));
        }
        // These keys are always written, workflows after the first kind, so that archives of one manifest stay equal.
        for (index, (kind, list)) in self.code().enumerate() {
            map.insert(kind.directory().into(), json!(list));
            if index == 0 {
                map.insert("workflows".into(), json!(self.workflows));
            }
        }
        map.insert("additionalFiles".into(), json!(self.additional_files));
        map.insert("dependencies".into(), json!(self.dependencies));
        let paths: [(&str, &Vec<RelPath>); 3] =
            [("skills", &self.skills), ("include", &self.include), ("binaries", &self.binaries)];
        for (key, list) in paths.into_iter().filter(|(_, list)| !list.is_empty()) {
            map.insert(key.into(), json!(list));
        }
        for (key, list) in [("platforms", &self.platforms), ("labels", &self.labels)] {
            if !list.is_empty() {
                map.insert(key.into(), json!(list));
            }
        }
        yaml::to_string(&Value::Object(map))
    }
}

/// Collects all problems, so that an author sees them at once.
struct Reader<'a> {
    map: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn manifest(&mut self) -> Option<Manifest> {
        let name = self.parsed("name", true);
        let version = self.parsed("version", true);
        let description = self.text("description");
        let repository = self.text("repository");
        if let Some(url) = &repository
            && !is_url(url)
        {
            self.problem("repository", "invalid URL");
        }
        let base = self.base();
        let code: BTreeMap<Kind, Vec<RelPath>> =
            Kind::with_directory().map(|kind| (kind, self.paths(kind.directory()))).collect();
        let workflows = self.paths("workflows");
        let skills = self.paths("skills");
        let include = self.paths("include");
        let additional_files = self.paths("additionalFiles");
        let binaries = self.paths("binaries");
        let platforms = self.texts("platforms");
        let labels = self.texts("labels");
        if labels.len() > MAX_LABELS {
            self.problem("labels", "more than 20 labels");
        }
        let release_notes = self.text("releaseNotes");
        if release_notes.as_ref().is_some_and(|notes| notes.chars().count() > MAX_NOTES) {
            self.problem("releaseNotes", "longer than 5000 characters");
        }
        let dependencies = self.dependencies();
        if code.values().all(Vec::is_empty) && workflows.is_empty() && skills.is_empty() {
            let keys: Vec<String> =
                Kind::with_directory().map(|kind| format!("`{}`", kind.directory())).collect();
            self.problems.push(format!(
                "it lists nothing: add an entry to {}, `workflows` or `skills`",
                keys.join(", ")
            ));
        }
        Some(Manifest {
            code,
            workflows,
            skills,
            include,
            additional_files,
            binaries,
            name: name?,
            version: version?,
            description,
            repository,
            base,
            platforms,
            labels,
            release_notes,
            dependencies,
        })
    }

    fn problem(&mut self, key: &str, what: impl std::fmt::Display) {
        self.problems.push(format!("`{key}`: {what}"));
    }

    fn present(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.present(key)? {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.problem(key, "expected a string");
                None
            }
        }
    }

    fn parsed<T>(&mut self, key: &str, required: bool) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        if self.present(key).is_none() {
            if required {
                self.problem(key, "missing");
            }
            return None;
        }
        let text = self.text(key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error);
                None
            }
        }
    }

    fn base(&mut self) -> PathsBase {
        let Some(paths) = self.present("paths").cloned() else { return PathsBase::default() };
        let Value::Object(paths) = paths else {
            self.problem("paths", "expected a map");
            return PathsBase::default();
        };
        let mut base = PathsBase::default();
        for (key, value) in &paths {
            match (key.as_str(), value.as_str()) {
                ("base", Some("typedDir")) => base = PathsBase::TypedDir,
                ("base", Some("manifest")) => base = PathsBase::Manifest,
                ("base", _) => self.problem("paths.base", "expected `typedDir` or `manifest`"),
                _ => self.problem("paths", format!("unknown key `{key}`: only `base` is allowed")),
            }
        }
        base
    }

    fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.present(key).cloned() else { return Vec::new() };
        let Value::Array(items) = value else {
            self.problem(key, "expected a list");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item {
                Value::String(text) if !text.is_empty() => texts.push(text),
                other => self.problem(key, format!("expected a non-empty string, found {other}")),
            }
        }
        texts
    }

    fn paths(&mut self, key: &str) -> Vec<RelPath> {
        let mut paths = Vec::new();
        for text in self.texts(key) {
            match RelPath::parse(&text) {
                Ok(path) => paths.push(path),
                Err(error) => self.problem(key, error),
            }
        }
        paths
    }

    fn dependencies(&mut self) -> Vec<ExtensionRef> {
        let mut dependencies = Vec::new();
        for text in self.texts("dependencies") {
            match text.parse() {
                Ok(reference) => dependencies.push(reference),
                Err(error) => self.problem("dependencies", error),
            }
        }
        dependencies
    }
}

/// Accepts any scheme.
fn is_url(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::{Manifest, ManifestError, PathsBase};

    const GOOD: &str = "manifestVersion: 1\nname: \"@acme/net/dns\"\nversion: 2026.03.04.2\ndescription: Zones\n\
        models: [zone.ts, ./sub/other.ts]\nbinaries: [tool]\ndependencies: [\"@acme/base@>=2026.01.01.1\"]\n\
        releaseNotes: better\nunknown: fine\n";

    #[test]
    fn manifest_of_an_archive_parses_to_the_same() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.entries(crate::Kind::Model)[1].as_str(), "sub/other.ts");
        let archived = Manifest::parse(&manifest.to_archive_yaml().unwrap()).unwrap();
        assert_eq!(archived, Manifest { release_notes: None, ..manifest });
    }

    #[test]
    fn paths_base_of_an_unknown_value_fails() {
        let with = |paths: &str| Manifest::parse(&format!("{GOOD}paths: {paths}\n"));
        assert_eq!(with("{ base: manifest }").unwrap().base, PathsBase::Manifest);
        assert!(with("{ root: x }").is_err());
        assert!(with("{ base: elsewhere }").is_err());
    }

    #[test]
    fn manifest_with_several_problems_reports_each() {
        let error = Manifest::parse(
            "manifestVersion: 1\nname: evil\nversion: 1.0\nmodels: [../x.ts]\ndependencies: [\"@a/../../x\"]\n",
        )
        .unwrap_err();
        let ManifestError::Invalid { problems } = error else { panic!("{error}") };
        for key in ["`name`", "`version`", "`models`", "`dependencies`"] {
            assert!(problems.iter().any(|problem| problem.starts_with(key)), "{key} in {problems:?}");
        }
    }

    #[test]
    fn manifest_without_a_known_version_fails_before_anything_else() {
        assert_eq!(Manifest::parse("name: x\n").unwrap_err(), ManifestError::NoVersion);
        let error = Manifest::parse("manifestVersion: 2\n").unwrap_err();
        assert_eq!(error, ManifestError::UnknownVersion { found: "2".into() });
        assert_eq!(Manifest::parse("- a\n").unwrap_err(), ManifestError::NotAMap);
        let empty = "manifestVersion: 1\nname: \"@a/b\"\nversion: 2026.01.01.1\n";
        assert!(matches!(Manifest::parse(empty), Err(ManifestError::Invalid { .. })));
    }
}
