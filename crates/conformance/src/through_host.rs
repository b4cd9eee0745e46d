//! A case under marsh's host with Deno as its engine: what the same scripts see there, beside Deno on its own.

use std::path::Path;
use std::time::Duration;

use marsh_host_client::protocol::{DenoProgram, Returned, Run};
use marsh_host_client::{
    CancelToken, HostCommand, HostError, Hosts, Limits, ModuleEngine, ModuleRef, NoCallbacks,
};
use marsh_types::Digest;
use serde_json::json;

use crate::cases::{self, Case, Outcome};
use crate::error::Error;
use crate::server::Servers;

/// What makes this program a host.
pub const HOST: &str = "__host";

/// A model whose method runs the checks, and hands the results back as the name of a handle.
const MODEL: &str = "
const anySchema = { _def: { type: 'any' }, parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) };
export const model = {
  type: '@conformance/case', version: '2026.01.01.1', resources: {},
  methods: { run: { description: 'Run the checks', kind: 'read', arguments: anySchema,
    execute: async () => ({ dataHandles: [{ name: JSON.stringify(await runChecks()) }] }) } },
};
";

/// Longer than every check of a case may take together.
const PATIENCE: Duration = Duration::from_secs(300);

pub fn run(
    deno: &Path,
    case: &Case,
    servers: &Servers,
    dir: &Path,
    module: &Path,
) -> Result<Vec<Outcome>, Error> {
    let code = format!("{}\n{MODEL}", cases::compose(case, servers, dir)?);
    marsh_fs::atomic_write(module, code.as_bytes(), marsh_fs::Durability::Atomic)?;
    let program = std::env::current_exe().map_err(|error| Error::io("find this program", error))?;
    let cache = module.with_file_name("cache").join("bytecode");
    let hosts = Hosts::new(HostCommand {
        program,
        args: vec![HOST.to_owned()],
        bytecode_cache: Some(cache),
        cwd: Some(dir.to_owned()),
    });
    let version = marsh_bench::deno::version(deno).trim_start_matches("deno ").to_owned();
    let module = ModuleRef {
        url: format!("file://{}?fp=1", module.display()),
        sha256: Digest::of(code.as_bytes()).to_hex(),
        path: module.to_owned(),
        externals: Vec::new(),
        limits: Limits::default(),
        engine: ModuleEngine::Deno(DenoProgram { program: deno.to_owned(), version }),
    };
    Ok(match ask(&hosts, &module) {
        Ok(text) => {
            serde_json::from_str(&text).map_err(|source| Error::Json { path: module.path.clone(), source })?
        }
        Err(error) => cases::broken(error),
    })
}

fn ask(hosts: &Hosts, module: &ModuleRef) -> Result<String, String> {
    let params = json!({
        "method": "run", "type": "@conformance/case",
        "definition": { "id": "d", "name": "n", "version": 1, "tags": {}, "typeVersion": "2026.01.01.1" },
        "globalArguments": {}, "storedGlobalArguments": {}, "methodArguments": {}, "repoDir": "/",
    });
    let run: Run = serde_json::from_value(params).map_err(|error| error.to_string())?;
    let said = |error: HostError| error.to_string();
    let host = hosts.get("conformance").map_err(said)?;
    let cancel = CancelToken::new();
    let call = marsh_host_client::Call {
        operation: run.into(),
        deadline: PATIENCE,
        cancel: &cancel,
        grace: Duration::from_secs(1),
        trace_parent: None,
    };
    let answer = host.call(module, &call, &NoCallbacks).map_err(said)?;
    let returned: Returned = serde_json::from_str(answer.get()).map_err(|error| error.to_string())?;
    let name = returned.handles.into_iter().next().and_then(|handle| handle.name);
    name.ok_or_else(|| "the method returned no results".to_owned())
}
