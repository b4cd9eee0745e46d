//! Running processes of marsh, and processes that runs left.

use std::io::Read as _;
use std::process::{Child, ExitStatus};
use std::thread::JoinHandle;

use marsh_types::ignore;

use crate::{Filters, Run, wait_for};

/// A started `marsh`. Threads read both streams, so it never waits for a full pipe. Dropping the value kills it.
#[derive(Debug)]
pub struct Running {
    arguments: Vec<String>,
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    filters: Filters,
}

impl Running {
    pub(crate) fn new(arguments: &[&str], mut child: Child, filters: Filters) -> Running {
        fn reader(mut stream: impl std::io::Read + Send + 'static) -> JoinHandle<Vec<u8>> {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).expect("a pipe can be read");
                bytes
            })
        }
        let stdout = child.stdout.take().map(reader);
        let stderr = child.stderr.take().map(reader);
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Running { arguments, child, stdout, stderr, filters }
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGINT, as Ctrl-C.
    pub fn interrupt(&self) {
        signal(self.pid(), rustix::process::Signal::INT);
    }

    /// Sends SIGTERM, as `kill` and service managers.
    pub fn terminate(&self) {
        signal(self.pid(), rustix::process::Signal::TERM);
    }

    /// Sends SIGKILL: the process cannot handle it or clean up.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked for its status").is_some()
    }

    /// Waits for the end, with the patience of [`wait_for`].
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let status: ExitStatus = wait_for("marsh to end", || self.child.try_wait().unwrap());
        let read = |reader: Option<JoinHandle<Vec<u8>>>| {
            reader.map(|reader| reader.join().expect("a reader does not panic")).unwrap_or_default()
        };
        let output = std::process::Output {
            status,
            stdout: read(self.stdout.take()),
            stderr: read(self.stderr.take()),
        };
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Run::of(&arguments, output, self.filters.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        ignore(self.child.kill(), "the process has already ended");
        ignore(self.child.wait(), "the process was waited for");
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    ignore(rustix::process::kill_process(pid, signal), "the process has already ended");
}

/// Kills any process, e.g. a host.
pub fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

/// A living process: its id and its command line.
pub type Process = (u32, String);

/// The living processes whose environment or command line contains `marker`, without this one. Zombies are not alive.
#[cfg(target_os = "linux")]
pub fn processes_with_marker(marker: &str) -> Vec<Process> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc is there").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let text = |file: &str| {
            let mut bytes = Vec::new();
            ignore(
                std::fs::File::open(entry.path().join(file))
                    .and_then(|mut file| file.read_to_end(&mut bytes)),
                "the process ended while its files were read",
            );
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let command = text("cmdline");
        let is_marked = command.contains(marker) || text("environ").contains(marker);
        let is_zombie =
            text("stat").rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
        if pid != std::process::id() && is_marked && !is_zombie {
            found.push((pid, command.trim_end().to_owned()));
        }
    }
    found
}

/// The living processes whose command line, or where the system shows it environment, contains `marker`.
#[cfg(not(target_os = "linux"))]
pub fn processes_with_marker(marker: &str) -> Vec<Process> {
    let mut output = Vec::new();
    let mut ps = std::process::Command::new("ps")
        .args(["-axEww", "-o", "pid=,stat=,command="])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("ps runs");
    ps.stdout.take().expect("its output is piped").read_to_end(&mut output).expect("its output can be read");
    ps.wait().expect("ps ends");
    String::from_utf8_lossy(&output)
        .lines()
        .filter(|line| line.contains(marker))
        .filter_map(|line| {
            let (pid, rest) = line.trim_start().split_once(' ')?;
            let (stat, command) = rest.trim_start().split_once(' ')?;
            Some((pid.parse().ok()?, stat, command))
        })
        .filter(|(pid, stat, _)| *pid != std::process::id() && *pid != ps.id() && !stat.starts_with('Z'))
        .map(|(pid, _, command)| (pid, command.to_owned()))
        .collect()
}
