//! Sources that nest deeper than any stack: an error with a place, in this process and in the worker.

use std::path::Path;

use marsh_bundle::{Diagnostic, declarations, dynamic_code, fingerprint, import_graph, suspicious_code};

use crate::constructs::CONSTRUCTS;
use crate::scratch::Scratch;

/// What every entry to the parser says of a source.
fn answers(source: &str, file: &str) -> [Result<(), Diagnostic>; 3] {
    let path = Path::new(file);
    [
        declarations(source, path).map(drop),
        dynamic_code(source, path).map(drop),
        suspicious_code(source, path).map(drop),
    ]
}

#[test]
fn the_sources_that_ended_the_process_are_read_or_refused() {
    for source in ["(".repeat(5_400), format!("x = {}", "{a:".repeat(4_600)), "(".repeat(60 << 10)] {
        for answer in answers(&source, "a.ts") {
            let code = answer.unwrap_err().code.to_string();
            assert!(matches!(code.as_str(), "syntax_error" | "nesting_too_deep"), "{code}");
        }
    }
}

#[test]
fn every_construct_is_refused_beyond_the_limit_with_its_place() {
    for (name, file, text) in CONSTRUCTS {
        // A list does not nest.
        if *name == "sequences" {
            continue;
        }
        let uncertain = file.ends_with('x') || name.contains("uncertain");
        let n = if uncertain { 101_000 } else { 20_100 };
        for answer in answers(&format!("const a = 1;\n{}", text(n)), file) {
            let diagnostic = answer.expect_err(name);
            assert_eq!(diagnostic.code.to_string(), "nesting_too_deep", "{name}");
            assert!(diagnostic.line >= Some(2) && diagnostic.column.is_some(), "{name}: {diagnostic}");
            assert!(diagnostic.hint.is_some(), "{name}");
        }
    }
}

#[test]
fn long_chains_and_lists_are_read() {
    let chain = |link: &str, n: usize| format!("export const x = a{};", link.repeat(n));
    for source in [
        chain("+a", 8_000),
        chain(".b", 8_000),
        chain(".b(1)", 4_000),
        chain(" ? a : a", 5_000),
        chain(", b = a", 50_000),
        format!("export const x = [{}];", "{ type: 'a', b: [1, 2 + 3], 'c': !d },".repeat(30_000)),
        format!("{};", "if (a) { b() } else ".repeat(3_000)),
        "if (a) b(); else c();\n".repeat(30_000),
        "a = b\nb.c(d)\n".repeat(30_000),
        "class A { b = 1\n c() {} }\n".repeat(9_000),
        "export function f(a: A<B, C>, b = {}) { return a < b ? /[(]{/.test(a) : `${b}` }\n".repeat(10_000),
        "a = (b) / c; d = e[0] / f / 2; if (a) /[\"'(]/.test(b);\n".repeat(20_000),
    ] {
        for answer in answers(&source, "a.ts") {
            if let Err(diagnostic) = answer {
                panic!("{diagnostic} in {}", &source[..80.min(source.len())]);
            }
        }
    }
}

#[test]
fn a_graph_with_a_source_that_nests_too_deep_has_a_fingerprint() {
    let scratch = Scratch::with(&[("a.ts", "import './deep.ts';"), ("deep.ts", &"(".repeat(60 << 10))]);
    let graph = import_graph(&scratch.path("a.ts"), &scratch.root());
    assert_eq!(graph.files.len(), 2);
    assert_eq!(fingerprint(&graph).len(), 64);
}

#[test]
fn a_bundle_of_a_source_that_nests_too_deep_names_its_place() {
    let scratch = Scratch::with(&[
        ("a.ts", "import './deep.ts';"),
        ("deep.ts", &format!("const a = 1;\nconst b = {};", "(".repeat(60 << 10))),
    ]);
    let found = scratch.diagnostics("a.ts");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code.to_string(), "nesting_too_deep");
    assert_eq!((found[0].file.as_deref(), found[0].line), (Some("deep.ts"), Some(2)));
}
