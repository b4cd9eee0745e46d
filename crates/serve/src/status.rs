//! The state of the server, as one document.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use marsh_extension::IndexedType;
use marsh_host_client::{HostStatus, ModuleState, ModuleStats};
use marsh_types::{Kind, TypeName};

use crate::call_counters::Count;
use crate::protocol::{HostRow, LastError, Status, TypeRow, TypeState};
use crate::reload::of_load;
use crate::service::Service;
use crate::triggers::Triggers;
use marsh_api::ErrorReport;

impl Service {
    /// The state of the server.
    ///
    /// # Errors
    ///
    /// The runs cannot be read.
    pub fn status(&self, socket: Option<String>, triggers: &Triggers) -> Result<Status, ErrorReport> {
        let repo = self.server.repo().map_err(|error| error.report())?;
        let catalog = self.loader().catalog().map_err(|error| ErrorReport::of(&error))?;
        let hosts = self.loader().hosts().status();
        let mut runtimes: HashMap<&str, Vec<&ModuleStats>> = HashMap::new();
        for module in
            hosts.iter().filter_map(|host| host.stats.as_ref().ok()).flat_map(|stats| &stats.modules)
        {
            runtimes.entry(&module.url).or_default().push(module);
        }
        let failures = marsh_extension::load_states(&repo);
        let mut rows: BTreeSet<(Kind, TypeName)> = self.loader().lines().into_iter().collect();
        rows.extend(self.counters.types().into_iter().map(|type_name| (Kind::Model, type_name)));
        rows.extend(failures.iter().map(|state| (state.failure.kind, state.failure.type_name.clone())));
        let mut types = Vec::new();
        for (kind, type_name) in rows {
            let found = catalog.find(kind, &type_name);
            let failure = failures
                .iter()
                .map(|state| &state.failure)
                .find(|failure| failure.kind == kind && failure.type_name == type_name);
            let row = self.row(kind, &type_name, found.first().copied(), failure, &runtimes);
            types.push(TypeRow {
                source: found
                    .first()
                    .map(|indexed| repo.layout.display(&indexed.path).display().to_string())
                    .unwrap_or_default(),
                ..row
            });
        }
        Ok(Status {
            pid: std::process::id(),
            version: self.server.settings().version.to_owned(),
            repository: repo.layout.root().display().to_string(),
            socket,
            started_at: self.started_at.clone(),
            watching: self.watching.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::SeqCst).saturating_sub(1),
            reloads: self.reloads.load(Ordering::Relaxed),
            rss_bytes: resident_bytes(),
            hosts: hosts.iter().map(host_row).collect(),
            types,
            http: triggers.http(),
            triggers: triggers.rows(),
        })
    }

    fn row(
        &self,
        kind: Kind,
        type_name: &TypeName,
        indexed: Option<&IndexedType>,
        failure: Option<&marsh_extension::LoadFailure>,
        runtimes: &HashMap<&str, Vec<&ModuleStats>>,
    ) -> TypeRow {
        let line = self.loader().line(kind, type_name);
        let newest: Vec<&&ModuleStats> =
            line.iter().filter_map(|line| runtimes.get(line.url.as_str())).flatten().collect();
        let before = line.iter().flat_map(|line| &line.before).filter_map(|url| runtimes.get(url.as_str()));
        let alive: Vec<&&ModuleStats> = newest.iter().copied().chain(before.flatten()).collect();
        let serving = newest.iter().find(|module| module.state == ModuleState::Serving);
        let count = match kind {
            Kind::Model => self.counters.get(type_name),
            // Counted by the runtimes that are there: other kinds are called by way of models, vaults, reports …
            _ => Count { calls: alive.iter().map(|module| module.calls).sum(), failed_calls: 0 },
        };
        let state = match (failure, serving) {
            (Some(_), _) => TypeState::Failing,
            (None, Some(_)) => TypeState::Serving,
            (None, None) => TypeState::NotLoaded,
        };
        TypeRow {
            type_name: type_name.to_string(),
            kind,
            origin: indexed.map(|indexed| indexed.root.origin.to_string()).unwrap_or_default(),
            extension: indexed.and_then(|indexed| indexed.root.extension.clone()),
            source: String::new(),
            state,
            fingerprint: line
                .as_ref()
                .and_then(|line| line.url.rsplit_once("?fp=").map(|(_, fingerprint)| fingerprint.to_owned())),
            instance: serving.map(|module| module.instance),
            versions_alive: alive.len(),
            calls: count.calls,
            failed_calls: count.failed_calls,
            in_flight: alive.iter().map(|module| module.in_flight).sum(),
            heap_bytes: alive.iter().map(|module| module.heap_bytes).sum(),
            reloads: line.as_ref().map_or(0, |line| line.reloads),
            last_error: failure
                .map(|failure| LastError { at: failure.since.clone(), failure: of_load(failure) }),
        }
    }
}

fn host_row(host: &HostStatus) -> HostRow {
    let mut row = HostRow {
        key: host.key.clone(),
        pid: host.pid,
        rss_bytes: None,
        heap_bytes: 0,
        versions_alive: 0,
        runtimes_started: 0,
        runtimes_ended: 0,
        leaked_bytes: 0,
        error: None,
    };
    match &host.stats {
        Ok(stats) => {
            row.rss_bytes = stats.rss_bytes;
            row.heap_bytes = stats.modules.iter().map(|module| module.heap_bytes).sum();
            row.versions_alive = stats.modules.len();
            row.runtimes_started = stats.runtimes_started;
            row.runtimes_ended = stats.runtimes_ended;
            row.leaked_bytes = stats.leaked_bytes;
        }
        Err(error) => row.error = Some(error.clone()),
    }
    row
}

/// Of this process; `None` where the system has no cheap answer.
fn resident_bytes() -> Option<u64> {
    let status = marsh_fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}
