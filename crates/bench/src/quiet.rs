//! Waiting until nothing else uses the machine.
//!
//! Pairing a command with Deno cancels what slows both alike. Other work does not: it takes the second core, which
//! marsh and its host share and an empty script does not need. So a pair of runs starts after a moment of idleness, or
//! when patience ends; the report says how often that was.

use std::time::{Duration, Instant};

/// How long the machine is watched.
const WINDOW: Duration = Duration::from_millis(100);
/// The part of all cores that others may use in it.
const BUSY: f64 = 0.1;

/// Whether the machine was idle for a moment before `patience` ended. Always `true` without `/proc/stat`.
pub fn wait(patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        let Some(before) = times() else { return true };
        std::thread::sleep(WINDOW);
        let Some(after) = times() else { return true };
        let (busy, all) = (after.0 - before.0, after.1 - before.1);
        if all <= 0.0 || busy / all <= BUSY {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
    }
}

/// Clock ticks of all cores since the start: those spent working, and all.
fn times() -> Option<(f64, f64)> {
    parse(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal.
fn parse(stat: &str) -> Option<(f64, f64)> {
    let mut words = stat.lines().next()?.split_whitespace();
    words.next().filter(|word| *word == "cpu")?;
    let ticks: Vec<f64> = words.take(8).map_while(|word| word.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((all - idle, all))
}

#[cfg(test)]
mod tests {
    #[test]
    fn waiting_for_a_disk_is_not_work() {
        assert_eq!(super::parse("cpu  10 1 5 100 20 1 1 2 0 0\ncpu0 1\n"), Some((20.0, 140.0)));
        assert_eq!(super::parse("intr 1\n"), None);
    }
}
