//! Runs the command lines that only read, each in its own repository, without the network.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::collect::Found;
use crate::judge::Verdict;

/// Commands that change nothing outside of the repository.
const READING: &[&str] = &[
    "help",
    "version",
    "completions",
    "summarise",
    "model search",
    "model get",
    "model validate",
    "model type search",
    "model type describe",
    "model method describe",
    "model method history search",
    "model method history get",
    "model output search",
    "model output get",
    "model output logs",
    "workflow search",
    "workflow get",
    "workflow validate",
    "workflow history search",
    "workflow history get",
    "workflow history logs",
    "workflow schema",
    "workflow approvals",
    "vault search",
    "vault get",
    "vault list-keys",
    "vault type search",
    "data get",
    "data list",
    "data search",
    "data query",
    "data versions",
    "report search",
    "report get",
    "report describe",
    "report type search",
    "extension list",
    "extension source list",
    "extension trust list",
    "datastore status",
    "datastore type search",
];

/// What a run ended with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEnd {
    /// Whether the command succeeded.
    pub succeeded: bool,
    /// Why it did not: the code of the error, or `findings` of a check.
    pub code: Option<String>,
    /// The message.
    pub message: Option<String>,
}

/// Runs command lines, each once in a repository.
pub struct Runner<'a> {
    /// The binary.
    pub marsh: &'a Path,
    /// The home of the runs.
    pub home: &'a Path,
    /// What has been run, with its repository.
    pub done: HashMap<(PathBuf, Vec<String>), RunEnd>,
}

impl Runner<'_> {
    /// Runs a command line if it only reads and says everything; `None` if not.
    ///
    /// # Errors
    ///
    /// When the program does not start.
    pub fn run(&mut self, root: &Path, found: &Found, verdict: &Verdict) -> std::io::Result<Option<RunEnd>> {
        let Verdict::Parsed { command } = verdict else { return Ok(None) };
        let is_reading =
            READING.iter().any(|reading| command == reading || command.starts_with(&format!("{reading} ")));
        // Skills that the program installs name models that only their reader has.
        if !is_reading || found.words.iter().any(|word| word.is_open()) {
            return Ok(None);
        }
        let Some(repository) = repository_of(root, &found.file) else { return Ok(None) };
        let words = found.words.iter().map(|word| word.text.clone()).filter(|word| word != "--json");
        let key = (repository, words.collect::<Vec<_>>());
        if let Some(end) = self.done.get(&key) {
            return Ok(Some(end.clone()));
        }
        let end = once(self.marsh, self.home, &key.0, &key.1)?;
        self.done.insert(key, end.clone());
        Ok(Some(end))
    }
}

fn once(marsh: &Path, home: &Path, repository: &Path, words: &[String]) -> std::io::Result<RunEnd> {
    let mut process = Command::new(marsh)
        .arg("--json")
        .args(words)
        .current_dir(repository)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .env("MARSH_HOME", home.join("state"))
        .env("MARSH_CACHE_DIR", home.join("cache"))
        .env("MARSH_OFFLINE", "1")
        .env("MARSH_PERSONA", "swamp")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let killer = process.id();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if wait.recv_timeout(Duration::from_secs(60)).is_err() {
            // A process that hangs is a finding; its end is seen below.
            Command::new("kill").arg("-9").arg(killer.to_string()).status().is_ok()
        } else {
            false
        }
    });
    let stderr = process.stderr.take();
    let errors = std::thread::spawn(move || stderr.map(std::io::read_to_string).transpose());
    let output = process.wait_with_output()?;
    let hung = done.send(()).is_err();
    let errors = errors.join().ok().and_then(Result::ok).flatten().unwrap_or_default();
    let killed = watch.join().unwrap_or(false) || hung;
    if output.status.success() {
        return Ok(RunEnd { succeeded: true, code: None, message: None });
    }
    // Notes stand before the error.
    let document = errors.find("\n{").map_or(errors.as_str(), |at| &errors[at..]);
    let error: Option<Value> = serde_json::from_str(document.trim()).ok();
    let field = |name: &str| error.as_ref().and_then(|error| error.get(name)).and_then(Value::as_str);
    let is_document = serde_json::from_slice::<Value>(&output.stdout).is_ok();
    let code = match field("code") {
        Some(code) => code.to_owned(),
        None if killed => "no answer within a minute".to_owned(),
        None if is_document => "findings".to_owned(),
        None => "no document".to_owned(),
    };
    Ok(RunEnd { succeeded: false, code: Some(code), message: field("error").map(str::to_owned) })
}

/// The repository around a file: the nearest directory with a marker.
fn repository_of(root: &Path, file: &Path) -> Option<PathBuf> {
    let path = root.join(file);
    path.ancestors()
        .skip(1)
        .take_while(|dir| dir.starts_with(root))
        .find(|dir| dir.join(".swamp.yaml").is_file())
        .map(Path::to_owned)
}
