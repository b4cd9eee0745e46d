//! npm packages against a registry on 127.0.0.1: resolution, integrity, the cache and its races, zod.

use marsh_bundle::{BundleError, Diagnostic};
use serde_json::json;
use tar::EntryType;

use crate::registry::{Registry, append, archive, publish_zod, tgz};
use crate::scratch::{Scratch, bare_worker, run};

fn scratch(registry: &Registry, source: &str) -> Scratch {
    let scratch = Scratch::with(&[("m/a.ts", source)]);
    scratch.use_registry(registry);
    scratch
}

#[track_caller]
fn only(scratch: &Scratch) -> Diagnostic {
    let mut all = scratch.diagnostics("m/a.ts");
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

fn packages(registry: &Registry, source: &str) -> Vec<String> {
    let bundled = scratch(registry, source).bundle("m/a.ts");
    bundled.meta.packages.iter().map(|package| format!("{}@{}", package.name, package.version)).collect()
}

fn module(text: &str) -> [(&str, &str); 1] {
    [("index.js", text)]
}

#[test]
fn a_package_and_what_it_depends_on() {
    let registry = Registry::start();
    registry.publish(
        "@s/top",
        "1.0.0",
        &[
            ("lib/main.mjs", "export { dep } from 'dep'; export { deep } from 'dep/deep'; export { self } from '@s/top/self'; export const top = 'TOP';"),
            ("lib/self.mjs", "export const self = 'SELF';"),
            ("lib/main.d.ts", "export const top: string;"),
        ],
        json!({ "exports": { ".": { "import": "./lib/main.mjs" }, "./self": "./lib/self.mjs" }, "dependencies": { "dep": "^1.0.0" } }),
    );
    registry.publish(
        "dep",
        "1.2.0",
        &[
            ("index.js", "exports.dep = 'DEP_1'; exports.path = require('path');"),
            ("deep.js", "exports.deep = 'DEEP';"),
        ],
        json!({}),
    );
    registry.publish("dep", "2.0.0", &module("exports.dep = 'DEP_2';"), json!({}));
    let scratch = scratch(
        &registry,
        "import * as top from 'npm:@s/top@1.0.0'; import { dep } from 'npm:dep@2'; export const model = { top, dep };",
    );
    let first = scratch.bundle("m/a.ts");
    for text in ["TOP", "SELF", "DEP_1", "DEP_2", "DEEP"] {
        assert!(first.code.contains(text), "{text}: {}", first.code);
    }
    let names: Vec<String> =
        first.meta.packages.iter().map(|one| format!("{}@{}", one.name, one.version)).collect();
    assert_eq!(names, ["@s/top@1.0.0", "dep@1.2.0", "dep@2.0.0"]);
    assert!(first.meta.packages.iter().all(|one| one.integrity.starts_with("sha512-")));
    assert!(
        !first.code.contains(&*scratch.cache().to_string_lossy()),
        "the cache's place is not in the code"
    );
    assert!(first.code.contains("//#region npm/@s+top@1.0.0-"), "{}", first.code);
    assert!(scratch.cached().iter().all(|file| !file.ends_with(".d.ts")), "{:?}", scratch.cached());

    // Again, with the registry out of reach, and after it has moved on.
    registry.publish("dep", "1.3.0", &module("exports.dep = 'DEP_NEW';"), json!({}));
    let requests = registry.requests().len();
    let mut offline = scratch.request("m/a.ts");
    offline.offline = true;
    assert_eq!(scratch.try_request(&offline).unwrap().meta, first.meta);
    assert_eq!(scratch.bundle("m/a.ts").meta, first.meta, "the recorded answer stands");
    assert_eq!(registry.requests().len(), requests, "a warm cache asks nothing");
}

#[test]
fn what_a_range_means() {
    let registry = Registry::start();
    for version in ["1.0.0", "1.1.0", "1.2.0", "2.0.0", "3.0.0-beta.1"] {
        registry.publish("p", version, &module("export default 1;"), json!({}));
    }
    registry.publish("p", "1.3.0", &module("export default 1;"), json!({ "deprecated": "broken" }));
    registry.tag("p", json!({ "latest": "2.0.0", "next": "3.0.0-beta.1" }));
    let of = |specifier: &str| {
        packages(&registry, &format!("import p from '{specifier}'; export const model = {{ p }};"))
    };
    assert_eq!(of("npm:p"), ["p@2.0.0"]);
    assert_eq!(of("npm:p@1.1"), ["p@1.1.0"]);
    assert_eq!(of("npm:p@^1.0.0"), ["p@1.2.0"], "deprecated last");
    assert_eq!(of("npm:p@next"), ["p@3.0.0-beta.1"]);
    registry.tag("p", json!({ "latest": "1.1.0" }));
    assert_eq!(of("npm:p@1"), ["p@1.1.0"], "latest is preferred where it fits");
}

#[test]
fn one_copy_serves_many_and_peers_come_along() {
    let registry = Registry::start();
    registry.publish("shared", "1.0.0", &module("export const v = 1;"), json!({}));
    registry.publish("shared", "1.5.0", &module("export const v = 1;"), json!({}));
    registry.publish("peer", "2.0.0", &module("export const v = 1;"), json!({}));
    registry.publish("native", "1.0.0", &module(""), json!({ "os": ["plan9"] }));
    registry.publish(
        "a",
        "1.0.0",
        &module("export * as s from 'shared'; export * as p from 'peer'; export const f = () => { try { return require('native') } catch { return require('never') } };"),
        json!({
            "dependencies": { "shared": "^1.0.0", "gone": "file:../x" },
            "peerDependencies": { "peer": "*", "never": "*" },
            "peerDependenciesMeta": { "never": { "optional": true } },
            "optionalDependencies": { "native": "1", "not-published": "1" }
        }),
    );
    assert_eq!(
        packages(
            &registry,
            "import * as a from 'npm:a@1'; import * as s from 'npm:shared@1.0.0'; export const model = { a, s };"
        ),
        ["a@1.0.0", "peer@2.0.0", "shared@1.0.0"]
    );
}

#[test]
fn builtins_and_the_package_of_the_same_name() {
    let registry = Registry::start();
    registry.publish("punycode", "2.0.0", &module("exports.which = 'PUNYCODE_PACKAGE';"), json!({}));
    registry.publish(
        "a",
        "1.0.0",
        &module("exports.b = require('punycode'); exports.p = require('punycode/'); exports.f = require('fs/promises');"),
        json!({ "dependencies": { "punycode": "2" } }),
    );
    let code =
        scratch(&registry, "import a from 'npm:a@1'; export const model = { a };").bundle("m/a.ts").code;
    assert!(code.contains("require(\"node:punycode\")") && code.contains("PUNYCODE_PACKAGE"), "{code}");
    assert!(code.contains("require(\"node:fs/promises\")"), "{code}");
}

#[test]
fn zod_4_stays_outside_and_is_made_once() {
    let registry = Registry::start();
    publish_zod(&registry, "4.3.6");
    registry.publish(
        "uses",
        "1.0.0",
        &module("import z from 'zod'; export const used = z.string();"),
        json!({ "type": "module", "dependencies": { "zod": "^4.0.0" } }),
    );
    registry.publish(
        "old",
        "1.0.0",
        &module("exports.old = require('zod').string();"),
        json!({ "dependencies": { "zod": "^4.0.0" } }),
    );
    let scratch = Scratch::with(&[
        ("deno.json", r#"{ "imports": { "zod": "npm:zod@4.3.6" } }"#),
        (
            "m/a.ts",
            "import { z } from 'npm:zod@4.3.6'; import zod, { ZodType } from 'zod'; import * as v4 from 'zod/v4';
             import { mini } from 'zod/mini'; import { used } from 'npm:uses@1'; import old from 'npm:old@1';
             export const model = { z, zod, ZodType, v4, mini, used, old };",
        ),
    ]);
    scratch.use_registry(&registry);
    let bundled = scratch.bundle("m/a.ts");
    let code = &bundled.code;
    assert!(!code.contains("ZOD_BODY") && code.contains("ZOD_MINI"), "{code}");
    assert!(!code.contains("'cjs'"), "require gets the same zod: {code}");
    let imports: Vec<&str> = code.lines().filter(|line| line.starts_with("import ")).collect();
    assert!(imports.iter().all(|line| line.ends_with("from \"npm:zod@4.3.6\";")), "{imports:?}");
    let [external] = bundled.meta.externals.as_slice() else { panic!("{:?}", bundled.meta.externals) };
    assert_eq!(external.specifier, "npm:zod@4.3.6");
    let text = std::fs::read_to_string(&external.path).unwrap();
    for name in ["ZOD_BODY", " as default", "string", "ZodType", " z"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(!text.contains("import "), "{text}");
    assert!(external.path.starts_with(scratch.cache().join("npm/v1/externals")));
    assert_eq!(scratch.bundle("m/a.ts").meta, bundled.meta);
}

#[test]
fn zod_3_is_bundled_in() {
    let registry = Registry::start();
    registry.publish("zod", "3.25.76", &module("export const z = 'ZOD_3';"), json!({ "type": "module" }));
    let bundled = scratch(&registry, "import { z } from 'npm:zod@3.25.76'; export const model = { z };")
        .bundle("m/a.ts");
    assert!(bundled.code.contains("ZOD_3") && bundled.meta.externals.is_empty());
}

#[test]
fn the_lock_decides_version_and_integrity() {
    let registry = Registry::start();
    let locked = registry.publish(
        "p",
        "1.0.0",
        &module("import d from 'd'; export default ['P_1', d];"),
        json!({ "type": "module", "dependencies": { "d": "*" } }),
    );
    let locked_d =
        registry.publish("d", "1.0.0", &module("export default 'D_1';"), json!({ "type": "module" }));
    registry.publish("p", "1.9.0", &module("export default 'P_9';"), json!({ "type": "module" }));
    registry.publish("d", "1.9.0", &module("export default 'D_9';"), json!({ "type": "module" }));
    let scratch = scratch(&registry, "import p from 'p'; export const model = { p };");
    scratch.write("deno.json", r#"{ "imports": { "p": "npm:p@^1.0.0" } }"#);
    for version in ["4", "5"] {
        let lock = json!({
            "version": version,
            "specifiers": { "npm:p@1": "1.0.0" },
            "npm": {
                "p@1.0.0": { "integrity": locked, "dependencies": ["d"] },
                "d@1.0.0": { "integrity": locked_d }
            }
        });
        scratch.write("deno.lock", &lock.to_string());
        let bundled = scratch.bundle("m/a.ts");
        assert!(bundled.code.contains("P_1") && bundled.code.contains("D_1"), "{}", bundled.code);
        assert_eq!(bundled.meta.warnings, Vec::<String>::new());
    }
    assert!(registry.requests().iter().all(|path| path.ends_with(".tgz")), "a lock needs no metadata");

    let lock = json!({
        "version": "5",
        "specifiers": { "npm:p@1": "1.9.0" },
        "npm": { "p@1.9.0": { "integrity": locked } }
    });
    scratch.write("deno.lock", &lock.to_string());
    let fault = only(&scratch);
    assert_eq!(fault.code.as_str(), "integrity_mismatch");
    assert!(fault.message.contains("p@1.9.0") && fault.message.contains(&locked), "{}", fault.message);
    assert_eq!((fault.file.as_deref(), fault.line, fault.column), (Some("m/a.ts"), Some(1), Some(15)));
    assert!(scratch.cached().iter().all(|file| !file.contains("p@1.9.0")), "{:?}", scratch.cached());
}

#[test]
fn what_the_lock_does_not_know_is_resolved_beside_it() {
    let registry = Registry::start();
    let locked = registry.publish("p", "1.0.0", &module("export default 1;"), json!({ "type": "module" }));
    registry.publish("p", "1.9.0", &module("export default 9;"), json!({ "type": "module" }));
    registry.publish(
        "q",
        "1.0.0",
        &module("export { default } from 'p';"),
        json!({ "type": "module", "dependencies": { "p": "1" } }),
    );
    let scratch = scratch(
        &registry,
        "import p from 'npm:p@1'; import q from 'npm:q@1'; export const model = { p, q };",
    );
    scratch.write("deno.json", "{}");
    let lock = json!({ "version": "5", "specifiers": { "npm:p@1": "1.0.0" }, "npm": { "p@1.0.0": { "integrity": locked } } });
    scratch.write("deno.lock", &lock.to_string());
    let bundled = scratch.bundle("m/a.ts");
    let names: Vec<String> =
        bundled.meta.packages.iter().map(|one| format!("{}@{}", one.name, one.version)).collect();
    assert_eq!(names, ["p@1.0.0", "q@1.0.0"], "the locked copy serves both");
    assert!(bundled.meta.warnings.iter().any(|warning| warning.contains("npm:q@1 is not in deno.lock")));
}

#[test]
fn a_package_json_project() {
    let registry = Registry::start();
    registry.publish("p", "1.2.0", &module("export default 'P_1';"), json!({ "type": "module" }));
    registry.publish("p", "2.0.0", &module("export default 'P_2';"), json!({ "type": "module" }));
    let scratch =
        scratch(&registry, "import p from 'p'; import q from 'renamed'; export const model = { p, q };");
    scratch.write("package.json", r#"{ "dependencies": { "p": "^1.0.0", "renamed": "npm:p@2.0.0" } }"#);
    let code = scratch.bundle("m/a.ts").code;
    assert!(code.contains("P_1") && code.contains("P_2"), "{code}");
}

#[test]
fn bytes_that_are_not_the_promised_ones_are_refused() {
    let registry = Registry::start();
    registry.publish("p", "1.0.0", &module("export default 1;"), json!({}));
    registry.tamper("p", "1.0.0", tgz(&[("package/index.js".into(), "export default 'EVIL';")]));
    let scratch = scratch(&registry, "\nimport p from 'npm:p@1.0.0'; export const model = { p };");
    let fault = only(&scratch);
    assert_eq!((fault.code.as_str(), fault.line, fault.column), ("integrity_mismatch", Some(2), Some(15)));
    assert!(
        fault.message.contains("p@1.0.0") && fault.message.matches("sha512-").count() == 2,
        "{}",
        fault.message
    );
    assert!(scratch.cached().iter().all(|file| file.contains("/closures/")), "{:?}", scratch.cached());
}

#[test]
fn hostile_archives_are_refused() {
    type Fill = fn(&mut crate::registry::Builder);
    let cases: [(&str, Fill); 7] = [
        ("dots", |b| append(b, "package/../../../../escaped.js", "x", EntryType::Regular, None)),
        ("absolute", |b| append(b, "/tmp/marsh-escaped.js", "x", EntryType::Regular, None)),
        ("symlink", |b| append(b, "package/link", "", EntryType::Symlink, Some("/etc"))),
        ("hardlink", |b| append(b, "package/link", "", EntryType::Link, Some("/etc/passwd"))),
        ("device", |b| append(b, "package/dev", "", EntryType::Char, None)),
        ("through-link", |b| {
            append(b, "package/d", "", EntryType::Symlink, Some("/tmp"));
            append(b, "package/d/marsh-escaped.js", "x", EntryType::Regular, None);
        }),
        ("empty", |_| {}),
    ];
    let registry = Registry::start();
    for (name, fill) in cases {
        registry.publish_archive(name, "1.0.0", archive(fill), json!({}));
        let scratch =
            scratch(&registry, &format!("import p from 'npm:{name}@1.0.0'; export const model = {{ p }};"));
        let fault = only(&scratch);
        assert_eq!((fault.code.as_str(), fault.line), ("unsafe_archive", Some(1)), "{name}: {fault:?}");
        assert!(
            scratch.cached().iter().all(|file| file.contains("/closures/")),
            "{name}: {:?}",
            scratch.cached()
        );
    }
    registry.publish_archive("garbage", "1.0.0", b"not gzip".to_vec(), json!({}));
    assert_eq!(only(&scratch(&registry, "import 'npm:garbage@1.0.0';")).code.as_str(), "unsafe_archive");
    assert!(!std::path::Path::new("/tmp/marsh-escaped.js").exists());
}

#[test]
fn metadata_with_arrays_and_strings_for_objects_are_read() {
    let registry = Registry::start();
    registry.publish("d", "1.0.0", &module("exports.d = 'D';"), json!({}));
    let odd = json!({
        "dependencies": [], "optionalDependencies": [], "peerDependencies": "", "peerDependenciesMeta": [],
        "bundleDependencies": {}, "bin": [], "scripts": [], "browser": [], "engines": ["node >= 0.4"], "os": {}
    });
    registry.publish("old", "1.0.0", &module("exports.old = 'OLD';"), odd.clone());
    registry.publish("old", "1.1.0", &module("exports.old = 'NO_ARCHIVE';"), json!({ "dist": [] }));
    registry.publish(
        "older",
        "0.1.0",
        &module("exports.older = [require('old').old, require('d').d];"),
        json!({ "dependencies": { "old": "*", "d": "1", "none": ["1.0.0"] }, "main": ["./index.js"] }),
    );
    registry.tag("old", json!([]));
    let scratch = scratch(&registry, "import older from 'npm:older'; export const model = older;");
    let code = scratch.bundle("m/a.ts").code;
    assert!(code.contains("'OLD'") || code.contains("\"OLD\""), "{code}");
    assert!(code.contains("\"D\"") && !code.contains("NO_ARCHIVE"), "{code}");
    assert_eq!(packages(&registry, "import 'npm:old';"), ["old@1.0.0"]);
}

#[test]
fn missing_packages_and_versions() {
    let registry = Registry::start();
    for version in ["1.0.0", "1.1.0", "1.10.0"] {
        registry.publish("p", version, &module(""), json!({}));
    }
    let fault = only(&scratch(&registry, "import 'npm:nope@1';"));
    assert_eq!((fault.code.as_str(), fault.line, fault.column), ("missing_package", Some(1), Some(8)));
    assert!(fault.message.contains("\"nope\""), "{}", fault.message);
    let fault = only(&scratch(&registry, "import 'npm:p@2';"));
    assert_eq!(fault.code.as_str(), "missing_package");
    assert_eq!(fault.hint.as_deref(), Some("the newest are 1.10.0, 1.1.0, 1.0.0"));
    // Of a dependency: the place is the import that leads there.
    registry.publish("q", "1.0.0", &module(""), json!({ "dependencies": { "nope": "1" } }));
    let fault = only(&scratch(&registry, "import 'npm:p@1';\nimport 'npm:q@1';"));
    assert_eq!((fault.code.as_str(), fault.line), ("missing_package", Some(2)), "{fault:?}");
}

#[test]
fn offline_says_what_is_missing() {
    let registry = Registry::start();
    registry.publish("p", "1.0.0", &module(""), json!({}));
    let scratch = scratch(&registry, "import 'npm:p@1.0.0';");
    let mut request = scratch.request("m/a.ts");
    request.offline = true;
    let Err(BundleError::Diagnostics(faults)) = scratch.try_request(&request) else { panic!() };
    assert_eq!((faults[0].code.as_str(), faults[0].line), ("offline", Some(1)));
    assert!(registry.requests().is_empty());
}

#[test]
fn a_registry_that_stumbles_is_asked_again() {
    let registry = Registry::start();
    registry.publish("p", "1.0.0", &module("export default 1;"), json!({}));
    registry.fail_next(2);
    let source = "import p from 'npm:p@1.0.0'; export const model = { p };";
    scratch(&registry, source).bundle("m/a.ts");
    registry.fail_next(100);
    let fault = only(&scratch(&registry, source));
    assert_eq!(fault.code.as_str(), "network");
    assert!(fault.message.contains("503"), "{}", fault.message);
}

#[test]
fn credentials_go_to_their_registry() {
    let registry = Registry::start();
    registry.publish("p", "1.0.0", &module("export default 1;"), json!({}));
    let scratch = scratch(&registry, "import p from 'npm:p@1.0.0'; export const model = { p };");
    let host = registry.url().replace("http:", "");
    std::fs::write(
        scratch.root().join("../home/.npmrc"),
        format!("registry={}\n{host}:_authToken=${{TOKEN_OF_TEST}}\n", registry.url()),
    )
    .unwrap();
    let worker = scratch.worker().env("TOKEN_OF_TEST", "s3cret");
    run(&worker, &scratch.request("m/a.ts")).unwrap();
    assert_eq!(registry.authorizations(), vec![Some("Bearer s3cret".to_owned()); 2], "metadata and archive");
}

/// The environment, in either spelling, outranks the file; a project's `.npmrc` outranks the user's.
#[test]
fn where_the_registry_is_configured() {
    let registry = Registry::start();
    registry.publish("p", "1.0.0", &module("export default 1;"), json!({}));
    let wrong = Registry::start();
    let source = "import p from 'npm:p@1.0.0'; export const model = { p };";
    let in_env = scratch(&wrong, source);
    for name in ["npm_config_registry", "NPM_CONFIG_REGISTRY"] {
        let worker = in_env.worker().env(name, registry.url());
        let mut request = in_env.request("m/a.ts");
        request.cache_dir = in_env.path(name);
        run(&worker, &request).unwrap();
    }
    assert!(wrong.requests().is_empty());
    let in_project = scratch(&wrong, source);
    in_project.write(".npmrc", &format!("registry={}", registry.url()));
    in_project.bundle("m/a.ts");
}

#[test]
fn many_processes_fill_one_cache() {
    let registry = Registry::start();
    publish_zod(&registry, "4.3.6");
    registry.publish(
        "p",
        "1.0.0",
        &module("export { d } from 'd';"),
        json!({ "type": "module", "dependencies": { "d": "1" } }),
    );
    registry.publish("d", "1.0.0", &module("export const d = 'D';"), json!({ "type": "module" }));
    let scratch = scratch(
        &registry,
        "import { z } from 'npm:zod@4.3.6'; import { d } from 'npm:p@1'; export const model = { z, d };",
    );
    let metas: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| scratch.bundle("m/a.ts").meta)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(metas.windows(2).all(|pair| pair[0] == pair[1]));
    let leftovers: Vec<String> = scratch.cached().into_iter().filter(|file| file.contains(".tmp-")).collect();
    assert_eq!(leftovers, Vec::<String>::new());
    let zods = std::fs::read_dir(scratch.cache().join("npm/v1/externals")).unwrap().count();
    assert_eq!(zods, 1);
}

#[test]
fn a_package_cannot_reach_out_of_its_directory() {
    let registry = Registry::start();
    let scratch = Scratch::with(&[
        ("m/a.ts", "import p from 'npm:p@1.0.0'; export const model = { p };"),
        ("secret.json", r#"{ "s": "SECRET" }"#),
    ]);
    scratch.use_registry(&registry);
    let secret = scratch.path("secret.json");
    registry.publish(
        "p",
        "1.0.0",
        &module(&format!("module.exports = require({:?});", secret.to_string_lossy())),
        json!({}),
    );
    let fault = only(&scratch);
    assert_eq!(fault.code.as_str(), "unsafe_import");
    assert!(
        fault.file.is_some_and(|file| file.ends_with("node_modules/p/index.js")) && fault.line == Some(1)
    );
}

/// The one test that needs the network: the configured registry, the real zod.
#[test]
fn real_registry_zod() {
    let scratch = Scratch::with(&[(
        "m/a.ts",
        "import { z } from 'npm:zod@4.3.6'; export const model = { type: '@x/a', version: '2026.01.01.1', globalArguments: z.object({ a: z.string() }) };",
    )]);
    let bundled = run(&bare_worker(), &scratch.request("m/a.ts")).unwrap();
    assert!(bundled.code.starts_with("import { z } from \"npm:zod@4.3.6\";"), "{}", bundled.code);
    assert!(bundled.code.len() < 1000);
    let text = std::fs::read_to_string(&bundled.meta.externals[0].path).unwrap();
    assert!(text.contains(" as default") && text.contains(" as z") && text.len() > 200_000);
}
