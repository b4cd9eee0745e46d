//! Definition files: `models/<type>/<name>.yaml`, or `<id>.yaml` when the name cannot be a file name.
//!
//! Names are looked up over the whole tree; the file's name is a hint, its content decides. A file that does not parse
//! is skipped in listings and reported when it is the one that was asked for.

use std::path::{Path, PathBuf};

use marsh_fs::Durability;
use marsh_repo::Layout;
use marsh_types::yaml::YamlError;
use marsh_types::{CalVer, DefinitionName, TypeName, yaml};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::error::ModelError;
use crate::inputs::{InputSchema, InputUses};

/// A definition as written. Field order is the key order of the file; unknown keys are dropped when it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// The type as written; absent in old files, whose directories name it.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub raw_type: Option<String>,
    /// The version of the type that the definition was made for, or upgraded to.
    #[serde(default, deserialize_with = "calver_or_absent", skip_serializing_if = "Option::is_none")]
    pub type_version: Option<CalVer>,
    /// A UUID: stored data belong to it.
    pub id: String,
    /// The name in commands and expressions.
    pub name: String,
    /// The version of the definition, which users count.
    #[serde(default = "one")]
    pub version: u64,
    /// Tags of everything that runs write.
    #[serde(default)]
    pub tags: Map<String, Value>,
    /// Arguments for all methods.
    #[serde(default)]
    pub global_arguments: Map<String, Value>,
    /// By method: `{ arguments: … }`.
    #[serde(default)]
    pub methods: Map<String, Value>,
    /// The schema of the inputs: `{ properties, required, … }`, or a flat map of properties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
    /// Which checks must run, and which are skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<CheckRules>,
    /// Which reports must run, and which are skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<Value>,
    /// By output: `{ vaultName }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Value>,
    /// Removed from the format; present only to be refused.
    #[serde(default, skip_serializing)]
    driver: Option<Value>,
    #[serde(default, skip_serializing)]
    driver_config: Option<Value>,
}

/// A definition's rules for pre-flight checks, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRules {
    /// These run even if the command line skips checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<String>,
    /// These do not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
}

fn one() -> u64 {
    1
}

/// Old files have numeric or malformed versions, which count as absent.
fn calver_or_absent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CalVer>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().and_then(|text| text.parse().ok()))
}

impl Definition {
    /// A definition with a new id and no arguments.
    pub fn new(type_name: &TypeName, name: &DefinitionName, type_version: Option<CalVer>) -> Definition {
        Definition {
            raw_type: Some(type_name.to_string()),
            type_version,
            id: uuid::Uuid::new_v4().to_string(),
            name: name.to_string(),
            version: 1,
            tags: Map::new(),
            global_arguments: Map::new(),
            methods: Map::new(),
            inputs: None,
            checks: None,
            reports: None,
            resources: None,
            driver: None,
            driver_config: None,
        }
    }

    /// Parses the text of a definition file; `path` is for messages.
    ///
    /// # Errors
    ///
    /// The text is not YAML, or not a definition.
    pub fn parse(path: &Path, text: &str) -> Result<Definition, ModelError> {
        let definition: Definition = yaml::from_str(text)
            .map_err(|source| ModelError::DefinitionYaml { path: path.to_owned(), source })?;
        let invalid = |reason: String| ModelError::InvalidDefinition { path: path.to_owned(), reason };
        if definition.driver.is_some() || definition.driver_config.is_some() {
            return Err(invalid(
                "`driver` and `driverConfig` are no longer part of the format: delete them".into(),
            ));
        }
        DefinitionName::from_file(&definition.name).map_err(|error| invalid(error.to_string()))?;
        if let Some(inputs) = &definition.inputs
            && !(inputs.is_object() || inputs.is_null())
        {
            return Err(invalid("invalid `inputs`: expected a map of inputs".into()));
        }
        if uuid::Uuid::parse_str(&definition.id).is_err() {
            return Err(invalid(format!("invalid `id` `{}`: expected a UUID", definition.id)));
        }
        Ok(definition)
    }

    /// The text of the definition file.
    ///
    /// # Errors
    ///
    /// A value has no form in YAML.
    pub fn to_yaml(&self) -> Result<String, ModelError> {
        Ok(yaml::to_string(self)?)
    }

    /// The definition's arguments for a method.
    pub fn method_arguments(&self, method: &str) -> Map<String, Value> {
        self.methods
            .get(method)
            .and_then(|method| method.get("arguments"))
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }

    /// The inputs that it declares, in whatever form.
    pub fn input_schema(&self) -> Option<InputSchema> {
        self.inputs.as_ref().and_then(InputSchema::of)
    }

    /// The inputs that the arguments of a method and the global arguments use.
    pub fn input_uses(&self, method: &str) -> InputUses {
        InputUses::of([&self.method_arguments(method), &self.global_arguments])
    }

    /// SHA-256 of the definition's JSON without its type, keys sorted at every level.
    ///
    /// # Errors
    ///
    /// A value of the definition has no JSON form; `path` is where it was read.
    pub fn hash(&self, path: &Path) -> Result<String, ModelError> {
        let mut value = serde_json::to_value(self).map_err(|error| ModelError::InvalidDefinition {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        if let Some(map) = value.as_object_mut() {
            map.remove("type");
            map.remove("typeVersion");
        }
        let text = sorted(&value).to_string();
        Ok(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// `tags` as text. Values that are not text are written as JSON.
    pub fn tag_pairs(&self) -> impl Iterator<Item = (&str, String)> {
        self.tags.iter().map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (key.as_str(), text)
        })
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&map[key]))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        scalar => scalar.clone(),
    }
}

/// A definition with where it was found.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The definition.
    pub definition: Definition,
    /// Its type, normalized.
    pub type_name: TypeName,
    /// The file.
    pub path: PathBuf,
    /// Whether a run of a type created it.
    pub auto: bool,
}

/// A definition file, or a directory of such files, that cannot be read.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The file or directory.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub message: String,
    /// The place in the text, if it is not YAML or not a definition.
    pub error: Option<YamlError>,
}

/// The definitions of a repository.
#[derive(Debug, Clone)]
pub struct DefinitionStore {
    layout: Layout,
}

impl DefinitionStore {
    /// The definitions below this layout's directories.
    pub fn new(layout: Layout) -> DefinitionStore {
        DefinitionStore { layout }
    }

    /// The definition of this name, else of this id.
    ///
    /// # Errors
    ///
    /// There is none, or the file that is named after it cannot be read. If a directory cannot be read, its error: the
    /// definition may be there.
    pub fn find(&self, name_or_id: &str) -> Result<Stored, ModelError> {
        // The file with that name is the likely one: most often no other file is read.
        let (files, unreadable) = self.files();
        let wanted = format!("{}.yaml", name_or_id.rsplit('/').next().unwrap_or(name_or_id));
        let mut broken = None;
        let (likely, others): (Vec<_>, Vec<_>) =
            files.iter().partition(|(path, _)| path.file_name().is_some_and(|name| *name == *wanted));
        for (path, auto) in likely {
            match self.read(path, *auto) {
                Ok(Some(stored))
                    if stored.definition.name == name_or_id || stored.definition.id == name_or_id =>
                {
                    return Ok(stored);
                }
                Ok(_) => {}
                Err(error @ ModelError::Io { .. }) => return Err(error),
                Err(error) => broken = Some(error),
            }
        }
        let mut by_id = None;
        for (path, auto) in others {
            let Ok(Some(stored)) = self.read(path, *auto) else { continue };
            if stored.definition.name == name_or_id {
                return Ok(stored);
            }
            if stored.definition.id == name_or_id {
                by_id = Some(stored);
            }
        }
        if let Some(stored) = by_id {
            return Ok(stored);
        }
        Err(match broken.or(unreadable) {
            Some(error) => error,
            None => ModelError::ModelNotFound {
                name: name_or_id.to_owned(),
                known: self.list().0.into_iter().map(|stored| stored.definition.name).collect(),
            },
        })
    }

    /// All definitions, sorted by name, and what could not be read.
    pub fn list(&self) -> (Vec<Stored>, Vec<Broken>) {
        let mut found = Vec::new();
        let mut broken = Vec::new();
        let (files, unreadable) = self.files();
        if let Some(ModelError::Io { path, source }) = unreadable {
            broken.push(Broken {
                message: format!("cannot read {}: {source}", path.display()),
                path,
                error: None,
            });
        }
        for (path, auto) in files {
            match self.read(&path, auto) {
                Ok(Some(stored)) => found.push(stored),
                Ok(None) => {}
                Err(error) => {
                    let yaml = match &error {
                        ModelError::DefinitionYaml { source, .. } => Some(source.clone()),
                        _ => None,
                    };
                    broken.push(Broken { path, message: error.to_string(), error: yaml });
                }
            }
        }
        found.sort_by(|a, b| a.definition.name.cmp(&b.definition.name).then_with(|| a.path.cmp(&b.path)));
        (found, broken)
    }

    /// Writes a definition to the path of its type and name. If it was stored elsewhere, that file is removed.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&self, stored: &Stored) -> Result<PathBuf, ModelError> {
        let path = self.path_for(&stored.definition, &stored.type_name, stored.auto);
        self.write_to(&path, &stored.definition)?;
        if stored.path != path && stored.path.is_file() {
            marsh_fs::remove_file_if_exists(&stored.path)?;
        }
        Ok(path)
    }

    /// Writes a definition to the file from which it was read.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save_in_place(&self, stored: &Stored) -> Result<(), ModelError> {
        self.write_to(&stored.path, &stored.definition)
    }

    fn write_to(&self, path: &Path, definition: &Definition) -> Result<(), ModelError> {
        if let Some(parent) = path.parent() {
            marsh_fs::create_dir_all(parent)?;
        }
        marsh_fs::atomic_write(path, definition.to_yaml()?.as_bytes(), Durability::Synced)?;
        Ok(())
    }

    /// The path of a definition with this type and name.
    pub fn path_for(&self, definition: &Definition, type_name: &TypeName, auto: bool) -> PathBuf {
        let root = if auto { self.layout.auto_definitions() } else { self.layout.definitions() };
        file_in(&root, definition, type_name)
    }

    /// The path of the evaluated copy of a definition.
    pub fn evaluated_path(&self, definition: &Definition, type_name: &TypeName) -> PathBuf {
        file_in(&self.layout.evaluated_definitions(), definition, type_name)
    }

    /// Writes the evaluated copy of a definition.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save_evaluated(
        &self,
        definition: &Definition,
        type_name: &TypeName,
    ) -> Result<PathBuf, ModelError> {
        let path = self.evaluated_path(definition, type_name);
        if let Some(parent) = path.parent() {
            marsh_fs::create_dir_all(parent)?;
        }
        // The next run makes it again.
        marsh_fs::atomic_write(&path, definition.to_yaml()?.as_bytes(), Durability::Atomic)?;
        Ok(path)
    }

    /// The evaluated copy, if a run has written one.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn read_evaluated(&self, stored: &Stored) -> Result<Option<Definition>, ModelError> {
        let path = self.evaluated_path(&stored.definition, &stored.type_name);
        Ok(self.read(&path, stored.auto)?.map(|found| found.definition))
    }

    /// `None`: the file is gone by now.
    fn read(&self, path: &Path, auto: bool) -> Result<Option<Stored>, ModelError> {
        let text = match marsh_fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ModelError::Io { path: path.to_owned(), source }),
        };
        let definition = Definition::parse(path, &text)?;
        let type_name = self.type_of(&definition, path)?;
        Ok(Some(Stored { definition, type_name, path: path.to_owned(), auto }))
    }

    /// The file's `type` key, else the path of its directory.
    fn type_of(&self, definition: &Definition, path: &Path) -> Result<TypeName, ModelError> {
        let from_path = || {
            let parent = path.parent()?;
            let relative = [
                self.layout.definitions(),
                self.layout.auto_definitions(),
                self.layout.evaluated_definitions(),
            ]
            .iter()
            .find_map(|root| parent.strip_prefix(root).ok().map(Path::to_owned))?;
            Some(relative.to_string_lossy().replace('\\', "/"))
        };
        let raw = definition.raw_type.clone().or_else(from_path).unwrap_or_default();
        TypeName::parse(&raw).map_err(|error| ModelError::InvalidDefinition {
            path: path.to_owned(),
            reason: format!("{error} (key `type`)"),
        })
    }

    /// Every `*.yaml` below the definition roots, own before automatic, each sorted by path, and why a directory could
    /// not be read. A directory that is gone holds no definition.
    fn files(&self) -> (Vec<(PathBuf, bool)>, Option<ModelError>) {
        let mut files = Vec::new();
        let mut unreadable = None;
        for (root, auto) in [(self.layout.definitions(), false), (self.layout.auto_definitions(), true)] {
            let mut found = Vec::new();
            let mut pending = vec![root];
            while let Some(dir) = pending.pop() {
                if let Err(source) = yaml_files(&dir, &mut pending, &mut found)
                    && source.kind() != std::io::ErrorKind::NotFound
                {
                    unreadable.get_or_insert(ModelError::Io { path: dir, source });
                }
            }
            found.sort();
            files.extend(found.into_iter().map(|path| (path, auto)));
        }
        (files, unreadable)
    }
}

/// The `*.yaml` files of a directory, and the directories in it.
fn yaml_files(dir: &Path, dirs: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let kind = match entry.file_type() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if kind.is_dir() {
            dirs.push(path);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}

fn file_in(root: &Path, definition: &Definition, type_name: &TypeName) -> PathBuf {
    let dir = Layout::of_type(root, type_name);
    match DefinitionName::for_new(&definition.name) {
        // A scoped name keeps its scope as directories.
        Ok(name) => dir.join(format!("{name}.yaml")),
        Err(_) => dir.join(format!("{}.yaml", definition.id)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Definition;

    const TEXT: &str = "type: command/shell\ntypeVersion: 2026.02.09.1\nid: 0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001\nname: hello\nversion: 1\ntags: {}\nglobalArguments: {}\nmethods:\n  execute:\n    arguments:\n      run: 'echo ${{ inputs.who }}'\ninputs:\n  properties:\n    who: { type: string, default: world }\n";

    #[test]
    fn a_definition_is_parsed_and_rendered() {
        let definition = Definition::parse(Path::new("x.yaml"), TEXT).unwrap();
        assert_eq!(definition.method_arguments("execute")["run"], "echo ${{ inputs.who }}");
        assert!(definition.input_schema().unwrap().properties.contains_key("who"));
        let again = Definition::parse(Path::new("x.yaml"), &definition.to_yaml().unwrap()).unwrap();
        assert_eq!(again, definition);
    }

    #[test]
    fn the_hash_ignores_type_and_key_order() {
        let one = Definition::parse(Path::new("x.yaml"), TEXT).unwrap();
        let two = Definition::parse(
            Path::new("x.yaml"),
            &TEXT
                .replace("typeVersion: 2026.02.09.1\n", "")
                .replace("tags: {}\nglobalArguments: {}", "globalArguments: {}\ntags: {}"),
        )
        .unwrap();
        assert_eq!(one.hash(Path::new("x.yaml")).unwrap(), two.hash(Path::new("x.yaml")).unwrap());
    }

    #[test]
    fn legacy_numeric_type_versions_read_as_absent_and_removed_keys_are_refused() {
        let legacy = TEXT.replace("typeVersion: 2026.02.09.1", "typeVersion: 3");
        assert_eq!(Definition::parse(Path::new("x.yaml"), &legacy).unwrap().type_version, None);
        let driver = format!("{TEXT}driver: docker\n");
        assert!(Definition::parse(Path::new("x.yaml"), &driver).unwrap_err().to_string().contains("driver"));
    }

    /// An error is not an empty listing: a definition may be there.
    #[test]
    fn a_directory_that_cannot_be_read_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        marsh_fs::atomic_write(&dir.path().join("models"), b"", marsh_fs::Durability::Atomic).unwrap();
        let store = super::DefinitionStore::new(marsh_repo::Layout::new(dir.path()));
        assert!(matches!(store.find("m"), Err(crate::ModelError::Io { .. })));
        let (found, broken) = store.list();
        assert!(found.is_empty());
        assert_eq!(broken.len(), 1);
        assert!(broken[0].message.starts_with("cannot read "), "{}", broken[0].message);
    }

    #[test]
    fn inputs_that_are_a_list_or_text_are_refused() {
        for inputs in ["inputs: [who]", "inputs: who"] {
            let text = TEXT.split("inputs:\n").next().unwrap().to_owned() + inputs + "\n";
            let error = Definition::parse(Path::new("x.yaml"), &text).unwrap_err();
            assert!(error.to_string().contains("invalid `inputs`"), "{error}");
        }
    }

    #[test]
    fn malformed_yaml_names_the_line() {
        let error = Definition::parse(Path::new("x.yaml"), "id: a\nname: [\n").unwrap_err();
        let details = marsh_types::Explain::details(&error).unwrap();
        assert!(details["line"].is_number(), "{details}");
    }
}
