//! Waits until nothing else uses the machine.
//!
//! Pairing a command with Deno cancels influences that slow both alike. Other work does not slow both alike: it takes the
//! second core, which marsh and its host use and an empty script does not need. So a pair of runs starts when the machine is
//! idle, or after a timeout; the report states how often the timeout ended.

use std::time::{Duration, Instant};

/// How long the machine is observed.
const WINDOW: Duration = Duration::from_millis(100);
/// The share of all cores that other processes may use in that time.
const BUSY: f64 = 0.1;

/// Waits for an idle machine, at most `patience`. Returns whether it was idle; always `true` without `/proc/stat`.
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

/// Clock ticks of all cores since the start: the busy ones, and all.
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
