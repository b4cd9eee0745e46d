//! Which engine the sources of an entry point ask for, by a comment or by what they use.
//!
//! Only the author's own files count. Packages import builtins of Node that they use on some paths only, such as
//! `node:http2`, and run in the embedded engine as long as these paths are not taken.

use std::path::Path;

use marsh_types::EngineKind;

use crate::config::Config;
use crate::diagnostic::{Diagnostic, DiagnosticCode, shown};
use crate::graph::Walk;
use crate::paths::absolute;
use crate::scan::scan;

/// The comment at the top of an entry point: `// marsh-engine: deno`.
const PRAGMA: &str = "marsh-engine:";

/// The builtins of Node that the embedded engine only names. A test compares them with the engine's table
/// (`crates/conformance/tests/builtins.rs`).
pub const MISSING_BUILTINS: [&str; 11] = [
    "cluster",
    "constants",
    "dgram",
    "domain",
    "http2",
    "inspector",
    "repl",
    "trace_events",
    "v8",
    "vm",
    "wasi",
];

/// What the sources ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineWish {
    /// The engine that the entry point names.
    pub declared: Option<EngineKind>,
    /// What the sources use and the embedded engine lacks or only interprets: `node:vm`, `WebAssembly`.
    pub needs: Vec<String>,
}

/// The wish of an entry point, whose local files are read now.
///
/// # Errors
/// The entry point names an unknown engine.
pub fn engine_wish_of(entry: &Path, root: &Path) -> Result<EngineWish, Diagnostic> {
    let (entry, root) = (absolute(entry), absolute(root));
    let walk = Walk::new(&entry, &Config::load(&entry, &root));
    let files = walk.files.iter().map(|(path, file)| (path.as_path(), file.source.as_str()));
    engine_wish(&entry, files, |path| shown(path, &root))
}

/// The wish of an entry point with its local files, as paths and texts.
///
/// # Errors
/// The entry point names an unknown engine.
pub(crate) fn engine_wish<'a>(
    entry: &Path,
    files: impl Iterator<Item = (&'a Path, &'a str)>,
    shown: impl Fn(&Path) -> String,
) -> Result<EngineWish, Diagnostic> {
    let mut wish = EngineWish::default();
    for (path, source) in files {
        if path == entry {
            wish.declared = declared(source).map_err(|(offset, error)| {
                Diagnostic::new(DiagnosticCode::ConfigError, error).at(shown(path), source, offset)
            })?;
        }
        let scanned = scan(source, path);
        for site in &scanned.sites {
            let name = site.specifier.strip_prefix("node:").unwrap_or(&site.specifier);
            if MISSING_BUILTINS.contains(&name) {
                wish.needs.push(format!("node:{name}"));
            }
        }
        if scanned.uses_web_assembly {
            wish.needs.push("WebAssembly".to_owned());
        }
    }
    wish.needs.sort();
    wish.needs.dedup();
    Ok(wish)
}

/// The engine that the comments at the top of a source name; an error comes with its offset.
fn declared(source: &str) -> Result<Option<EngineKind>, (usize, String)> {
    let mut offset = 0;
    for line in source.split_inclusive('\n') {
        let text = line.trim();
        let is_comment = ["//", "/*", "*", "#!"].iter().any(|start| text.starts_with(start));
        if !text.is_empty() && !is_comment {
            break;
        }
        if let Some((_, name)) = text.split_once(PRAGMA) {
            let name = name.trim().trim_end_matches("*/").trim();
            return name
                .parse()
                .map(Some)
                .map_err(|error: marsh_types::EngineError| (offset, error.to_string()));
        }
        offset += line.len();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use marsh_types::EngineKind;

    use super::{EngineWish, engine_wish};

    fn wish(source: &str) -> EngineWish {
        let path = Path::new("a.ts");
        engine_wish(path, [(path, source)].into_iter(), |_| "a.ts".into()).unwrap()
    }

    #[test]
    fn engine_in_a_comment_at_the_top_is_declared() {
        for source in
            ["// marsh-engine: deno\n", "/* marsh-engine: deno */", "#!/x\n\n/**\n * marsh-engine: deno\n */"]
        {
            assert_eq!(wish(source).declared, Some(EngineKind::Deno), "{source}");
        }
        assert_eq!(wish("// marsh-engine: embedded").declared, Some(EngineKind::Embedded));
        assert_eq!(wish("const a = 1;\n// marsh-engine: deno\n").declared, None);
    }

    #[test]
    fn unknown_engine_in_a_comment_is_an_error_with_its_line() {
        let path = Path::new("a.ts");
        let source = "// A model.\n// marsh-engine: bun\n";
        let error = engine_wish(path, [(path, source)].into_iter(), |_| "a.ts".into()).unwrap_err();
        assert_eq!(error.line, Some(2));
        assert!(error.message.contains("unknown engine `bun`"), "{}", error.message);
    }

    #[test]
    fn use_of_what_the_embedded_engine_lacks_is_a_need() {
        let source = "import vm from 'node:vm';\nimport { Worker } from 'worker_threads';\n\
                      import type { Socket } from 'node:dgram';\nimport fs from 'node:fs';\n\
                      const m = await WebAssembly.compile(bytes);\n";
        assert_eq!(wish(source).needs, ["WebAssembly", "node:vm"]);
        assert_eq!(wish("// WebAssembly\nconst a = 'node:vm';").needs, [""; 0]);
    }
}
