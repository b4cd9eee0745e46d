//! Old versions really go: memory over reloads of bundles of realistic size. Each reload builds, so the suite makes few of
//! them; a thousand reloads of one host are in `crates/host/tests/versions.rs`, and `marsh-bench --reloads` makes any number.

use marsh_testkit::{Memory, large_model};

use super::repo;

/// What may be left of any number of old versions.
const GROWTH: u64 = 5 << 20;

/// The reloads after which the pools of the allocator, the bytecode and the descriptions are warm.
const WARM: usize = 12;
/// Different contents in turn: each reload finds other sources than are loaded, and starts a new runtime. After the
/// first round their bundles are known, so that what is measured is loading and unloading.
const CONTENTS: usize = 4;

fn reloads(schemas: usize, bytes: usize, marks: &[usize]) {
    let repo = repo();
    let contents: Vec<String> =
        (0..CONTENTS).map(|i| large_model("@me/large", &format!("word {i}"), schemas, bytes)).collect();
    repo.write("extensions/models/large.ts", &contents[0]);
    let process = repo.spawn_extension_process(&[]);
    let mut base: Option<Memory> = None;
    for i in 0..=WARM + marks.iter().max().unwrap() {
        let content = i % CONTENTS;
        let new = repo.write("large.new", &contents[content]);
        std::fs::rename(new, repo.path("extensions/models/large.ts")).unwrap();
        if i % 2 == 0 {
            process.trigger_reload();
        }
        assert_eq!(process.run("@me/large", "run")["word"], format!("word {content}"));
        let mark = i.checked_sub(WARM);
        if mark == Some(0) || mark.is_some_and(|mark| marks.contains(&mark)) {
            process.assert_one_version_alive("@me/large");
            let now = process.memory();
            let base = *base.get_or_insert(now);
            let after = mark.unwrap_or_default();
            assert_eq!(now.leaked, 0, "after {after} reloads: {now:?}");
            for (what, before, now) in [
                ("the engine's heap", base.heap, now.heap),
                ("the hosts' memory", base.hosts_rss, now.hosts_rss),
                ("the server's memory", base.server_rss, now.server_rss),
            ] {
                let grown = now.saturating_sub(before);
                assert!(grown <= GROWTH, "{what} grew by {grown} bytes in {after} reloads: {base:?} {now:?}");
            }
        }
    }
    process.stop().ok();
}

#[test]
fn reloads_of_a_hundred_kilobytes_with_schemas_are_flat() {
    reloads(40, 100 << 10, &[16, 40]);
}
