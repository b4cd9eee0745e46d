//! Every environment variable that marsh reads, in one table.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use marsh_types::Kind;

/// One variable: marsh's own name, the name that existing set-ups use, and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    pub name: &'static str,
    /// Read when `name` is unset, so that environments made for existing repositories keep working.
    pub fallback: Option<&'static str>,
    pub meaning: &'static str,
}

const fn variable(name: &'static str, fallback: Option<&'static str>, meaning: &'static str) -> Variable {
    Variable { name, fallback, meaning }
}

pub const REPO_DIR: Variable =
    variable("MARSH_REPO_DIR", Some("SWAMP_REPO_DIR"), "the repository to use, as --repo-dir");
pub const HOME: Variable = variable("MARSH_HOME", Some("SWAMP_HOME"), "per-user state directory");
pub const CACHE_DIR: Variable = variable(
    "MARSH_CACHE_DIR",
    None,
    "per-user cache of packages and compiled code, shared by all repositories",
);
pub const LOCK_TIMEOUT_MS: Variable = variable(
    "MARSH_LOCK_TIMEOUT_MS",
    Some("SWAMP_LOCK_TIMEOUT_MS"),
    "how long to wait for a lock, in milliseconds",
);
pub const REGISTRY: Variable = variable(
    "MARSH_REGISTRY",
    Some("SWAMP_CLUB_URL"),
    "the registry of extensions: a URL, or the directory of one",
);
pub const API_KEY: Variable = variable("MARSH_API_KEY", Some("SWAMP_API_KEY"), "the token for that registry");
pub const OFFLINE: Variable = variable("MARSH_OFFLINE", None, "1: use only what is already in the cache");
pub const EPHEMERAL_BUDGET: Variable = variable(
    "MARSH_EPHEMERAL_BUDGET",
    Some("SWAMP_EPHEMERAL_BUDGET"),
    "memory for ephemeral data of one run, e.g. 512m",
);
pub const MAX_CONCURRENT_STEPS: Variable = variable(
    "MARSH_MAX_CONCURRENT_STEPS",
    Some("SWAMP_MAX_CONCURRENT_STEPS"),
    "how many workflow steps run at once",
);
pub const DATASTORE: Variable = variable(
    "MARSH_DATASTORE",
    Some("SWAMP_DATASTORE"),
    "where data are: `filesystem:/path`, or `@scope/type:{…}` for an extension's datastore and its configuration",
);
pub const DATASTORE_SYNC_TIMEOUT_MS: Variable = variable(
    "MARSH_DATASTORE_SYNC_TIMEOUT_MS",
    Some("SWAMP_DATASTORE_SYNC_TIMEOUT_MS"),
    "how long bringing data from a datastore, or taking them there, may take, in milliseconds",
);
pub const LOG: Variable = variable(
    "MARSH_LOG",
    None,
    "trace to standard error: a level (`info`, `debug`), or targets (`warn,marsh_workflow=debug`)",
);
pub const LOG_FORMAT: Variable = variable(
    "MARSH_LOG_FORMAT",
    None,
    "`json` or `pretty`; without it, pretty on a terminal and JSON lines otherwise",
);
pub const NO_COLOR: Variable = variable("NO_COLOR", None, "any value: no colours");
pub const EDITOR: Variable = variable("VISUAL", Some("EDITOR"), "the editor that `edit` commands open");

/// Every variable but those of [`source_dir`], in the order of `docs/reference/environment.md` (held by
/// `document_lists_the_table`).
pub const VARIABLES: [Variable; 13] = [
    REPO_DIR,
    HOME,
    CACHE_DIR,
    REGISTRY,
    API_KEY,
    OFFLINE,
    MAX_CONCURRENT_STEPS,
    EPHEMERAL_BUDGET,
    LOCK_TIMEOUT_MS,
    DATASTORE,
    DATASTORE_SYNC_TIMEOUT_MS,
    EDITOR,
    NO_COLOR,
];

/// The variable that moves the extension sources of a kind. `docs/reference/kinds.md` lists them.
pub fn source_dir(kind: Kind) -> Variable {
    let setting = &kind.spec().source_dir;
    variable(setting.variable, Some(setting.fallback), "directory of the extension sources of a kind")
}

/// A snapshot of the process environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    values: BTreeMap<OsString, OsString>,
}

impl Environment {
    pub fn from_process() -> Environment {
        Environment { values: std::env::vars_os().collect() }
    }

    pub fn from_pairs<I, K, V>(pairs: I) -> Environment
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Environment { values: pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect() }
    }

    /// The value under marsh's name, else under the fallback name. Empty counts as unset.
    pub fn get_os(&self, variable: Variable) -> Option<&OsString> {
        [Some(variable.name), variable.fallback]
            .into_iter()
            .flatten()
            .filter_map(|name| self.values.get(&OsString::from(name)))
            .find(|value| !value.is_empty())
    }

    pub fn get(&self, variable: Variable) -> Option<&str> {
        self.get_os(variable).and_then(|value| value.to_str())
    }

    pub fn path(&self, variable: Variable) -> Option<PathBuf> {
        self.get_os(variable).map(PathBuf::from)
    }

    pub fn flag(&self, variable: Variable) -> bool {
        self.get(variable).is_some_and(|value| !matches!(value, "0" | "false" | "no"))
    }

    /// Any variable by name, for `env.NAME` in definitions.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.values.get(&OsString::from(name)).and_then(|value| value.to_str())
    }

    /// All variables that are UTF-8, for the `env` root of expressions.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
    }

    /// How long to wait for a lock.
    pub fn lock_timeout(&self) -> std::time::Duration {
        let millis = self.get(LOCK_TIMEOUT_MS).and_then(|text| text.trim().parse().ok()).unwrap_or(60_000);
        std::time::Duration::from_millis(millis)
    }

    /// The per-user state: `MARSH_HOME`, else `marsh` below the platform's data directory.
    pub fn home_dir(&self) -> Option<PathBuf> {
        use etcetera::BaseStrategy as _;
        if let Some(dir) = self.path(HOME) {
            return Some(dir);
        }
        etcetera::choose_base_strategy().ok().map(|strategy| strategy.data_dir().join("marsh"))
    }

    /// The per-user cache: `MARSH_CACHE_DIR`, else `marsh` below the platform's cache directory.
    pub fn cache_dir(&self) -> Option<PathBuf> {
        use etcetera::BaseStrategy as _;
        if let Some(dir) = self.path(CACHE_DIR) {
            return Some(dir);
        }
        etcetera::choose_base_strategy().ok().map(|strategy| strategy.cache_dir().join("marsh"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Environment, OFFLINE, REPO_DIR, VARIABLES};

    #[test]
    fn marsh_names_win_over_fallbacks_and_empty_is_unset() {
        let env = Environment::from_pairs([("MARSH_REPO_DIR", "/a"), ("SWAMP_REPO_DIR", "/b")]);
        assert_eq!(env.get(REPO_DIR), Some("/a"));
        let env = Environment::from_pairs([("MARSH_REPO_DIR", ""), ("SWAMP_REPO_DIR", "/b")]);
        assert_eq!(env.get(REPO_DIR), Some("/b"));
        assert!(!Environment::from_pairs([("MARSH_OFFLINE", "0")]).flag(OFFLINE));
        assert!(Environment::from_pairs([("MARSH_OFFLINE", "1")]).flag(OFFLINE));
    }

    #[test]
    fn document_lists_the_table() {
        let document = include_str!("../../../docs/reference/environment.md");
        for variable in VARIABLES {
            let fallback = variable.fallback.map_or(String::new(), |name| format!("`{name}`"));
            let row = format!("| `{}` | {fallback} | {} |", variable.name, variable.meaning);
            assert!(document.contains(&row), "docs/reference/environment.md lacks: {row}");
        }
    }
}
