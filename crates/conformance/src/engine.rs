//! A case under marsh's engine, in this process.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use marsh_engine::{Bridge, BridgeError, Code, Limits, ModuleRuntime, Options, Reply, Shim, Source};

use crate::cases::{self, Case, Outcome};
use crate::error::Error;
use crate::server::Servers;

const SHIM: Shim = Shim {
    name: "marsh:shim",
    code: "let api;
        export function init(given) { api = given; }
        export const dispatch = () => api.namespace.runChecks();",
};

/// Cases ask for nothing, and what they print is not looked at.
struct Deaf;

impl Bridge for Deaf {
    fn request(&self, _call_id: &str, method: &str, _params: String, reply: Reply) {
        let code = "refused".to_owned();
        reply(Err(BridgeError { code, message: format!("unknown method {method}"), data: None }));
    }

    fn notify(&self, _call_id: &str, _method: &str, _params: String) {}
}

/// Longer than every check of a case may take together.
const PATIENCE: Duration = Duration::from_secs(300);

pub fn run(case: &Case, servers: &Servers, dir: &Path, module: &Path) -> Result<Vec<Outcome>, Error> {
    let code = cases::compose(case, servers, dir)?;
    marsh_fs::atomic_write(module, code.as_bytes(), marsh_fs::Durability::Atomic)?;
    let source = Source { url: format!("file://{}", module.display()), code: Code::file(module) };
    let options = Options {
        limits: Limits::default(),
        bytecode_cache: None,
        shim: SHIM,
        args: vec!["one".to_owned(), "two".to_owned()],
        cwd: Some(dir.to_owned()),
    };
    let runtime = ModuleRuntime::spawn(source, Vec::new(), options, Arc::new(Deaf)).map_err(Error::Engine)?;
    let (sender, receiver) = mpsc::channel();
    // The receiver is gone only when patience has ended.
    runtime.call(
        "a".to_owned(),
        "run".to_owned(),
        "null".to_owned(),
        Box::new(move |result| drop(sender.send(result))),
    );
    let result = receiver.recv_timeout(PATIENCE);
    runtime.close();
    Ok(match result {
        Ok(Ok(text)) => {
            serde_json::from_str(&text).map_err(|source| Error::Json { path: module.to_owned(), source })?
        }
        Ok(Err(error)) => cases::broken(format!("{error}\n{}", error.stack.as_deref().unwrap_or_default())),
        Err(_) => cases::broken("it does not end".to_owned()),
    })
}
