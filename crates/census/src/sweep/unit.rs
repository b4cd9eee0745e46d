//! A repository or a package as users keep it, copied into a scratch directory and run there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use marsh_fs::Durability;
use serde_json::{Value, json};

use super::cause::{Cause, error_of};
use super::{Options, Row, What, example};
use crate::run::plan::Route;
use crate::run::stub::Stub;

/// How long one method may take.
const METHOD: &str = "20s";
/// What stands for a sensitive argument: literals are refused.
const SECRET: &str = "${{ env.STUB_SECRET }}";
/// What is not copied: versions, packages of other tools, and what marsh makes again.
const LEFT_OUT: [&str; 4] = [".git", "node_modules", ".swamp", "target"];
/// Programs that sources start by names that they compute.
const PROGRAMS: [&str; 16] = [
    "aws",
    "bash",
    "curl",
    "docker",
    "gcloud",
    "gh",
    "git",
    "kubectl",
    "make",
    "npm",
    "podman",
    "python3",
    "ssh",
    "systemctl",
    "terraform",
    "which",
];

/// A directory with a marker, or with a manifest outside of such a directory.
#[derive(Debug)]
pub struct Unit {
    /// Below which of the given directories.
    pub repository: String,
    /// The path below the folder of repositories.
    pub name: String,
    dir: PathBuf,
    has_marker: bool,
    /// Units below this one, which are not part of it.
    nested: Vec<PathBuf>,
}

/// Every unit below each directory of `dir`.
pub fn find(dir: &Path, matching: Option<&str>) -> Result<Vec<Unit>, String> {
    let entries = std::fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut tops: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    tops.sort();
    let mut units = Vec::new();
    for top in tops {
        let repository = top.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut roots = Vec::new();
        roots_below(&top, false, &mut roots);
        for (path, has_marker) in &roots {
            let nested = roots.iter().map(|(other, _)| other.clone());
            let nested = nested.filter(|other| other != path && other.starts_with(path)).collect();
            units.push(Unit {
                repository: repository.clone(),
                name: path.strip_prefix(dir).unwrap_or(path).display().to_string(),
                dir: path.clone(),
                has_marker: *has_marker,
                nested,
            });
        }
    }
    units.retain(|unit| matching.is_none_or(|text| unit.name.contains(text)));
    Ok(units)
}

fn roots_below(dir: &Path, inside: bool, found: &mut Vec<(PathBuf, bool)>) {
    let has_marker = dir.join(".swamp.yaml").is_file();
    // A manifest in a repository is a part of it.
    let is_package = !inside && dir.join("manifest.yaml").is_file();
    if has_marker || is_package {
        found.push((dir.to_owned(), has_marker));
    }
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() && !LEFT_OUT.contains(&name.as_str()) {
            roots_below(&path, inside || has_marker || is_package, found);
        }
    }
}

impl Unit {
    pub fn row(&self, what: What, name: &str, method: Option<&str>) -> Row {
        Row {
            repository: self.repository.clone(),
            unit: self.name.clone(),
            what,
            name: name.to_owned(),
            method: method.map(str::to_owned),
            exit: None,
            cause: Cause::Tool,
            code: None,
            message: None,
            ms: 0,
        }
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<(), String> {
        marsh_fs::create_dir_all(to).map_err(said)?;
        for entry in std::fs::read_dir(from).map_err(said)? {
            let entry = entry.map_err(said)?;
            let path = entry.path();
            let name = entry.file_name();
            let is_left_out =
                LEFT_OUT.iter().any(|left_out| name == *left_out) || self.nested.contains(&path);
            let target = to.join(&name);
            if is_left_out || path.is_symlink() {
                continue;
            } else if path.is_dir() {
                self.copy(&path, &target)?;
            } else if path.is_file() {
                let bytes = std::fs::read(&path).map_err(said)?;
                marsh_fs::atomic_write(&target, &bytes, Durability::Atomic).map_err(said)?;
            }
        }
        Ok(())
    }
}

impl Row {
    pub fn with(
        mut self,
        exit: Option<i32>,
        cause: Cause,
        code: Option<String>,
        message: Option<String>,
    ) -> Row {
        (self.exit, self.cause, self.code) = (exit, cause, code);
        self.message = message.map(|message| message.chars().take(600).collect());
        self
    }
}

/// A unit's copy, with its stubs.
pub struct Running<'a> {
    options: &'a Options,
    unit: &'a Unit,
    repo: PathBuf,
    env: BTreeMap<String, String>,
    _stub: Stub,
    _scratch: tempfile::TempDir,
}

impl<'a> Running<'a> {
    pub fn start(options: &'a Options, unit: &'a Unit) -> Result<Running<'a>, String> {
        let scratch = tempfile::Builder::new().prefix("marsh-sweep-").tempdir().map_err(said)?;
        let dir = scratch.path().canonicalize().map_err(said)?;
        let repo = dir.join("repo");
        unit.copy(&unit.dir, &repo)?;
        for name in ["home", "bin"] {
            marsh_fs::create_dir_all(&dir.join(name)).map_err(said)?;
        }
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let routes = methods.iter().map(|method| Route::json(&format!("{method} /*"), json!({}))).collect();
        let stub = Stub::start(routes, &dir.join("requests.jsonl"))?;
        let ca = dir.join("ca.pem");
        marsh_fs::atomic_write(&ca, stub.ca.as_bytes(), Durability::Atomic).map_err(said)?;
        for name in programs(&repo) {
            let path = dir.join("bin").join(name);
            marsh_fs::atomic_write(&path, b"#!/bin/sh\necho '{}'\n", Durability::Atomic).map_err(said)?;
            marsh_fs::set_mode(&path, 0o755).map_err(said)?;
        }
        let mut env = BTreeMap::new();
        let text = |path: &Path| path.display().to_string();
        let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
        set("HOME", text(&dir.join("home")));
        set("PATH", format!("{}:/usr/bin:/bin", dir.join("bin").display()));
        set("MARSH_CACHE_DIR", text(&options.cache));
        set("NO_COLOR", "1".to_owned());
        set("TZ", "UTC".to_owned());
        set("STUB_SECRET", "secret".to_owned());
        if options.describe {
            // Packages come from the registries that this machine is set up for.
            for (name, value) in std::env::vars() {
                let lower = name.to_ascii_lowercase();
                if lower.starts_with("npm_config_") || lower.ends_with("_proxy") || lower == "ssl_cert_file" {
                    set(&name, value);
                }
            }
            if let Ok(home) = std::env::var("HOME") {
                set("NPM_CONFIG_USERCONFIG", format!("{home}/.npmrc"));
            }
        } else {
            for name in ["HTTP_PROXY", "HTTPS_PROXY"] {
                set(name, format!("http://{}", stub.address));
            }
            for name in ["DENO_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"] {
                set(name, text(&ca));
            }
        }
        let running = Running { options, unit, repo, env, _stub: stub, _scratch: scratch };
        running.prepare()?;
        Ok(running)
    }

    /// A package becomes a mounted source of an empty repository.
    fn prepare(&self) -> Result<(), String> {
        if self.unit.has_marker {
            return Ok(());
        }
        let package = self.repo.with_file_name("package");
        marsh_fs::rename(&self.repo, &package).map_err(said)?;
        marsh_fs::create_dir_all(&self.repo).map_err(said)?;
        let sources = format!("sources:\n  - path: {}\n", package.display());
        let path = self.repo.join(".swamp-sources.yaml");
        marsh_fs::atomic_write(&path, sources.as_bytes(), Durability::Atomic).map_err(said)?;
        self.marsh(&["init", "--quiet"]).map(drop)
    }

    pub fn everything(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let types =
            self.names(&["model", "type", "search"], "/results", "raw", |row| row["origin"] != "builtin");
        let mut generated = 0;
        for (name, row) in types {
            let path = row["path"].as_str().map(PathBuf::from).unwrap_or_default();
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            if crate::entry::says_generated(&source) {
                generated += 1;
                if generated > self.options.generated {
                    continue;
                }
            }
            self.type_(&name, &mut rows);
        }
        if self.options.describe {
            return rows;
        }
        for (name, _) in self.names(&["model", "search"], "/results", "name", |row| {
            !row["name"].as_str().unwrap_or_default().starts_with("sweep-")
        }) {
            rows.push(self.one(What::Definition, &name, None, &["model", "validate", &name]));
        }
        for (name, _) in self.names(&["workflow", "search"], "/results", "name", |_| true) {
            rows.push(self.one(What::Validation, &name, None, &["workflow", "validate", &name]));
            let inputs = self
                .document(&["workflow", "get", &name])
                .map(|document| example::arguments(&document["inputs"], SECRET))
                .unwrap_or_default();
            let inputs = Value::Object(inputs).to_string();
            let run = ["workflow", "run", &name, "--input", &inputs];
            rows.push(self.one(What::Workflow, &name, None, &run));
        }
        rows
    }

    fn type_(&self, name: &str, rows: &mut Vec<Row>) {
        let described = self.one(What::Type, name, None, &["model", "type", "describe", name]);
        let failed = described.exit != Some(0);
        rows.push(described);
        if failed || self.options.describe {
            return;
        }
        let Some(description) = self.document(&["model", "type", "describe", name]) else { return };
        let global = example::arguments(&description["globalArguments"], SECRET);
        let definition = format!("sweep-{}", rows.len());
        let mut create = vec!["model".to_owned(), "create".to_owned(), name.to_owned(), definition.clone()];
        for (key, value) in &global {
            create.extend(["--global-arg".to_owned(), format!("{key}:json={value}")]);
        }
        let create: Vec<&str> = create.iter().map(String::as_str).collect();
        let made = self.one(What::Method, name, Some("(create)"), &create);
        if made.exit != Some(0) {
            rows.push(made);
            return;
        }
        for method in description["methods"].as_array().into_iter().flatten() {
            let Some(method_name) = method["name"].as_str() else { continue };
            let inputs = Value::Object(example::arguments(&method["arguments"], "secret")).to_string();
            let run = [
                "model",
                "method",
                "run",
                &definition,
                method_name,
                "--input",
                &inputs,
                "--timeout",
                METHOD,
                "--skip-checks",
                "--skip-reports",
            ];
            rows.push(self.one(What::Method, name, Some(method_name), &run));
        }
    }

    fn one(&self, what: What, name: &str, method: Option<&str>, arguments: &[&str]) -> Row {
        let row = self.unit.row(what, name, method);
        let started = Instant::now();
        let (exit, stdout, stderr) = match self.marsh(arguments) {
            Ok(done) => done,
            Err(error) => return row.with(None, Cause::Tool, None, Some(error)),
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let document: Value = serde_json::from_str(&stdout).unwrap_or(Value::Null);
        let mut row = if exit == Some(0) {
            row.with(exit, Cause::Success, None, None)
        } else if let Some((code, message)) = failure(&document) {
            let cause = Cause::of(&code, &message);
            row.with(exit, cause, Some(code), Some(message))
        } else if document.is_object() || document.is_array() {
            // A validation that found something.
            let found = failed_validations(&document);
            row.with(exit, Cause::of_validation(&found), None, Some(found))
        } else {
            row.with(exit, Cause::Marsh, None, Some(format!("{stdout}{stderr}")))
        };
        row.ms = ms;
        row
    }

    fn document(&self, arguments: &[&str]) -> Option<Value> {
        let (_, stdout, _) = self.marsh(arguments).ok()?;
        serde_json::from_str(&stdout).ok()
    }

    fn names(
        &self,
        arguments: &[&str],
        list: &str,
        key: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Vec<(String, Value)> {
        let document = self.document(arguments).unwrap_or(Value::Null);
        let rows = document.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let rows = rows.into_iter().filter(|row| wanted(row));
        rows.filter_map(|row| row[key].as_str().map(str::to_owned).map(|name| (name, row))).collect()
    }

    fn marsh(&self, arguments: &[&str]) -> Result<(Option<i32>, String, String), String> {
        let output = Command::new(&self.options.marsh)
            .arg("--json")
            .args(arguments)
            .current_dir(&self.repo)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null())
            .output()
            .map_err(said)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    }
}

/// The error of a document: its own, or that of the first failed step of a workflow.
fn failure(document: &Value) -> Option<(String, String)> {
    if let Some(error) = error_of(document) {
        return Some(error);
    }
    let jobs = document["jobs"].as_array().into_iter().flatten();
    let steps = jobs.flat_map(|job| job["steps"].as_array().into_iter().flatten());
    steps.filter(|step| step["status"] == "failed").find_map(|step| {
        error_of(step).or_else(|| Some(("failed".to_owned(), step["error"].as_str()?.to_owned())))
    })
}

/// What a validation did not accept.
fn failed_validations(document: &Value) -> String {
    let rows = document["validations"].as_array().into_iter().flatten();
    let failed = rows.filter(|row| row["passed"] == json!(false)).map(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        format!("{}: {}", text("name"), text("error"))
    });
    failed.collect::<Vec<_>>().join("; ")
}

/// The programs that the sources below a directory name, and some that they often compute.
fn programs(dir: &Path) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = PROGRAMS.iter().map(|name| (*name).to_owned()).collect();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ts") {
                let source = std::fs::read_to_string(&path).unwrap_or_default();
                for (at, _) in source.match_indices("Command(\"") {
                    let rest = &source[at + "Command(\"".len()..];
                    let name = rest.split('"').next().unwrap_or_default();
                    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                    // The shell itself stays: fake programs need it.
                    if !name.is_empty() && name.chars().all(is_name) && name != "sh" {
                        found.insert(name.to_owned());
                    }
                }
            }
        }
    }
    found
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::{failure, find, programs};
    use serde_json::json;

    #[test]
    fn packages_in_a_repository_belong_to_it_and_nested_repositories_do_not() {
        let dir = tempfile::tempdir().unwrap();
        for path in
            ["a/.swamp.yaml", "a/x/manifest.yaml", "a/y/.swamp.yaml", "b/p/manifest.yaml", "c/notes.txt"]
        {
            let path = dir.path().join(path);
            marsh_fs::create_dir_all(path.parent().unwrap()).unwrap();
            marsh_fs::atomic_write(&path, b"", marsh_fs::Durability::Atomic).unwrap();
        }
        let units = find(dir.path(), None).unwrap();
        let names: Vec<&str> = units.iter().map(|unit| unit.name.as_str()).collect();
        assert_eq!(names, ["a", "a/y", "b/p"]);
        assert_eq!(units[0].nested, [dir.path().join("a/y")]);
    }

    #[test]
    fn programs_that_sources_name_are_faked() {
        let dir = tempfile::tempdir().unwrap();
        let source = b"new Deno.Command(\"restic\"); new Deno.Command(\"sh\"); new Deno.Command(\"/bin/x\")";
        marsh_fs::atomic_write(&dir.path().join("a.ts"), source, marsh_fs::Durability::Atomic).unwrap();
        let found = programs(dir.path());
        assert!(found.contains("restic") && !found.contains("sh") && !found.contains("/bin/x"));
    }

    #[test]
    fn failure_of_a_workflow_is_that_of_its_first_failed_step() {
        let document = json!({ "jobs": [{ "steps": [
            { "status": "succeeded" },
            { "status": "failed", "error": "model 'x' does not exist" },
        ] }] });
        assert_eq!(failure(&document), Some(("failed".to_owned(), "model 'x' does not exist".to_owned())));
    }
}
