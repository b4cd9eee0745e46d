//! The hosts of one command or server, and the module versions that they hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use marsh_host_protocol::HostStats;

use crate::error::HostError;
use crate::host::Host;
use crate::lines::{Line, Lines, Ticket};
use crate::versions::Retention;
use crate::{HostCommand, HostLocation};

/// One process per key (an extension, or the local sources of a repository).
#[derive(Debug)]
pub struct Hosts {
    command: HostCommand,
    location: HostLocation,
    retention: Retention,
    running: Mutex<HashMap<String, Arc<Host>>>,
    lines: Lines,
}

/// A host as status displays show it.
#[derive(Debug, Clone)]
pub struct HostStatus {
    /// The extension, or the local sources.
    pub key: String,
    /// The process id.
    pub pid: u32,
    /// The host's own statistics, or why it gives none.
    pub stats: Result<HostStats, String>,
}

impl Hosts {
    /// No host runs yet.
    pub fn new(command: HostCommand) -> Hosts {
        Hosts {
            command,
            location: HostLocation::Local,
            retention: Retention::default(),
            running: Mutex::new(HashMap::new()),
            lines: Lines::default(),
        }
    }

    /// Where the command starts hosts.
    #[must_use]
    pub fn at(mut self, location: HostLocation) -> Hosts {
        self.location = location;
        self
    }

    /// How hosts are started.
    pub fn command(&self) -> &HostCommand {
        &self.command
    }

    /// How many idle versions the hosts keep that are started from now on.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Hosts {
        self.retention = retention;
        self
    }

    /// How many idle versions hosts keep.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// The living host of `key`, started if there is none.
    ///
    /// # Errors
    /// [`HostError::Spawn`]: it cannot be started.
    pub fn get(&self, key: &str) -> Result<Arc<Host>, HostError> {
        let mut running = self.running();
        if let Some(host) = running.get(key)
            && host.is_alive()
        {
            return Ok(Arc::clone(host));
        }
        let host = Host::start(&self.command, self.retention, &self.location)?;
        running.insert(key.to_owned(), Arc::clone(&host));
        Ok(host)
    }

    /// To be drawn before the inputs of a version are looked at; see [`Hosts::advance`].
    pub fn ticket(&self) -> Ticket {
        self.lines.ticket()
    }

    /// Makes this version the newest of the line `name`. The one before goes as soon as no call uses it. Of two threads
    /// that looked at the inputs, the one with the later ticket is right.
    pub fn advance(&self, name: &str, ticket: Ticket, host_key: &str, url: &str) {
        self.lines.advance(
            name,
            ticket,
            (host_key, url),
            || {
                if let Some(host) = self.living(host_key) {
                    host.versions().reinstate(url);
                }
            },
            |key, url| self.supersede(key, url),
            |key, url| self.living(key).is_some_and(|host| host.versions().holds(url)),
        );
    }

    /// The source of a line is gone: nothing of it stays once its calls have ended.
    pub fn close_line(&self, name: &str) {
        self.lines.close(name, |key, url| self.supersede(key, url));
    }

    /// The state of a line.
    pub fn line(&self, name: &str) -> Option<Line> {
        self.lines.get(name)
    }

    /// The names of all lines.
    pub fn line_names(&self) -> Vec<String> {
        self.lines.names()
    }

    /// Unloads the versions of a line, the newest included, once no call uses them. The next call loads it anew. Says
    /// whether one was loaded.
    pub fn evict(&self, name: &str) -> bool {
        let Some(line) = self.lines.get(name) else { return false };
        self.living(&line.host_key).is_some_and(|host| host.evict(&line.url))
    }

    /// Ends the hosts that hold no version any more: an extension that was removed, or nothing called for long.
    pub fn end_idle(&self) {
        let mut running = self.running();
        let idle: Vec<String> = running
            .iter()
            .filter(|(_, host)| !host.is_alive() || host.versions().is_empty())
            .map(|(key, _)| key.clone())
            .collect();
        let ended: Vec<Arc<Host>> = idle.iter().filter_map(|key| running.remove(key)).collect();
        // Waits for the process. A call that got hold of a host a moment ago keeps it until it has ended.
        drop(running);
        drop(ended);
    }

    /// Asks every living host.
    pub fn status(&self) -> Vec<HostStatus> {
        let mut hosts: Vec<(String, Arc<Host>)> = self
            .running()
            .iter()
            .filter(|(_, host)| host.is_alive())
            .map(|(key, host)| (key.clone(), Arc::clone(host)))
            .collect();
        hosts.sort_by(|a, b| a.0.cmp(&b.0));
        hosts
            .into_iter()
            .map(|(key, host)| HostStatus {
                key,
                pid: host.pid(),
                stats: host.stats().map_err(|error| error.to_string()),
            })
            .collect()
    }

    /// The process ids of the living hosts, for status displays and tests.
    pub fn pids(&self) -> Vec<u32> {
        self.running().values().filter(|host| host.is_alive()).map(|host| host.pid()).collect()
    }

    /// Kills every host and the processes that its extensions started. Used when the user does not wait.
    pub fn kill_all(&self) {
        for host in self.running().values() {
            host.kill();
        }
    }

    /// Ends every host in order.
    pub fn end_all(&self) {
        let hosts = std::mem::take(&mut *self.running());
        drop(hosts);
    }

    fn living(&self, key: &str) -> Option<Arc<Host>> {
        self.running().get(key).filter(|host| host.is_alive()).cloned()
    }

    fn supersede(&self, key: &str, url: &str) {
        if let Some(host) = self.living(key) {
            host.supersede(url);
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Arc<Host>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
