//! Import, modify, reload, for every kind of extension: what holds for models holds for method extensions, vaults, datastores, drivers
//! and reports.
//!
//! The server watches, so that kinds which no call reaches are loaded as well.

use marsh_testkit::{
    EVERY_KIND, Expect, ExtensionProcess, KindSource, ModuleVersion, Scratch, wait_for, write_surroundings,
};
use serde_json::json;

use super::repo;

/// A server whose sources of every kind say `word`, after `top`; each was called, and evaluated once.
fn served(repo: &Scratch, top: &str, word: &str) -> ExtensionProcess {
    write_surroundings(repo);
    let process = repo.spawn_extension_process(&["--watch"]);
    for source in EVERY_KIND {
        source.write(repo, top, word);
    }
    for source in EVERY_KIND {
        // What appears is loaded by the watch, with its first call or without.
        if !source.is_called() {
            wait_for("the source to be loaded", || is_loaded(&process, source).then_some(()));
        }
        source.said(repo, &process);
    }
    process
}

fn is_loaded(process: &ExtensionProcess, source: KindSource) -> bool {
    let status = process.status();
    let mut rows = status["types"].as_array().into_iter().flatten();
    rows.any(|row| row["type"] == source.type_name && row["state"] == "serving")
}

fn versions(process: &ExtensionProcess) -> Vec<(KindSource, ModuleVersion)> {
    EVERY_KIND.iter().map(|source| (*source, process.module_version(source.type_name))).collect()
}

#[test]
fn a_modified_source_of_any_kind_is_new_content_in_a_runtime_of_its_own() {
    let repo = repo();
    let process = served(&repo, "", "'one'");
    for source in EVERY_KIND {
        let before = versions(&process);
        assert_eq!(source.said(&repo, &process), "one", "{}", source.kind);
        source.write(&repo, "", "'two'");
        assert_eq!(process.trigger_reload()["failed"], json!([]), "{}", source.kind);
        assert_eq!(source.said(&repo, &process), "two", "{}", source.kind);
        assert_eq!(source.evaluations(&repo), ["one", "two"], "{}", source.kind);
        for (other, before) in &before {
            let expectation = if *other == source { Expect::Other(before) } else { Expect::Same(before) };
            process.assert_module_version(other.type_name, expectation);
        }
        process.assert_one_version_alive(source.type_name);
    }
    assert_eq!(process.memory().leaked, 0);
    process.stop().ok();
}

/// The seed's fingerprint collision: the same content is the very same module version, however often it is saved.
#[test]
fn equal_fingerprints_of_any_kind_share_one_instance() {
    let repo = repo();
    let process = served(&repo, "", "'one'");
    let before = versions(&process);
    for _ in 0..3 {
        for source in EVERY_KIND {
            source.write(&repo, "", "'one'");
        }
        let reloaded = process.trigger_reload();
        assert_eq!((&reloaded["changed"], &reloaded["failed"]), (&json!([]), &json!([])));
        for (source, before) in &before {
            assert_eq!(source.said(&repo, &process), "one", "{}", source.kind);
            process.assert_module_version(source.type_name, Expect::Same(before));
            assert_eq!(source.evaluations(&repo), ["one"], "{}", source.kind);
        }
    }
    process.stop().ok();
}

/// The seed's fingerprint divergence: of several versions of one path the newest serves, and only that one stays.
#[test]
fn of_diverging_fingerprints_of_any_kind_the_latest_serves() {
    let repo = repo();
    let process = served(&repo, "", "'0'");
    for round in 1..=4 {
        let before = versions(&process);
        for source in EVERY_KIND {
            source.write(&repo, "", &format!("'{round}'"));
        }
        assert_eq!(process.trigger_reload()["failed"], json!([]));
        for (source, before) in &before {
            assert_eq!(source.said(&repo, &process), round.to_string(), "{}", source.kind);
            process.assert_module_version(source.type_name, Expect::Other(before));
        }
    }
    for source in EVERY_KIND {
        process.assert_one_version_alive(source.type_name);
    }
    assert_eq!(process.memory().leaked, 0);
    process.stop().ok();
}

#[test]
fn a_changed_shared_file_reloads_its_importers_of_every_kind_and_nothing_else() {
    let repo = repo();
    let shared = "extensions/_lib/shared.ts";
    repo.replace(shared, "export const shared = 'one';\n");
    let process = served(&repo, "import { shared } from '../_lib/shared.ts';", "shared");
    process.run("@kinds/told", "run");
    let bystander = process.module_version("@kinds/told");
    for word in ["two", "three"] {
        let before = versions(&process);
        repo.replace(shared, format!("export const shared = '{word}';\n"));
        assert_eq!(process.trigger_reload()["failed"], json!([]));
        for (source, before) in &before {
            process.assert_module_version(source.type_name, Expect::Other(before));
            assert_eq!(source.said(&repo, &process), word, "{}", source.kind);
        }
    }
    for source in EVERY_KIND {
        assert_eq!(source.evaluations(&repo), ["one", "two", "three"], "{}", source.kind);
    }
    process.assert_module_version("@kinds/told", Expect::Same(&bystander));
    process.stop().ok();
}

/// What a flag had to guard elsewhere: a method extension or its base changes, comes or goes, and the type has each of its methods
/// once.
#[test]
fn method_extensions_are_attached_once_whatever_is_reloaded() {
    let repo = repo();
    let process = served(&repo, "", "'one'");
    let graft = KindSource::of("graft");
    let base = repo.read("extensions/models/base.ts");
    let methods = || {
        let described = repo.marsh(&["--json", "model", "type", "describe", "@kinds/base"]).ok().json();
        let methods = described["methods"].as_array().unwrap().iter();
        methods.map(|method| method["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let said = |method: &str| process.run("@kinds/base", method)["word"].clone();
    // The base changes under its method extension.
    repo.replace("extensions/models/base.ts", base.replace("'base'", "'base 2'"));
    process.trigger_reload();
    assert_eq!((said("run"), said("more")), (json!("base 2"), json!("one")));
    assert_eq!(methods(), ["run", "more"]);
    // The method extension changes on its base.
    graft.write(&repo, "", "'two'");
    process.trigger_reload();
    assert_eq!((said("run"), said("more")), (json!("base 2"), json!("two")));
    // The method extension goes, and comes back.
    repo.remove(graft.file);
    process.trigger_reload();
    assert_eq!(methods(), ["run"]);
    assert_eq!(process.try_run("@kinds/base", "more").unwrap_err()["data"]["code"], "unknown_method");
    graft.write(&repo, "", "'three'");
    process.trigger_reload();
    assert_eq!((said("run"), said("more")), (json!("base 2"), json!("three")));
    // The base goes, and comes back after its method extension has changed.
    repo.remove("extensions/models/base.ts");
    process.trigger_reload();
    assert_eq!(process.try_run("@kinds/base", "more").unwrap_err()["data"]["code"], "unknown_model_type");
    graft.write(&repo, "", "'four'");
    repo.replace("extensions/models/base.ts", &base);
    process.trigger_reload();
    assert_eq!((said("run"), said("more")), (json!("base"), json!("four")));
    assert_eq!(methods(), ["run", "more"]);
    process.assert_one_version_alive("@kinds/base");
    process.stop().ok();
}

/// A report that fails fails the request, as it fails the command; the document of the run is there.
#[test]
fn a_report_follows_a_run_and_its_failure_is_the_requests() {
    let repo = repo();
    let process = served(&repo, "", "'one'");
    let report = KindSource::of("report");
    let text = report.source(&repo, "", "'one'").replace("markdown: word", "markdown: nothing");
    repo.replace(report.file, text);
    let error = process.try_run("@kinds/told", "run").unwrap_err();
    assert_eq!(error["data"]["code"], "report_failed", "{error:#}");
    let run = &error["data"]["details"]["run"];
    assert_eq!(run["status"], "succeeded", "{error:#}");
    assert!(
        run["reports"]["@kinds/about"]["error"]["message"].as_str().unwrap().contains("nothing"),
        "{error:#}"
    );
    process.stop().ok();
}
