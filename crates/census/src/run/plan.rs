//! A plan: which public extensions to run, with which inputs, against which local stubs, and what must come out.
//!
//! A plan holds none of an extension's code; it names files below a checkout. In every text of a case, `${dir}` is its
//! scratch directory, `${stub}` the stub's `host:port`, `${port}` a free port for a server of the case (a number where it is
//! a whole value), and `${source}`
//! the extension's directory. The environment variable `STUB_SECRET` holds `secret`, for arguments
//! that are sensitive and so must be expressions.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Plan {
    /// The public repository that the extensions are in, and the commit that the expectations were written for.
    pub repository: String,
    pub commit: String,
    pub cases: Vec<Case>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    /// The extension's directory in the repository.
    pub extension: String,
    pub family: String,
    /// The type of a model, or of the vault or datastore that `probe` drives.
    #[serde(rename = "type")]
    pub type_name: String,
    /// A vault or datastore has no methods to run: a small model of the tool's own drives its provider.
    #[serde(default)]
    pub probe: Option<Probe>,
    pub method: String,
    /// What stands in for the service, in a few words, for the table.
    pub stub: String,
    #[serde(default)]
    pub global: Map<String, Value>,
    #[serde(default)]
    pub inputs: Map<String, Value>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Answers of the HTTP stub, in order of preference.
    #[serde(default)]
    pub http: Vec<Route>,
    /// Scripts by name, put first on the PATH.
    #[serde(default)]
    pub programs: BTreeMap<String, String>,
    /// Files by path below the scratch directory. `repo` is the repository in it, `home` the home.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Shell lines that must succeed before the run, in the scratch directory's `work`.
    #[serde(default)]
    pub before: Vec<String>,
    /// A server of its own, as a shell line; the run waits until `${port}` accepts.
    #[serde(default)]
    pub server: Option<String>,
    /// Shell lines that must succeed once the server accepts.
    #[serde(default)]
    pub seed: Vec<String>,
    /// Models to make and methods to run first, with the same stubs.
    #[serde(default)]
    pub first: Vec<Step>,
    /// Shell lines that must succeed after the run. The stub's requests are in `${dir}/requests.jsonl`.
    #[serde(default)]
    pub after: Vec<String>,
    /// By resource (the name of its spec): what its attributes must hold; see [`super::expect`].
    pub expect: BTreeMap<String, Value>,
}

/// The source file that exports the vault or datastore, below the extension's directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Probe {
    Vault(String),
    Datastore(String),
}

impl Probe {
    /// The type of the model below.
    pub const TYPE: &str = "@census/probe";

    /// The source of the model that drives it.
    pub fn source(&self, extension: &Path) -> String {
        let (source, entry) = match self {
            Probe::Vault(entry) => (include_str!("vault_probe.ts"), entry),
            Probe::Datastore(entry) => (include_str!("datastore_probe.ts"), entry),
        };
        source.replace("@ENTRY@", &extension.join(entry).display().to_string())
    }
}

/// A method of the case's model that runs before the one of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub method: String,
    #[serde(default)]
    pub inputs: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Route {
    /// `GET /path`, `POST host.example/path`; a final `*` stands for any rest. Without a host, any host.
    pub on: String,
    /// What the query or the body must contain.
    #[serde(default)]
    pub having: Option<String>,
    /// What headers must contain; a request without it is not answered by this route.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub answer: BTreeMap<String, String>,
    #[serde(default)]
    pub json: Option<Value>,
    #[serde(default)]
    pub text: Option<String>,
    /// Answers this many requests, then no more.
    #[serde(default)]
    pub times: Option<usize>,
}

impl Route {
    /// Answers with a JSON value.
    pub fn json(on: &str, json: Value) -> Route {
        Route {
            on: on.to_owned(),
            having: None,
            headers: BTreeMap::new(),
            status: ok(),
            answer: BTreeMap::new(),
            json: Some(json),
            text: None,
            times: None,
        }
    }
}

fn ok() -> u16 {
    200
}

impl Plan {
    pub fn read(path: &Path) -> Result<Plan, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        marsh_types::yaml::from_str(&text).map_err(|error| {
            let place = match (error.line, error.column) {
                (Some(line), Some(column)) => format!(":{line}:{column}"),
                _ => String::new(),
            };
            format!("{}{place}: {}", path.display(), error.message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;

    /// A plan that does not parse would only be noticed with the checkouts at hand.
    #[test]
    fn the_plans_of_the_workspace_parse() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
        let mut cases = 0;
        for entry in std::fs::read_dir(dir).unwrap() {
            let plan = Plan::read(&entry.unwrap().path()).unwrap();
            assert!(plan.commit.len() >= 8, "{}", plan.repository);
            for case in &plan.cases {
                assert!(
                    !case.expect.is_empty() || !case.after.is_empty(),
                    "{} checks nothing",
                    case.type_name
                );
            }
            cases += plan.cases.len();
        }
        assert!(cases > 0);
    }
}
