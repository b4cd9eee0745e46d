//! What a runtime costs: `cargo run --release -p marsh-engine --example startup [-- <module> [<specifier> <external>]…]`

use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use marsh_engine::{
    Bridge, BridgeError, Code, External, Limits, ModuleRuntime, Options, Reply, Shim, Source,
};

struct Silent;

impl Bridge for Silent {
    fn request(&self, _: &str, method: &str, _: String, reply: Reply) {
        reply(Err(BridgeError { code: "NONE".to_owned(), message: format!("no {method}"), data: None }));
    }

    fn notify(&self, _: &str, _: &str, _: String) {}
}

const SHIM: Shim = Shim {
    name: "marsh:shim",
    code: "let api; export function init(given) { api = given; } \
           export const dispatch = () => Object.keys(api.namespace);",
};

#[expect(clippy::print_stdout, reason = "an example prints its numbers")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    // A directory that stays shows what a new process finds.
    let cache = std::env::var_os("CACHE").map_or_else(|| scratch.path().join("cache"), PathBuf::from);
    let mut args = std::env::args().skip(1);
    let module = match args.next() {
        Some(path) => PathBuf::from(path),
        None => {
            let path = scratch.path().join("empty.js");
            marsh_fs::atomic_write(&path, b"", marsh_fs::Durability::Atomic)?;
            path
        }
    };
    let mut externals = Vec::new();
    while let (Some(specifier), Some(path)) = (args.next(), args.next()) {
        externals.push(External { specifier, code: Code::file(path) });
    }
    let rss = || -> Option<String> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        status.lines().find(|line| line.starts_with("VmRSS")).map(str::to_owned)
    };
    for round in 0..20 {
        let source =
            Source { url: format!("file://{}?fp=1", module.display()), code: Code::file(module.clone()) };
        let options = Options {
            limits: Limits::default(),
            bytecode_cache: Some(cache.clone()),
            shim: SHIM,
            args: Vec::new(),
            cwd: None,
        };
        let start = std::time::Instant::now();
        let runtime = ModuleRuntime::spawn(source, externals.clone(), options, Arc::new(Silent))?;
        let (sender, receiver) = mpsc::channel();
        runtime.call(
            "a".to_owned(),
            "keys".to_owned(),
            "{}".to_owned(),
            Box::new(move |result| {
                drop(sender.send(result));
            }),
        );
        let result = receiver.recv()??;
        let ready = start.elapsed();
        let stats = runtime.stats();
        runtime.close();
        if round < 3 || round == 19 {
            println!(
                "round {round}: surface {:.2} ms, loaded {:.2} ms, first answer {:.2} ms, closed {:.2} ms, heap {} KiB, hit {}, {} {}",
                stats.start_ms,
                stats.load_ms,
                ready.as_secs_f64() * 1e3,
                start.elapsed().as_secs_f64() * 1e3,
                stats.heap_bytes >> 10,
                stats.bytecode_hit,
                rss().unwrap_or_default(),
                &result[..result.len().min(60)],
            );
        }
    }
    Ok(())
}
