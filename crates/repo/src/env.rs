//! Every environment variable that marsh reads, in one table.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use marsh_types::Kind;

/// One environment variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// The name.
    pub name: &'static str,
    /// Another name, which is read if `name` is unset, so that existing environments keep working.
    pub fallback: Option<&'static str>,
    /// The meaning, for `docs/reference/environment.md`.
    pub meaning: &'static str,
}

const fn variable(name: &'static str, fallback: Option<&'static str>, meaning: &'static str) -> Variable {
    Variable { name, fallback, meaning }
}

/// The repository; read by [`Repo::find`](crate::Repo::find).
pub const REPO_DIR: Variable =
    variable("MARSH_REPO_DIR", Some("SWAMP_REPO_DIR"), "the repository to use, as --repo-dir");
/// See [`Environment::home_dir`].
pub const HOME: Variable = variable("MARSH_HOME", Some("SWAMP_HOME"), "per-user state directory");
/// See [`Environment::cache_dir`].
pub const CACHE_DIR: Variable = variable(
    "MARSH_CACHE_DIR",
    None,
    "per-user cache of packages and compiled code, shared by all repositories",
);
/// See [`Environment::lock_timeout`].
pub const LOCK_TIMEOUT_MS: Variable = variable(
    "MARSH_LOCK_TIMEOUT_MS",
    Some("SWAMP_LOCK_TIMEOUT_MS"),
    "how long to wait for a lock, in milliseconds",
);
/// The registry.
pub const REGISTRY: Variable = variable(
    "MARSH_REGISTRY",
    Some("SWAMP_CLUB_URL"),
    "the registry of extensions: a URL, or the directory of one",
);
/// The registry's token.
pub const API_KEY: Variable = variable("MARSH_API_KEY", Some("SWAMP_API_KEY"), "the token for that registry");
/// The engine of extension code.
pub const ENGINE: Variable =
    variable("MARSH_ENGINE", None, "the engine of extension code, as --engine: `embedded` or `deno`");
/// Whether the network may be used.
pub const OFFLINE: Variable = variable("MARSH_OFFLINE", None, "1: use only what is already in the cache");
/// A size in bytes, with an optional suffix `k`, `m` or `g`.
pub const EPHEMERAL_BUDGET: Variable = variable(
    "MARSH_EPHEMERAL_BUDGET",
    Some("SWAMP_EPHEMERAL_BUDGET"),
    "memory for ephemeral data of one run, e.g. 512m",
);
/// A number of steps.
pub const MAX_CONCURRENT_STEPS: Variable = variable(
    "MARSH_MAX_CONCURRENT_STEPS",
    Some("SWAMP_MAX_CONCURRENT_STEPS"),
    "how many workflow steps run at once",
);
/// The datastore.
pub const DATASTORE: Variable = variable(
    "MARSH_DATASTORE",
    Some("SWAMP_DATASTORE"),
    "the datastore: `filesystem:/path`, or `@scope/type:{…}` for an extension's datastore and its configuration",
);
/// Milliseconds.
pub const DATASTORE_SYNC_TIMEOUT_MS: Variable = variable(
    "MARSH_DATASTORE_SYNC_TIMEOUT_MS",
    Some("SWAMP_DATASTORE_SYNC_TIMEOUT_MS"),
    "the longest time that a pull from the datastore, or a push to it, may take, in milliseconds",
);
/// The filter of trace events.
pub const LOG: Variable = variable(
    "MARSH_LOG",
    None,
    "trace to standard error: a level (`info`, `debug`), or targets (`warn,marsh_workflow=debug`)",
);
/// The format of trace events.
pub const LOG_FORMAT: Variable = variable(
    "MARSH_LOG_FORMAT",
    None,
    "`json` or `pretty`; without it, pretty on a terminal and JSON lines otherwise",
);
/// A number of characters.
pub const REPORT_MAX_WIDTH: Variable = variable(
    "MARSH_REPORT_MAX_WIDTH",
    Some("SWAMP_REPORT_MAX_WIDTH"),
    "where `report get` wraps prose, as `--max-width`",
);
/// A number of characters.
pub const REPORT_MAX_COL_WIDTH: Variable = variable(
    "MARSH_REPORT_MAX_COL_WIDTH",
    Some("SWAMP_REPORT_MAX_COL_WIDTH"),
    "where `report get` cuts the cells of tables, as `--max-col-width`",
);
/// The name of a program.
pub const PERSONA: Variable = variable(
    "MARSH_PERSONA",
    None,
    "`marsh` or `swamp`: the program as which marsh answers; without it, the name of its file decides",
);
/// Any value turns colours off (<https://no-color.org>).
pub const NO_COLOR: Variable = variable("NO_COLOR", None, "any value: no colours");
/// A command line.
pub const EDITOR: Variable = variable("VISUAL", Some("EDITOR"), "the editor that `edit` commands open");

/// The whole table. `cargo xtask schemas` writes it into `docs/reference/environment.md`
/// (`environment_page_equals_the_table_of_variables`).
pub fn variables() -> Vec<Variable> {
    let mut all = vec![
        REPO_DIR,
        HOME,
        CACHE_DIR,
        REGISTRY,
        API_KEY,
        OFFLINE,
        ENGINE,
        MAX_CONCURRENT_STEPS,
        EPHEMERAL_BUDGET,
        LOCK_TIMEOUT_MS,
        DATASTORE,
        DATASTORE_SYNC_TIMEOUT_MS,
    ];
    all.extend(Kind::with_directory().map(source_dir));
    all.extend([REPORT_MAX_WIDTH, REPORT_MAX_COL_WIDTH, LOG, LOG_FORMAT, PERSONA, EDITOR, NO_COLOR]);
    all
}

/// The variable that moves the extension sources of a kind.
pub fn source_dir(kind: Kind) -> Variable {
    let setting = &kind.spec().source_dir;
    variable(setting.variable, Some(setting.fallback), setting.meaning)
}

/// The environment variables of the process at one moment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    values: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The variables of this process.
    pub fn from_process() -> Environment {
        Environment { values: std::env::vars_os().collect() }
    }

    /// The given variables, for tests.
    pub fn from_pairs<I, K, V>(pairs: I) -> Environment
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Environment { values: pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect() }
    }

    /// The same variables, with this one set.
    #[must_use]
    pub fn with(mut self, variable: Variable, value: &str) -> Environment {
        self.values.insert(variable.name.into(), value.into());
        self
    }

    /// The value under the variable's name, else under its fallback name. An empty value counts as unset.
    pub fn get_os(&self, variable: Variable) -> Option<&OsString> {
        [Some(variable.name), variable.fallback]
            .into_iter()
            .flatten()
            .filter_map(|name| self.values.get(&OsString::from(name)))
            .find(|value| !value.is_empty())
    }

    /// The value, if it is UTF-8.
    pub fn get(&self, variable: Variable) -> Option<&str> {
        self.get_os(variable).and_then(|value| value.to_str())
    }

    /// The value as a path.
    pub fn path(&self, variable: Variable) -> Option<PathBuf> {
        self.get_os(variable).map(PathBuf::from)
    }

    /// Whether the variable is set to another value than `0`, `false` or `no`.
    pub fn flag(&self, variable: Variable) -> bool {
        self.get(variable).is_some_and(|value| !matches!(value, "0" | "false" | "no"))
    }

    /// The value of any variable, for `env.NAME` in definitions.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.values.get(&OsString::from(name)).and_then(|value| value.to_str())
    }

    /// All variables that are UTF-8, for the `env` root of expressions.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
    }

    /// How long to wait for a lock; 60 seconds if the variable is unset or not a number.
    pub fn lock_timeout(&self) -> std::time::Duration {
        let millis = self.get(LOCK_TIMEOUT_MS).and_then(|text| text.trim().parse().ok()).unwrap_or(60_000);
        std::time::Duration::from_millis(millis)
    }

    /// The directory of per-user state: `MARSH_HOME`, else `marsh` below the platform's data directory. `None` if the user
    /// has no home directory.
    pub fn home_dir(&self) -> Option<PathBuf> {
        use etcetera::BaseStrategy as _;
        if let Some(dir) = self.path(HOME) {
            return Some(dir);
        }
        etcetera::choose_base_strategy().ok().map(|strategy| strategy.data_dir().join("marsh"))
    }

    /// The directory of the Denos that marsh installed, a directory for each version. `None` if the user has no home
    /// directory.
    pub fn deno_dir(&self) -> Option<PathBuf> {
        self.home_dir().map(|home| home.join("engines").join("deno"))
    }

    /// The directory of the user's settings and credentials: `config` below `MARSH_HOME`, else `marsh` below
    /// `XDG_CONFIG_HOME`, else `~/.config/marsh`. `None` if the user has no home directory.
    pub fn config_dir(&self) -> Option<PathBuf> {
        if let Some(dir) = self.path(HOME) {
            return Some(dir.join("config"));
        }
        let xdg = self.raw("XDG_CONFIG_HOME").filter(|dir| dir.starts_with('/')).map(PathBuf::from);
        let home =
            || self.raw("HOME").filter(|dir| !dir.is_empty()).map(|home| PathBuf::from(home).join(".config"));
        xdg.or_else(home).map(|dir| dir.join("marsh"))
    }

    /// The per-user cache directory: `MARSH_CACHE_DIR`, else `marsh` below the platform's cache directory. `None` if the
    /// user has no home directory.
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
    use super::{Environment, OFFLINE, REPO_DIR};

    #[test]
    fn variable_set_under_both_names_has_the_value_of_the_first() {
        let env = Environment::from_pairs([("MARSH_REPO_DIR", "/a"), ("SWAMP_REPO_DIR", "/b")]);
        assert_eq!(env.get(REPO_DIR), Some("/a"));
        let env = Environment::from_pairs([("MARSH_REPO_DIR", ""), ("SWAMP_REPO_DIR", "/b")]);
        assert_eq!(env.get(REPO_DIR), Some("/b"));
        assert!(!Environment::from_pairs([("MARSH_OFFLINE", "0")]).flag(OFFLINE));
        assert!(Environment::from_pairs([("MARSH_OFFLINE", "1")]).flag(OFFLINE));
    }
}
