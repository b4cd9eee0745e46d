//! The memory of a tree of processes, sampled.

#[cfg(target_os = "linux")]
use std::collections::HashSet;
use std::process::Child;

use serde::{Deserialize, Serialize};

/// The largest sum of high-water marks of processes that existed at the same moment.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Peak {
    pub sum_kb: u64,
    pub processes: u32,
    pub samples: u32,
}

/// Samples the tree below `child` until it exits. Does nothing on systems without `/proc`.
#[cfg(target_os = "linux")]
pub fn watch(child: &mut Child) -> Peak {
    let mut peak = Peak::default();
    while let Ok(None) = child.try_wait() {
        let mut pending = vec![child.id()];
        let mut seen = HashSet::new();
        let (mut sum, mut processes) = (0, 0);
        while let Some(pid) = pending.pop() {
            // The kernel may list a child twice while threads come and go.
            if !seen.insert(pid) {
                continue;
            }
            if let Some(high_water) = linux::high_water_kb(pid) {
                sum += high_water;
                processes += 1;
            }
            linux::children(pid, &mut pending);
        }
        if sum > peak.sum_kb {
            peak = Peak { sum_kb: sum, processes, ..peak };
        }
        peak.samples += 1;
    }
    peak
}

#[cfg(not(target_os = "linux"))]
pub fn watch(_child: &mut Child) -> Peak {
    Peak::default()
}

#[cfg(target_os = "linux")]
mod linux {
    /// `VmHWM` of a process; `None` if it has ended or is a zombie.
    pub fn high_water_kb(pid: u32) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Children are listed by the thread that started them.
    pub fn children(pid: u32, into: &mut Vec<u32>) {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return };
        for thread in threads.flatten() {
            if let Ok(text) = std::fs::read_to_string(thread.path().join("children")) {
                into.extend(text.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            }
        }
    }
}
