//! `manifest.yaml`: what an extension is and what it contains (extension formats, "Manifest").

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
    pub name: ExtensionName,
    pub version: CalVer,
    pub description: Option<String>,
    pub repository: Option<String>,
    pub base: PathsBase,
    pub models: Vec<RelPath>,
    pub vaults: Vec<RelPath>,
    pub drivers: Vec<RelPath>,
    pub datastores: Vec<RelPath>,
    pub reports: Vec<RelPath>,
    pub workflows: Vec<RelPath>,
    pub skills: Vec<RelPath>,
    pub include: Vec<RelPath>,
    pub additional_files: Vec<RelPath>,
    pub binaries: Vec<RelPath>,
    pub platforms: Vec<String>,
    pub labels: Vec<String>,
    pub release_notes: Option<String>,
    pub dependencies: Vec<ExtensionRef>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest is not YAML: {0}")]
    Yaml(#[from] YamlError),
    #[error("the manifest must be a map")]
    NotAMap,
    #[error("the manifest has no `manifestVersion`; write `manifestVersion: 1`")]
    NoVersion,
    #[error("`manifestVersion: {found}` is not supported; this marsh reads version 1")]
    UnknownVersion { found: String },
    /// Every problem, each naming its key.
    #[error("the manifest is not valid: {}", problems.join("; "))]
    Invalid { problems: Vec<String> },
}

const MAX_LABELS: usize = 20;
const MAX_NOTES: usize = 5000;

impl Manifest {
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

    /// The entry points of a kind, as listed. Grafts stand among the models.
    pub fn entries(&self, kind: Kind) -> &[RelPath] {
        match kind {
            Kind::Model | Kind::Extension => &self.models,
            Kind::Vault => &self.vaults,
            Kind::Driver => &self.drivers,
            Kind::Datastore => &self.datastores,
            Kind::Report => &self.reports,
        }
    }

    /// The kinds of code with the entry points listed for them.
    pub fn code(&self) -> impl Iterator<Item = (Kind, &[RelPath])> {
        [Kind::Model, Kind::Vault, Kind::Driver, Kind::Datastore, Kind::Report]
            .into_iter()
            .map(|kind| (kind, self.entries(kind)))
    }

    /// The manifest as an archive carries it: `releaseNotes` stays behind, optional keys appear when they say something.
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
        let always: [(&str, &Vec<RelPath>); 7] = [
            ("models", &self.models),
            ("workflows", &self.workflows),
            ("vaults", &self.vaults),
            ("drivers", &self.drivers),
            ("datastores", &self.datastores),
            ("reports", &self.reports),
            ("additionalFiles", &self.additional_files),
        ];
        for (key, list) in always {
            map.insert(key.into(), json!(list));
        }
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

/// Collects all problems, so that an author mends them in one go.
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
            self.problem("repository", "it is not a URL");
        }
        let base = self.base();
        let mut paths = BTreeMap::new();
        for key in [
            "models",
            "vaults",
            "drivers",
            "datastores",
            "reports",
            "workflows",
            "skills",
            "include",
            "additionalFiles",
            "binaries",
        ] {
            paths.insert(key, self.paths(key));
        }
        let platforms = self.texts("platforms");
        let labels = self.texts("labels");
        if labels.len() > MAX_LABELS {
            self.problem("labels", "there are more than 20");
        }
        let release_notes = self.text("releaseNotes");
        if release_notes.as_ref().is_some_and(|notes| notes.chars().count() > MAX_NOTES) {
            self.problem("releaseNotes", "they are longer than 5000 characters");
        }
        let dependencies = self.dependencies();
        let contents = ["models", "workflows", "vaults", "drivers", "datastores", "reports", "skills"];
        if contents.iter().all(|key| paths.get(key).is_none_or(Vec::is_empty)) {
            self.problems.push(
                "it lists nothing: one of `models`, `workflows`, `vaults`, `drivers`, `datastores`, `reports` or \
                 `skills` must name something"
                    .into(),
            );
        }
        let mut take = |key: &str| paths.remove(key).unwrap_or_default();
        Some(Manifest {
            models: take("models"),
            vaults: take("vaults"),
            drivers: take("drivers"),
            datastores: take("datastores"),
            reports: take("reports"),
            workflows: take("workflows"),
            skills: take("skills"),
            include: take("include"),
            additional_files: take("additionalFiles"),
            binaries: take("binaries"),
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
                self.problem(key, "it must be a text");
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
                self.problem(key, "it is required");
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
            self.problem("paths", "it must be a map");
            return PathsBase::default();
        };
        let mut base = PathsBase::default();
        for (key, value) in &paths {
            match (key.as_str(), value.as_str()) {
                ("base", Some("typedDir")) => base = PathsBase::TypedDir,
                ("base", Some("manifest")) => base = PathsBase::Manifest,
                ("base", _) => self.problem("paths.base", "it must be `typedDir` or `manifest`"),
                _ => self.problem("paths", format!("`{key}` is unknown; only `base` is allowed")),
            }
        }
        base
    }

    fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.present(key).cloned() else { return Vec::new() };
        let Value::Array(items) = value else {
            self.problem(key, "it must be a list");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item {
                Value::String(text) if !text.is_empty() => texts.push(text),
                other => self.problem(key, format!("{other} is not a text")),
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

/// Any scheme will do, as long as it is one.
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
    fn a_manifest_round_trips_through_an_archive() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.models[1].as_str(), "sub/other.ts");
        let archived = Manifest::parse(&manifest.to_archive_yaml().unwrap()).unwrap();
        assert_eq!(archived, Manifest { release_notes: None, ..manifest });
    }

    #[test]
    fn the_base_is_strict_and_the_rest_is_not() {
        let with = |paths: &str| Manifest::parse(&format!("{GOOD}paths: {paths}\n"));
        assert_eq!(with("{ base: manifest }").unwrap().base, PathsBase::Manifest);
        assert!(with("{ root: x }").is_err());
        assert!(with("{ base: elsewhere }").is_err());
    }

    #[test]
    fn all_problems_are_told_at_once() {
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
    fn the_format_version_comes_first() {
        assert_eq!(Manifest::parse("name: x\n").unwrap_err(), ManifestError::NoVersion);
        let error = Manifest::parse("manifestVersion: 2\n").unwrap_err();
        assert_eq!(error, ManifestError::UnknownVersion { found: "2".into() });
        assert_eq!(Manifest::parse("- a\n").unwrap_err(), ManifestError::NotAMap);
        let empty = "manifestVersion: 1\nname: \"@a/b\"\nversion: 2026.01.01.1\n";
        assert!(matches!(Manifest::parse(empty), Err(ManifestError::Invalid { .. })));
    }
}
