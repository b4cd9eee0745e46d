//! Every fault of an author has its file, line, column and source line.

use marsh_bundle::Diagnostic;

use crate::scratch::Scratch;

/// What a user sees, in one line per diagnostic.
fn shown(all: &[Diagnostic]) -> Vec<String> {
    all.iter()
        .map(|one| {
            let line = one.source_line.as_deref().unwrap_or("-").trim();
            format!("{} | {one} | {line} | {}", one.code, one.hint.as_deref().unwrap_or("-"))
        })
        .collect()
}

#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let scratch = Scratch::with(files);
    assert_eq!(shown(&scratch.diagnostics("m/a.ts")), expected);
}

#[test]
fn syntax_errors() {
    check(
        &[
            ("m/a.ts", "import './b.ts';\nexport const model = {};"),
            ("m/b.ts", "const a = 1;\nconst ü = a +;\n"),
        ],
        &["syntax_error | m/b.ts:2:14: Unexpected token | const ü = a +; | -"],
    );
    check(
        &[("m/a.ts", "export const model = {\n  a: 1\n\n")],
        &["syntax_error | m/a.ts:2:7: Expected `}` but found `EOF` | a: 1 | -"],
    );
    check(
        &[
            ("m/a.ts", "import d from './d.json' with { type: 'json' };\nexport const model = { d };"),
            ("m/d.json", "{\n  \"a\": 1,,\n}"),
        ],
        &["syntax_error | m/d.json:2:10: key must be a string at line 2 column 10 | \"a\": 1,, | -"],
    );
}

#[test]
fn missing_files() {
    let tree = [
        (
            "m/a.ts",
            "import { a } from './lib/helper';\nimport { b } from \"./lib/helpr.ts\";\nimport './lib';\nimport './lib/x.js';\nexport { c } from '../gone.ts';",
        ),
        ("m/lib/helper.ts", "export const a = 1, b = 1;"),
        ("m/lib/index.ts", ""),
        ("m/lib/x.ts", ""),
    ];
    check(
        &tree,
        &[
            "missing_file | m/a.ts:1:19: cannot find ./lib/helper imported from m/a.ts | import { a } from './lib/helper'; | did you mean `./lib/helper.ts`?",
            "missing_file | m/a.ts:2:19: cannot find ./lib/helpr.ts imported from m/a.ts | import { b } from \"./lib/helpr.ts\"; | did you mean `./lib/helper.ts`?",
            "unreadable_file | m/a.ts:3:8: cannot read ./lib imported from m/a.ts: is a directory | import './lib'; | did you mean `./lib/index.ts`?",
            "missing_file | m/a.ts:4:8: cannot find ./lib/x.js imported from m/a.ts | import './lib/x.js'; | did you mean `./lib/x.ts`?",
            "missing_file | m/a.ts:5:19: cannot find ../gone.ts imported from m/a.ts | export { c } from '../gone.ts'; | -",
        ],
    );
    check(&[], &["missing_file | m/a.ts: cannot find the entry point m/a.ts | - | -"]);
}

#[test]
fn missing_exports() {
    check(
        &[
            ("m/a.ts", "import { helper,\n  helpr } from './b.ts';\nexport const model = { helper, helpr };"),
            ("m/b.ts", "export * from './c.ts';\nexport const other = 1;"),
            ("m/c.ts", "export const helper = 1;"),
        ],
        &[
            "missing_export | m/a.ts:2:3: \"helpr\" is not exported by m/b.ts | helpr } from './b.ts'; | did you mean `helper`?",
        ],
    );
    check(
        &[
            ("m/a.ts", "import b from './b.ts';\nexport { T } from './b.ts';\nexport const model = { b };"),
            ("m/b.ts", "export const x = 1, { y, z: [w] } = f();\nexport interface T {}"),
        ],
        &[
            "missing_export | m/a.ts:1:8: \"default\" is not exported by m/b.ts | import b from './b.ts'; | it exports w, x, y",
            "missing_export | m/a.ts:2:10: \"T\" is not exported by m/b.ts | export { T } from './b.ts'; | it is a type: write `import type { T }` or `export type { T }`",
        ],
    );
}

#[test]
fn names_and_schemes() {
    check(
        &[
            ("deno.json", r#"{ "imports": { "zod": "npm:zod@4.3.6", "std": "jsr:path@1" } }"#),
            (
                "m/a.ts",
                "import 'zodd';\nimport 'left-pad/x';\nimport 'std';\nimport 'http://example.org/x.ts';\nimport 'npm:';\nimport 'bun:test';",
            ),
        ],
        &[
            "missing_package | m/a.ts:1:8: cannot import \"zodd\": nothing says which package that is | import 'zodd'; | did you mean `zod`?",
            "missing_package | m/a.ts:2:8: cannot import \"left-pad/x\": nothing says which package that is | import 'left-pad/x'; | write `npm:left-pad@<version>/x`, or map \"left-pad\" in the `imports` of a deno.json",
            "unsupported_specifier | m/a.ts:3:8: cannot import \"std\" (mapped to \"jsr:path@1\"): this is not a valid jsr: specifier | import 'std'; | write jsr:@scope/name@version or jsr:@scope/name@version/path",
            "unsupported_specifier | m/a.ts:4:8: cannot import \"http://example.org/x.ts\": modules are fetched over https, without a password in the address | import 'http://example.org/x.ts'; | write an address of https, or copy the module beside the extension",
            "unsupported_specifier | m/a.ts:5:8: cannot import \"npm:\": this is not a valid npm: specifier | import 'npm:'; | write npm:name@version or npm:@scope/name@version/path",
            "unsupported_specifier | m/a.ts:6:8: cannot import \"bun:test\": this kind of import is not supported | import 'bun:test'; | import a file, an npm: package or a node: module",
        ],
    );
}

#[test]
fn configuration() {
    let scratch = Scratch::with(&[("m/a.ts", ""), ("deno.json", "{ \"imports\": "), ("package.json", "{}")]);
    let all = scratch.diagnostics("m/a.ts");
    assert_eq!(
        (all.len(), all[0].code.as_str(), all[0].file.as_deref()),
        (1, "config_error", Some("deno.json"))
    );
    check(
        &[("m/a.ts", ""), ("deno.json", "{}"), ("deno.lock", r#"{ "version": "99" }"#)],
        &[
            "config_error | deno.lock: cannot use this lock file: version 99 is not known, only 3, 4 and 5 are | - | run `deno install` with a current Deno to renew it, or remove it",
        ],
    );
}
