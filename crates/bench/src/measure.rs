//! Measures one run of one command, in a separate process.
//!
//! The bench starts itself as `marsh-bench __measure <mode> <program> <argument>...`. That process is small and has no other
//! children, so the kernel's numbers for "children" are those of the command and its descendants.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::BenchError;
use crate::memory;

pub const SUBCOMMAND: &str = "__measure";
/// How long to wait for processes that end after the command.
const ORPHANS: Duration = Duration::from_secs(5);

/// A command to run.
#[derive(Debug, Clone)]
pub struct Job {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub cwd: PathBuf,
    pub env: Vec<(OsString, OsString)>,
    /// The standard input.
    pub stdin: Option<PathBuf>,
}

impl Job {
    fn input(&self) -> Result<Stdio, BenchError> {
        let Some(path) = &self.stdin else { return Ok(Stdio::null()) };
        let file = std::fs::File::open(path)
            .map_err(|source| BenchError::io(format!("read {}", path.display()), source))?;
        Ok(file.into())
    }

    fn shown(&self) -> String {
        let words =
            std::iter::once(self.program.as_os_str()).chain(self.args.iter().map(OsString::as_os_str));
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

/// The result of one run.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Sample {
    pub wall_ms: f64,
    pub cpu_ms: f64,
    /// From the spawn until the last process of the tree has ended.
    pub settled_ms: f64,
    /// The peak RSS of the largest process of the tree.
    pub max_rss_kb: u64,
    /// The sampled peak, in runs that are not timed.
    pub tree: memory::Peak,
}

/// Starts processes that measure.
#[derive(Debug)]
pub struct Runner {
    own: PathBuf,
}

impl Runner {
    pub fn new() -> Result<Runner, BenchError> {
        let own = std::env::current_exe().map_err(|source| BenchError::io("find this program", source))?;
        Ok(Runner { own })
    }

    pub fn timed(&self, job: &Job) -> Result<Sample, BenchError> {
        self.run("timed", job)
    }

    pub fn sampled(&self, job: &Job) -> Result<Sample, BenchError> {
        self.run("sampled", job)
    }

    /// The peak RSS in kB of any child of a measuring process, because a child starts as a copy of it.
    pub fn floor(&self) -> Result<u64, BenchError> {
        let job = Job {
            program: "/bin/true".into(),
            args: Vec::new(),
            cwd: std::env::temp_dir(),
            env: Vec::new(),
            stdin: None,
        };
        Ok(self.timed(&job)?.max_rss_kb)
    }

    /// Runs a command once and checks that its output contains a text.
    pub fn check(&self, job: &Job, says: &str) -> Result<(), BenchError> {
        let mut command = Command::new(&job.program);
        let output = command
            .args(&job.args)
            .current_dir(&job.cwd)
            .env_clear()
            .envs(job.env.iter().map(|(name, value)| (name, value)))
            .stdin(job.input()?)
            .output()
            .map_err(|source| BenchError::io(format!("start {}", job.program.display()), source))?;
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        if output.status.success() && printed.contains(says) {
            return Ok(());
        }
        let said = format!("{}, and not `{says}` but `{}`", output.status, printed.trim());
        Err(BenchError::Command { what: job.shown(), said })
    }

    fn run(&self, mode: &str, job: &Job) -> Result<Sample, BenchError> {
        let output = Command::new(&self.own)
            .args([SUBCOMMAND, mode])
            .arg(&job.program)
            .args(&job.args)
            .current_dir(&job.cwd)
            .env_clear()
            .envs(job.env.iter().map(|(name, value)| (name, value)))
            .stdin(job.input()?)
            .output()
            .map_err(|source| BenchError::io("start a measuring process", source))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            return Err(BenchError::Command { what: job.shown(), said });
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| BenchError::Command { what: job.shown(), said: error.to_string() })
    }
}

/// The measuring process.
pub fn main(arguments: &[OsString]) -> ExitCode {
    let measured = match arguments {
        [mode, program, args @ ..] => measure(mode == "sampled", program, args),
        _ => Err("usage: __measure timed|sampled <program> <argument>...".to_owned()),
    };
    match measured.and_then(|sample| serde_json::to_string(&sample).map_err(|error| error.to_string())) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn measure(sampled: bool, program: &OsString, args: &[OsString]) -> Result<Sample, String> {
    sys::adopt_orphans();
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
    let tree = if sampled { memory::watch(&mut child) } else { memory::Peak::default() };
    let status = child.wait().map_err(|error| error.to_string())?;
    let wall = start.elapsed();
    sys::wait_for_orphans(start + wall + ORPHANS);
    let settled = start.elapsed();
    if !status.success() {
        return Err(format!("{status}"));
    }
    let usage = sys::usage_of_children()?;
    Ok(Sample {
        wall_ms: millis(wall),
        cpu_ms: usage.cpu_ms,
        settled_ms: millis(settled),
        max_rss_kb: usage.max_rss_kb,
        tree,
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

struct Usage {
    cpu_ms: f64,
    max_rss_kb: u64,
}

mod sys {
    use std::time::{Duration, Instant};

    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    use rustix::process::{WaitOptions, wait};

    use super::Usage;

    /// Processes whose parent ends become children of this one (Linux). On other systems their time is lost, which the
    /// report states.
    pub fn adopt_orphans() {
        // cfg: macOS has no subreaper; the report says that the time of orphans is missing
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
            eprintln!("cannot adopt processes: {error}");
        }
    }

    /// Waits until no child is left, but not longer than `until`.
    pub fn wait_for_orphans(until: Instant) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_micros(100)),
                Ok(None) | Err(_) => return,
            }
        }
    }

    pub fn usage_of_children() -> Result<Usage, String> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        let max = u64::try_from(usage.max_rss()).unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a short run")]
        let cpu_ms = micros as f64 / 1e3;
        // macOS counts bytes.
        Ok(Usage { cpu_ms, max_rss_kb: if cfg!(target_os = "macos") { max / 1024 } else { max } })
    }
}
