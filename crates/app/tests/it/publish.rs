//! Publishing and changes of published versions. Bundles need the binary: `crates/cli/tests/it/publish.rs`.

use marsh_api::ErrorCode;
use marsh_api::event::NoEvents;
use marsh_app::{PushRequest, VersionSelection, VersionTarget};
use marsh_types::{CalVer, Channel};
use serde_json::json;

use crate::installed::{Answer, answer, extensions, model, name, pull};
use crate::support::{Repository, code};

const ZONE: &str = "@acme/dns/zone";

/// A repository that publishes `@acme/dns` to a registry of its own.
fn publisher() -> Repository {
    let repo = Repository::new();
    let registry = repo.path("registry");
    marsh_app::RegistryDirectory::new(&registry).create(&repo.root()).unwrap();
    let repo = repo.env("MARSH_REGISTRY", registry.display().to_string());
    version(&repo, "2026.01.01.1", "one");
    repo
}

/// Writes the extension as this version, with this text in a module that its model imports.
fn version(repo: &Repository, version: &str, answer: &str) {
    let source = format!("import {{ shown }} from \"./lib/shown.ts\";\n{}", model(ZONE));
    repo.write("extensions/models/zone.ts", source);
    repo.write("extensions/models/lib/shown.ts", format!("export const shown = \"{answer}\";\n"));
    manifest(repo, version, "models: [zone.ts]");
}

fn manifest(repo: &Repository, version: &str, lists: &str) {
    let text =
        format!("manifestVersion: 1\nname: \"@acme/dns\"\nversion: {version}\ndescription: Zones\n{lists}\n");
    repo.write("manifest.yaml", text);
}

/// The sources of `manifest.yaml`, without bundles.
fn request() -> PushRequest {
    PushRequest { manifest: "manifest.yaml".into(), without_bundles: true, ..PushRequest::default() }
}

fn push(repo: &Repository) -> Answer {
    push_request(repo, request())
}

fn push_request(repo: &Repository, request: PushRequest) -> Answer {
    let extensions = extensions(repo);
    answer(extensions.prepare_push(request, &NoEvents).and_then(|push| push.publish(&NoEvents)))
}

#[test]
fn dry_run_without_bundles_changes_nothing_and_packs_what_is_published() {
    let publisher = publisher();
    let before = publisher.list("registry/archives");
    let extensions = extensions(&publisher);
    let prepared = extensions.prepare_push(request(), &NoEvents).unwrap();
    let dry = answer(prepared.dry_run(&NoEvents)).unwrap();
    assert_eq!(dry["status"], "dry_run");
    assert_eq!(publisher.list("registry/archives"), before);
    let published = push(&publisher).unwrap();
    assert_eq!((&published["status"], &published["bundleCount"]), (&json!("published"), &json!(0)));
    assert_eq!((&published["checksum"], &published["archiveSize"]), (&dry["checksum"], &dry["archiveSize"]));
    assert_eq!(published["files"], json!(["models/lib/shown.ts", "models/zone.ts"]));
}

#[test]
fn a_published_version_never_changes_and_the_next_one_is_shown() {
    let publisher = publisher();
    push(&publisher).unwrap();
    version(&publisher, "2026.01.01.1", "other");
    let error = push(&publisher).unwrap_err();
    assert_eq!(error["code"], "already_published");
    let next = error["details"]["nextVersion"].as_str().unwrap().to_owned();
    let told =
        answer(extensions(&publisher).version(&VersionTarget::Manifest("manifest.yaml".into()))).unwrap();
    assert_eq!((&told["currentPublished"], &told["nextVersion"]), (&json!("2026.01.01.1"), &json!(next)));
    version(&publisher, &next, "other");
    push(&publisher).unwrap();
}

#[test]
fn every_refusal_has_its_code_and_publishes_nothing() {
    let publisher = publisher();
    publisher.write("extensions/models/foreign.ts", model("@other/x"));
    publisher.write("extensions/models/computed.ts", "export const model = { type: `${1}`, methods: {} };\n");
    publisher.write("extensions/vaults/none.ts", "export const other = 1;\n");
    publisher.write("extensions/models/kind.ts", "export const vault = { type: '@acme/v' };\n");
    publisher.write("extensions/models/broken.ts", "export const model = {\n");
    publisher.write("extensions/models/indirect.ts", format!("(0, eval)('1');\n{}", model("@acme/x")));
    publisher.write("extensions/models/alias.ts", format!("const F = Function;\n{}", model("@acme/x")));
    publisher.write("extensions/models/far.ts", format!("import '../../far.ts';\n{}", model("@acme/x")));
    publisher.write("far.ts", "");
    publisher.write("extensions/models/lost.ts", format!("import './gone.ts';\n{}", model("@acme/x")));
    publisher.write(
        "extensions/models/chain.ts",
        model("@acme/x").replace(
            "methods:",
            "upgrades: [{ toVersion: '2025.01.01.1', upgradeAttributes: (old) => old }],\n  methods:",
        ),
    );
    publisher.write("tool.sh", "echo\n");
    publisher.write("loud.TS", "new (() => {}).constructor('return 1')();\n");
    for (lists, code) in [
        ("models: [gone.ts]", "entry_missing"),
        ("models: [lost.ts]", "entry_missing"),
        ("models: [foreign.ts]", "foreign_type"),
        ("models: [computed.ts]", "computed_type"),
        ("vaults: [none.ts]", "nothing_declared"),
        ("models: [kind.ts]", "nothing_declared"),
        ("models: [broken.ts]", "syntax_error"),
        ("models: [indirect.ts]", "safety_refused"),
        ("models: [alias.ts]", "safety_refused"),
        ("models: [far.ts]", "outside_base"),
        ("models: [chain.ts]", "invalid_upgrades"),
        ("models: [zone.ts]\nadditionalFiles: [tool.sh]", "safety_refused"),
        ("models: [zone.ts]\nadditionalFiles: [loud.TS]", "safety_refused"),
        ("models: [zone.ts]\nadditionalFiles: [tool.sh]\nbinaries: [./tool.sh]", "duplicate_file"),
        ("models: [zone.ts]\nworkflows: [gone.yaml]", "entry_missing"),
        ("skills: [gone]", "invalid_skill"),
        ("models: [../zone.ts]", "invalid_manifest"),
        ("", "invalid_manifest"),
    ] {
        manifest(&publisher, "2026.01.01.1", lists);
        let error = push(&publisher).unwrap_err();
        assert_eq!(error["code"], code, "{lists}: {error}");
    }
    assert_eq!(publisher.list("registry/extensions"), Vec::<String>::new());
    let request = PushRequest { manifest: "extensions/models/zone.ts".into(), ..PushRequest::default() };
    let error = answer(extensions(&publisher).prepare_push(request, &NoEvents).map(|_| ())).unwrap_err();
    assert_eq!(error["code"], "not_a_manifest");
}

#[test]
fn helpers_among_models_are_packed_and_files_beside_the_base_too() {
    let publisher = publisher();
    publisher.write("extensions/shared/beside.ts", "export const beside = 1;\n");
    let source = format!("import \"../shared/beside.ts\";\n{}", model(ZONE));
    publisher.write("extensions/models/zone.ts", source);
    manifest(&publisher, "2026.01.01.1", "models: [zone.ts, lib/shown.ts]");
    let published = push(&publisher).unwrap();
    assert_eq!(published["files"], json!(["models/lib/shown.ts", "models/zone.ts", "shared/beside.ts"]));
    let models = published["models"].as_array().unwrap();
    assert_eq!(models[1], json!({ "fileName": "lib/shown.ts", "type": "lib/shown.ts" }));
    // What is packed obeys the rules of publishing, wherever it lies.
    publisher.write("extensions/shared/beside.ts", "(0, eval)('1');\n");
    manifest(&publisher, "2026.01.02.1", "models: [zone.ts]");
    assert_eq!(push(&publisher).unwrap_err()["code"], "safety_refused");
}

#[test]
fn workflows_of_one_name_are_all_packed() {
    let publisher = publisher();
    for name in ["a/b/one.yaml", "a/b/two.yaml", "a-b.yaml"] {
        publisher.write(&format!("workflows/{name}"), format!("name: {name}\n"));
    }
    let lists = "models: [zone.ts]\nworkflows: [a/b/one.yaml, a/b/two.yaml, a-b.yaml, a/b/one.yaml]";
    manifest(&publisher, "2026.01.01.1", lists);
    let published = push(&publisher).unwrap();
    let files = published["files"].as_array().unwrap();
    let workflows: Vec<&str> =
        files.iter().filter_map(|file| file.as_str()?.strip_prefix("workflows/")).collect();
    assert_eq!(workflows, ["a-b-two.yaml", "a-b.yaml", "workflow-a-b.yaml"]);
    assert_eq!(published["workflowCount"], 3);
}

/// A substring decided, in the reference. What is refused instead is in `every_refusal_has_its_code…`.
#[test]
fn defect_37_a_function_called_retrieval_is_published() {
    let publisher = publisher();
    let source = format!("const retrieval = (x: number) => x; retrieval(1); // eval(1)\n{}", model(ZONE));
    publisher.write("extensions/models/zone.ts", source);
    push(&publisher).unwrap();
}

#[test]
fn push_warns_of_suspicious_content_and_publishes() {
    let publisher = publisher();
    let source = publisher.read("extensions/models/zone.ts");
    let blob = "QUJD".repeat(30);
    publisher.write(
        "extensions/models/zone.ts",
        format!("{source}\nconst run = Deno.Command;\nconst blob = '{blob}';\n/* {} */\n", "x".repeat(501)),
    );
    publisher.write("README.md", "Ask 10.1.2.3, as 192.0.2.1 does.\n");
    manifest(&publisher, "2026.01.01.1", "models: [zone.ts]\nadditionalFiles: [README.md]");
    let pushed = push(&publisher).unwrap();
    let warnings: Vec<&str> =
        pushed["warnings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let lines = source.lines().count();
    for (start, what) in [
        ("files/README.md:1: 10.1.2.3".to_owned(), "an address"),
        (format!("models/zone.ts:{}: a line of", lines + 4), "a long line"),
        (format!("models/zone.ts:{}: `Deno.Command`", lines + 2), "a program"),
        (format!("models/zone.ts:{}: a long run", lines + 3), "a blob"),
    ] {
        assert!(warnings.iter().any(|one| one.starts_with(&start)), "{what}: {warnings:#?}");
    }
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
}

#[test]
fn links_are_refused() {
    let publisher = publisher();
    publisher.write("secret.txt", "secret");
    std::os::unix::fs::symlink(publisher.path("secret.txt"), publisher.path("link.txt")).unwrap();
    manifest(&publisher, "2026.01.01.1", "models: [zone.ts]\nadditionalFiles: [link.txt]");
    assert_eq!(push(&publisher).unwrap_err()["code"], "symlink_refused");
}

#[test]
fn versions_are_withdrawn_deprecated_and_promoted() {
    let publisher = publisher();
    let beta = PushRequest { channel: Some(Channel::Beta), ..request() };
    push_request(&publisher, beta).unwrap();
    let (set, name) = (extensions(&publisher), name("@acme/dns"));
    let told = answer(set.version(&VersionTarget::Name(name.clone()))).unwrap();
    assert_eq!(told["channels"]["beta"]["latest"], "2026.01.01.1");
    let version: CalVer = "2026.01.01.1".parse().unwrap();
    let promote = || set.promote(&name, version, Channel::Stable);
    let promoted = promote().unwrap();
    assert_eq!((promoted.previous_channel.as_str(), promoted.channel.as_str()), ("beta", "stable"));
    assert_eq!(code(promote()), ErrorCode::ValidationFailed);
    let this = VersionSelection { name: name.clone(), version: Some(version), channel: None };
    assert_eq!(set.yank(&this, "broken").unwrap().yanked.reason.as_deref(), Some("broken"));
    assert_eq!(pull(&publisher, &["@acme/dns@2026.01.01.1"]).unwrap_err()["code"], "extension_yanked");
    set.unyank(&this, None).unwrap();
    set.deprecate(&name, "old", Some(&self::name("@acme/dns2"))).unwrap();
    let info = || set.info(&name, &NoEvents).unwrap();
    assert_eq!(info().deprecation_reason.as_deref(), Some("old"));
    set.undeprecate(&name).unwrap();
    assert_eq!(info().deprecation_reason, None);
}
