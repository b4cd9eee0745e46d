//! Hosts for the bench: processes of the release binary with its hidden subcommand, and calls over the protocol.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use marsh_host_client::protocol::{Describe, Run};
use marsh_host_client::{
    Call, CallError, CallbackError, Callbacks, CancelToken, ContextAnswer, ContextNotice, ContextRequest,
    ErrorKind, Host, HostCommand, Hosts, ModuleRef, Operation,
};
use marsh_types::Kind;
use serde_json::json;

use crate::error::BenchError;
use crate::fixture::Fixture;

const DEADLINE: Duration = Duration::from_secs(120);

/// Keeps the output of a call.
#[derive(Debug, Default)]
struct Printed(Mutex<Vec<String>>);

impl Callbacks for Printed {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        Err(CallbackError::new("refused", request.name().as_str()))
    }

    fn notice(&self, notice: ContextNotice) {
        if let ContextNotice::Output(output) = notice {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(output.line);
        }
    }
}

/// A host.
pub struct OneHost {
    host: Arc<Host>,
    _hosts: Hosts,
}

impl OneHost {
    pub fn start(fixture: &Fixture) -> Result<OneHost, BenchError> {
        let hosts = Hosts::new(HostCommand {
            program: fixture.marsh().to_owned(),
            args: vec![marsh_host_client::SUBCOMMAND.to_owned()],
            bytecode_cache: Some(bytecode(fixture)),
            cwd: None,
        });
        let host = hosts.get("bench").map_err(failed)?;
        Ok(OneHost { host, _hosts: hosts })
    }

    pub fn describe(&self, module: &ModuleRef) -> Result<(), BenchError> {
        self.call(module, Describe { kind: Kind::Model }.into()).map(drop)
    }

    /// Runs the method `run`. Returns its output, line by line.
    pub fn run(&self, module: &ModuleRef) -> Result<Vec<String>, BenchError> {
        let params = json!({
            "method": "run", "type": "@bench/m",
            "definition": { "id": "d", "name": "n", "version": 1, "tags": {}, "typeVersion": "2026.01.01.1" },
            "globalArguments": {}, "storedGlobalArguments": {}, "methodArguments": {}, "checks": {}, "repoDir": "/",
        });
        let params: Run = serde_json::from_value(params)
            .map_err(|error| CallError::new(ErrorKind::Internal, error.to_string()))
            .map_err(|error| failed(error.into()))?;
        self.call(module, params.into())
    }

    fn call(&self, module: &ModuleRef, operation: Operation) -> Result<Vec<String>, BenchError> {
        let (cancel, printed) = (CancelToken::new(), Printed::default());
        let (deadline, grace) = (DEADLINE, Duration::ZERO);
        let call = Call { operation, deadline, cancel: &cancel, grace, trace_parent: None };
        self.host.call(module, &call, &printed).map_err(failed)?;
        Ok(printed.0.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn evict(&self, module: &ModuleRef) {
        self.host.evict(&module.url);
    }

    /// The resident memory of the host now.
    pub fn rss_mb(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.host.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kb: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kb / 1024.0)
    }

    /// The resident memory of the host after it has stopped falling.
    pub fn settled_mb(&self) -> Option<f64> {
        let mut least = self.rss_mb()?;
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.rss_mb()?;
            if now >= least || Instant::now() >= until {
                return Some(least.min(now));
            }
            least = now;
        }
    }
}

fn bytecode(fixture: &Fixture) -> PathBuf {
    fixture.top().join("cache").join("bench-bytecode")
}

fn failed(error: marsh_host_client::HostError) -> BenchError {
    BenchError::Command { what: "a call into a host".to_owned(), said: error.to_string() }
}
