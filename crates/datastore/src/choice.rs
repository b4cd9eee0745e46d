//! The datastore of a repository: the environment names it, else the marker, else the repository holds its data itself.

use std::path::{Path, PathBuf};

use marsh_repo::{Environment, Layout, Repo, env};
use marsh_types::{KINDS, TypeName};
use serde_json::{Map, Value};

use crate::error::DatastoreError;

/// The trees that can be in a datastore; all others stay in the repository.
pub const DIRECTORIES: [&str; 7] = [
    "auto-definitions",
    "definitions-evaluated",
    "workflows-evaluated",
    "data",
    "outputs",
    "workflow-runs",
    "audit",
];
/// The longest namespace.
const MAX_NAMESPACE: usize = 64;

/// Where a repository's data are.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// Below the repository.
    Local,
    /// Below this directory.
    Directory {
        /// The directory of the trees: the store's, or that of the namespace in it.
        path: PathBuf,
        /// The trees in it.
        directories: Vec<String>,
        /// The part of the store that is this repository's, if repositories share it.
        namespace: Option<String>,
    },
    /// In the datastore of an extension.
    Extension {
        /// The datastore type.
        type_name: TypeName,
        /// Its configuration.
        config: Map<String, Value>,
        /// The trees in it.
        directories: Vec<String>,
    },
}

impl Choice {
    /// The choice of a repository.
    ///
    /// # Errors
    ///
    /// The environment variable or the marker's `datastore` is invalid.
    pub fn of(repo: &Repo, environment: &Environment) -> Result<Choice, DatastoreError> {
        if let Some(text) = environment.get(env::DATASTORE) {
            return of_text(text, repo, environment);
        }
        match repo.marker.value("datastore") {
            None | Some(Value::Null) => Ok(Choice::Local),
            Some(Value::Object(map)) => of_map(map, repo, environment),
            Some(_) => Err(in_marker("must be a map".into())),
        }
    }

    /// The datastore type; `filesystem` without an extension.
    pub fn type_name(&self) -> &str {
        match self {
            Choice::Local | Choice::Directory { .. } => "filesystem",
            Choice::Extension { type_name, .. } => type_name.as_str(),
        }
    }

    /// The part of the store that is this repository's, if repositories share it.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Choice::Directory { namespace, .. } => namespace.as_deref(),
            Choice::Local | Choice::Extension { .. } => None,
        }
    }

    /// The directory that repositories share; `None` for the datastore of an extension.
    pub fn store(&self, layout: &Layout) -> Option<PathBuf> {
        match self {
            Choice::Local => Some(layout.state()),
            Choice::Directory { path, namespace: None, .. } => Some(path.clone()),
            Choice::Directory { path, .. } => path.parent().map(Path::to_owned),
            Choice::Extension { .. } => None,
        }
    }

    /// The trees that are in the datastore.
    pub fn directories(&self) -> Vec<String> {
        match self {
            Choice::Local => all(),
            Choice::Directory { directories, .. } | Choice::Extension { directories, .. } => {
                directories.clone()
            }
        }
    }
}

/// Checks a namespace: lower-case letters, digits and `-`, and not the name of a tree.
///
/// # Errors
///
/// Why the text cannot be a namespace.
pub fn check_namespace(text: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_slug = text.starts_with(is_word) && text.chars().all(|c| is_word(c) || c == '-');
    if !is_slug || text.len() > MAX_NAMESPACE {
        return Err(format!("invalid namespace `{text}`: use lower-case letters, digits and `-`"));
    }
    if DIRECTORIES.contains(&text) || is_of_others(text) || ["marsh", "secrets"].contains(&text) {
        return Err(format!("invalid namespace `{text}`: a directory of the store has this name"));
    }
    Ok(())
}

/// Whether other implementations keep something in a tree of this name, which marsh does not use.
fn is_of_others(name: &str) -> bool {
    ["telemetry", "logs", "files"].contains(&name) || KINDS.iter().any(|row| row.bundles == name)
}

fn all() -> Vec<String> {
    DIRECTORIES.map(str::to_owned).to_vec()
}

fn in_marker(reason: String) -> DatastoreError {
    DatastoreError::Choice { place: "`datastore` in the marker".into(), reason }
}

/// `filesystem:/path`, or `@scope/type:{…}`.
fn of_text(text: &str, repo: &Repo, environment: &Environment) -> Result<Choice, DatastoreError> {
    let wrong = |reason: String| DatastoreError::Choice { place: env::DATASTORE.name.to_owned(), reason };
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    if name == "filesystem" {
        return directory(rest, all(), repo, environment)
            .ok_or_else(|| wrong("a path must follow `filesystem:`".into()));
    }
    let type_name = TypeName::parse(name).map_err(|error| wrong(error.to_string()))?;
    let config = match rest.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text)
            .map_err(|error| wrong(format!("expected a JSON object after `{name}:`: {error}")))?,
    };
    Ok(Choice::Extension { type_name, config, directories: all() })
}

fn of_map(
    map: &Map<String, Value>,
    repo: &Repo,
    environment: &Environment,
) -> Result<Choice, DatastoreError> {
    for (key, value) in map {
        match key.as_str() {
            "type" | "path" | "config" | "directories" | "namespace" | "syncTimeoutMs" => {}
            // marsh always copies everything.
            "hydrationStrategy" if value == "full" => {}
            "hydrationStrategy" | "exclude" => {
                return Err(in_marker(format!(
                    "`{key}: {value}` is not supported: marsh does not work on partial copies"
                )));
            }
            other => return Err(in_marker(format!("unknown key `{other}`"))),
        }
    }
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let name = text("type").ok_or_else(|| in_marker("`type` is missing".into()))?;
    let directories = match map.get("directories") {
        None => all(),
        Some(Value::Array(names)) => {
            let mut chosen = Vec::new();
            for name in names {
                match name.as_str() {
                    Some(name) if DIRECTORIES.contains(&name) => chosen.push(name.to_owned()),
                    Some(name) if is_of_others(name) => {}
                    _ => {
                        return Err(in_marker(format!(
                            "`directories`: unknown tree {name}, expected one of {}",
                            DIRECTORIES.join(", ")
                        )));
                    }
                }
            }
            chosen
        }
        Some(_) => return Err(in_marker("`directories` must be a list".into())),
    };
    let namespace = match map.get("namespace") {
        None | Some(Value::Null) => None,
        Some(Value::String(namespace)) => Some(namespace.clone()),
        Some(_) => return Err(in_marker("`namespace` must be a text".into())),
    };
    namespace.as_deref().map_or(Ok(()), check_namespace).map_err(in_marker)?;
    if name == "filesystem" {
        let mut choice = match text("path") {
            None if namespace.is_none() => return Ok(Choice::Local),
            None => Choice::Directory { path: repo.layout.state(), directories, namespace: None },
            Some(path) => directory(path, directories, repo, environment)
                .ok_or_else(|| in_marker("`path` is empty".into()))?,
        };
        if let (Choice::Directory { path, namespace: part, .. }, Some(namespace)) = (&mut choice, namespace) {
            path.push(&namespace);
            *part = Some(namespace);
        }
        return Ok(choice);
    }
    if let Some(namespace) = namespace {
        return Err(in_marker(format!(
            "`namespace: {namespace}` is not supported for the datastore of an extension: give each repository a \
             location of its own in `config`"
        )));
    }
    let config = match map.get("config") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(config)) => config.clone(),
        Some(_) => return Err(in_marker("`config` must be a map".into())),
    };
    let type_name = TypeName::parse(name).map_err(|error| in_marker(format!("`type`: {error}")))?;
    Ok(Choice::Extension { type_name, config, directories })
}

/// A path, relative to the repository. `~` and variables (`$NAME`, `${NAME}`) are replaced.
fn directory(text: &str, directories: Vec<String>, repo: &Repo, environment: &Environment) -> Option<Choice> {
    let text = expanded(text.trim(), environment);
    if text.is_empty() {
        return None;
    }
    Some(Choice::Directory { path: repo.layout.root().join(text), directories, namespace: None })
}

fn expanded(text: &str, environment: &Environment) -> String {
    let mut rest = text;
    let mut out = String::new();
    if let Some(home) = environment.raw("HOME")
        && let Some(tail) = rest.strip_prefix("~/")
    {
        out.push_str(home);
        out.push('/');
        rest = tail;
    }
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, tail) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some(found) => found,
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                after.split_at(end.unwrap_or(after.len()))
            }
        };
        match environment.raw(name) {
            Some(value) => out.push_str(value),
            None => {
                out.push('$');
                out.push_str(&after[..after.len() - tail.len()]);
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use marsh_repo::{Environment, Layout, Marker, Repo};

    use super::{Choice, DIRECTORIES};

    fn choice(marker: &str, env: &[(&str, &str)]) -> Result<Choice, String> {
        let marker = Marker::parse(Path::new(".swamp.yaml"), marker).unwrap();
        let repo = Repo { layout: Layout::new("/r"), marker, environment: Default::default() };
        Choice::of(&repo, &Environment::from_pairs(env.iter().copied())).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_wins_over_the_marker_and_the_default_is_the_repository() {
        assert_eq!(choice("", &[]), Ok(Choice::Local));
        assert_eq!(choice("datastore: {type: filesystem}", &[]), Ok(Choice::Local));
        let env = [("MARSH_DATASTORE", "filesystem:$BASE/${NAME}x"), ("BASE", "/b"), ("NAME", "n")];
        let Ok(Choice::Directory { path, directories, .. }) = choice("datastore: {type: '@a/b'}", &env)
        else {
            panic!("the environment names a directory")
        };
        assert_eq!((path, directories.len()), (PathBuf::from("/b/nx"), DIRECTORIES.len()));
        let env = [("SWAMP_DATASTORE", r#"@me/disk:{"root":"/d"}"#)];
        let Ok(Choice::Extension { config, .. }) = choice("", &env) else {
            panic!("the environment names an extension")
        };
        assert_eq!(config["root"], "/d");
    }

    #[test]
    fn the_marker_names_a_type_its_configuration_and_trees() {
        let text =
            "datastore: {type: '@me/disk', config: {root: /d}, directories: [data, outputs, telemetry]}";
        let Ok(Choice::Extension { type_name, directories, .. }) = choice(text, &[]) else {
            panic!("the marker names an extension")
        };
        assert_eq!((type_name.as_str(), directories), ("@me/disk", vec!["data".into(), "outputs".into()]));
    }

    #[test]
    fn namespace_is_a_part_of_the_store() {
        let part = |text: &str| {
            let Ok(Choice::Directory { path, namespace, .. }) = choice(text, &[]) else { panic!("{text}") };
            (path, namespace)
        };
        let named = |path: &str| (PathBuf::from(path), Some("team-a".to_owned()));
        assert_eq!(part("datastore: {type: filesystem, namespace: team-a}"), named("/r/.swamp/team-a"));
        assert_eq!(part("datastore: {type: filesystem, path: /s, namespace: team-a}"), named("/s/team-a"));
        for bad in ["Team", "a_b", "''", "-a", "data", "secrets", "1.5", "../x"] {
            let text = format!("datastore: {{type: filesystem, namespace: {bad}}}");
            assert!(choice(&text, &[]).unwrap_err().contains("namespace"), "{bad}");
        }
    }

    #[test]
    fn unsupported_and_unknown_keys_are_refused_by_name() {
        for (text, expected) in [
            ("datastore: {config: {}}", "`type` is missing"),
            ("datastore: {type: '@a/b', exclude: [x]}", "`exclude"),
            ("datastore: {type: '@a/b', namespace: n}", "`namespace"),
            ("datastore: {type: '@a/b', hydrationStrategy: lazy}", "`hydrationStrategy"),
            ("datastore: {type: '@a/b', directories: [secrets]}", "unknown tree"),
            ("datastore: {type: '@a/b', bucket: b}", "unknown key `bucket`"),
            ("datastore: here", "must be a map"),
        ] {
            let error = choice(text, &[]).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(choice("datastore: {type: '@a/b', hydrationStrategy: full}", &[]).is_ok());
    }
}
