//! The embedded JavaScript runtime of marsh: QuickJS-ng with a web, Deno and node surface.
//!
//! Used only inside a host process. One [`ModuleRuntime`] is one engine runtime on a thread of its own, which runs one
//! *module version*. Calls on it interleave at their awaits.
//!
//! # The shim
//!
//! The caller supplies an ES module ([`Shim`]) that stands between the module and its calls:
//!
//! ```js
//! export function init({ namespace, externals, engineVersion }) {}   // once, after the module has been evaluated
//! export function dispatch(op, params, call) {}                      // for each call; may return a promise
//! ```
//!
//! where `call` is `{ id, signal, request(method, params), requestSync(method, params), notify(method, params) }`.
//! What `dispatch` comes to is delivered as JSON.
//!
//! # How it runs
//!
//! The thread takes one event at a time (a call to start, a completed host operation, a due timer, a cancellation),
//! runs its JavaScript, and drains the microtask queue before the next: a *slice*. Every slice has an owner, the call
//! it runs for; that is how output, children and unhandled rejections find their call. Host operations carry plain data
//! through one gate (`gate/mod.rs`), and their asynchronous halves run on other threads, so no JavaScript value is ever
//! held outside the thread.
//!
//! # What happens at the end of a call
//!
//! * Children that the call started and that still run are killed, with their process group.
//! * Timers and completions that it left behind stay where they are, and run only while some call is in flight.
//! * After [`ModuleRuntime::interrupt`], `Deno.exit` or an exhausted heap, the runtime is *tainted*: calls in flight may
//!   finish, new ones are refused, and with the last one it ends and gives its memory back.
//!
//! # Where the promises are held
//!
//! | promise | test |
//! |---|---|
//! | a call ends when interrupted, whatever it does; memory and stack limits fail one call | `tests/it/limits.rs` |
//! | whatever recurses ends at the stack limit, never at the end of the native stack | `tests/it/stack.rs` |
//! | load, call, errors, attribution, exit, rejection | `tests/it/calls.rs` |
//! | no leftover process, no growth, no abort | `tests/lifecycle.rs` |
//! | compiled code is loaded only if genuine | `tests/it/bytecode.rs` |
//! | the surface | `tests/it/{deno_files,deno_command,deno_io,web,streams,fetch,crypto,node,node_io}.rs` |
//!
//! # The surface is loaded when it is used
//!
//! A runtime starts with the global object and little else. Streams, fetch, Web Crypto and every node builtin are
//! modules of their own, compiled once per process and cached on disk, and evaluated on the first use of what they
//! define. What is foreign in them lies in `vendor/`, each file with its licence beside it.
//!
//! # The network
//!
//! Every runtime has HTTP clients of its own, and with them its connections; they end with it. Tasks that wait for the
//! network hold plain data and no JavaScript, and are dropped where they wait when their runtime goes (`host/net.rs`).
//! TLS trusts Mozilla's roots, the system's, and what `DENO_CERT`, `SSL_CERT_FILE` or `NODE_EXTRA_CA_CERTS` name.

#![warn(missing_docs)]

mod api;
mod bytecode;
mod errors;
mod gate;
mod heap;
mod hex;
mod host;
mod io;
mod loader;
mod lock;
mod mapping;
mod node_missing;
mod output;
mod runtime;
mod shared;
mod stack;
mod surface;
mod thread;
mod timers;
mod values;

pub use api::{
    Bridge, BridgeError, Code, EngineError, EngineErrorKind, External, Fetch, Limits, Location, Options,
    Reply, Shim, Source, Stats, Stream,
};
pub use gate::{
    Arg, Args, Capability, Cost, Determinism, ErrorClass, HostError, HostResult, Operation, OperationCall,
    Val, Wrapper, operations,
};
pub use mapping::MemoryView;
pub use runtime::{ModuleRuntime, Probe};
pub use surface::{engine_version, missing_builtins, surface_module};
