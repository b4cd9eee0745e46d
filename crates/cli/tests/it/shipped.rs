//! Bundles that an archive brings along: used when they are of the installed sources, refused when they are not what the
//! archive's record says, and otherwise as if they were not there.

use marsh_testkit::{ExtensionRegistry, Package, Run, Scratch};
use serde_json::{Value, json};

use crate::support::{LOCKFILE, OUTPUTS, V1, V2, extension, method, model, package, repo, repo_of};

const ZONE: &str = "@acme/dns/zone";
/// What the shipped bundle says of itself, unlike its source.
const SHIPPED: &str = "2026.09.09.1";
const BUNDLES: &str = ".swamp/marsh/v1/bundles";

/// Publishes `@acme/dns` with one type that needs zod and a file beside it.
fn publisher(more: &[&str]) -> (Scratch, Value) {
    let repo = repo();
    repo.marsh(&["registry", "init", "registry"]).ok();
    let registry = repo.path("registry");
    let repo = repo.env("MARSH_REGISTRY", registry.into_os_string());
    let body = "await context.writeResource('out', 'answer', { answer: shown('one') });";
    let source = model(ZONE, &format!("{OUTPUTS} {}", method("run", body)));
    repo.write("extensions/models/zone.ts", format!("import {{ shown }} from \"./lib/shown.ts\";\n{source}"));
    repo.write("extensions/models/lib/shown.ts", "export const shown = (text: string) => text;\n");
    repo.write(
        "manifest.yaml",
        format!("manifestVersion: 1\nname: \"@acme/dns\"\nversion: {V1}\nmodels: [zone.ts]\n"),
    );
    let pushed = extension(&repo, &[&["push", "manifest.yaml", "-y"], more].concat()).ok().json();
    (repo, pushed)
}

/// Has the publisher's extension, and a cache that knows no package.
fn consumer(publisher: &Scratch) -> Scratch {
    let consumer = repo().private_cache().env("MARSH_REGISTRY", publisher.path("registry").into_os_string());
    extension(&consumer, &["pull", "@acme/dns"]).ok();
    consumer
}

/// Runs a method where no package can be fetched.
fn run_offline(consumer: &Scratch) -> Run {
    let arguments = ["--json", "model", "method", "run", ZONE, "run", "m"];
    let output = consumer.command(&arguments).env("MARSH_OFFLINE", "1").output().unwrap();
    Run::from_output(output, consumer.filters())
}

fn answer(run: Run) -> Value {
    run.ok().json()["dataArtifacts"][0]["attributes"]["answer"].clone()
}

/// Defect 43 of the reference: it built everything again at install, over what the archive had brought.
#[test]
fn defect_43_a_shipped_bundle_runs_without_network_and_without_being_built_again() {
    let (publisher, pushed) = publisher(&[]);
    assert_eq!(pushed["bundleCount"], 1);
    let consumer = consumer(&publisher);
    assert_eq!(answer(run_offline(&consumer)), "one");
    let taken_over = consumer.list(BUNDLES).pop().unwrap();
    let shipped = consumer.read(".swamp/pulled-extensions/@acme/dns/bundles/zone.js");
    assert_eq!(
        consumer.read(&format!("{BUNDLES}/{taken_over}/bundle.js")),
        shipped,
        "no bundler was started"
    );
    let shown = consumer.read(".swamp/pulled-extensions/@acme/dns/bundles.json");
    let record: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(record["bundles"][0]["entry"], "models/zone.ts");
    assert_eq!(record["bundles"][0]["bundle"], "bundles/zone.js");
    assert_eq!(record["bundles"][0]["externals"][0]["specifier"], "npm:zod@4.3.6");
}

#[test]
fn without_bundles_the_consumer_builds() {
    let (publisher, pushed) = publisher(&["--no-bundles"]);
    assert_eq!(pushed["bundleCount"], 0);
    let consumer = consumer(&publisher);
    assert_eq!(run_offline(&consumer).exits(1).error()["code"], "bundle_failed");
    let shared = repo().env("MARSH_REGISTRY", publisher.path("registry").into_os_string());
    extension(&shared, &["pull", "@acme/dns"]).ok();
    assert_eq!(answer(run_offline(&shared)), "one");
    assert_eq!(shared.list(BUNDLES).len(), 1);
}

/// The bundle's map comes along, so that an error shows the author's line.
#[test]
fn an_error_in_a_shipped_bundle_points_at_the_source() {
    let (publisher, _) = publisher(&[]);
    let helper = "// dropped\nexport const shown = (text: string) => {\n  throw new Error(text);\n};\n";
    publisher.write("extensions/models/lib/shown.ts", helper);
    publisher.write("manifest.yaml", publisher.read("manifest.yaml").replace(V1, V2));
    extension(&publisher, &["push", "manifest.yaml", "-y"]).ok();
    let details = run_offline(&consumer(&publisher)).exits(1).json()["error"]["details"].clone();
    assert_eq!(
        (&details["file"], &details["line"]),
        (&json!("models/lib/shown.ts"), &json!(3)),
        "{details:#}"
    );
}

/// The author's import map is not in the archive; the bundle that it made is.
#[test]
fn names_that_only_the_authors_configuration_explains_are_bundled_in() {
    let (publisher, _) = publisher(&[]);
    publisher.write("deno.json", r#"{ "imports": { "words": "./words.ts" } }"#);
    publisher.write("words.ts", "export const shown = (text: string) => `${text} of the map`;\n");
    let source = publisher.read("extensions/models/zone.ts").replace("./lib/shown.ts", "words");
    publisher.write("extensions/models/zone.ts", source);
    publisher.write("manifest.yaml", publisher.read("manifest.yaml").replace(V1, V2));
    extension(&publisher, &["push", "manifest.yaml", "-y"]).ok();
    let consumer = consumer(&publisher);
    assert_eq!(answer(run_offline(&consumer)), "one of the map");
}

/// A push that cannot bundle publishes nothing, and says where it went wrong.
#[test]
fn what_cannot_be_bundled_is_not_published() {
    let (publisher, _) = publisher(&[]);
    let source = publisher.read("extensions/models/zone.ts").replace("{ shown }", "{ gone }");
    publisher.write("extensions/models/zone.ts", source.replace("shown(", "gone("));
    publisher.write("manifest.yaml", publisher.read("manifest.yaml").replace(V1, V2));
    let error = extension(&publisher, &["push", "manifest.yaml", "-y"]).exits(1).error();
    assert_eq!(error["code"], "bundle_failed");
    assert_eq!(error["details"]["diagnostics"][0]["file"], "models/zone.ts", "{error}");
    let told = extension(&publisher, &["version", "@acme/dns"]).ok().json();
    assert_eq!(told["currentPublished"], V1);
}

/// The record of bundles that [`hostile`] starts from: a bundle for the package's one source.
fn record(code: &str, bundler: &str, fingerprint: &str) -> Value {
    let sha256 = marsh_types::Digest::of(code.as_bytes());
    json!({
        "format": 1, "bundler": bundler,
        "bundles": [{
            "entry": "models/main.ts", "bundle": "bundles/main.js", "sha256": sha256, "fingerprint": fingerprint,
        }],
    })
}

fn with_record(code: &str, record: &Value) -> Package {
    package("@s/a", V1).file("bundles/main.js", code).file("bundles.json", &record.to_string())
}

#[test]
fn defect_36_a_bundle_that_is_not_the_recorded_one_is_refused_and_leaves_nothing() {
    let code = "export const model = { type: '@s/a', version: '2026.01.01.1', methods: {} };";
    let good = record(code, "any", "00");
    let mut other_digest = good.clone();
    other_digest["bundles"][0]["sha256"] = json!("0".repeat(64));
    let mut no_bundle = good.clone();
    no_bundle["bundles"][0]["bundle"] = json!("bundles/gone.js");
    let mut no_source = good.clone();
    no_source["bundles"][0]["entry"] = json!("models/gone.ts");
    let mut no_external = good.clone();
    no_external["bundles"][0]["externals"] =
        json!([{ "specifier": "npm:zod@4.3.6", "path": "bundles/zod.js", "sha256": "0".repeat(64) }]);
    let mut other_map = good.clone();
    other_map["bundles"][0]["map"] = json!({ "path": "bundles/main.js", "sha256": "0".repeat(64) });
    let mut outside = good.clone();
    outside["bundles"][0]["bundle"] = json!("../main.js");
    for bad in [
        other_digest,
        no_bundle,
        no_source,
        no_external,
        other_map,
        outside,
        json!([]),
        json!({ "format": 1 }),
    ] {
        let registry = ExtensionRegistry::with(&[with_record(code, &bad)]);
        let repo = repo_of(&registry);
        let run = extension(&repo, &["pull", "@s/a"]).exits(1);
        assert_eq!(run.error()["code"], "bundle_mismatch", "{bad}: {}", run.snapshot());
        assert!(!repo.exists(LOCKFILE));
        assert_eq!(repo.list(".swamp/marsh/store/v1"), [""; 0], "{bad}");
        assert_eq!(repo.list(".swamp/pulled-extensions"), [""; 0], "{bad}");
    }
    // A record of a later format says nothing to this marsh, and the good one is taken.
    for fine in [json!({ "format": 2, "anything": true }), good] {
        let registry = ExtensionRegistry::with(&[with_record(code, &fine)]);
        extension(&repo_of(&registry), &["pull", "@s/a"]).ok();
    }
}

/// Of other sources, of another bundler, or changed after it was installed: never run.
#[test]
fn defect_36_a_bundle_that_is_not_of_the_installed_sources_is_passed_over() {
    let code = "export const model = { type: '@s/a', version: '2026.09.09.1', methods: {} };";
    let version_of = |repo: &Scratch| {
        repo.marsh(&["--json", "model", "type", "describe", "@s/a"]).ok().json()["version"].clone()
    };
    // What the loader would look for.
    let fingerprint = {
        let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
        let repo = repo_of(&registry);
        extension(&repo, &["pull", "@s/a"]).ok();
        assert_eq!(version_of(&repo), V1);
        repo.list(BUNDLES).pop().unwrap()
    };
    let bundler = marsh_bundle::BUNDLER_VERSION;
    let (zeros, another) = ("0".repeat(64), "rolldown 0.0.1, marsh 1");
    for (bundler, fingerprint, expected) in [
        (bundler, fingerprint.as_str(), SHIPPED),
        (bundler, zeros.as_str(), V1),
        (another, fingerprint.as_str(), V1),
    ] {
        let registry = ExtensionRegistry::with(&[with_record(code, &record(code, bundler, fingerprint))]);
        let repo = repo_of(&registry);
        extension(&repo, &["pull", "@s/a"]).ok();
        assert_eq!(version_of(&repo), expected, "{bundler} {fingerprint}");
        if expected == SHIPPED {
            let path = ".swamp/pulled-extensions/@s/a/bundles/main.js";
            repo.set_writable(path, true);
            repo.write(path, code.replace(SHIPPED, "2026.09.09.2"));
            repo.remove(".swamp/marsh/v1/describe");
            assert_eq!(version_of(&repo), SHIPPED, "what was taken over is as it was");
            repo.remove(BUNDLES);
            repo.remove(".swamp/marsh/v1/describe");
            assert_eq!(version_of(&repo), V1, "an edited bundle");
        }
    }
}
