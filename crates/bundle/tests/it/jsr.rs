//! jsr packages, from the registry that npm's configuration names for the scope `@jsr`.

use marsh_bundle::{fingerprint, import_graph};
use serde_json::json;

use crate::registry::Registry;
use crate::scratch::{Scratch, run};

const SOURCE: &str = "import { join } from 'jsr:@std/path@1'; import { posix } from 'jsr:@std/path@1/posix';
export const model = { join, posix };";

/// As the jsr registry shows its packages to npm's clients.
fn registry() -> Registry {
    let registry = Registry::start();
    for version in ["1.0.0", "1.1.0"] {
        registry.publish(
            "@jsr/std__path",
            version,
            &[
                ("_dist/mod.js", &format!("import {{ deep }} from '@jsr/std__internal/deep'; export const join = ['JOIN_{version}', deep];")),
                ("_dist/posix.js", "export const posix = 'POSIX';"),
            ],
            json!({
                "type": "module",
                "exports": { ".": { "default": "./_dist/mod.js" }, "./posix": { "default": "./_dist/posix.js" } },
                "dependencies": { "@jsr/std__internal": "^1.0.0" }
            }),
        );
    }
    registry.publish(
        "@jsr/std__internal",
        "1.0.9",
        &[("deep.js", "export const deep = 'DEEP';")],
        json!({ "type": "module", "exports": { "./deep": "./deep.js" } }),
    );
    registry
}

fn scratch(registry: &Registry) -> Scratch {
    let scratch = Scratch::with(&[("m/a.ts", SOURCE)]);
    scratch.write(".npmrc", &format!("@jsr:registry={}\n", registry.url()));
    scratch
}

#[test]
fn a_package_with_paths_in_it_and_what_it_depends_on() {
    let registry = registry();
    let scratch = scratch(&registry);
    let first = scratch.bundle("m/a.ts");
    for text in ["JOIN_1.1.0", "POSIX", "DEEP"] {
        assert!(first.code.contains(text), "{text}: {}", first.code);
    }
    let names: Vec<&str> = first.meta.packages.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["@jsr/std__internal", "@jsr/std__path"]);
    assert!(first.meta.packages.iter().all(|one| one.integrity.starts_with("sha512-")));
    let asked = registry.requests().len();
    let mut offline = scratch.request("m/a.ts");
    offline.offline = true;
    assert_eq!(scratch.try_request(&offline).unwrap().meta, first.meta);
    assert_eq!(registry.requests().len(), asked, "a warm cache asks nothing");
}

#[test]
fn the_lock_decides_the_version() {
    let registry = registry();
    let scratch = scratch(&registry);
    scratch.write("deno.json", r#"{ "imports": { "path": "jsr:@std/path@1" } }"#);
    scratch.write("m/a.ts", "import { join } from 'path'; import { posix } from 'path/posix'; export const model = { join, posix };");
    let lock = json!({
        "version": "5",
        "specifiers": { "jsr:@std/path@1": "1.0.0", "jsr:@std/internal@^1.0.0": "1.0.9" },
        "jsr": {
            "@std/path@1.0.0": { "integrity": "00", "dependencies": ["jsr:@std/internal"] },
            "@std/internal@1.0.9": { "integrity": "00" }
        }
    });
    scratch.write("deno.lock", &lock.to_string());
    let bundled = scratch.bundle("m/a.ts");
    assert!(bundled.code.contains("JOIN_1.0.0") && bundled.code.contains("DEEP"), "{}", bundled.code);
    assert_eq!(bundled.meta.warnings, Vec::<String>::new());
}

#[test]
fn the_environment_can_name_the_registry() {
    let registry = registry();
    let scratch = Scratch::with(&[("m/a.ts", SOURCE)]);
    let worker = scratch.worker().env("npm_config_@jsr:registry", registry.url());
    assert!(run(&worker, &scratch.request("m/a.ts")).unwrap().code.contains("JOIN_1.1.0"));
}

#[test]
fn without_a_registry_no_request_is_made() {
    let registry = registry();
    let scratch = Scratch::with(&[("m/a.ts", SOURCE)]);
    scratch.use_registry(&registry);
    let all = scratch.diagnostics("m/a.ts");
    let shown: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(all.len(), 1, "{shown:#?}");
    assert_eq!((all[0].code.as_str(), all[0].line), ("config_error", Some(1)));
    assert!(all[0].message.starts_with("jsr:@std/path cannot be fetched"), "{}", all[0].message);
    assert!(all[0].hint.as_deref().unwrap_or_default().contains("@jsr:registry="), "{:?}", all[0].hint);
    // A lock does not change that, and the import that needs the package is still the one that is shown.
    scratch.write("deno.json", "{}");
    let lock = r#"{ "version": "5", "specifiers": { "jsr:@std/path@1": "1.0.0" }, "jsr": { "@std/path@1.0.0": {} } }"#;
    scratch.write("deno.lock", lock);
    let all = scratch.diagnostics("m/a.ts");
    assert_eq!((all.len(), all[0].code.as_str(), all[0].line), (1, "config_error", Some(1)));
    assert_eq!(registry.requests(), Vec::<String>::new());
}

#[test]
fn the_fingerprint_covers_it() {
    let of = |specifier: &str| {
        let scratch = Scratch::with(&[("m/a.ts", &format!("import '{specifier}';"))]);
        let graph = import_graph(&scratch.path("m/a.ts"), &scratch.root());
        assert_eq!(graph.remote, [specifier]);
        // The file's own content is taken out of the comparison.
        let mut graph = graph;
        graph.files.clear();
        fingerprint(&graph)
    };
    assert_ne!(of("jsr:@std/path@1"), of("jsr:@std/path@2"));
}
