//! jsr packages: from jsr's own registry, or from the one that npm's configuration names for the scope `@jsr`.

use marsh_bundle::{fingerprint, import_graph};
use serde_json::json;

use crate::registry::Registry;
use crate::scratch::{Scratch, run};
use crate::web::Web;

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

/// jsr's own registry: two packages, one of which imports the other.
fn own_registry() -> (Web, String) {
    let web = Web::start();
    let file = |id: &str, path: &str, text: &str| {
        let digest = web.put(&format!("/{id}{path}"), "application/typescript", text);
        (path.to_owned(), json!({ "size": text.len(), "checksum": format!("sha256-{digest}") }))
    };
    let mut manifest = String::new();
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        let id = format!("@std/path/{version}");
        let files: serde_json::Map<String, serde_json::Value> = [
            file(&id, "/mod.ts", &format!("import {{ deep }} from 'jsr:@std/internal@^1.0.0/deep'; export {{ posix }} from './posix/mod.ts'; export const join = ['JOIN_{version}', deep] as const;")),
            file(&id, "/posix/mod.ts", "export const posix: string = 'POSIX';"),
        ]
        .into_iter()
        .collect();
        let meta = json!({ "manifest": files, "exports": { ".": "./mod.ts", "./posix": "./posix/mod.ts" } });
        manifest = web.put(&format!("/@std/path/{version}_meta.json"), "application/json", &meta.to_string());
    }
    let files: serde_json::Map<String, serde_json::Value> =
        [file("@std/internal/1.0.9", "/deep.ts", "export const deep = 'DEEP';")].into_iter().collect();
    let meta = json!({ "manifest": files, "exports": { "./deep": "./deep.ts" } });
    web.put("/@std/internal/1.0.9_meta.json", "application/json", &meta.to_string());
    let versions = json!({ "1.0.0": {}, "1.1.0": {}, "1.2.0": { "yanked": true } });
    web.put(
        "/@std/path/meta.json",
        "application/json",
        &json!({ "scope": "std", "name": "path", "latest": "1.1.0", "versions": versions }).to_string(),
    );
    web.put(
        "/@std/internal/meta.json",
        "application/json",
        &json!({ "versions": { "1.0.9": {} } }).to_string(),
    );
    (web, manifest)
}

#[test]
fn without_configuration_jsr_s_own_registry_is_asked() {
    let (web, _) = own_registry();
    let scratch = Scratch::with(&[("m/a.ts", SOURCE)]);
    let worker = || scratch.worker().env("JSR_URL", web.url(""));
    let first = run(&worker(), &scratch.request("m/a.ts")).unwrap();
    for text in ["JOIN_1.1.0", "POSIX", "DEEP"] {
        assert!(first.code.contains(text), "{text}: {}", first.code);
    }
    let names: Vec<String> =
        first.meta.packages.iter().map(|one| format!("{}@{}", one.name, one.version)).collect();
    assert_eq!(names, ["@jsr/std__internal@1.0.9", "@jsr/std__path@1.1.0"]);
    assert!(first.meta.packages.iter().all(|one| one.integrity.starts_with("sha256-")));
    assert_eq!((first.meta.modules.len(), first.meta.warnings.len()), (0, 0));
    // The choice stands, whatever is published since, and offline.
    web.put("/@std/path/meta.json", "application/json", r#"{ "versions": { "1.0.0": {} } }"#);
    let asked = web.requests().len();
    let mut offline = scratch.request("m/a.ts");
    offline.offline = true;
    assert_eq!(run(&worker(), &offline).unwrap().meta, first.meta);
    assert_eq!(web.requests().len(), asked);
}

#[test]
fn the_lock_decides_the_version_and_the_manifest() {
    let (web, manifest) = own_registry();
    let scratch = Scratch::with(&[("deno.json", "{}"), ("m/a.ts", SOURCE)]);
    let lock = |integrity: &str| {
        let lock = json!({
            "version": "5",
            "specifiers": { "jsr:@std/path@1": "1.2.0", "jsr:@std/internal@^1.0.0": "1.0.9" },
            "jsr": { "@std/path@1.2.0": { "integrity": integrity }, "@std/internal@1.0.9": {} }
        });
        scratch.write("deno.lock", &lock.to_string());
        run(&scratch.worker().env("JSR_URL", web.url("/")), &scratch.request("m/a.ts"))
    };
    let bundled = lock(&manifest).unwrap();
    assert!(bundled.code.contains("JOIN_1.2.0"), "withdrawn, and still what is locked");
    assert_eq!(bundled.meta.warnings, Vec::<String>::new());
    let error = lock(&"0".repeat(64)).unwrap_err().to_string();
    assert!(error.contains("/@std/path/1.2.0_meta.json is not what was expected"), "{error}");
}

#[test]
fn a_file_that_is_not_the_one_of_the_manifest_is_refused() {
    let (web, _) = own_registry();
    web.put("/@std/path/1.1.0/posix/mod.ts", "application/typescript", "export const posix = 'EVIL';");
    let scratch = Scratch::with(&[("m/a.ts", SOURCE)]);
    let worker = scratch.worker().env("JSR_URL", web.url("/"));
    let error = run(&worker, &scratch.request("m/a.ts")).unwrap_err().to_string();
    assert!(error.contains("posix/mod.ts is not what was expected") && error.contains("manifest"), "{error}");
}

#[test]
fn what_the_registry_has_not_is_named() {
    let (web, _) = own_registry();
    let scratch = Scratch::new();
    let of = |specifier: &str| {
        scratch.write("m/a.ts", &format!("import '{specifier}';\nexport const model = 1;"));
        let worker = scratch.worker().env("JSR_URL", web.url("/"));
        run(&worker, &scratch.request("m/a.ts")).unwrap_err().to_string()
    };
    assert_eq!(of("jsr:@std/none@1"), "m/a.ts:1:8: the registry has no jsr package \"@std/none\"");
    assert_eq!(of("jsr:@std/path@7"), "m/a.ts:1:8: jsr package \"@std/path\" has no version that matches 7");
    assert_eq!(of("jsr:@std/path@1/posx"), "m/a.ts:1:8: jsr package @std/path@1.1.0 has no module \"posx\""); // spelling: on purpose
    let worker = scratch.worker().env("JSR_URL", "http://registry.example/");
    let error = run(&worker, &scratch.request("m/a.ts")).unwrap_err().to_string();
    assert!(error.contains("JSR_URL is \"http://registry.example/\""), "{error}");
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
