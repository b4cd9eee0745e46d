//! A running `marsh serve` of the shipped binary, and a client for its protocol.
//!
//! ```text
//! let repo = Scratch::repo(env!("CARGO_BIN_EXE_marsh"));
//! repo.write("extensions/models/a.ts", …);
//! let process = repo.spawn_extension_process(&[]);
//! assert_eq!(process.run("@me/a", "run")["word"], "one");
//! let before = process.module_version("@me/a");
//! repo.write("extensions/models/a.ts", …);
//! process.trigger_reload();
//! process.assert_module_version("@me/a", Expect::Other(&before));
//! assert_eq!(process.run("@me/a", "run")["word"], "two");
//! ```
//!
//! Such a test uses the protocol, the binary and the host processes that users run. Only [`resident_bytes`] depends on the
//! operating system.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Run, Running, Scratch, wait_for};

/// A running server of a scratch repository. Dropping it kills it.
#[derive(Debug)]
pub struct ExtensionProcess {
    running: Running,
    socket: PathBuf,
}

/// The identity of loaded code: the fingerprint of its sources, the host process and the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleVersion {
    /// The fingerprint of the code that answered.
    pub fingerprint: String,
    /// The host process that answered.
    pub host_pid: u64,
    /// The instance of the module that answered.
    pub instance: u64,
}

/// The expectation of [`ExtensionProcess::assert_module_version`].
#[derive(Debug, Clone, Copy)]
pub enum Expect<'a> {
    /// The same version, neither built nor loaded again.
    Same(&'a ModuleVersion),
    /// A version of other sources, in another runtime.
    Other(&'a ModuleVersion),
}

/// The memory of the server and its hosts, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident memory of the server, in bytes.
    pub server_rss: u64,
    /// Resident memory of all hosts, in bytes.
    pub hosts_rss: u64,
    /// The heap of all running engines.
    pub heap: u64,
    /// The memory that ended engines did not free.
    pub leaked: u64,
    /// Module versions that hosts hold.
    pub versions_alive: u64,
}

impl Scratch {
    /// Starts `marsh serve` with more arguments and waits until it answers.
    pub fn spawn_extension_process(&self, arguments: &[&str]) -> ExtensionProcess {
        let mut running = self.spawn(&[&["serve"], arguments].concat());
        let record = self.path(".swamp/marsh/serve/serve.json");
        let socket = wait_for("the server to listen", || {
            assert!(!running.has_ended(), "the server ended before it listened");
            let record: Value = serde_json::from_slice(&std::fs::read(&record).ok()?).ok()?;
            let is_ours = record["pid"] == running.pid();
            let socket = PathBuf::from(record["socket"].as_str()?);
            (is_ours && UnixStream::connect(&socket).is_ok()).then_some(socket)
        });
        // The server listens before it watches, and answers when it does both.
        Connection::open(&socket).ask("status", Value::Null).expect("a server says how it is");
        ExtensionProcess { running, socket }
    }
}

impl ExtensionProcess {
    /// The id of the server process.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the server process lives.
    pub fn is_alive(&mut self) -> bool {
        !self.running.has_ended()
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        Connection::open(&self.socket)
    }

    /// Runs a method without arguments on the definition that is named after its type. Returns the content of the first
    /// resource that it wrote.
    #[track_caller]
    pub fn run(&self, type_name: &str, method: &str) -> Value {
        let document = self.try_run(type_name, method).unwrap_or_else(|error| panic!("{error:#}"));
        document["dataArtifacts"][0]["attributes"].clone()
    }

    /// [`ExtensionProcess::run`] with the whole document, or the failure.
    pub fn try_run(&self, type_name: &str, method: &str) -> Result<Value, Value> {
        let name = type_name.trim_start_matches('@').replace('/', "-");
        self.connect().ask("call", json!({ "target": type_name, "name": name, "method": method }))
    }

    /// Requests a reload, and returns when every later call runs the new code.
    #[track_caller]
    pub fn trigger_reload(&self) -> Value {
        self.connect().ask("reload", Value::Null).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The answer of `serve status`.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.connect().ask("status", Value::Null).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The row of a type in the status.
    #[track_caller]
    pub fn type_status(&self, type_name: &str) -> Value {
        let status = self.status();
        let rows = status["types"].as_array().expect("a status lists types");
        let row = rows.iter().find(|row| row["type"] == type_name);
        row.unwrap_or_else(|| panic!("no {type_name} in {status:#}")).clone()
    }

    /// The module version that serves a type now.
    #[track_caller]
    pub fn module_version(&self, type_name: &str) -> ModuleVersion {
        let status = self.status();
        let rows = status["types"].as_array().expect("a status lists types");
        let row = rows.iter().find(|row| row["type"] == type_name);
        let row = row.unwrap_or_else(|| panic!("no {type_name} in {status:#}"));
        let key = row["extension"].as_str().unwrap_or("local");
        let hosts = status["hosts"].as_array().expect("a status lists hosts");
        let host = hosts.iter().find(|host| host["key"] == key);
        let number = |value: Option<&Value>| {
            value.and_then(Value::as_u64).unwrap_or_else(|| panic!("{type_name} is not loaded: {status:#}"))
        };
        ModuleVersion {
            fingerprint: row["fingerprint"].as_str().expect("a loaded type has a fingerprint").to_owned(),
            host_pid: number(host.map(|host| &host["pid"])),
            instance: number(Some(&row["instance"])),
        }
    }

    /// Checks which version serves a type, compared with an earlier one.
    #[track_caller]
    pub fn assert_module_version(&self, type_name: &str, expectation: Expect<'_>) {
        let now = self.module_version(type_name);
        match expectation {
            Expect::Same(before) => assert_eq!(now, *before, "{type_name} was to stay the very same version"),
            Expect::Other(before) => {
                assert_ne!(now.fingerprint, before.fingerprint, "{type_name} was to have other sources");
                assert_ne!(
                    (now.host_pid, now.instance),
                    (before.host_pid, before.instance),
                    "other sources need a runtime of their own"
                );
            }
        }
    }

    /// Waits until superseded versions are unloaded, which happens shortly after their last call.
    #[track_caller]
    pub fn assert_one_version_alive(&self, type_name: &str) {
        wait_for("old versions to go", || (self.type_status(type_name)["versionsAlive"] == 1).then_some(()));
    }

    /// The memory of server and hosts.
    pub fn memory(&self) -> Memory {
        let status = self.status();
        let hosts = status["hosts"].as_array().expect("a status lists hosts").clone();
        let sum = |key: &str| hosts.iter().filter_map(|host| host[key].as_u64()).sum();
        Memory {
            server_rss: resident_bytes(self.pid()),
            hosts_rss: hosts
                .iter()
                .filter_map(|host| host["pid"].as_u64())
                .map(|pid| resident_bytes(u32::try_from(pid).expect("a pid")))
                .sum(),
            heap: sum("heapBytes"),
            leaked: sum("leakedBytes"),
            versions_alive: sum("versionsAlive"),
        }
    }

    /// Sends the server SIGINT.
    pub fn interrupt(&self) {
        self.running.interrupt();
    }

    /// Sends the server SIGTERM.
    pub fn terminate(&self) {
        self.running.terminate();
    }

    /// Kills the server.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Waits for the end of a server that was requested to end.
    pub fn wait(self) -> Run {
        self.running.wait()
    }

    /// Requests the server to end, and waits for it.
    pub fn stop(self) -> Run {
        self.connect().ask("shutdown", Value::Null).expect("a server can be asked to end");
        self.wait()
    }
}

/// A client's connection.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    next_id: u64,
}

impl Connection {
    /// Connects to the socket of a server.
    pub fn open(socket: &Path) -> Connection {
        let writer = UnixStream::connect(socket).expect("the server listens");
        let reader = BufReader::new(writer.try_clone().expect("a socket can be shared"));
        Connection { reader, writer, next_id: 1 }
    }

    /// Sends a request and waits for the answer: the result, or the error.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.ask_telling(method, params, &mut |_| {})
    }

    /// [`Connection::ask`], which passes the events before the answer to `events`.
    pub fn ask_telling(
        &mut self,
        method: &str,
        params: Value,
        events: &mut dyn FnMut(&Value),
    ) -> Result<Value, Value> {
        let id = self.send(method, params);
        let (answered, outcome) = self.receive(events);
        assert_eq!(answered, id);
        #[cfg(feature = "documents")]
        crate::documents::check_answer(method, &outcome);
        outcome
    }

    /// Sends a request without waiting. Returns the request's id.
    pub fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.writer.write_all(format!("{request}\n").as_bytes()).expect("the server reads");
        id
    }

    /// Waits for the next answer.
    pub fn receive(&mut self, events: &mut dyn FnMut(&Value)) -> (u64, Result<Value, Value>) {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("the server answers");
            assert!(!line.is_empty(), "the server closed the connection");
            let mut message: Value = serde_json::from_str(&line).expect("the server speaks JSON");
            if message["method"] == "event" {
                events(&message["params"]["event"]);
                continue;
            }
            let id = message["id"].as_u64().unwrap_or_else(|| panic!("an answer has an id: {message:#}"));
            let outcome = match message.get("error") {
                Some(error) => Err(error.clone()),
                None => Ok(message["result"].take()),
            };
            return (id, outcome);
        }
    }
}

/// The resident memory of a process, in bytes.
#[cfg(target_os = "linux")]
pub fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("unknown process {pid}"));
    kilobytes << 10
}

/// The resident memory of a process, in bytes.
#[cfg(not(target_os = "linux"))]
pub fn resident_bytes(pid: u32) -> u64 {
    let output = std::process::Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output();
    let text = String::from_utf8(output.expect("ps runs").stdout).expect("ps prints text");
    let kilobytes: u64 = text.trim().parse().unwrap_or_else(|_| panic!("unknown process {pid}"));
    kilobytes << 10
}

/// A model of realistic size: [`ballast`], and a method `run` that writes `{ word }`.
pub fn large_model(type_name: &str, word: &str, schemas: usize, bytes: usize) -> String {
    format!(
        "import {{ z }} from \"npm:zod@4.3.6\";\n{}export const model = {{ type: \"{type_name}\", \
         version: \"2026.01.01.1\",\n  resources: {{ out: {{ description: \"anything\", schema: z.any(), \
         lifetime: \"infinite\", garbageCollection: 1 }} }},\n  methods: {{ run: {{ description: \"Do it\", \
         arguments: z.object({{}}), execute: async (_args, context) => {{\n    const parsed = all.filter((one) => \
         !one.safeParse({{}}).success).length;\n    await context.writeResource(\"out\", \"said\", {{ word: \"{word}\", \
         parsed, steps: steps.length }});\n  }} }} }} }};\n",
        ballast(schemas, bytes),
    )
}

/// Source text that gives a module a realistic size: `schemas` object schemas of zod, as for resources and arguments, in
/// `all`, and functions of `bytes` of source, in `steps`. It uses `z`. A bundler cannot leave any of it out.
pub fn ballast(schemas: usize, bytes: usize) -> String {
    let mut text = String::new();
    for i in 0..schemas {
        text.push_str(&format!(
            "const S{i} = z.object({{ id: z.string().min(1).describe(\"the id of thing {i}\"), \
             size: z.number().int().nonnegative().optional(), kind: z.enum([\"a{i}\", \"b{i}\", \"c{i}\"]), \
             tags: z.record(z.string(), z.string()).default({{}}), \
             parts: z.array(z.object({{ name: z.string(), at: z.string() }})).max(10) }});\n"
        ));
    }
    let names: Vec<String> = (0..schemas).map(|i| format!("S{i}")).collect();
    let mut functions = 0;
    while text.len() < bytes {
        text.push_str(&format!(
            "function step{functions}(input) {{ const found = []; for (const [key, value] of \
             Object.entries(input)) {{ if (typeof value === \"string\" && value.length > {functions}) \
             found.push(`${{key}}: ${{value.slice(0, {functions})}} of thing {functions}`); else if \
             (Array.isArray(value)) found.push(...value.map((one, at) => `${{key}}[${{at}}] ${{one}}`)); }} \
             return found.join(\", \") + \"{functions}\"; }}\n"
        ));
        functions += 1;
    }
    let calls: Vec<String> = (0..functions).map(|i| format!("step{i}")).collect();
    text.push_str(&format!(
        "const all = [{}];\nconst steps = [{}];\nglobalThis.ballast = [all, steps];\n",
        names.join(", "),
        calls.join(", "),
    ));
    text
}
