//! One Deno process: how it is started, read, killed and reaped.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};

use marsh_types::ignore;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::locked;

/// What a process is started with.
#[derive(Debug)]
pub struct Launch<'a> {
    pub program: &'a Path,
    pub start: &'a Path,
    pub import_map: &'a Path,
    /// The directory of the pipes.
    pub channel: &'a Path,
    pub deno_dir: &'a Path,
    pub memory_bytes: u64,
}

/// Variables that marsh sets for Deno itself. The module sees their values from before.
pub const OWN_VARIABLES: [&str; 3] = ["DENO_DIR", "DENO_NO_UPDATE_CHECK", "DENO_NO_PACKAGE_JSON"];

/// A process that runs or has ended.
#[derive(Debug)]
pub struct Process {
    group: Pid,
    child: Mutex<Child>,
    /// Set under the lock of `child`, when the process is reaped: from then on its number may be another's.
    status: Mutex<Option<String>>,
}

/// A process that was just started, with its streams.
pub struct Started {
    pub process: Process,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
}

impl Launch<'_> {
    fn command(&self) -> Command {
        let mut import_map = OsString::from("--import-map=");
        import_map.push(self.import_map);
        let mut command = Command::new(self.program);
        command
            .args(["run", "--quiet", "--no-prompt", "--allow-all", "--no-config", "--no-lock"])
            // Bundles are whole: nothing is fetched.
            .args(["--no-remote", "--no-npm"])
            .arg(import_map)
            .arg(format!("--v8-flags=--max-old-space-size={}", (self.memory_bytes >> 20).max(16)))
            .arg(self.start)
            .env("MARSH_DENO_CHANNEL", self.channel)
            .env("DENO_DIR", self.deno_dir)
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("DENO_NO_PACKAGE_JSON", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        end_with_parent(&mut command);
        command
    }

    /// Starts the process.
    pub fn start(&self) -> io::Result<Started> {
        let mut child = spawn(self.command())?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let group = group.ok_or_else(|| io::Error::other("the process has no number"))?;
        let process = Process { group, child: Mutex::new(child), status: Mutex::default() };
        Ok(Started { process, stdout, stderr })
    }
}

/// Has the kernel kill the process when the host dies, however it dies.
#[cfg(target_os = "linux")]
fn end_with_parent(command: &mut Command) {
    let host = rustix::process::getpid();
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // A host that died before the request is not told of.
        match rustix::process::getppid() == Some(host) {
            true => Ok(()),
            false => Err(io::Error::from(rustix::io::Errno::SRCH)),
        }
    };
    // SAFETY: between fork and exec this makes two system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(ask) };
}

/// The end of its input ends the process once its event loop turns (`start.mjs`).
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_command: &mut Command) {}

type Job = (Command, Sender<io::Result<Child>>);

/// Starts a program on a thread that lives as long as this process: the kernel takes the end of the thread that started
/// a child for the end of its parent.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Option<Mutex<Sender<Job>>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (jobs, queue) = channel::<Job>();
        let start = move || {
            for (mut command, answer) in queue {
                ignore(answer.send(command.spawn()), "the caller waits for the answer");
            }
        };
        std::thread::Builder::new().name("deno-start".into()).spawn(start).ok().map(|_| Mutex::new(jobs))
    });
    let gone = || io::Error::other("the thread that starts Deno has ended");
    let (sender, receiver) = channel();
    locked(starter.as_ref().ok_or_else(gone)?).send((command, sender)).map_err(|_| gone())?;
    receiver.recv().map_err(|_| gone())?
}

impl Process {
    /// The number of the process and of its group.
    pub fn group(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// Kills the process, and what it started in its group.
    pub fn kill(&self) {
        let _child = locked(&self.child);
        if locked(&self.status).is_none() {
            ignore(kill_process_group(self.group, Signal::KILL), "a group that has ended needs no signal");
        }
    }

    /// Waits for the end, kills what is left of the group, and reaps the process. Returns its status for people.
    pub fn wait(&self) -> String {
        // Not reaped yet, so that the number of the group stays taken until what is left of it is killed.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(self.group), options).is_err_and(|error| error == rustix::io::Errno::INTR) {}
        let mut child = locked(&self.child);
        ignore(kill_process_group(self.group, Signal::KILL), "nothing may be left of the group");
        let status = match child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => format!("status unknown: {error}"),
        };
        *locked(&self.status) = Some(status.clone());
        status
    }

    pub fn has_ended(&self) -> bool {
        locked(&self.status).is_some()
    }

    /// Bytes of memory that the process holds; 0 after its end and where the system has no cheap answer.
    pub fn resident_bytes(&self) -> u64 {
        if self.has_ended() { 0 } else { resident_bytes(self.group()) }
    }
}

#[cfg(target_os = "linux")]
fn resident_bytes(pid: i32) -> u64 {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/statm")) else { return 0 };
    let pages: u64 = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

#[cfg(not(target_os = "linux"))]
fn resident_bytes(_pid: i32) -> u64 {
    0
}

/// Hands on what a stream holds, in pieces, until its end.
pub fn read_text(mut stream: impl Read, mut take: impl FnMut(&str)) {
    let mut buffer = vec![0; 16 << 10];
    let mut partial = Vec::new();
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        partial.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let whole = partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole > 0 || partial.len() > 1 << 20 {
            let rest = if whole > 0 { partial.split_off(whole) } else { Vec::new() };
            take(&String::from_utf8_lossy(&partial));
            partial = rest;
        }
    }
    if !partial.is_empty() {
        take(&String::from_utf8_lossy(&partial));
    }
}
