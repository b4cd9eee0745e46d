//! The freshness checker: clients make calls while an editor changes the source, and every answer is compared with the edits
//! that were acknowledged.
//!
//! The source of a type returns a number. The editor replaces it with the next number, again and again: it writes the number
//! to `started`, renames the new file into place, and then writes the number to `acknowledged`. With a server, it requests a
//! reload after every second edit. Before a call, a client reads `acknowledged` and the largest number that any client
//! received; after the answer, it reads `started`. The number in the answer must lie between these. A smaller number means
//! that a call ran older code than an acknowledged edit or an earlier answer; a larger number means that it ran code that was
//! not written yet. So the type behaves like a register that the editor writes and the calls read, each at one moment between
//! its start and its end: freshness is linearizable. A call that fails is a violation too.
//!
//! The counters are in a file, eight bytes each, so that clients can be processes. Each counter has one writer.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Connection, ExtensionProcess, Scratch};

/// One run of the checker.
#[derive(Debug, Clone)]
pub struct Freshness {
    /// The marsh to run.
    pub binary: PathBuf,
    /// Clients that call at the same time.
    pub clients: usize,
    /// The number of calls of each client.
    pub calls: usize,
    /// The pause between two edits.
    pub pause: Duration,
    /// The mode: one `marsh serve`, with or without `--watch`, or a separate process for every call.
    pub serve: Option<&'static [&'static str]>,
    /// Program and arguments that run [`client`] in a separate process; `None` uses threads.
    pub client: Option<(PathBuf, Vec<String>)>,
}

/// What a run saw.
#[derive(Debug, Clone, Default)]
pub struct FreshnessReport {
    /// Calls that were made.
    pub calls: usize,
    /// Edits of the source meanwhile.
    pub edits: u64,
    /// The number of reloads that the editor requested.
    pub reloads: u64,
    /// The number of different numbers in the answers.
    pub versions_seen: usize,
    /// Answers of code that was no longer on disk, each a sentence.
    pub violations: Vec<String>,
}

const SOURCE: &str = "extensions/models/fresh.ts";

fn source(number: u64) -> String {
    format!(
        "const any = {{ _def: {{ type: 'any' }}, parse: (x) => x, safeParse: (x) => ({{ success: true, data: x }}) }};\n\
         export const model = {{ type: '@fresh/m', version: '2026.01.01.1', resources: {{}}, methods: {{ say: {{\n\
           description: 'Say it', kind: 'read', arguments: any, execute: () => {{ console.log('number {number}'); }} }} }} }};\n"
    )
}

/// `acknowledged`, `started`, and the largest number that each client received.
struct Counters {
    file: File,
    clients: usize,
}

impl Counters {
    fn at(path: &Path, clients: usize) -> Counters {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        Counters { file: file.expect("the counters can be opened"), clients }
    }

    fn reset(&self) {
        self.file.write_all_at(&vec![0; (2 + self.clients) * 8], 0).expect("the counters can be written");
    }

    fn all(&self) -> Vec<u64> {
        let mut bytes = vec![0; (2 + self.clients) * 8];
        self.file.read_exact_at(&mut bytes, 0).expect("the counters can be read");
        bytes.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight"))).collect()
    }

    fn set(&self, place: u64, value: u64) {
        self.file.write_all_at(&value.to_le_bytes(), place * 8).expect("the counters can be written");
    }

    fn acknowledge(&self, number: u64) {
        self.set(0, number);
    }

    fn start(&self, number: u64) {
        self.set(1, number);
    }

    fn answered(&self, client: usize, number: u64) {
        self.set(2 + client as u64, number);
    }

    /// The smallest number that a call that starts now may return.
    fn least(&self) -> u64 {
        let mut all = self.all();
        all.remove(1);
        all.into_iter().max().unwrap_or_default()
    }

    fn started(&self) -> u64 {
        self.all()[1]
    }
}

/// One of the clients: the file of the counters, the number of clients, and the index of this one.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    counters: &'a Path,
    clients: usize,
    index: usize,
}

impl Freshness {
    /// # Panics
    /// If the repository or a process cannot be created. Violations are in the report.
    pub fn run(&self) -> FreshnessReport {
        let scratch = Scratch::repo(&self.binary);
        let counters_path = scratch.root().parent().expect("a scratch directory").join("counters");
        let counters = Counters::at(&counters_path, self.clients);
        counters.reset();
        scratch.write(SOURCE, source(0));
        let server = self.serve.map(|arguments| scratch.spawn_extension_process(arguments));
        let mut report = FreshnessReport::default();
        let over = AtomicBool::new(false);
        let mut seen = std::collections::BTreeSet::new();
        std::thread::scope(|scope| {
            let editor = scope.spawn(|| self.edit(&scratch, server.as_ref(), &counters, &over));
            let clients: Vec<_> = (0..self.clients)
                .map(|index| {
                    let (scratch, counters_path) = (&scratch, &counters_path);
                    let socket = server.as_ref().map(|server| server.socket().to_owned());
                    let place = Place { counters: counters_path, clients: self.clients, index };
                    scope.spawn(move || match (socket, &self.client) {
                        (Some(socket), Some((program, arguments))) => {
                            let output = Command::new(program)
                                .args(arguments)
                                .args([&socket, counters_path])
                                .args([self.calls, self.clients, index].map(|number| number.to_string()))
                                .stderr(Stdio::inherit())
                                .output()
                                .expect("a client starts");
                            String::from_utf8(output.stdout).expect("a client prints text")
                        }
                        (Some(socket), None) => connected(&socket, place, self.calls),
                        (None, _) => alone(scratch, place, self.calls),
                    })
                })
                .collect();
            for client in clients {
                for line in client.join().expect("a client does not panic").lines() {
                    let row: Value = serde_json::from_str(line).expect("a client prints JSON");
                    report.calls += usize::try_from(row["calls"].as_u64().unwrap_or(0)).unwrap_or(0);
                    seen.extend(row["seen"].as_array().into_iter().flatten().filter_map(Value::as_u64));
                    let violations = row["violations"].as_array().into_iter().flatten();
                    report.violations.extend(violations.filter_map(Value::as_str).map(str::to_owned));
                }
            }
            over.store(true, Ordering::Relaxed);
            (report.edits, report.reloads) = editor.join().expect("the editor does not panic");
        });
        report.versions_seen = seen.len();
        report
    }

    /// Edits until the clients end. Returns the numbers of edits and of reloads.
    fn edit(
        &self,
        scratch: &Scratch,
        server: Option<&ExtensionProcess>,
        counters: &Counters,
        over: &AtomicBool,
    ) -> (u64, u64) {
        let (mut number, mut reloads) = (0, 0);
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(self.pause);
            number += 1;
            counters.start(number);
            scratch.replace(SOURCE, source(number));
            counters.acknowledge(number);
            if let Some(server) = server.filter(|_| number % 2 == 0) {
                let reloaded = server.trigger_reload();
                assert_eq!(reloaded["failed"], json!([]), "every source that is written can be used");
                reloads += 1;
            }
        }
        (number, reloads)
    }
}

/// The results of one client, as one line of JSON.
fn told(calls: usize, seen: &std::collections::BTreeSet<u64>, violations: &[String]) -> String {
    json!({ "calls": calls, "seen": seen, "violations": violations }).to_string()
}

fn judge(before: u64, answer: Result<u64, String>, after: u64) -> Result<u64, String> {
    match answer {
        Err(error) => Err(format!("a call failed: {error}")),
        Ok(number) if number < before => {
            Err(format!("expected at least {before}, which was seen before the call started, found {number}"))
        }
        Ok(number) if number > after => {
            Err(format!("expected at most {after}, the last number written, found {number}"))
        }
        Ok(number) => Ok(number),
    }
}

fn number(line: &str) -> Option<u64> {
    line.strip_prefix("number ")?.trim().parse().ok()
}

/// Makes calls over one connection, as client `index` of `clients`. Returns the results as a line of JSON.
pub fn client(socket: &Path, counters: &Path, calls: usize, clients: usize, index: usize) -> String {
    connected(socket, Place { counters, clients, index }, calls)
}

fn connected(socket: &Path, place: Place<'_>, calls: usize) -> String {
    let counters = Counters::at(place.counters, place.clients);
    let mut connection = Connection::open(socket);
    let (mut seen, mut violations) = (std::collections::BTreeSet::new(), Vec::new());
    let params = json!({ "target": "@fresh/m", "name": "m", "method": "say", "events": true });
    for _ in 0..calls {
        let before = counters.least();
        let mut said = None;
        let outcome = connection.ask_telling("call", params.clone(), &mut |event| {
            said = said.or_else(|| number(event["line"].as_str()?));
        });
        let answer = match outcome {
            Ok(_) => said.ok_or_else(|| "it said nothing".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match judge(before, answer, counters.started()) {
            Ok(number) => {
                counters.answered(place.index, number);
                seen.insert(number);
            }
            Err(violation) => violations.push(violation),
        }
    }
    told(calls, &seen, &violations)
}

/// Makes calls without a server: one command for each call.
fn alone(scratch: &Scratch, place: Place<'_>, calls: usize) -> String {
    let counters = Counters::at(place.counters, place.clients);
    let (mut seen, mut violations) = (std::collections::BTreeSet::new(), Vec::new());
    let name = format!("m{}", place.index);
    for _ in 0..calls {
        let before = counters.least();
        let run = scratch.marsh(&["model", "method", "run", "@fresh/m", "say", &name]);
        let said = run.stderr.lines().find_map(|line| number(&line[line.find("number ")?..]));
        let answer = said.ok_or_else(|| run.stderr.clone());
        match judge(before, answer, counters.started()) {
            Ok(number) => {
                counters.answered(place.index, number);
                seen.insert(number);
            }
            Err(violation) => violations.push(violation),
        }
    }
    told(calls, &seen, &violations)
}
