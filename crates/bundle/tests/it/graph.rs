//! The import graph and the fingerprint: one test per way in which a fingerprint can be blind.

use std::path::Path;

use marsh_bundle::{FileState, fingerprint, import_graph};

use crate::scratch::Scratch;

fn files(scratch: &Scratch) -> Vec<String> {
    import_graph(&scratch.path("m/a.ts"), &scratch.root()).files.iter().map(|file| file.rel.clone()).collect()
}

fn print(scratch: &Scratch) -> String {
    fingerprint(&import_graph(&scratch.path("m/a.ts"), &scratch.root()))
}

/// `import` leads from the entry to `file`, and what is in `file` matters.
#[track_caller]
fn sees(import: &str, file: &str) {
    let scratch = Scratch::with(&[("m/a.ts", import), (file, "1")]);
    assert!(files(&scratch).contains(&file.to_owned()), "{:?}", files(&scratch));
    let before = print(&scratch);
    scratch.write(file, "2");
    assert_ne!(print(&scratch), before);
}

#[test]
fn every_form_of_import_is_followed() {
    sees("import { b } from './b.ts'; export const v = b;", "m/b.ts");
    sees("import './side.ts';", "m/side.ts");
    sees("export { x } from './re.ts';", "m/re.ts");
    sees("export * from './star.ts';", "m/star.ts");
    sees("export * as ns from './star.ts';", "m/star.ts");
    sees("import data from './d.json' with { type: 'json' };", "m/d.json");
    sees("export const f = () => import('./dyn.ts');", "m/dyn.ts");
    sees("export const f = () => import(`./dyn.ts`);", "m/dyn.ts");
    sees("export const f = () => require('./old.cjs');", "m/old.cjs");
    sees("import old = require('./old.cjs'); old();", "m/old.cjs");
    sees("import { V } from './view.tsx';", "m/view.tsx");
    sees("import { b } from '../above/b.ts';", "above/b.ts");
    sees("import { type T, b } from './b.ts';", "m/b.ts");
    sees("import b from './odd%20name.ts';", "m/odd name.ts");
}

#[test]
fn what_only_looks_like_an_import_is_not_followed() {
    for text in [
        "// import './b.ts'",
        "/* import { b } from './b.ts'; */",
        "export const s = \"import './b.ts'\";",
        "export const s = `\nimport { b } from './b.ts';\n`;",
        "import type { B } from './b.ts';",
        "import { type B } from './b.ts';",
        "export type { B } from './b.ts';",
        "export type * from './b.ts';",
        "export const f = (n: string) => import(n);",
        "const t: import('./b.ts').B = 1;",
    ] {
        let scratch = Scratch::with(&[("m/a.ts", text), ("m/b.ts", "export type B = 1;")]);
        assert_eq!(files(&scratch), ["m/a.ts"], "{text}");
    }
}

#[test]
fn imports_of_imports_and_cycles() {
    let scratch = Scratch::with(&[
        ("m/a.ts", "import './b.ts'; import './c.ts';"),
        ("m/b.ts", "import './c.ts';"),
        ("m/c.ts", "import './a.ts';"),
    ]);
    assert_eq!(files(&scratch), ["m/a.ts", "m/b.ts", "m/c.ts"]);
}

#[test]
fn configuration_is_part_of_it() {
    let scratch = Scratch::with(&[("m/a.ts", "import { z } from 'zod';")]);
    let mut seen = vec![print(&scratch)];
    let mut changes = |file: &str, text: &str| {
        scratch.write(file, text);
        let now = print(&scratch);
        assert!(!seen.contains(&now), "{file} made no difference");
        seen.push(now);
    };
    changes("package.json", r#"{ "dependencies": { "zod": "4.3.5" } }"#);
    changes("package-lock.json", "{}");
    changes("deno.json", r#"{ "imports": { "zod": "npm:zod@4.3.6" } }"#);
    changes("deno.json", "{ \"imports\": { \"zod\": \"npm:zod@4.3.6\" /* same */ } }");
    changes("deno.lock", r#"{ "version": "5" }"#);
    changes("deno.lock", r#"{ "version": "4" }"#);
    changes("deno.json", r#"{ "importMap": "./map.json" }"#);
    changes("map.json", r#"{ "imports": { "zod": "npm:zod@4.3.6" } }"#);
    changes("map.json", r#"{ "imports": { "zod": "npm:zod@4.3.7" } }"#);
    changes("m/deno.jsonc", "{ /* nearer */ \"imports\": { \"zod\": \"npm:zod@4.3.6\" } }");
}

#[test]
fn configuration_above_the_root_is_not() {
    let scratch = Scratch::with(&[("m/a.ts", "import 'zod';")]);
    let inner = |scratch: &Scratch| import_graph(&scratch.path("m/a.ts"), &scratch.path("m"));
    let before = inner(&scratch);
    scratch.write("deno.json", "{}");
    assert_eq!(inner(&scratch), before);
}

#[test]
fn remote_specifiers_are_after_the_import_map_and_sorted() {
    let scratch = Scratch::with(&[
        (
            "m/a.ts",
            "import 'zod/v4'; import 'npm:left-pad@1.3.0'; import 'jsr:@std/path@1'; import 'https://example.org/x.ts';
             import 'node:fs'; import '@lib/b.ts'; import 'what'; import 'dep';",
        ),
        ("deno.jsonc", "{ \"imports\": { \"zod\": \"npm:zod@4.3.6\", \"@lib/\": \"./lib/\", } }"),
        ("package.json", r#"{ "dependencies": { "dep": "^2.0.0" } }"#),
        ("lib/b.ts", ""),
    ]);
    let graph = import_graph(&scratch.path("m/a.ts"), &scratch.root());
    assert_eq!(
        graph.remote,
        [
            "https://example.org/x.ts",
            "jsr:@std/path@1",
            "npm:dep@^2.0.0",
            "npm:left-pad@1.3.0",
            "npm:zod@4.3.6/v4",
            "what"
        ]
    );
    assert_eq!(files(&scratch), ["lib/b.ts", "m/a.ts"]);
    let config: Vec<&str> = graph.config.iter().map(|file| file.rel.as_str()).collect();
    assert_eq!(config, ["deno.jsonc", "package.json"]);
}

#[test]
fn the_place_does_not_matter_but_the_paths_inside_do() {
    let tree = [("m/a.ts", "import '../lib/b.ts';"), ("lib/b.ts", ""), ("deno.json", "{}")];
    let (one, two) = (Scratch::with(&tree), Scratch::with(&tree));
    assert_eq!(print(&one), print(&two));
    let moved = Scratch::with(&[("m/a.ts", "import '../lib/c.ts';"), ("lib/c.ts", ""), ("deno.json", "{}")]);
    assert_ne!(print(&one), print(&moved));
    // The same files, entered elsewhere.
    let cycle = Scratch::with(&[("m/a.ts", "import './b.ts';"), ("m/b.ts", "import './a.ts';")]);
    let from = |name: &str| fingerprint(&import_graph(&cycle.path(name), &cycle.root()));
    assert_ne!(from("m/a.ts"), from("m/b.ts"));
}

#[test]
fn files_outside_of_the_root_have_a_relative_path_too() {
    let scratch = Scratch::with(&[("m/a.ts", "import '../lib/b.ts';"), ("lib/b.ts", "")]);
    let graph = import_graph(&scratch.path("m/a.ts"), &scratch.path("m"));
    let rels: Vec<&str> = graph.files.iter().map(|file| file.rel.as_str()).collect();
    assert_eq!(rels, ["../lib/b.ts", "a.ts"]);
}

#[test]
fn missing_and_unreadable_files_are_states() {
    let scratch = Scratch::with(&[("m/a.ts", "import './gone.ts'; import './dir';")]);
    std::fs::create_dir(scratch.path("m/dir")).unwrap();
    let state = |name: &str| {
        let graph = import_graph(&scratch.path("m/a.ts"), &scratch.root());
        graph.files.into_iter().find(|file| file.rel == name).map(|file| file.state)
    };
    assert_eq!(state("m/gone.ts"), Some(FileState::Missing));
    assert_eq!(state("m/dir"), Some(FileState::Unreadable("is a directory".into())));
    let missing = print(&scratch);
    scratch.write("m/gone.ts", "");
    assert_ne!(print(&scratch), missing, "its coming is a change");
    std::fs::remove_file(scratch.path("m/gone.ts")).unwrap();
    assert_eq!(print(&scratch), missing);
}

#[test]
fn a_pipe_does_not_block_and_a_closed_file_is_unreadable() {
    use std::os::unix::fs::PermissionsExt;
    let scratch =
        Scratch::with(&[("m/a.ts", "import './pipe.ts'; import './closed.ts';"), ("m/closed.ts", "")]);
    let made = std::process::Command::new("mkfifo").arg(scratch.path("m/pipe.ts")).status();
    assert!(made.is_ok_and(|status| status.success()));
    std::fs::set_permissions(scratch.path("m/closed.ts"), std::fs::Permissions::from_mode(0o000)).unwrap();
    let graph = import_graph(&scratch.path("m/a.ts"), &scratch.root());
    let pipe = graph.files.iter().find(|file| file.rel == "m/pipe.ts").unwrap();
    assert_eq!(pipe.state, FileState::Unreadable("is not a regular file".into()));
    // Root reads everything.
    if std::fs::read(scratch.path("m/closed.ts")).is_err() {
        let closed = graph.files.iter().find(|file| file.rel == "m/closed.ts").unwrap();
        assert_eq!(closed.state, FileState::Unreadable("permission denied".into()));
    }
}

#[test]
fn nothing_makes_it_fail() {
    let graph = import_graph(Path::new("/nowhere/a.ts"), Path::new("/nowhere"));
    assert_eq!(graph.files.len(), 1);
    assert_eq!(fingerprint(&graph).len(), 64);
    for text in
        ["import {", "\u{0}\u{1}", "import './b.ts'; }}}", "import '';", "import '.';", "import '//x';"]
    {
        print(&Scratch::with(&[("m/a.ts", text), ("deno.json", "not json"), ("deno.lock", "[]")]));
    }
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.path("m")).unwrap();
    std::fs::write(scratch.path("m/a.ts"), [0xff, 0xfe, b'i']).unwrap();
    print(&scratch);
}
