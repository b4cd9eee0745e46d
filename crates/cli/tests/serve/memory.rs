//! Memory over many reloads of bundles of realistic size: of the server, of its host, and of the engines by their own
//! count. `marsh-bench --reloads` measures more of them, of every kind, with calls in flight and beside another engine
//! (`docs/guides/hot-reload.md`).

use marsh_testkit::{ExtensionProcess, Memory, ballast};
use serde_json::json;

use super::{model, repo};

/// What 100 reloads may add, and what 1,000 may.
const GROWTH: u64 = 5 << 20;
/// Contents in turn: the version that is loaded is never the one that comes next.
const WORDS: usize = 3;
const SHARED: &str = "extensions/models/_lib/word.ts";

/// Edits a file that several types import, and reloads them all; a call of one says that its code is new. Compares memory
/// after each of `marks` reloads of a module with what it was after the warm-up.
#[track_caller]
fn stays_flat(types: usize, top: &str, (schemas, bytes): (usize, usize), marks: &[usize]) {
    let repo = repo();
    let large = format!("{top}{}", ballast(schemas, bytes));
    repo.write(
        "extensions/models/_lib/large.ts",
        format!("import {{ z }} from 'npm:zod@4.3.6';\n{large}export {{ all, steps }};\n"),
    );
    let imports = "import { all, steps } from './_lib/large.ts';\nimport { word } from './_lib/word.ts';\n\
                   globalThis.counts = [all.length, steps.length];";
    let names: Vec<String> = (0..types).map(|i| format!("@me/large-{i}")).collect();
    for (i, name) in names.iter().enumerate() {
        repo.write(&format!("extensions/models/large-{i}.ts"), model(imports, "word").replace("@me/x", name));
    }
    let edit =
        |round: usize| repo.replace(SHARED, format!("export const word = 'word {}';\n", round % WORDS));
    edit(0);
    let process = repo.spawn_extension_process(&[]);
    for name in &names {
        process.run(name, "run");
    }
    let reload = |round: usize| {
        edit(round);
        let reloaded = process.trigger_reload();
        assert_eq!((&reloaded["changed"], &reloaded["failed"]), (&json!(names), &json!([])), "{reloaded:#}");
        if round.is_multiple_of(10) {
            let said = process.run(&names[round % types], "run");
            assert_eq!(said["word"], format!("word {}", round % WORDS));
        }
    };
    // The first ones fill caches: of file contents, of compiled code, of allocators.
    let warm = 4 * WORDS;
    (1..=warm).for_each(reload);
    let before = measured(&process, &names);
    let started = runtimes(&process);
    let mut done = 0;
    for mark in marks {
        (done..mark / types).for_each(|round| reload(warm + 1 + round));
        done = mark / types;
        assert_flat(*mark, &before, &measured(&process, &names));
    }
    assert_eq!(runtimes(&process) - started, (done * types) as u64, "each reload loads another version");
    process.stop().ok();
}

fn measured(process: &ExtensionProcess, names: &[String]) -> Memory {
    for name in names {
        process.assert_one_version_alive(name);
    }
    process.memory()
}

fn runtimes(process: &ExtensionProcess) -> u64 {
    process.status()["hosts"][0]["runtimesStarted"].as_u64().unwrap_or_default()
}

#[track_caller]
fn assert_flat(reloads: usize, before: &Memory, now: &Memory) {
    let rss = |memory: &Memory| memory.server_rss + memory.hosts_rss;
    let said = format!("after {reloads} reloads: {before:?} became {now:?}");
    assert!(rss(now).saturating_sub(rss(before)) <= GROWTH, "resident memory, {said}");
    assert!(now.heap.saturating_sub(before.heap) <= GROWTH, "engine heap, {said}");
    assert_eq!((now.leaked, now.versions_alive), (0, before.versions_alive), "{said}");
}

#[test]
fn bundles_of_a_hundred_kilobytes_with_zod_schemas_a_thousand_times() {
    stays_flat(4, "", (8, 100 << 10), &[100, 1000]);
}

#[test]
fn a_bundle_of_more_than_a_megabyte() {
    stays_flat(1, "", (20, 1200 << 10), &[100]);
}

/// The client is constructed by each version that is loaded.
#[test]
fn a_bundle_with_a_client_of_the_aws_sdk() {
    let client = "import { ListBucketsCommand, S3Client } from 'npm:@aws-sdk/client-s3@3';
globalThis.aws = [new S3Client({ region: 'eu-central-1' }), ListBucketsCommand];
";
    stays_flat(1, client, (20, 10 << 10), &[100]);
}
