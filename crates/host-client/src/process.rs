//! The process behind a host: how it is killed, and how its end is awaited.
//!
//! A host leads a session of its own, and everything that its extensions start belongs to that session. When a host
//! dies, the members of its session are killed, each through a descriptor of that very process (Linux). Numbers that a
//! host reports are hints only: they decide whether there is anything to look for, and never what is killed, so a
//! forged number harms no other process (`tests/process.rs` of `marsh-host-server`).

use std::collections::HashSet;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::location::HostLocation;

/// How long a host that has closed its channel may take to end before it is killed.
const EXIT_GRACE: Duration = Duration::from_millis(500);

/// Controls the process of one host.
pub trait ProcessControl: std::fmt::Debug + Send + Sync {
    /// The process id on this machine; 0 when there is none.
    fn pid(&self) -> u32;

    /// The host says that its code started a process group.
    fn group_started(&self, group: i32);

    /// The host says that a process group has ended.
    fn group_ended(&self, group: i32);

    /// Ends the host, and everything that its extensions started, now.
    ///
    /// # Errors
    /// Why it cannot be killed.
    fn kill(&self) -> Result<(), String>;

    /// Waits for the end of a host whose channel has ended, kills it after a grace, and ends what it left behind.
    /// `orderly`: the host was asked to end and has cleaned up itself. Returns the exit status.
    fn finish(&self, orderly: bool) -> String;
}

/// A host on another machine, or one whose process another program controls: closing the channel ends it.
#[derive(Debug, Clone, Copy)]
pub struct NoProcess;

impl ProcessControl for NoProcess {
    fn pid(&self) -> u32 {
        0
    }

    fn group_started(&self, _group: i32) {}

    fn group_ended(&self, _group: i32) {}

    fn kill(&self) -> Result<(), String> {
        Ok(())
    }

    fn finish(&self, _orderly: bool) -> String {
        "connection closed".to_owned()
    }
}

/// A child of this process: the host itself, or the program that runs it elsewhere.
#[derive(Debug)]
pub struct ChildProcess {
    pid: u32,
    child: Mutex<Child>,
    location: HostLocation,
    groups: Mutex<HashSet<i32>>,
    /// Held by the thread that waits for the end.
    finishing: Mutex<()>,
    /// Set under the lock of `child`, when the process is reaped.
    status: Mutex<Option<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while holding one of these locks left plain data behind, which stays usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ChildProcess {
    /// Takes control of a child that runs at `location`.
    pub fn new(child: Child, location: HostLocation) -> ChildProcess {
        ChildProcess {
            pid: child.id(),
            child: Mutex::new(child),
            location,
            groups: Mutex::default(),
            finishing: Mutex::default(),
            status: Mutex::default(),
        }
    }

    fn as_pid(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }

    /// Whether the process has ended. It is not reaped, so that its number, and that of its session, stay taken.
    fn has_ended(&self) -> bool {
        let Some(pid) = self.as_pid() else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error says that there is no such child any more.
        waitid(WaitId::Pid(pid), options).map_or(true, |status| status.is_some())
    }

    fn await_end(&self, grace: Duration) -> bool {
        let until = Instant::now() + grace;
        let mut pause = Duration::from_micros(200);
        while !self.has_ended() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
        true
    }

    /// Kills the processes that the extensions of a host on this machine started.
    fn kill_leftovers(&self) {
        let groups: Vec<i32> = locked(&self.groups).drain().collect();
        if self.location.is_local()
            && let Some(session) = self.as_pid()
        {
            kill_session(session, &groups);
        }
    }
}

impl ProcessControl for ChildProcess {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn group_started(&self, group: i32) {
        if self.location.is_local()
            && let Some(session) = self.as_pid()
            && is_group_of(group, session)
        {
            locked(&self.groups).insert(group);
        }
    }

    fn group_ended(&self, group: i32) {
        locked(&self.groups).remove(&group);
    }

    fn kill(&self) -> Result<(), String> {
        let mut child = locked(&self.child);
        let mut killed = Ok(());
        if locked(&self.status).is_none() {
            // First the host, so that it starts nothing new; then the processes that it started.
            killed = kill_child(&mut child);
            self.kill_leftovers();
        }
        drop(child);
        match &self.location {
            HostLocation::Local => killed,
            HostLocation::Container(container) => {
                let ended = container.end().map_err(|error| format!("cannot end its container: {error}"));
                killed.and(ended)
            }
        }
    }

    fn finish(&self, orderly: bool) -> String {
        let _finishing = locked(&self.finishing);
        if let Some(status) = &*locked(&self.status) {
            return status.clone();
        }
        let grace = if orderly { self.location.grace() } else { EXIT_GRACE };
        let ended = self.await_end(grace);
        let mut child = locked(&self.child);
        let killed = if ended { Ok(()) } else { kill_child(&mut child) };
        // As long as the host is not reaped, its session's number belongs to it.
        if !orderly || !ended || !locked(&self.groups).is_empty() {
            self.kill_leftovers();
        }
        // A process that cannot be killed is not waited for either.
        let waited = killed.and_then(|()| child.wait().map_err(|error| error.to_string()));
        let text = match waited {
            Ok(status) => status.to_string(),
            Err(error) => format!("status unknown: {error}"),
        };
        *locked(&self.status) = Some(text.clone());
        text
    }
}

/// A child that has ended already counts as killed.
fn kill_child(child: &mut Child) -> Result<(), String> {
    match child.kill() {
        Err(error) if error.kind() != std::io::ErrorKind::InvalidInput => {
            Err(format!("cannot kill process {}: {error}", child.id()))
        }
        _ => Ok(()),
    }
}

/// Whether a number that a host reports can be a process group of its session. A leader that has ended already cannot be
/// asked; its number is kept as a hint that the session has members.
fn is_group_of(group: i32, session: Pid) -> bool {
    // 0 and 1 are not groups of a host, and numbers below 0 are not processes.
    if group <= 1 || place_of(None).is_some_and(|own| own.group == group) {
        return false;
    }
    Pid::from_raw(group).is_some_and(|leader| {
        place_of(Some(leader)).is_none_or(|place| place.session == session.as_raw_nonzero().get())
    })
}

/// Where a process stands. A group or session whose leader lives outside this process's PID namespace has the number 0,
/// which a `Pid` cannot hold.
#[derive(Debug, Clone, Copy)]
struct Place {
    group: i32,
    session: i32,
    /// It has ended and waits to be reaped.
    zombie: bool,
}

/// The place of a process, of this one without a number; nothing when it has ended.
// cfg: /proc
#[cfg(target_os = "linux")]
fn place_of(pid: Option<Pid>) -> Option<Place> {
    let name = pid.map_or_else(|| "self".to_owned(), |pid| pid.as_raw_nonzero().to_string());
    let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
    // The name is in parentheses and may hold anything; state, parent, group and session follow it.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    let zombie = fields.next()? == "Z";
    let mut numbers = fields.skip(1).map(str::parse);
    Some(Place { group: numbers.next()?.ok()?, session: numbers.next()?.ok()?, zombie })
}

/// The place of a process, of this one without a number; nothing when it has ended.
// cfg: /proc
#[cfg(not(target_os = "linux"))]
fn place_of(pid: Option<Pid>) -> Option<Place> {
    use rustix::process::{getpgid, getsid};
    let group = getpgid(pid).ok()?.as_raw_nonzero().get();
    Some(Place { group, session: getsid(pid).ok()?.as_raw_nonzero().get(), zombie: false })
}

/// Kills the members of a session but its leader. One of them may be starting another, so the search goes on until it
/// finds none.
// cfg: pidfds and /proc
#[cfg(target_os = "linux")]
fn kill_session(session: Pid, _groups: &[i32]) {
    use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    for _ in 0..50 {
        let Ok(entries) = std::fs::read_dir("/proc") else { return };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let members = pids.filter_map(Pid::from_raw).filter(|pid| *pid != session);
        let killed = members.filter(|pid| lives_in_session(*pid, session)).filter(|pid| {
            // The descriptor holds on to one process. When the number went to another process since the look at it,
            // the second look sees that.
            pidfd_open(*pid, PidfdFlags::empty()).is_ok_and(|process| {
                lives_in_session(*pid, session) && pidfd_send_signal(process, Signal::KILL).is_ok()
            })
        });
        if killed.count() == 0 {
            return;
        }
    }
}

/// On other systems, kills the reported groups whose leaders live in the session.
// cfg: pidfds and /proc
#[cfg(not(target_os = "linux"))]
fn kill_session(session: Pid, groups: &[i32]) {
    use rustix::process::{Signal, kill_process_group};
    for leader in groups.iter().filter_map(|group| Pid::from_raw(*group)) {
        if lives_in_session(leader, session)
            && let Err(error) = kill_process_group(leader, Signal::KILL)
        {
            debug_assert!(error == rustix::io::Errno::SRCH, "{error}");
        }
    }
}

/// Whether a process belongs to a session and is more than a zombie, which cannot be killed again.
fn lives_in_session(pid: Pid, session: Pid) -> bool {
    place_of(Some(pid)).is_some_and(|place| !place.zombie && place.session == session.as_raw_nonzero().get())
}

#[cfg(test)]
mod tests {
    use super::{is_group_of, place_of};
    use rustix::process::{Pid, getpid};

    /// Also where a session or group of this process was made outside its PID namespace, as in many containers: its
    /// number is 0 there (`unshare --pid --fork --mount-proc` shows it).
    #[test]
    fn group_number_of_init_or_of_the_parent_is_refused() {
        let session = Pid::from_raw(i32::MAX).unwrap();
        assert!(!is_group_of(1, session));
        assert!(!is_group_of(0, session));
        assert!(!is_group_of(-1, session));
        assert!(!is_group_of(place_of(None).unwrap().group, session));
        assert!(!is_group_of(getpid().as_raw_nonzero().get(), session), "it lives in another session");
    }

    #[test]
    fn leader_that_has_ended_is_kept_as_a_hint() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let ended = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert!(is_group_of(ended, Pid::from_raw(i32::MAX).unwrap()));
    }
}
