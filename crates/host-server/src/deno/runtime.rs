//! One module version in a Deno process of its own.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use marsh_fs::StagedDir;
use marsh_host_protocol::{
    CallError, CallbackError, ContextNotice, ErrorKind, LineRead, Log, LogLevel, MAX_LINE_BYTES, ModuleRef,
    Output, OutputStream, ProcessGroup, read_line,
};
use marsh_types::ignore;
use serde_json::value::RawValue;

use super::calls::{Allowance, Calls, Stream, Taken, cut_notice};
use super::channel::Pipes;
use super::errors::{Names, not_loaded, thrown};
use super::files::{Home, Prepared, file_url};
use super::process::{Launch, OWN_VARIABLES, Process, Started, read_text};
use super::wire::{FromDeno, Refusal, Start, ToDeno, Word, line};
use crate::engine::{Bridge, Done, OpName, Probe, Reply, Runtime};
use crate::locked;

/// How long an event loop may take to show that it turns, before its process is killed.
const PING_LIMIT: Duration = Duration::from_millis(500);
/// How long [`Runtime::close`] waits for the end of the process.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// How long the streams of a process that has ended are read: something that it left behind may hold them.
const DRAIN: Duration = Duration::from_millis(500);
/// Lines of standard error that are kept, to explain the end of the process.
const KEPT_LINES: usize = 40;
/// Memory that Deno takes beside the heap of the module.
const OVERHEAD_BYTES: u64 = 256 << 20;
/// How often the memory of a process with calls in flight is looked at.
const WEIGH_EVERY: Duration = Duration::from_millis(250);

pub struct DenoRuntime(Arc<Shared>);

struct Shared {
    calls: Calls,
    bridge: Arc<dyn Bridge>,
    process: Process,
    /// Lines to the event loop; `None` once the end was asked for.
    input: Mutex<Option<Sender<Vec<u8>>>>,
    /// Answers of synchronous requests.
    answers: Mutex<Option<Sender<Vec<u8>>>>,
    names: Names,
    output_bytes: u64,
    memory_bytes: u64,
    /// The private directory and both ends of the pipes, until Deno has opened them and loaded the module.
    starting: Mutex<Option<(StagedDir, Vec<File>)>>,
    stderr: Mutex<VecDeque<String>>,
    closing: AtomicBool,
    /// Why the host ended the process, if it did.
    killed_for: Mutex<Option<CallError>>,
    pings: AtomicU64,
    ponged: Mutex<u64>,
    /// Set when the process is reaped and all its calls are answered.
    ended: Mutex<bool>,
    changed: Condvar,
}

/// What a runtime is made of.
pub struct Parts<'a> {
    pub program: &'a std::path::Path,
    pub version: &'a str,
    pub home: &'a Home,
    pub module: &'a ModuleRef,
    pub prepared: Prepared,
    pub bridge: Arc<dyn Bridge>,
}

impl DenoRuntime {
    /// Starts the process; the module loads there.
    pub fn start(parts: Parts<'_>) -> Result<DenoRuntime, CallError> {
        let Parts { program, version, home, module, prepared, bridge } = parts;
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            CallError::new(ErrorKind::Internal, format!("{what}: {error}"))
        };
        let channel_dir = prepared.private.path().to_owned();
        let pipes =
            Pipes::create(&channel_dir).map_err(|error| failed("cannot make pipes for Deno", &error))?;
        let launch = Launch {
            program,
            start: &prepared.start,
            import_map: &prepared.import_map,
            channel: &channel_dir,
            deno_dir: &home.deno_dir(),
            memory_bytes: module.limits.memory_bytes,
        };
        let Started { process, stdout, stderr } = launch
            .start()
            .map_err(|error| failed(&format!("cannot start Deno at {}", program.display()), &error))?;
        let key = new_key();
        let file = file_url(&module.path);
        let first = Start {
            key: &key,
            shim: &prepared.shim_url,
            url: &module.url,
            externals: module.externals.iter().map(|external| external.specifier.as_str()).collect(),
            require: &file,
            engine_version: version,
            env: OWN_VARIABLES
                .iter()
                .map(|name| (*name, std::env::var(name).ok()))
                .collect::<BTreeMap<_, _>>(),
        };
        let first = line(&first).map_err(|error| failed("cannot encode the start of Deno", &error))?;
        let (input, input_lines) = channel();
        let (answers, answer_lines) = channel();
        let Pipes { input: input_pipe, answers: answers_pipe, output, held } = pipes;
        let Prepared { private, names, .. } = prepared;
        let shared = Arc::new(Shared {
            calls: Calls::default(),
            bridge,
            process,
            input: Mutex::new(Some(input)),
            answers: Mutex::new(Some(answers)),
            names: Names(names),
            output_bytes: module.limits.output_bytes,
            memory_bytes: module.limits.memory_bytes,
            starting: Mutex::new(Some((private, held))),
            stderr: Mutex::default(),
            closing: AtomicBool::new(false),
            killed_for: Mutex::default(),
            pings: AtomicU64::new(0),
            ponged: Mutex::default(),
            ended: Mutex::default(),
            changed: Condvar::new(),
        });
        let group = ProcessGroup { pgid: shared.process.group() };
        shared.bridge.notice("", &ContextNotice::ProcessStarted(group));
        shared.send(first);
        thread("deno-in", move || write_lines(&input_pipe, &input_lines));
        thread("deno-answers", move || write_lines(&answers_pipe, &answer_lines));
        let streams: [(Stream, Option<Box<dyn std::io::Read + Send>>); 2] = [
            (Stream::Stdout, stdout.map(|stream| Box::new(stream) as _)),
            (Stream::Stderr, stderr.map(|stream| Box::new(stream) as _)),
        ];
        let (drained, draining) = channel::<()>();
        for (which, stream) in streams {
            let Some(stream) = stream else { continue };
            let (reading, drained) = (Arc::clone(&shared), drained.clone());
            thread("deno-stream", move || {
                read_text(stream, |text| reading.raw_output(which, text));
                drop(drained);
            });
        }
        drop(drained);
        let (read_out, out_read) = channel::<()>();
        let reading = Arc::clone(&shared);
        thread("deno-out", move || {
            reading.read(output, &key);
            drop(read_out);
        });
        let waiting = Arc::clone(&shared);
        thread("deno-wait", move || waiting.reap(&out_read, &draining));
        let weighing = Arc::downgrade(&shared);
        thread("deno-weigh", move || {
            while let Some(shared) = weighing.upgrade() {
                if shared.weigh() {
                    return;
                }
            }
        });
        Ok(DenoRuntime(shared))
    }
}

/// A thread without which the runtime does not work; where there is none, the calls miss their deadlines.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) {
    ignore(
        std::thread::Builder::new().name(name.to_owned()).stack_size(512 << 10).spawn(work),
        "the watchdog ends calls that get no answer",
    );
}

/// What no code but the host's and the start of Deno knows.
fn new_key() -> String {
    // Two random UUIDs would need a dependency; the standard library seeds each hasher from the system's randomness.
    use std::hash::{BuildHasher as _, RandomState};
    format!("{:016x}{:016x}", RandomState::new().hash_one(0), RandomState::new().hash_one(1))
}

fn write_lines(mut pipe: &File, lines: &Receiver<Vec<u8>>) {
    for line in lines {
        if pipe.write_all(&line).is_err() {
            // The process is gone; the thread that waits for it answers its calls.
            return;
        }
    }
}

fn output_stream(stream: Stream) -> OutputStream {
    match stream {
        Stream::Stdout => OutputStream::Stdout,
        Stream::Stderr => OutputStream::Stderr,
    }
}

impl Shared {
    fn send(&self, line: Vec<u8>) {
        if let Some(input) = &*locked(&self.input) {
            ignore(input.send(line), "a process that is gone reads nothing");
        }
    }

    fn tell(&self, message: &ToDeno<'_>) -> Result<(), CallError> {
        let line = line(message).map_err(|error| CallError::new(ErrorKind::Internal, error.to_string()))?;
        self.send(line);
        Ok(())
    }

    /// Reads until Deno closes its end.
    fn read(self: &Arc<Self>, output: File, key: &str) {
        let mut reader = BufReader::with_capacity(1 << 16, output);
        let mut line = Vec::new();
        // A payload at its limit, in the frame of this protocol.
        let limit = MAX_LINE_BYTES.saturating_add(1 << 16);
        loop {
            match read_line(&mut reader, &mut line, limit) {
                Ok(LineRead::Line) => {}
                Ok(LineRead::End) | Err(_) => return,
                Ok(LineRead::TooLong) => {
                    self.kill_for(CallError::new(ErrorKind::Internal, "a line of Deno is too long"));
                    return;
                }
            }
            let message = line
                .strip_prefix(key.as_bytes())
                .and_then(|line| line.strip_prefix(b" "))
                .and_then(|line| serde_json::from_slice::<FromDeno<'_>>(line).ok());
            match message {
                Some(message) => self.handle(message),
                None => {
                    let text = "the module wrote into the channel between marsh and Deno";
                    self.kill_for(CallError::new(ErrorKind::Internal, text));
                    return;
                }
            }
            if line.capacity() > 1 << 20 {
                line = Vec::new();
            }
        }
    }

    fn handle(self: &Arc<Self>, message: FromDeno<'_>) {
        let FromDeno { word, call, n, sync, method, stream, text, code, json } = message;
        let json = json.map_or("null", RawValue::get);
        match word {
            Word::Loaded => {
                drop(locked(&self.starting).take());
                self.calls.set_loaded(Ok(()));
            }
            Word::LoadFailed => self.load_failed(not_loaded(json, &self.names)),
            Word::Request => self.request(&call, n, sync, &method, json.to_owned()),
            Word::Notify => match self.calls.tell(&call, json.len(), self.output_bytes) {
                Allowance::Enough => self.bridge.notify(&call, &method, json.to_owned()),
                Allowance::UpToHere => self.say(&call, Stream::Stdout, cut_notice(self.output_bytes)),
                Allowance::None => {}
            },
            Word::Output => {
                let stream = if stream == "stderr" { Stream::Stderr } else { Stream::Stdout };
                self.print(&call, stream, &text);
            }
            Word::Done => self.end(&call, Ok(json.to_owned())),
            Word::Failed => self.end(&call, Err(thrown(json, &self.names))),
            Word::Rejected | Word::Uncaught => self.unhandled(word, &call, json),
            Word::Exit => {
                let error = CallError::new(ErrorKind::Exit, format!("extension called Deno.exit({code})"));
                locked(&self.killed_for).get_or_insert(error.clone());
                self.fail_all(&error);
            }
            Word::Pong => {
                let mut ponged = locked(&self.ponged);
                *ponged = n.max(*ponged);
                drop(ponged);
                self.changed.notify_all();
            }
        }
    }

    fn request(self: &Arc<Self>, call: &str, n: u64, sync: bool, method: &str, params: String) {
        let answering = Arc::clone(self);
        let reply: Reply = Box::new(move |answer| answering.answer(n, sync, answer));
        if self.calls.is_live(call) {
            self.bridge.request(call, method, params, reply);
        } else {
            let message = format!("{method} was asked for by a call that has ended");
            reply(Err(CallbackError::new("ended", message)));
        }
    }

    fn answer(&self, n: u64, sync: bool, answer: Result<String, CallbackError>) {
        let answer = answer.and_then(|json| {
            RawValue::from_string(json).map_err(|error| CallbackError::new("internal", error.to_string()))
        });
        let (ok, error) = match &answer {
            Ok(ok) => (Some(&**ok), None),
            Err(error) => {
                let CallbackError { code, message, data } = error;
                (None, Some(Refusal { code, message, data: data.as_ref() }))
            }
        };
        match line(&ToDeno::Answer { n, ok, error }) {
            Ok(line) if sync => {
                if let Some(answers) = &*locked(&self.answers) {
                    ignore(answers.send(line), "a process that is gone waits for nothing");
                }
            }
            Ok(line) => self.send(line),
            Err(error) => crate::output::log(&format!("cannot encode an answer for Deno: {error}")),
        }
    }

    /// Something failed with no code to catch it: the call that it ran for fails.
    fn unhandled(&self, word: Word, call: &str, description: &str) {
        let mut error = thrown(description, &self.names);
        let what = if word == Word::Rejected { "unhandled rejection" } else { "uncaught" };
        if word == Word::Rejected && error.kind == ErrorKind::Threw {
            error.kind = ErrorKind::UnhandledRejection;
        }
        if self.calls.is_live(call) {
            self.end(call, Err(error));
        } else {
            let message = format!("{what}: {}", error.message);
            let log = Log { level: LogLevel::Error, message, category: Vec::new() };
            self.bridge.notice(call, &ContextNotice::Log(log));
        }
    }

    fn load_failed(&self, error: CallError) {
        drop(locked(&self.starting).take());
        if self.calls.set_loaded(Err(error.clone())) {
            self.fail_all(&error);
        }
    }

    // ---- the ends of calls ----

    fn end(&self, id: &str, result: Result<String, CallError>) {
        let Some(Taken { done, cancelled, rest }) = self.calls.take(id) else { return };
        for (stream, line) in rest {
            if !line.is_empty() {
                self.say(id, stream, line);
            }
        }
        done(result.map_err(|mut error| {
            if cancelled && error.kind == ErrorKind::Threw {
                error.kind = ErrorKind::Cancelled;
            }
            error
        }));
        // An interrupted process ends with its last call.
        if self.calls.is_tainted() && self.calls.in_flight() == 0 {
            self.process.kill();
        }
    }

    fn fail_all(&self, error: &CallError) {
        self.calls.taint();
        for id in self.calls.ids() {
            self.end(&id, Err(error.clone()));
        }
    }

    /// Kills the process, whose calls fail for this reason.
    fn kill_for(&self, error: CallError) {
        self.calls.taint();
        locked(&self.killed_for).get_or_insert(error);
        self.process.kill();
    }

    /// Kills the process unless its event loop shows within a moment that it turns.
    fn kill_if_stuck(self: &Arc<Self>) {
        let n = self.pings.fetch_add(1, Ordering::Relaxed) + 1;
        if self.tell(&ToDeno::Ping { n }).is_err() {
            return self.process.kill();
        }
        let shared = Arc::clone(self);
        thread("deno-ping", move || {
            let answered = locked(&shared.ponged);
            let wait = |ponged: &mut u64| *ponged < n;
            let (answered, _) = shared
                .changed
                .wait_timeout_while(answered, PING_LIMIT, wait)
                .unwrap_or_else(PoisonError::into_inner);
            if *answered < n {
                drop(answered);
                let text = "the module's process was ended: another call did not stop at its deadline";
                shared.kill_for(CallError::new(ErrorKind::Internal, text));
            }
        });
    }

    /// Waits for the end of the process, then answers every call that is left.
    fn reap(&self, out_read: &Receiver<()>, drained: &Receiver<()>) {
        let status = self.process.wait();
        // The other ends of the pipes, if Deno has never opened them; what it wrote is read first.
        drop(locked(&self.starting).take());
        drop((locked(&self.input).take(), locked(&self.answers).take()));
        ignore(out_read.recv_timeout(CLOSE_LIMIT), "the channel tells its end by closing");
        ignore(drained.recv_timeout(DRAIN), "the streams tell their end by closing");
        let error = locked(&self.killed_for).clone().unwrap_or_else(|| self.death(&status));
        self.calls.set_loaded(Err(error.clone()));
        self.fail_all(&error);
        self.bridge.notice("", &ContextNotice::ProcessEnded(ProcessGroup { pgid: self.process.group() }));
        *locked(&self.ended) = true;
        self.changed.notify_all();
    }

    /// Why the process ended by itself.
    fn death(&self, status: &str) -> CallError {
        let stderr = locked(&self.stderr);
        if stderr.iter().any(|line| line.contains("out of memory") || line.contains("heap limit")) {
            return CallError::new(ErrorKind::OutOfMemory, "out of memory");
        }
        let last = stderr.iter().rev().find(|line| !line.trim().is_empty());
        let last = last.map(|line| format!(": {}", line.trim())).unwrap_or_default();
        CallError::new(ErrorKind::Internal, format!("the module's Deno process has ended ({status}){last}"))
    }

    /// Looks at the memory of the process after a moment. Says whether there is nothing to look at any more.
    fn weigh(&self) -> bool {
        let ended = locked(&self.ended);
        let (ended, _) = self
            .changed
            .wait_timeout_while(ended, WEIGH_EVERY, |ended| !*ended)
            .unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return true;
        }
        drop(ended);
        // Buffers are outside of the heap that V8 limits.
        if self.process.resident_bytes() > self.memory_bytes.saturating_add(OVERHEAD_BYTES) {
            self.kill_for(CallError::new(ErrorKind::OutOfMemory, "out of memory"));
        }
        false
    }

    // ---- output ----

    fn print(&self, call: &str, stream: Stream, text: &str) {
        let (id, lines) = self.calls.print(call, stream, text, self.output_bytes);
        for line in lines {
            self.say(id, stream, line);
        }
    }

    fn say(&self, call: &str, stream: Stream, line: String) {
        self.bridge.notice(call, &ContextNotice::Output(Output { stream: output_stream(stream), line }));
    }

    /// What reached a descriptor past JavaScript: native code, and children that inherited it.
    fn raw_output(&self, stream: Stream, text: &str) {
        if stream == Stream::Stderr {
            let mut kept = locked(&self.stderr);
            kept.extend(text.lines().map(str::to_owned));
            let surplus = kept.len().saturating_sub(KEPT_LINES);
            kept.drain(..surplus);
        }
        self.print(&self.calls.only_call(), stream, text);
    }

    fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let error = CallError::new(ErrorKind::Cancelled, "the module's runtime was closed");
        locked(&self.killed_for).get_or_insert(error);
        self.process.kill();
    }
}

impl Drop for DenoRuntime {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Runtime for DenoRuntime {
    fn is_loading(&self) -> bool {
        self.0.calls.is_loading()
    }

    fn on_loaded(&self, done: Box<dyn FnOnce() + Send>) {
        self.0.calls.on_loaded(done);
    }

    fn call(&self, call_id: &str, op: OpName<'_>, params: &str, done: Done) {
        if let Err((done, error)) = self.0.calls.admit(call_id, done) {
            return done(Err(error));
        }
        // A process that ended between both has answered all its calls, and would never answer this one.
        if self.0.process.has_ended() {
            let error = locked(&self.0.killed_for).clone().unwrap_or_else(|| self.0.death("it has ended"));
            return self.0.end(call_id, Err(error));
        }
        let told = serde_json::from_str::<&RawValue>(params)
            .map_err(|error| CallError::new(ErrorKind::Internal, error.to_string()))
            .and_then(|params| self.0.tell(&ToDeno::Call { id: call_id, op: op.as_str(), params }));
        if let Err(error) = told {
            self.0.end(call_id, Err(error));
        }
    }

    fn cancel(&self, call_id: &str, reason: &str) {
        if self.0.calls.cancel(call_id) {
            ignore(
                self.0.tell(&ToDeno::Cancel { id: call_id, reason }),
                "what does not hear of it is interrupted",
            );
        }
    }

    fn interrupt(&self, call_id: &str, error: CallError) {
        if !self.0.calls.is_live(call_id) {
            return;
        }
        self.0.calls.taint();
        let is_loading = self.0.calls.is_loading();
        self.0.end(call_id, Err(error.clone()));
        if is_loading {
            self.0.kill_for(error);
        } else if self.0.calls.in_flight() > 0 {
            // Other calls finish, if they can: code that never waits keeps them from it.
            self.0.kill_if_stuck();
        }
    }

    fn is_tainted(&self) -> bool {
        self.0.calls.is_tainted()
    }

    fn in_flight(&self) -> usize {
        self.0.calls.in_flight()
    }

    fn close(&self) {
        self.0.close();
        let until = Instant::now() + CLOSE_LIMIT;
        let mut ended = locked(&self.0.ended);
        while !*ended && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            ended = self.0.changed.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn probe(&self) -> Box<dyn Probe> {
        Box::new(DenoProbe(Arc::clone(&self.0)))
    }
}

struct DenoProbe(Arc<Shared>);

impl Probe for DenoProbe {
    fn has_ended(&self) -> bool {
        *locked(&self.0.ended)
    }

    fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::SeqCst)
    }

    fn in_flight(&self) -> usize {
        self.0.calls.in_flight()
    }

    fn heap_bytes(&self) -> u64 {
        self.0.process.resident_bytes()
    }

    fn calls(&self) -> u64 {
        self.0.calls.total()
    }
}
