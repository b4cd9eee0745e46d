//! The cases, and the module that both engines get for one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;
use crate::server::Servers;

const HARNESS: &str = include_str!("harness.js");

/// One file below `cases/`.
#[derive(Clone, Debug)]
pub struct Case {
    pub area: String,
    pub name: String,
    pub path: PathBuf,
}

impl Case {
    /// `fetch/redirect`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.area, self.name)
    }

    pub fn expected(&self) -> PathBuf {
        crate::folder::root().join("expected").join(&self.area).join(format!("{}.json", self.name))
    }
}

/// What came of one check: a value, or what was thrown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threw: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Shown, never compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A `value` of `null` is a value.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// Every case whose id contains `only`, sorted.
pub fn find(only: Option<&str>) -> Result<Vec<Case>, Error> {
    let top = crate::folder::root().join("cases");
    let mut cases = Vec::new();
    for area in entries(&top)? {
        for path in entries(&area)? {
            let (Some(area), Some(name)) = (area.file_name(), path.file_stem()) else { continue };
            let case = Case {
                area: area.to_string_lossy().into_owned(),
                name: name.to_string_lossy().into_owned(),
                path: path.clone(),
            };
            if only.is_none_or(|only| case.id().contains(only)) {
                cases.push(case);
            }
        }
    }
    cases.sort_by_key(Case::id);
    match (cases.is_empty(), only) {
        (true, Some(only)) => Err(Error::NoCase(only.to_owned())),
        _ => Ok(cases),
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |error| Error::io(format!("read {}", dir.display()), error);
    std::fs::read_dir(dir).map_err(read)?.map(|entry| entry.map(|entry| entry.path()).map_err(read)).collect()
}

/// The module of `case` for a run in `dir`: the harness, what the case may know, and the case itself.
pub fn compose(case: &Case, servers: &Servers, dir: &Path) -> Result<String, Error> {
    let source = std::fs::read_to_string(&case.path)
        .map_err(|error| Error::io(format!("read {}", case.path.display()), error))?;
    // Only where it is asked for: it is large.
    let wpt = if source.contains("env.wpt") { crate::wpt::data()? } else { Value::Null };
    let env = json!({ "base": servers.http, "tcp": servers.tcp.to_string(), "ws": servers.ws, "dir": dir, "wpt": wpt });
    Ok(format!("{HARNESS}\nconst env = {env};\n{source}"))
}

/// An empty directory to run in, and where the module goes.
pub fn scratch(run: impl FnOnce(&Path, &Path) -> Result<Vec<Outcome>, Error>) -> Result<Vec<Outcome>, Error> {
    let made = tempfile::tempdir().map_err(|error| Error::io("make a temporary directory", error))?;
    let top = made.path().canonicalize().map_err(|error| Error::io("find a temporary directory", error))?;
    let dir = top.join("dir");
    marsh_fs::create_dir_all(&dir)?;
    run(&dir, &top.join("case.mjs"))
}

/// A case that does not even load has one outcome.
pub fn broken(message: String) -> Vec<Outcome> {
    vec![Outcome {
        name: "(the case)".to_owned(),
        value: None,
        threw: Some("it did not run".to_owned()),
        code: None,
        message: Some(message),
    }]
}
