//! Secrets that a command renews when they are too old.

use std::time::Duration;

use marsh_process::{CommandLimits, CommandLine, Executor as _, Exit, LocalExecutor, Stop};
use zeroize::Zeroizing;

use crate::{RefreshHook, Secret, VaultError};

/// How long the command may run.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bytes that the command may print.
const LONGEST: u64 = 1 << 20;

impl RefreshHook {
    /// A hook that runs `command` when the secret is older than `ttl`, a number and a unit: `30s`, `12h`.
    ///
    /// # Errors
    ///
    /// `ttl` is not an age.
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

    /// Whether the secret is too old at this time, or was never refreshed.
    pub fn is_due(&self, now: jiff::Timestamp) -> bool {
        let last = self.last_refreshed_at.as_deref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let age = last.map(|last| now.as_millisecond().saturating_sub(last.as_millisecond()));
        age.is_none_or(|age| age < 0 || age.unsigned_abs() >= self.ttl_ms)
    }

    /// What the command prints, trimmed. `Err`: why there is no new value.
    pub(crate) fn run(&self) -> Result<Secret, String> {
        let command =
            CommandLine { script: self.command.clone(), discard_stderr: true, ..CommandLine::default() };
        let limits = CommandLimits { deadline: DEADLINE, output_bytes: LONGEST };
        let mut printed = Zeroizing::new(Vec::new());
        let ended = LocalExecutor
            .execute(&command, &limits, &Stop::new(), &mut |_, bytes| printed.extend_from_slice(bytes))
            .map_err(|error| format!("the command cannot be started: {error}"))?;
        match ended.exit {
            Exit::Code(0) => {}
            Exit::Code(code) => return Err(format!("the command ended with exit code {code}")),
            Exit::TimedOut | Exit::Stopped(_) => {
                return Err(format!("the command did not end within {} s", DEADLINE.as_secs()));
            }
        }
        if ended.dropped_stdout > 0 {
            return Err(format!("the command printed more than {LONGEST} bytes"));
        }
        match std::str::from_utf8(&printed) {
            Ok(text) if text.trim().is_empty() => Err("the command printed nothing".to_owned()),
            Ok(text) => Ok(Secret::new(text.trim())),
            Err(_) => Err("the command printed bytes that are not UTF-8 text".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RefreshHook;

    #[test]
    fn a_refresh_command_that_prints_without_end_fails() {
        let hook = RefreshHook::new("yes | head -c 3000000", "1h").unwrap();
        assert_eq!(hook.run().unwrap_err(), "the command printed more than 1048576 bytes");
    }

    #[test]
    fn a_refresh_command_gives_its_trimmed_output() {
        assert_eq!(
            RefreshHook::new("echo ' new '; echo no >&2", "1h").unwrap().run().unwrap().expose(),
            "new"
        );
    }
}
