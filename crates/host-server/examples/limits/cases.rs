//! What an extension can do wrong, and what each must end with. One module version a case, in a host of all of them.

use std::time::Duration;

use marsh_host_client::{ErrorKind, Limits};

/// What a call ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Ok,
    Error(ErrorKind),
}

pub struct Case {
    pub name: &'static str,
    /// The body of the method, an async function of `(args, ctx)`; `PORT` is a server that never answers.
    pub body: &'static str,
    pub ends: Ending,
    /// What its message has to say.
    pub says: &'static str,
    pub deadline: Duration,
}

/// Small enough that four hundred bombs are quick; the mechanism is that of any other size.
pub const LIMITS: Limits = Limits { memory_bytes: 32 << 20, stack_bytes: 1 << 20, output_bytes: 64 << 10 };

/// For what has to end by itself, long before.
const LONG: Duration = Duration::from_secs(60);
/// For what only its deadline ends.
const SHORT: Duration = Duration::from_millis(50);

const fn ended_by_deadline(name: &'static str, body: &'static str) -> Case {
    let ends = Ending::Error(ErrorKind::Deadline);
    Case { name, body, ends, says: "within 50 ms", deadline: SHORT }
}

const fn fails(name: &'static str, kind: ErrorKind, says: &'static str, body: &'static str) -> Case {
    Case { name, body, ends: Ending::Error(kind), says, deadline: LONG }
}

const fn succeeds(name: &'static str, body: &'static str) -> Case {
    Case { name, body, ends: Ending::Ok, says: "", deadline: LONG }
}

pub const CASES: &[Case] = &[
    ended_by_deadline("endless loop", "for (;;) {}"),
    ended_by_deadline(
        "endless loop that catches",
        "for (;;) { try { for (;;) {} } catch {} finally { continue; } }",
    ),
    ended_by_deadline("endless microtasks", "for (;;) await null;"),
    ended_by_deadline(
        "endless promise chain",
        "const again = () => Promise.resolve().then(again); await again();",
    ),
    ended_by_deadline("endless timers", "await new Promise(() => { setInterval(() => {}, 0); });"),
    ended_by_deadline("nothing ever happens", "await new Promise(() => {});"),
    ended_by_deadline("regular-expression blow-up", "/^(a+)+$/.test('a'.repeat(64) + 'b');"),
    ended_by_deadline(
        "waiting in a host operation",
        "new Deno.Command('sleep', { args: ['600'] }).outputSync();",
    ),
    fails("deep recursion", ErrorKind::StackOverflow, "call stack", "const f = () => f() + 1; f();"),
    fails(
        "deep recursion through host operations",
        ErrorKind::StackOverflow,
        "call stack",
        "const f = () => { try { Deno.statSync('/none'); } catch {} f(); }; f();",
    ),
    fails("deep JSON", ErrorKind::StackOverflow, "call stack", "JSON.parse('['.repeat(1e6));"),
    fails("deep source text", ErrorKind::StackOverflow, "call stack", "new Function('['.repeat(1e5));"),
    fails(
        "memory bomb",
        ErrorKind::OutOfMemory,
        "out of memory",
        "const all = []; for (;;) all.push({ n: all.length });",
    ),
    fails(
        "memory bomb that catches",
        ErrorKind::OutOfMemory,
        "out of memory",
        "const all = []; for (;;) try { for (;;) all.push(new Array(100).fill(1)); } catch {}",
    ),
    fails(
        "buffer bomb",
        ErrorKind::OutOfMemory,
        "out of memory",
        "const all = []; for (;;) all.push(new Uint8Array(1 << 16));",
    ),
    fails("huge string", ErrorKind::OutOfMemory, "out of memory", "return 'x'.repeat(2 ** 29).length;"),
    fails("huge array buffer", ErrorKind::OutOfMemory, "", "return new Uint8Array(2 ** 40).length;"),
    fails("string that doubles", ErrorKind::OutOfMemory, "too long", "let s = 'x'; for (;;) s += s + 'y';"),
    ended_by_deadline("output flood", "for (;;) console.log('x'.repeat(1000));"),
    ended_by_deadline("log flood", "for (;;) ctx.logger.info('x'.repeat(1000));"),
    ended_by_deadline(
        "output flood of a child",
        "await new Deno.Command('yes', { stdout: 'inherit' }).spawn().status;",
    ),
    ended_by_deadline(
        "output flood of a child, in one line",
        "await new Deno.Command('cat', { args: ['/dev/zero'], stdout: 'inherit' }).spawn().status;",
    ),
    fails(
        "captured flood of a child",
        ErrorKind::Threw,
        "more than the memory limit",
        "await new Deno.Command('yes').output();",
    ),
    ended_by_deadline(
        "fork flood",
        "const all = []; for (let i = 0; i < 8; i++) all.push(new Deno.Command('sh', { args: ['-c', 'for i in 1 2 3; do sleep 600 & done; wait'] }).output()); await Promise.all(all);",
    ),
    fails(
        "exit in a callback",
        ErrorKind::Exit,
        "Deno.exit(3)",
        "setTimeout(() => Deno.exit(3), 0); await new Promise(() => {});",
    ),
    fails(
        "exit of Node",
        ErrorKind::Exit,
        "exit(4)",
        "queueMicrotask(() => process.exit(4)); await new Promise(() => {});",
    ),
    fails(
        "error in a callback",
        ErrorKind::Threw,
        "in a callback",
        "setTimeout(() => { throw new Error('in a callback'); }, 0); await new Promise(() => {});",
    ),
    fails(
        "rejection without a handler",
        ErrorKind::UnhandledRejection,
        "lost",
        "Promise.reject(new Error('lost')); await new Promise(() => {});",
    ),
    // Of a returned handle, only name and id leave the host.
    succeeds(
        "deep result",
        "let v = []; for (let i = 0; i < 500; i++) v = [v]; return { dataHandles: [{ name: 'x', v }] };",
    ),
    fails(
        "deep request",
        ErrorKind::Threw,
        "deeper than",
        "let v = []; for (let i = 0; i < 500; i++) v = [v]; await ctx.readModelData('x', v);",
    ),
    succeeds("rejection after return", "setTimeout(() => Promise.reject(new Error('late')), 0); return {};"),
    succeeds(
        "timers pending at the end",
        "setInterval(() => {}, 1); setTimeout(() => {}, 1e9); AbortSignal.timeout(1e9);",
    ),
    succeeds(
        "requests pending at the end",
        "fetch('http://127.0.0.1:PORT/').catch(() => {}); Deno.connect({ port: PORT }).then((conn) => conn.read(new Uint8Array(1)));",
    ),
    ended_by_deadline("request without an answer", "await fetch('http://127.0.0.1:PORT/');"),
    succeeds(
        "children running at the end",
        "for (let i = 0; i < 4; i++) new Deno.Command('sleep', { args: ['600'] }).spawn();",
    ),
    succeeds(
        "children that ignore signals",
        "new Deno.Command('sh', { args: ['-c', \"trap '' TERM INT HUP; while :; do sleep 600; done\"] }).spawn();",
    ),
];

/// As the error says it on the wire.
pub fn ending(ends: Ending) -> String {
    match ends {
        Ending::Ok => "success".to_owned(),
        Ending::Error(kind) => serde_json::to_value(kind)
            .ok()
            .and_then(|kind| Some(kind.as_str()?.to_owned()))
            .unwrap_or_default(),
    }
}
