//! Node's builtins that the surface does not have, with the names they export: an ES import is linked by name before
//! anything runs, so a module that "throws on use" has to export them all.

/// Builtin and its exports. A builtin of Node that is neither here nor in the surface exports a default only.
const EXPORTS: &[(&str, &str)] = &[
    ("cluster", "isMaster isPrimary isWorker fork setupPrimary worker workers"),
    ("constants", ""),
    ("dgram", "Socket createSocket"),
    ("http2", "Http2ServerRequest Http2ServerResponse connect constants createSecureServer createServer"),
    ("inspector", "Session close console open url waitForDebugger"),
    (
        "path/win32",
        "basename delimiter dirname extname format isAbsolute join normalize parse relative resolve sep",
    ),
    ("repl", "REPLServer start"),
    ("test", "after afterEach before beforeEach describe it mock test"),
    ("v8", "deserialize getHeapStatistics serialize setFlagsFromString"),
    (
        "vm",
        "Module Script compileFunction createContext isContext runInContext runInNewContext runInThisContext",
    ),
    ("wasi", "WASI"),
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
