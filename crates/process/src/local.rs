//! Commands as processes of this machine.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use marsh_types::ignore;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::{CommandLimits, CommandLine, Ended, Executor, Exit, OutputStream, Stop};

/// How long output is read after the command itself has ended: something that it left behind may hold the pipes.
const DRAIN: Duration = Duration::from_secs(5);
/// The least of it, when the deadline is near.
const SHORTEST_DRAIN: Duration = Duration::from_millis(250);
/// How long a command may take to end after it was asked to, and again after it was killed. A cancellation waits for it,
/// and a user is promised a second.
const GRACE: Duration = Duration::from_millis(700);
/// A deadline that the clock cannot express is as far away as this.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
/// Bytes that are read at once, and how many such chunks wait.
const CHUNK: usize = 16 << 10;
const QUEUE: usize = 16;
/// Carries the mark of a command, so that what it started is known wherever it went.
const MARK: &str = "__MARSH_COMMAND";

/// The commands of this process that run now.
static RUNNING: Mutex<Running> = Mutex::new(Running { is_ending: false, marks: BTreeMap::new() });

struct Running {
    is_ending: bool,
    /// By process group.
    marks: BTreeMap<i32, String>,
}

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills every command that runs, with what it started, and lets none start from here on: for a process that is about to
/// end.
pub fn kill_all() {
    let mut running = running();
    running.is_ending = true;
    for (group, mark) in &running.marks {
        if let Some(group) = Pid::from_raw(*group) {
            signal(group, mark, Signal::KILL);
        }
    }
}

/// Signals the group of a command, and what left the group.
fn signal(group: Pid, mark: &str, signal: Signal) {
    ignore(kill_process_group(group, signal), "a group that has ended needs no signal");
    #[cfg(target_os = "linux")]
    crate::survivors::signal(group, &format!("{MARK}={mark}"), signal);
    #[cfg(not(target_os = "linux"))]
    tracing::debug!(mark, "processes outside the group of a command cannot be found on this system");
}

/// A command that was started. It stays in [`RUNNING`] until it is dropped, and its process is not reaped before that: the
/// number of its group belongs to it for as long as signals are sent to it.
struct Started {
    group: Pid,
    mark: String,
    /// Lets the thread that waits reap the process.
    release: Option<Sender<()>>,
    waiter: Option<JoinHandle<io::Result<ExitStatus>>>,
}

impl Started {
    fn signal(&self, which: Signal) {
        signal(self.group, &self.mark, which);
    }

    /// Takes the command off the list and lets it be reaped.
    fn release(&mut self) {
        running().marks.remove(&self.group.as_raw_nonzero().get());
        self.release = None;
    }

    /// The status of a command that has exited.
    fn status(mut self) -> io::Result<ExitStatus> {
        self.release();
        match self.waiter.take().map(JoinHandle::join) {
            Some(Ok(status)) => status,
            _ => Err(io::Error::other("the thread that waits for the command has ended")),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.release();
    }
}

enum Event {
    Output(OutputStream, Vec<u8>),
    Closed,
    Exited,
    /// There is a request to stop.
    Woken,
}

/// Runs commands on this machine, each in a process group of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalExecutor;

impl Executor for LocalExecutor {
    fn execute(
        &self,
        command: &CommandLine,
        limits: &CommandLimits,
        stop: &Stop,
        output: &mut dyn FnMut(OutputStream, &[u8]),
    ) -> io::Result<Ended> {
        let began = Instant::now();
        let (events, receiver) = sync_channel(QUEUE);
        let wake = events.clone();
        stop.on_request(move || {
            ignore(wake.try_send(Event::Woken), "a full queue wakes the receiver as well")
        });
        let started = start(command, events)?;
        let deadline = began.checked_add(limits.deadline).unwrap_or_else(|| began + FAR);
        let mut watch = Watch {
            started: &started,
            stop,
            deadline,
            budget: limits.output_bytes,
            dropped_stdout: 0,
            dropped_stderr: 0,
        };
        let stopped = watch.run(&receiver, output);
        let (dropped_stdout, dropped_stderr) = (watch.dropped_stdout, watch.dropped_stderr);
        let exit = match stopped {
            Some(exit) => exit,
            None => Exit::Code(exit_code(started.status()?)),
        };
        Ok(Ended { exit, duration: began.elapsed(), dropped_stdout, dropped_stderr })
    }
}

fn start(line: &CommandLine, events: SyncSender<Event>) -> io::Result<Started> {
    let mark = uuid::Uuid::new_v4().simple().to_string();
    let mut command = Command::new("sh");
    command.arg("-c").arg(&line.script).envs(&line.env).env(MARK, &mark);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(if line.discard_stderr { Stdio::null() } else { Stdio::piped() });
    if let Some(directory) = &line.directory {
        command.current_dir(directory);
    }
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let (mut child, group) = {
        // Under the lock, so that a command is either on the list that `kill_all` reads or never started.
        let mut running = running();
        if running.is_ending {
            return Err(io::Error::other("marsh is about to end"));
        }
        let child = command.spawn()?;
        let group = Pid::from_child(&child);
        running.marks.insert(group.as_raw_nonzero().get(), mark.clone());
        (child, group)
    };
    let (release, released) = channel();
    let mut started = Started { group, mark, release: Some(release), waiter: None };
    let pipes = [
        (OutputStream::Stdout, child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
        (OutputStream::Stderr, child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
    ];
    let threads = pipes
        .into_iter()
        .try_for_each(|(stream, pipe)| {
            let events = events.clone();
            thread("command-output", move || read(stream, pipe, &events)).map(|_| ())
        })
        .and_then(|()| thread("command-wait", move || wait(child, &events, &released)));
    match threads {
        Ok(waiter) => started.waiter = Some(waiter),
        Err(error) => {
            started.signal(Signal::KILL);
            return Err(error);
        }
    }
    Ok(started)
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// Hands on what comes through a pipe until it is closed, or until nothing is wanted any more.
fn read(stream: OutputStream, pipe: Option<Box<dyn Read + Send>>, events: &SyncSender<Event>) {
    if let Some(mut pipe) = pipe {
        let mut buffer = vec![0; CHUNK];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    if events.send(Event::Output(stream, buffer[..count].to_vec())).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A pipe that cannot be read has nothing more to say.
                Err(_) => break,
            }
        }
    }
    ignore(events.send(Event::Closed), "the command was given up, and its output with it");
}

/// Says that the command has exited, and reaps it once it is released.
fn wait(mut child: Child, events: &SyncSender<Event>, released: &Receiver<()>) -> io::Result<ExitStatus> {
    let pid = Pid::from_child(&child);
    while let Err(rustix::io::Errno::INTR) =
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {}
    ignore(events.send(Event::Exited), "the command was given up; it is reaped all the same");
    ignore(released.recv(), "nothing is ever sent: the end of the sender is the sign to go on");
    child.wait()
}

/// How far the end of a command has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// It was asked to end.
    Asked,
    Killed,
}

struct Watch<'a> {
    started: &'a Started,
    stop: &'a Stop,
    deadline: Instant,
    /// Bytes of output that are still handed on.
    budget: u64,
    dropped_stdout: u64,
    dropped_stderr: u64,
}

impl Watch<'_> {
    /// Follows the command to its end. `None`: it ended by itself.
    fn run(&mut self, events: &Receiver<Event>, output: &mut dyn FnMut(OutputStream, &[u8])) -> Option<Exit> {
        let mut stopped = None;
        let mut phase = Phase::Running;
        let mut until = self.deadline;
        let mut open = 2;
        let mut exited = false;
        while !exited || open > 0 {
            let now = Instant::now();
            let asked = if phase == Phase::Running { self.stop.reason().map(Exit::Stopped) } else { None };
            if asked.is_some() || now >= until {
                match phase {
                    // What still holds the pipes was left behind on purpose.
                    Phase::Running if exited && asked.is_none() => return None,
                    Phase::Running => {
                        stopped = Some(asked.unwrap_or(Exit::TimedOut));
                        self.started.signal(Signal::TERM);
                        phase = Phase::Asked;
                    }
                    Phase::Asked => {
                        self.started.signal(Signal::KILL);
                        phase = Phase::Killed;
                    }
                    // The system does not let it go.
                    Phase::Killed => break,
                }
                until = now + GRACE;
                continue;
            }
            match events.recv_timeout(until - now) {
                Ok(Event::Output(stream, bytes)) => self.hand_on(stream, &bytes, output),
                Ok(Event::Closed) => open -= 1,
                Ok(Event::Exited) => {
                    exited = true;
                    if phase == Phase::Running {
                        let now = Instant::now();
                        until = until.min(now + DRAIN).max(now + SHORTEST_DRAIN);
                    }
                }
                Ok(Event::Woken) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if stopped.is_some() {
            // What ignored the request and closed its output runs on otherwise.
            self.started.signal(Signal::KILL);
        }
        stopped
    }

    fn hand_on(&mut self, stream: OutputStream, bytes: &[u8], output: &mut dyn FnMut(OutputStream, &[u8])) {
        let room = usize::try_from(self.budget).unwrap_or(usize::MAX).min(bytes.len());
        let (kept, dropped) = bytes.split_at(room);
        self.budget -= kept.len() as u64;
        if !kept.is_empty() {
            output(stream, kept);
        }
        let counter = match stream {
            OutputStream::Stdout => &mut self.dropped_stdout,
            OutputStream::Stderr => &mut self.dropped_stderr,
        };
        *counter = counter.saturating_add(dropped.len() as u64);
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}
