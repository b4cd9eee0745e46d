//! Values that a command makes anew when they have become too old.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{RefreshHook, Secret, VaultError};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(30);

impl RefreshHook {
    /// `ttl` is a number and a unit: `30s`, `12h`.
    pub fn new(command: &str, ttl: &str) -> Result<RefreshHook, VaultError> {
        let bad = || VaultError::Age { age: ttl.to_owned() };
        let split = ttl.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, unit) = ttl.split_at(split);
        let unit: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            "mo" => 30 * 86_400,
            "y" => 365 * 86_400,
            _ => return Err(bad()),
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        let ttl_ms = number.checked_mul(unit * 1000).filter(|ms| *ms > 0).ok_or_else(bad)?;
        Ok(RefreshHook { command: command.to_owned(), ttl_ms, ttl: ttl.to_owned(), last_refreshed_at: None })
    }

    pub fn is_due(&self, now: jiff::Timestamp) -> bool {
        let last = self.last_refreshed_at.as_deref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let age = last.map(|last| now.as_millisecond().saturating_sub(last.as_millisecond()));
        age.is_none_or(|age| age < 0 || age.unsigned_abs() >= self.ttl_ms)
    }

    /// What the command prints, trimmed. `Err`: why there is no new value.
    pub(crate) fn run(&self) -> Result<Secret, String> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&self.command);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut child = shell.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
        let mut pipe = child.stdout.take();
        let (sender, printed) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = pipe.as_mut().map_or(Ok(0), |pipe| pipe.read_to_string(&mut text));
            drop(sender.send(read.map(|_| Secret::new(text.trim()))));
        });
        let until = Instant::now() + LIMIT;
        let answer = printed.recv_timeout(LIMIT);
        let status = match answer {
            Ok(_) => end(&mut child, until),
            Err(_) => None,
        };
        let Some(status) = status else {
            stop(&mut child);
            return Err(format!("it did not end within {} s", LIMIT.as_secs()));
        };
        if !status.success() {
            return Err(format!("it ended with {status}"));
        }
        match answer {
            Ok(Ok(secret)) if !secret.expose().is_empty() => Ok(secret),
            Ok(Ok(_)) => Err("it printed nothing".to_owned()),
            _ => Err("what it printed is not text".to_owned()),
        }
    }
}

/// Its output is closed, so it is about to end.
fn end(child: &mut Child, until: Instant) -> Option<std::process::ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
            _ => return None,
        }
    }
}

fn stop(child: &mut Child) {
    // Best effort: a process that cannot be killed is gone.
    drop(child.kill());
    drop(child.wait());
}
