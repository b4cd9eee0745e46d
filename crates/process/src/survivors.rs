//! What a command started and no longer belongs to its process group, found through `/proc`.

use std::collections::HashSet;
use std::fs;

use marsh_types::ignore;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process may start another one while the search is on, so the search goes on until it finds nothing new.
const ROUNDS: usize = 50;

/// One line of the process table.
#[derive(Clone, Copy)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    /// In ticks since the system started: with the number, this names one process.
    began: u64,
}

/// Signals each process that descends from the group's leader, or carries `mark` in its environment, once. Members of the
/// group itself have had their signal.
pub(crate) fn signal(group: Pid, mark: &str, signal: Signal) {
    let group = group.as_raw_nonzero().get();
    let mut signalled = HashSet::new();
    for _ in 0..ROUNDS {
        let found: Vec<Process> = members(group, mark)
            .into_iter()
            .filter(|process| process.group != group && !signalled.contains(&(process.pid, process.began)))
            .collect();
        if found.is_empty() {
            return;
        }
        for process in found {
            signalled.insert((process.pid, process.began));
            send(process, signal);
        }
    }
}

fn members(group: i32, mark: &str) -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    // Without the table only the group is known.
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut others: Vec<Process> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own)
        .filter_map(read)
        .collect();
    let is_root =
        |process: &Process| process.pid == group || process.group == group || carries(process.pid, mark);
    let mut members: Vec<Process> = others.extract_if(.., |process| is_root(process)).collect();
    let mut next = 0;
    while let Some(parent) = members.get(next).map(|process| process.pid) {
        members.extend(others.extract_if(.., |process| process.parent == parent));
        next += 1;
    }
    members
}

/// A process that is more than a zombie, which nothing can signal.
fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything; state, parent and group follow it, and the start is field 22.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    if *fields.first()? == "Z" && pid_is_alone(&fields) {
        return None;
    }
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        began: fields.get(19)?.parse().ok()?,
    })
}

/// Whether a zombie is none: a process whose first thread has ended shows as one while others run.
fn pid_is_alone(fields: &[&str]) -> bool {
    fields.get(17).is_none_or(|threads| matches!(*threads, "0" | "1"))
}

fn carries(pid: i32, mark: &str) -> bool {
    // Processes of other users cannot be read, and cannot be signalled either.
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
}

/// Signals this very process: the descriptor names it even if its number is given to another one.
fn send(process: Process, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.pid) else { return };
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if read(process.pid).is_some_and(|now| now.began == process.began) {
        ignore(pidfd_send_signal(descriptor, signal), "a process that has ended needs no signal");
    }
}
