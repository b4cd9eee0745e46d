//! Declarations are read off the syntax tree: literals, and nothing else.

use std::path::Path;

use marsh_bundle::{Declaration, Kind, declarations};

fn all(source: &str) -> Vec<Declaration> {
    declarations(source, Path::new("m.ts")).unwrap()
}

#[track_caller]
fn one(source: &str) -> Declaration {
    let mut found = all(source);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

const BODY: &str = "{ type: '@a/b', version: '2026.01.01.1', methods: { go: {}, 'stop-it': {}, run() {} } }";

#[track_caller]
fn is_whole(source: &str) {
    let found = one(source);
    assert_eq!(found.kind, Kind::Model, "{source}");
    assert_eq!(found.name.as_deref(), Some("@a/b"), "{source}");
    assert_eq!(found.version.as_deref(), Some("2026.01.01.1"), "{source}");
    assert_eq!(
        found.methods.as_deref(),
        Some(&["go".into(), "stop-it".into(), "run".into()][..]),
        "{source}"
    );
    assert!(found.literal, "{source}");
}

#[test]
fn the_ways_to_write_a_model() {
    is_whole(&format!("export const model = {BODY};"));
    is_whole(&format!("export const model: ModelType<any> = {BODY};"));
    is_whole(&format!("export const model = {BODY} satisfies Model;"));
    is_whole(&format!("export const model = ({BODY} as const) as unknown as Model;"));
    is_whole(&format!("export let model = {BODY};"));
    is_whole(&format!("const x = {BODY}; export {{ x as model }};"));
    is_whole(&format!("const x = {BODY}; export {{ y as model }}; const y = x;"));
    is_whole(&format!("export const model = x; const x = {BODY};"));
    is_whole(&format!("/** export const model = {{ type: '@no/no' }} */ export const model = {BODY};"));
}

#[test]
fn constants_of_the_file_count() {
    let found = one("const TYPE = '@a/b'; const V = `2026.01.01.1`; const methods = { go: {} };
         export const model = { type: TYPE, version: V as string, methods };");
    assert_eq!((found.name.as_deref(), found.version.as_deref()), (Some("@a/b"), Some("2026.01.01.1")));
    assert_eq!(found.methods, Some(vec!["go".into()]));
    assert!(found.literal);
    assert!(!one("let T = '@a/b'; export const model = { type: T };").literal, "a variable may change");
    assert!(!one("const a = b; const b = a; export const model = { type: a };").literal, "a cycle ends");
}

#[test]
fn what_code_decides_is_not_literal() {
    for source in [
        "export const model = defineModel({ type: '@a/b' });",
        "export const model = { ...base, type: '@a/b' };",
        "export const model = { type: '@a/' + name };",
        "export const model = { type: `@a/${name}` };",
        "export const model = { [key]: 1, type: '@a/b' };",
        "export const model = { type: '@a/b', version: v() };",
        "export const model = { type: '@a/b', methods: { ...more } };",
        "export const model = { type: '@a/b', methods: { [name]: {} } };",
        "export const model = { get type() { return '@a/b'; } };",
        "export { model } from './other.ts';",
        "import { m } from './x.ts'; export { m as model };",
        "export class model {}",
    ] {
        let found = one(source);
        assert!(!found.literal, "{source}");
        assert_eq!(found.methods, None, "{source}");
    }
    assert_eq!(one("export const model = { type: '@a/b', ...more };").name.as_deref(), Some("@a/b"));
}

#[test]
fn all_kinds() {
    let found = all("export const extension = { type: '@a/b', methods: [{ x: {} }, { y: {}, z: {} }] };
export const vault = { type: '@v/w', name: 'W', createProvider() {} };
export const driver = { type: '@d/e' };
export const datastore = { type: '@s/t' };
export const report = { type: 'no', name: '@r/q' };
export const other = { type: '@x/y' };
export default { type: '@x/y' };");
    let kinds: Vec<Kind> = found.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Extension, Kind::Vault, Kind::Driver, Kind::Datastore, Kind::Report]);
    let names: Vec<&str> = found.iter().map(|one| one.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["@a/b", "@v/w", "@d/e", "@s/t", "@r/q"]);
    assert_eq!(found[0].methods, Some(vec!["x".into(), "y".into(), "z".into()]));
    assert!(found.iter().all(|one| one.literal));
    let lines: Vec<u32> = found.iter().map(|one| one.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5]);
}

#[test]
fn helpers_and_tests_declare_nothing() {
    assert!(all("export const models = {}; const model = {}; export type { model };").is_empty());
    assert!(all("export type model = 1; export interface vault {}").is_empty());
    assert!(all("").is_empty());
}

#[test]
fn a_syntax_error_has_its_place() {
    let fault = declarations("const a = 1;\nexport const model = {{;\n", Path::new("x/m.ts")).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.line), ("syntax_error", Some(2)));
    assert_eq!(fault.file.as_deref(), Some("x/m.ts"));
    assert_eq!(fault.source_line.as_deref(), Some("export const model = {{;"));
}
