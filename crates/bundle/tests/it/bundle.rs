//! Bundling what is on disk: TypeScript, JSON, import maps, one module out.

use crate::scratch::Scratch;

const MODEL: &str = "export const model = { type: '@x/a', version: '2026.01.01.1', v: value };";

#[test]
fn local_modules_json_and_dynamic_imports_become_one_module() {
    let scratch = Scratch::with(&[
        (
            "m/a.ts",
            "import { add } from './lib/add.ts';
             import type { Gone } from './types-that-do-not-exist.ts';
             import data from '../data.json' with { type: 'json' };
             import { readFile } from 'node:fs/promises';
             enum Color { Red = 'RED' }
             const lazy = () => import('./lib/lazy.ts');
             const value: [Gone, unknown] = [add(data.n, 1), lazy, readFile, Color.Red] as never;
             export const model = { type: '@x/a', value };",
        ),
        (
            "m/lib/add.ts",
            "export const add = (a: number, b: number): number => a + b;\nexport const unused = 'UNUSED';",
        ),
        ("m/lib/lazy.ts", "export const late = 'LATE';"),
        ("data.json", r#"{ "n": 41 }"#),
    ]);
    let bundled = scratch.bundle("m/a.ts");
    assert_eq!(bundled.meta.entry, "m/a.ts");
    let code = &bundled.code;
    assert!(code.contains("LATE") && code.contains("41") && code.contains("RED"), "{code}");
    assert!(!code.contains("UNUSED"), "dead code goes: {code}");
    assert!(!code.contains(": number") && !code.contains("./lib"), "{code}");
    assert!(code.contains("from \"node:fs/promises\""), "{code}");
    assert!(code.contains("export { model }"), "{code}");
    assert!(bundled.meta.externals.is_empty() && bundled.meta.packages.is_empty());
    assert_eq!(bundled.meta.warnings, Vec::<String>::new());
    assert_eq!(scratch.cached(), Vec::<String>::new(), "no packages, no cache");
}

#[test]
fn names_through_import_maps_scopes_and_package_imports() {
    let scratch = Scratch::with(&[
        ("deno.jsonc", "{ // comment\n \"importMap\": \"./maps/map.json\", }"),
        (
            "maps/map.json",
            r#"{ "imports": { "@lib/": "../lib/", "./m/swap.ts": "../lib/real.ts", "util": "node:util" },
                 "scopes": { "../lib/": { "@lib/": "../inner/" } } }"#,
        ),
        (
            "m/a.ts",
            &format!(
                "import {{ one }} from '@lib/one.ts'; import {{ real }} from './swap.ts'; import util from 'util'; const value = [one, real, util]; {MODEL}"
            ),
        ),
        ("lib/one.ts", "import { two } from '@lib/two.ts'; export const one = ['ONE', two];"),
        ("lib/real.ts", "export const real = 'REAL';"),
        ("inner/two.ts", "export const two = 'TWO';"),
    ]);
    let map = std::fs::read_to_string(scratch.path("maps/map.json"))
        .unwrap()
        .replace("./m/swap.ts", "../m/swap.ts");
    scratch.write("maps/map.json", &map);
    let code = scratch.bundle("m/a.ts").code;
    assert!(code.contains("ONE") && code.contains("TWO") && code.contains("REAL"), "{code}");
    assert!(code.contains("from \"node:util\""), "{code}");
}

#[test]
fn the_same_tree_elsewhere_gives_the_same_bytes() {
    let tree = [
        ("m/a.ts", "import { b } from '../lib/b.ts'; export const model = { b };"),
        ("lib/b.ts", "export const b = 1;"),
    ];
    let (one, two) = (Scratch::with(&tree), Scratch::with(&tree));
    assert_eq!(one.bundle("m/a.ts").meta, two.bundle("m/a.ts").meta);
}

#[test]
fn names_of_functions_survive() {
    let scratch = Scratch::with(&[
        (
            "m/a.ts",
            "import { run as r } from './b.ts'; function run() {} export const model = { n: [run.name, r.name], run, r };",
        ),
        ("m/b.ts", "export function run() {}"),
    ]);
    let code = scratch.bundle("m/a.ts").code;
    assert!(code.contains("__name(run$1, \"run\")") || code.contains("\"run\""), "{code}");
}

#[test]
fn a_tsconfig_does_not_change_the_result() {
    let scratch = Scratch::with(&[
        ("m/a.ts", "import { b } from './b.ts'; export class A { f = b } export const model = { A };"),
        ("m/b.ts", "export const b = 1;"),
    ]);
    let plain = scratch.bundle("m/a.ts").code;
    scratch.write("tsconfig.json", r#"{ "compilerOptions": { "useDefineForClassFields": false, "target": "es5", "paths": { "./b.ts": ["./c.ts"] } } }"#);
    scratch.write("m/tsconfig.json", "{ not json");
    assert_eq!(scratch.bundle("m/a.ts").code, plain);
}

#[test]
fn common_js_in_a_source_tree() {
    let scratch = Scratch::with(&[
        ("m/a.ts", "import legacy from './legacy.cjs'; export const model = { legacy };"),
        ("m/legacy.cjs", "const fs = require('fs'); module.exports = { answer: 'CJS', fs };"),
    ]);
    let code = scratch.bundle("m/a.ts").code;
    assert!(code.contains("CJS") && code.contains("node:fs"), "{code}");
    assert!(!code.contains("createRequire"), "the host provides require: {code}");
}

#[test]
fn a_raw_nul_in_a_literal_or_a_comment_is_bundled() {
    let source = "// @\nimport { lib } from './lib.js'; /* @ */
        export const model = { type: '@x/a', v: ['a@b', `a@${1}`, /[@-\\x1f]/, lib] };"
        .replace("@\n", "\0\n")
        .replace(" @ ", " \0 ")
        .replace("a@", "a\0")
        .replace("[@", "[\0");
    let scratch = Scratch::with(&[("m/a.ts", &source), ("m/lib.js", "export const lib = /\0/;")]);
    let code = scratch.bundle("m/a.ts").code;
    assert!(code.contains("x1f"), "{code}");
    let scratch = Scratch::with(&[("m/a.ts", "export const model = 1;\n\0")]);
    let fault = &scratch.diagnostics("m/a.ts")[0];
    assert_eq!((fault.code.as_str(), fault.line), ("syntax_error", Some(2)), "{fault}");
}
