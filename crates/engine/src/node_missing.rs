//! Node's builtins that the surface does not have, with the names they export: an ES import is linked by name before
//! anything runs, so a module that "throws on use" has to export them all.

/// Builtin and its exports. A builtin of Node that is neither here nor in the surface exports a default only.
const EXPORTS: &[(&str, &str)] = &[
    (
        "async_hooks",
        "AsyncLocalStorage AsyncResource createHook executionAsyncId executionAsyncResource triggerAsyncId",
    ),
    ("child_process", "ChildProcess exec execFile execFileSync execSync fork spawn spawnSync"),
    ("cluster", "isMaster isPrimary isWorker fork setupPrimary worker workers"),
    ("constants", ""),
    ("dgram", "Socket createSocket"),
    ("diagnostics_channel", "Channel channel hasSubscribers subscribe tracingChannel unsubscribe"),
    (
        "dns",
        "Resolver getServers lookup lookupService promises resolve resolve4 resolve6 resolveCname resolveMx resolveNs \
         resolveSrv resolveTxt reverse setDefaultResultOrder setServers",
    ),
    (
        "dns/promises",
        "Resolver getServers lookup resolve resolve4 resolve6 resolveMx resolveSrv resolveTxt reverse",
    ),
    (
        "http",
        "Agent ClientRequest IncomingMessage METHODS OutgoingMessage STATUS_CODES Server ServerResponse createServer get \
         globalAgent maxHeaderSize request validateHeaderName validateHeaderValue",
    ),
    ("http2", "Http2ServerRequest Http2ServerResponse connect constants createSecureServer createServer"),
    ("https", "Agent Server createServer get globalAgent request"),
    ("inspector", "Session close console open url waitForDebugger"),
    (
        "net",
        "BlockList Server Socket SocketAddress Stream connect createConnection createServer isIP isIPv4 isIPv6 \
         setDefaultAutoSelectFamily",
    ),
    (
        "path/win32",
        "basename delimiter dirname extname format isAbsolute join normalize parse relative resolve sep",
    ),
    ("perf_hooks", "PerformanceObserver constants createHistogram monitorEventLoopDelay performance"),
    ("punycode", "decode encode toASCII toUnicode ucs2 version"),
    ("querystring", "decode encode escape parse stringify unescape"),
    (
        "readline",
        "Interface clearLine clearScreenDown createInterface cursorTo emitKeypressEvents moveCursor promises",
    ),
    ("readline/promises", "Interface Readline createInterface"),
    ("repl", "REPLServer start"),
    (
        "stream",
        "Duplex PassThrough Readable Stream Transform Writable addAbortSignal compose finished isReadable pipeline \
         promises",
    ),
    ("stream/consumers", "arrayBuffer blob buffer json text"),
    ("stream/promises", "finished pipeline"),
    (
        "stream/web",
        "ByteLengthQueuingStrategy CompressionStream CountQueuingStrategy DecompressionStream ReadableStream \
         TextDecoderStream TextEncoderStream TransformStream WritableStream",
    ),
    ("string_decoder", "StringDecoder"),
    ("test", "after afterEach before beforeEach describe it mock test"),
    ("tls", "Server TLSSocket checkServerIdentity connect createSecureContext createServer rootCertificates"),
    ("util/types", "isDate isMap isPromise isProxy isRegExp isSet isTypedArray isUint8Array"),
    ("v8", "deserialize getHeapStatistics serialize setFlagsFromString"),
    (
        "vm",
        "Module Script compileFunction createContext isContext runInContext runInNewContext runInThisContext",
    ),
    ("wasi", "WASI"),
    (
        "worker_threads",
        "BroadcastChannel MessageChannel MessagePort Worker isMainThread parentPort resourceLimits threadId workerData",
    ),
    (
        "zlib",
        "brotliCompress brotliCompressSync brotliDecompress brotliDecompressSync constants createBrotliDecompress \
         createDeflate createGunzip createGzip createInflate crc32 deflate deflateRaw deflateRawSync deflateSync gunzip \
         gunzipSync gzip gzipSync inflate inflateRaw inflateRawSync inflateSync unzip unzipSync",
    ),
];

/// The source of a module that can be imported, whole or by member, and throws when a member is used.
pub(crate) fn module(name: &str) -> String {
    let bare = name.strip_prefix("node:").unwrap_or(name);
    let names = EXPORTS.iter().find(|(known, _)| *known == bare).map_or("", |(_, names)| *names);
    let mut code =
        format!("import {{ missingModule }} from 'marsh:unsupported';\nconst m = missingModule({name:?});\n");
    code.push_str("export default m;\n");
    for export in names.split_whitespace() {
        code.push_str(&format!("export const {export} = m.{export};\n"));
    }
    code
}
