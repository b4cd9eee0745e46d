//! One case: a scratch repository, its stubs, one method by the real binary, and what is checked of it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use marsh_fs::Durability;
use serde_json::{Map, Value};

use super::expect::difference;
use super::plan::{Case, Probe, Step};
use super::stub::Stub;

/// How long a server of a case may take until it accepts.
const SERVER_START: Duration = Duration::from_secs(30);
/// How long one method may take.
const METHOD: &str = "60s";
/// What a model is called in the scratch repository.
const NAME: &str = "it";

/// What is the same for every case.
pub struct Setting<'a> {
    pub marsh: &'a Path,
    pub checkout: &'a Path,
    pub cache: &'a Path,
    /// What stderr said is passed on.
    pub loud: bool,
}

/// What a passed case showed.
pub struct Passed {
    pub version: String,
    pub ms: u64,
    pub summary: String,
}

struct Running {
    dir: PathBuf,
    env: BTreeMap<String, String>,
    places: Vec<(&'static str, String)>,
}

/// A server of a case; it and what it started end with it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            // It may have ended by itself, which the case has noticed.
            rustix::process::kill_process_group(pid, rustix::process::Signal::TERM).ok();
        }
        drop(self.0.wait());
    }
}

pub fn run(setting: &Setting<'_>, case: &Case) -> Result<Passed, String> {
    let scratch = tempfile::Builder::new().prefix("marsh-run-").tempdir().map_err(said)?;
    let dir = scratch.path().canonicalize().map_err(said)?;
    let source = setting
        .checkout
        .join(&case.extension)
        .canonicalize()
        .map_err(|error| format!("{}: {error}", setting.checkout.join(&case.extension).display()))?;
    let requests = dir.join("requests.jsonl");
    let stub = Stub::start(case.http.clone(), &requests)?;
    marsh_fs::append(&requests, b"").map_err(said)?;
    let mut running = Running {
        places: vec![
            ("${dir}", dir.display().to_string()),
            ("${source}", source.display().to_string()),
            ("${stub}", stub.address.clone()),
            ("${port}", free_port()?.to_string()),
        ],
        env: BTreeMap::new(),
        dir,
    };
    let case = &running.fill(case)?;
    running.prepare(setting, case, &stub)?;
    running.shell(&case.before)?;
    // Bundling fetches packages: it sees the machine's own network, not the stub.
    running.plain(setting, &["init", "--quiet"])?;
    let type_name = if case.probe.is_some() { Probe::TYPE } else { &case.type_name };
    let mut create: Vec<String> = vec!["model".into(), "create".into(), type_name.into(), NAME.into()];
    for (key, value) in &case.global {
        create.extend(["--global-arg".into(), format!("{key}:json={value}")]);
    }
    running.plain(setting, &create.iter().map(String::as_str).collect::<Vec<_>>())?;
    running.stubbed(case, &stub);
    let passed = running.act(setting, case).map_err(|error| match stub.unanswered().first() {
        Some(asked) => format!("{error} (it asked for what no route answers: {asked})"),
        None => error,
    })?;
    if let Some(asked) = stub.unanswered().first() {
        return Err(format!("it asked for what no route answers: {asked}"));
    }
    match stub.unused().first() {
        Some(route) => Err(format!("it never asked for {route}")),
        None => Ok(passed),
    }
}

/// A warning, but not the one that the plan's own secrets come from the environment.
fn is_about_result(line: &str) -> bool {
    line.contains("warning") && !line.contains("depends on the environment")
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(said)?;
    Ok(listener.local_addr().map_err(said)?.port())
}

fn check(case: &Case, document: &Value) -> Result<Passed, String> {
    let artifacts = document["dataArtifacts"].as_array().cloned().unwrap_or_default();
    for (spec, expected) in &case.expect {
        let named: Vec<&Value> = artifacts.iter().filter(|artifact| artifact["specName"] == **spec).collect();
        if named.is_empty() {
            let specs: Vec<&Value> = artifacts.iter().map(|artifact| &artifact["specName"]).collect();
            return Err(format!("it wrote no `{spec}`, only {specs:?}"));
        }
        let differences: Vec<String> =
            named.iter().filter_map(|artifact| difference(&artifact["attributes"], expected, spec)).collect();
        // Of several results of one resource, one has to be the expected.
        if differences.len() == named.len() {
            return Err(differences.into_iter().next().unwrap_or_default());
        }
    }
    let specs: Vec<&str> = case.expect.keys().map(String::as_str).collect();
    Ok(Passed {
        // A vault or datastore has none; the probe's says nothing.
        version: document["typeVersion"]
            .as_str()
            .filter(|_| case.probe.is_none())
            .unwrap_or_default()
            .to_owned(),
        ms: document["duration"].as_u64().unwrap_or(0),
        summary: match specs.as_slice() {
            [] => format!("{} written, what it did was checked", artifacts.len()),
            specs => format!("{} written, {} checked", artifacts.len(), specs.join(", ")),
        },
    })
}

impl Running {
    /// The case with its placeholders filled in.
    fn fill(&self, case: &Case) -> Result<Case, String> {
        let text = |text: &String| {
            self.places.iter().fold(text.clone(), |text, (place, value)| text.replace(place, value))
        };
        let mut case = case.clone();
        for map in [&mut case.env, &mut case.programs, &mut case.files] {
            map.values_mut().for_each(|value| *value = text(value));
        }
        for list in [&mut case.before, &mut case.seed, &mut case.after] {
            list.iter_mut().for_each(|line| *line = text(line));
        }
        case.server = case.server.as_ref().map(text);
        let values = |map: &mut Map<String, Value>| -> Result<(), String> {
            let number = Value::Object(map.clone()).to_string().replace("\"${port}\"", "${port}");
            let filled = text(&number);
            *map = serde_json::from_str(&filled).map_err(said)?;
            Ok(())
        };
        values(&mut case.global)?;
        values(&mut case.inputs)?;
        for step in &mut case.first {
            values(&mut step.inputs)?;
        }
        for value in case.expect.values_mut() {
            *value = serde_json::from_str(&text(&value.to_string())).map_err(said)?;
        }
        for route in &mut case.http {
            route.text = route.text.as_ref().map(text);
            route.answer.values_mut().for_each(|value| *value = text(value));
            if let Some(json) = &mut route.json {
                *json = serde_json::from_str(&text(&json.to_string())).map_err(said)?;
            }
        }
        Ok(case)
    }

    fn prepare(&mut self, setting: &Setting<'_>, case: &Case, stub: &Stub) -> Result<(), String> {
        for name in ["repo", "home", "bin", "work"] {
            marsh_fs::create_dir_all(&self.dir.join(name)).map_err(said)?;
        }
        let source = &self.places[1].1;
        match &case.probe {
            Some(probe) => self.write("repo/extensions/models/probe.ts", &probe.source(Path::new(source)))?,
            None => {
                let sources = format!("sources:\n  - path: {source}\n");
                self.write("repo/.swamp-sources.yaml", &sources)?;
            }
        }
        self.write("ca.pem", &stub.ca)?;
        for (path, content) in &case.files {
            self.write(path, content)?;
        }
        for (name, script) in &case.programs {
            self.write(&format!("bin/{name}"), script)?;
            marsh_fs::set_mode(&self.dir.join("bin").join(name), 0o755).map_err(said)?;
        }
        for (name, value) in std::env::vars() {
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("npm_config_")
                || matches!(lower.as_str(), "https_proxy" | "http_proxy" | "no_proxy" | "ssl_cert_file")
                || lower == "node_extra_ca_certs"
            {
                self.env.insert(name, value);
            }
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let at = |name: &str| self.dir.join(name).display().to_string();
        let mut env = vec![
            ("PATH", format!("{}:{path}", at("bin"))),
            ("HOME", at("home")),
            ("MARSH_CACHE_DIR", setting.cache.display().to_string()),
            ("NO_COLOR", "1".to_owned()),
            ("STUB_SECRET", "secret".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("GIT_CONFIG_GLOBAL", at("home/.gitconfig")),
        ];
        if let Ok(home) = std::env::var("HOME") {
            env.push(("NPM_CONFIG_USERCONFIG", format!("{home}/.npmrc")));
        }
        self.env.extend(env.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(())
    }

    /// What the case does once its stubs are there.
    fn act(&self, setting: &Setting<'_>, case: &Case) -> Result<Passed, String> {
        let server = self.serve(case)?;
        self.shell(&case.seed)?;
        for step in &case.first {
            self.method(setting, step)?;
        }
        let step = Step { method: case.method.clone(), inputs: case.inputs.clone() };
        let document = self.method(setting, &step)?;
        let passed = check(case, &document)?;
        self.shell(&case.after)?;
        drop(server);
        Ok(passed)
    }

    /// From here on every request goes to the stub.
    fn stubbed(&mut self, case: &Case, stub: &Stub) {
        let proxy = format!("http://{}", stub.address);
        let ca = self.dir.join("ca.pem").display().to_string();
        self.env.retain(|name, _| !name.to_ascii_lowercase().ends_with("_proxy"));
        for name in ["HTTP_PROXY", "HTTPS_PROXY"] {
            self.env.insert(name.to_owned(), proxy.clone());
        }
        self.env.insert("NO_PROXY".to_owned(), "127.0.0.1,localhost".to_owned());
        for name in ["DENO_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"] {
            self.env.insert(name.to_owned(), ca.clone());
        }
        self.env.extend(case.env.clone());
    }

    fn write(&self, path: &str, content: &str) -> Result<(), String> {
        let path = self.dir.join(path);
        if let Some(parent) = path.parent() {
            marsh_fs::create_dir_all(parent).map_err(said)?;
        }
        marsh_fs::atomic_write(&path, content.as_bytes(), Durability::Atomic).map_err(said)
    }

    fn command(&self, program: &Path, cwd: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir.join(cwd)).env_clear().envs(&self.env).stdin(Stdio::null());
        command
    }

    fn shell(&self, lines: &[String]) -> Result<(), String> {
        for line in lines {
            let output = self.command(Path::new("sh"), "work").args(["-c", line]).output().map_err(said)?;
            if !output.status.success() {
                let stderr = String::from_utf8_lossy(&output.stderr);
                let stdout = String::from_utf8_lossy(&output.stdout);
                return Err(format!("`{line}` failed: {} {}", stderr.trim(), stdout.trim()));
            }
        }
        Ok(())
    }

    fn serve(&self, case: &Case) -> Result<Option<Server>, String> {
        let Some(line) = &case.server else { return Ok(None) };
        let mut command = self.command(Path::new("sh"), "work");
        command.args(["-c", line]).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut server = Server(command.spawn().map_err(said)?);
        let address = format!("127.0.0.1:{}", self.places[3].1);
        let started = Instant::now();
        while TcpStream::connect(&address).is_err() {
            if server.0.try_wait().map_err(said)?.is_some() {
                return Err(format!("the server ended: {line}"));
            }
            if started.elapsed() > SERVER_START {
                return Err(format!("nothing accepts at {address}: {line}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(server))
    }

    fn plain(&self, setting: &Setting<'_>, arguments: &[&str]) -> Result<(), String> {
        self.marsh(setting, arguments).map(drop)
    }

    fn marsh(&self, setting: &Setting<'_>, arguments: &[&str]) -> Result<String, String> {
        let mut child = self
            .command(setting.marsh, "repo")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(said)?;
        let mut stderr = child.stderr.take();
        let talk = std::thread::spawn(move || {
            let mut text = String::new();
            // What is not text is not a warning.
            drop(stderr.as_mut().map(|stream| stream.read_to_string(&mut text)));
            text
        });
        let output = child.wait_with_output().map_err(said)?;
        let talk = talk.join().unwrap_or_default();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if setting.loud {
            eprintln!("$ marsh {}\n{stdout}{talk}", arguments.join(" "));
        }
        if !output.status.success() {
            let error = serde_json::from_str::<Value>(&stdout).ok();
            let message =
                error.as_ref().and_then(|error| error["error"]["message"].as_str().map(str::to_owned));
            return Err(message.unwrap_or_else(|| format!("{stdout}{talk}").trim().to_owned()));
        }
        // A result that its own schema refuses is warned of.
        match talk.lines().find(|line| is_about_result(line) && arguments.contains(&"method")) {
            Some(warning) => Err(warning.to_owned()),
            None => Ok(stdout),
        }
    }

    fn method(&self, setting: &Setting<'_>, step: &Step) -> Result<Value, String> {
        let inputs = Value::Object(step.inputs.clone()).to_string();
        self.write("inputs.json", &inputs)?;
        let file = self.dir.join("inputs.json").display().to_string();
        let arguments = [
            "--json",
            "model",
            "method",
            "run",
            NAME,
            &step.method,
            "--input-file",
            &file,
            "--timeout",
            METHOD,
        ];
        let stdout = self.marsh(setting, &arguments)?;
        serde_json::from_str(&stdout).map_err(|error| format!("{error}: {stdout}"))
    }
}
