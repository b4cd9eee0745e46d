//! The JavaScript modules of the surface, by name.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

macro_rules! modules {
    ($($name:literal => $file:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("js/", $file)))),*]
    };
}

static MODULES: &[(&str, &str)] = modules! {
    "marsh:core" => "core.js",
    "marsh:main" => "main.js",
    "marsh:globals" => "globals.js",
    "marsh:unsupported" => "unsupported.js",
    "marsh:errors" => "errors.js",
    "marsh:timers" => "timers.js",
    "marsh:events" => "events.js",
    "marsh:abort" => "abort.js",
    "marsh:console" => "console.js",
    "marsh:inspect" => "inspect.js",
    "marsh:text" => "text.js",
    "marsh:url" => "url.js",
    "marsh:url_pattern" => "url_pattern.js",
    "marsh:crypto" => "crypto.js",
    "marsh:subtle" => "subtle.js",
    "marsh:node_crypto_keys" => "node_crypto_keys.js",
    "marsh:cel" => "cel.js",
    "marsh:cel_js" => "../../vendor/cel_js.js",
    "marsh:clone" => "clone.js",
    "marsh:intl" => "intl.js",
    "marsh:intl_core" => "intl_core.js",
    "marsh:intl_number" => "intl_number.js",
    "marsh:intl_date" => "intl_date.js",
    "marsh:intl_plural" => "intl_plural.js",
    "marsh:intl_text" => "intl_text.js",
    "marsh:intl_locale" => "intl_locale.js",
    "marsh:intl_duration" => "intl_duration.js",
    "marsh:blob" => "blob.js",
    "marsh:streams" => "streams.js",
    "marsh:web_streams" => "../../vendor/web_streams.js",
    "marsh:body" => "body.js",
    "marsh:form_data" => "form_data.js",
    "marsh:request" => "request.js",
    "marsh:fetch" => "fetch.js",
    "marsh:headers" => "headers.js",
    "marsh:performance" => "performance.js",
    "marsh:websocket" => "websocket.js",
    "marsh:wasm" => "wasm.js",
    "marsh:deno_serve" => "deno_serve.js",
    "marsh:deno_kv" => "deno_kv.js",
    "marsh:deno" => "deno.js",
    "marsh:deno_fs" => "deno_fs.js",
    "marsh:deno_io" => "deno_io.js",
    "marsh:deno_command" => "deno_command.js",
    "node:path" => "node_path.js",
    "node:path/posix" => "node_path_posix.js",
    "node:process" => "node_process.js",
    "node:os" => "node_os.js",
    "node:fs" => "node_fs.js",
    "node:fs/promises" => "node_fs_promises.js",
    "node:events" => "node_events.js",
    "node:util" => "node_util.js",
    "node:buffer" => "node_buffer.js",
    "node:crypto" => "node_crypto.js",
    "node:url" => "node_url.js",
    "node:assert" => "node_assert.js",
    "node:assert/strict" => "node_assert_strict.js",
    "node:module" => "node_module.js",
    "node:tty" => "node_tty.js",
    "node:timers" => "node_timers.js",
    "node:timers/promises" => "node_timers_promises.js",
    "marsh:message" => "message.js",
    "marsh:buffer" => "../../vendor/buffer.js",
    "marsh:string_decoder" => "../../vendor/string_decoder.js",
    "marsh:readable_stream" => "../../vendor/readable_stream.js",
    "marsh:node_http_client" => "node_http_client.js",
    "marsh:node_http_server" => "node_http_server.js",
    "node:string_decoder" => "node_string_decoder.js",
    "node:stream" => "node_stream.js",
    "node:stream/promises" => "node_stream_promises.js",
    "node:stream/web" => "node_stream_web.js",
    "node:stream/consumers" => "node_stream_consumers.js",
    "node:zlib" => "node_zlib.js",
    "node:http" => "node_http.js",
    "node:https" => "node_https.js",
    "node:child_process" => "node_child_process.js",
    "marsh:node_util_args" => "node_util_args.js",
    "marsh:node_fs_open" => "node_fs_open.js",
    "marsh:node_fs_errors" => "node_fs_errors.js",
    "marsh:node_fs_tree" => "node_fs_tree.js",
    "node:net" => "node_net.js",
    "node:tls" => "node_tls.js",
    "node:sqlite" => "node_sqlite.js",
    "node:worker_threads" => "node_worker_threads.js",
    "node:async_hooks" => "node_async_hooks.js",
    "node:diagnostics_channel" => "node_diagnostics_channel.js",
    "node:querystring" => "node_querystring.js",
    "node:punycode" => "node_punycode.js",
    "node:readline" => "node_readline.js",
    "node:readline/promises" => "node_readline_promises.js",
    "node:perf_hooks" => "node_perf_hooks.js",
    "node:dns" => "node_dns.js",
    "node:dns/promises" => "node_dns_promises.js",
    "node:util/types" => "node_util_types.js",
};

/// Every builtin of Node; one without a module above gets a module whose use throws (`node_missing.rs`).
pub(crate) const NODE: &[&str] = &[
    "assert",
    "assert/strict",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "dns/promises",
    "domain",
    "events",
    "fs",
    "fs/promises",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "path/posix",
    "path/win32",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "readline/promises",
    "repl",
    "sqlite",
    "stream",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "string_decoder",
    "sys",
    "test",
    "timers",
    "timers/promises",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "util/types",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// The builtins of Node that the surface only names: their members throw when they are used.
pub fn missing_builtins() -> Vec<&'static str> {
    NODE.iter().copied().filter(|name| find(&format!("node:{name}")).is_none()).collect()
}

/// The source of a module of the surface that needs nothing of this engine, for another engine to run.
pub fn surface_module(name: &str) -> Option<&'static str> {
    find(name).map(|(_, code)| code)
}

pub(crate) fn find(name: &str) -> Option<(&'static str, &'static str)> {
    MODULES.iter().copied().find(|(known, _)| *known == name)
}

/// `fs` and `node:fs` are the same module; an unknown `node:` name is `None`.
pub(crate) fn node_name(name: &str) -> Option<String> {
    let bare = name.strip_prefix("node:").unwrap_or(name);
    NODE.contains(&bare).then(|| format!("node:{bare}"))
}

static SURFACE_DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for (name, code) in MODULES {
        digest.update(name);
        digest.update([0]);
        // Large vendored files name their version in their first lines; digesting all of them would slow every start.
        let digested = if code.len() > 48 << 10 { &code.as_bytes()[..256] } else { code.as_bytes() };
        digest.update(digested);
        digest.update(code.len().to_le_bytes());
    }
    crate::hex::hex(&digest.finalize())
});

/// The build that compiled code depends on: engine, binding, and the machine's word size and byte order.
pub(crate) fn engine_build() -> String {
    format!(
        "quickjs-ng {} / rquickjs 0.14.0 / {}-{}",
        quickjs_version(),
        std::env::consts::ARCH,
        if cfg!(target_endian = "little") { "le" } else { "be" }
    )
}

fn quickjs_version() -> String {
    // SAFETY: returns a pointer to a string constant inside the engine.
    let version = unsafe { std::ffi::CStr::from_ptr(rquickjs::qjs::JS_GetVersion()) };
    version.to_string_lossy().into_owned()
}

/// Engine, binding and surface in one line.
pub fn engine_version() -> String {
    format!("quickjs-ng {} / rquickjs 0.14.0 / surface {}", quickjs_version(), &SURFACE_DIGEST[..12])
}
