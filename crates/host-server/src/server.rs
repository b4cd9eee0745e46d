//! The loop of a host process.

use std::io::BufReader;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use marsh_host_protocol::{
    CallParams, ContextNotice, HostRequest, Initialize, Initialized, LineRead, MAX_LINE_BYTES,
    MAX_PAYLOAD_BYTES, MODULE_IDENTITY, MessageRef, MethodError, Nothing, OperationName, PROTOCOL_VERSION,
    RpcError, read_line,
};
use marsh_types::KindOperation;
use serde_json::value::RawValue;

use crate::engine::{Bridge, Engine, OpName};
use crate::engines::Engines;
use crate::modules::Modules;
use crate::output::{self, Outbox};
use crate::shim::SHIM;
use crate::watchdog::Watchdog;
use crate::{channel, identity};

/// A line's buffer beyond this is given back after the line.
const KEPT_BUFFER: usize = 1 << 20;

/// Runs the protocol until the channel ends or `shutdown` comes.
pub fn main() -> ExitCode {
    // A session of its own: Ctrl-C on the terminal reaches marsh, which cancels in order, and not the host; and every
    // process that extensions start belongs to it, so that the parent finds those of a host that died.
    if rustix::process::setsid().is_err() {
        // A host that a shell starts as the leader of a group stays in that shell's session.
    }
    widen_heap_steps();
    let channel = match channel::open() {
        Ok(channel) => channel,
        Err(error) => {
            output::log(&format!("cannot open the protocol's channel: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outbox = Arc::new(Outbox::new(channel.writer));
    let engine: Arc<dyn Engine> = Arc::new(Engines);
    let bridge: Arc<dyn Bridge> = Arc::clone(&outbox) as Arc<dyn Bridge>;
    let mut server = Server {
        modules: Modules::new(Arc::clone(&engine), Arc::clone(&bridge), None, SHIM),
        engine,
        bridge,
        outbox,
        watchdog: Watchdog::start(),
    };
    let mut input = BufReader::with_capacity(1 << 16, channel.reader);
    let mut line = Vec::new();
    loop {
        match read_line(&mut input, &mut line, MAX_LINE_BYTES) {
            Ok(LineRead::Line) => {}
            Ok(LineRead::End) | Err(_) => break,
            Ok(LineRead::TooLong) => {
                output::log("a line of the parent is too long");
                return ExitCode::FAILURE;
            }
        }
        let Ok(message) = serde_json::from_slice::<MessageRef<'_>>(&line) else {
            // Nothing sensible can follow a line that is not the protocol.
            output::log("the parent sent invalid protocol data");
            return ExitCode::FAILURE;
        };
        if server.handle(message).is_break() {
            break;
        }
        if line.capacity() > KEPT_BUFFER {
            line = Vec::new();
        }
    }
    server.modules.close();
    ExitCode::SUCCESS
}

/// Runtimes live on threads of their own, whose heaps glibc grows page by page, with a system call each: thousands of
/// calls to load a large module. The one heap that it grows in steps is that of the first thread; so that one is used by
/// all, in steps of 4 MB (2 ms of a warm method run, a fifth of the first answer of an AWS model). There is little
/// contention for it, since the engine cuts its small blocks out of large ones.
fn widen_heap_steps() {
    marsh_allocator::share_heaps(1);
    marsh_allocator::grow_in_steps(4 << 20);
}

struct Server {
    modules: Modules,
    engine: Arc<dyn Engine>,
    bridge: Arc<dyn Bridge>,
    outbox: Arc<Outbox>,
    watchdog: Watchdog,
}

impl Server {
    fn handle(&mut self, message: MessageRef<'_>) -> ControlFlow<()> {
        let Some(method) = message.method else {
            if let Some(id) = message.id {
                self.outbox.deliver(id, message.result, message.error);
            }
            return ControlFlow::Continue(());
        };
        let params = message.params.map_or("null", RawValue::get);
        let request = match HostRequest::parse(method, params) {
            Ok(request) => request,
            Err(error) => {
                self.refuse(message.id, &error);
                return ControlFlow::Continue(());
            }
        };
        match (request, message.id) {
            (HostRequest::Initialize(initialize), Some(id)) => return self.initialize(id, initialize),
            (HostRequest::Call(call), Some(id)) => self.call(id, call),
            (HostRequest::Stats(Nothing), Some(id)) => self.outbox.answer_with(id, &self.modules.stats()),
            (HostRequest::Load(module), None) => self.modules.declare(module),
            (HostRequest::Cancel(cancel), None) => self.watchdog.handle().cancel(
                &cancel.call_id,
                &cancel.reason,
                Duration::from_millis(cancel.grace_ms),
            ),
            (HostRequest::Unload(unload), None) => self.modules.unload(&unload.url),
            (HostRequest::Shutdown(Nothing), _) => return ControlFlow::Break(()),
            (HostRequest::Load(_) | HostRequest::Cancel(_) | HostRequest::Unload(_), Some(id)) => {
                let message = format!("`{method}` is a notification");
                self.outbox.answer(id, Err(RpcError { code: -32600, message, data: None }));
            }
            (HostRequest::Initialize(_) | HostRequest::Call(_) | HostRequest::Stats(_), None) => {
                output::log(&format!("`{method}` came without an id"));
            }
        }
        ControlFlow::Continue(())
    }

    fn refuse(&self, id: Option<u64>, error: &MethodError) {
        let code = match error {
            MethodError::Unknown(_) => -32601,
            MethodError::Params { .. } => -32602,
        };
        match id {
            Some(id) => {
                self.outbox.answer(id, Err(RpcError { code, message: error.to_string(), data: None }))
            }
            None => output::log(&error.to_string()),
        }
    }

    fn initialize(&mut self, id: u64, initialize: Initialize) -> ControlFlow<()> {
        let cache = initialize.bytecode_cache;
        if let Err(error) = identity::check_once(&self.engine, &self.bridge, cache.as_deref()) {
            self.outbox.answer(id, Err(output::refusal(error.to_string(), MODULE_IDENTITY)));
            return ControlFlow::Break(());
        }
        self.modules = Modules::new(Arc::clone(&self.engine), Arc::clone(&self.bridge), cache, SHIM);
        let initialized = Initialized {
            protocol_version: PROTOCOL_VERSION,
            engine: self.engine.version(),
            pid: std::process::id(),
        };
        self.outbox.answer_with(id, &initialized);
        ControlFlow::Continue(())
    }

    fn call(&self, id: u64, call: CallParams) {
        let CallParams { url, call_id, op, params, deadline_ms, announce_loaded, trace_parent } = call;
        tracing::debug!(call = call_id, operation = op.as_str(), trace_parent, "call received");
        let outbox = Arc::clone(&self.outbox);
        let watch = self.watchdog.handle();
        let ended = call_id.clone();
        let op_name = OpName::Operation(op);
        let started = self.modules.call(&url, &call_id, op_name, params.get(), move |outcome, limits| {
            let stopped = watch.ended(&ended);
            outbox.answer(id, output::finished(outcome, stopped, result_limit(op, limits.output_bytes)));
        });
        match started {
            Ok(runtime) => {
                let announces = announce_loaded || runtime.is_loading();
                let (bridge, announced) = (Arc::clone(&self.bridge), call_id.clone());
                let announce = move || {
                    if announces {
                        bridge.notice(&announced, &ContextNotice::Loaded(Nothing));
                    }
                };
                self.watchdog.handle().watch(&call_id, runtime, Duration::from_millis(deadline_ms), announce);
            }
            Err(error) => self.outbox.answer(id, Err(error.to_rpc())),
        }
    }
}

/// A result counts against the limit of the call's output. What a driver brings back is data that is stored.
fn result_limit(op: OperationName, output_bytes: u64) -> usize {
    match op {
        OperationName::Kind(KindOperation::DriverExecute) => MAX_PAYLOAD_BYTES,
        _ => usize::try_from(output_bytes).unwrap_or(usize::MAX).min(MAX_PAYLOAD_BYTES),
    }
}
