//! What fails to load never takes down what works: a long-lived process goes on with the version that loaded last, says
//! so, and takes the new one as soon as there is one. A command reports the error.

use marsh_extension::{LoadError, LoadedModel, Loader};
use marsh_testkit::Scratch;
use marsh_types::{Kind, TypeName};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::kinds_serving::{hosts, method_extension, resolve, said, serving, source};
use crate::support::repo;

const FILE: &str = "extensions/models/x.ts";
const GRAFT: &str = "extensions/models/g.ts";

fn load_states(repo: &Scratch, code: i32) -> Vec<Value> {
    let report = repo.marsh(&["--json", "doctor", "extensions"]).exits(code).json();
    report["loadStates"].as_array().unwrap().clone()
}

#[test]
fn doctor_loads_own_and_mounted_sources_that_nothing_has_loaded() {
    let repo = repo();
    repo.write(FILE, source("", "'one'"));
    repo.write("extensions/models/helper.ts", "export const helper = 1;\n");
    assert!(load_states(&repo, 0).is_empty());
    // It imports a file that does not exist.
    let lost = format!("import \"./gone.ts\";\n{}", source("", "'two'").replace("@me/x", "@me/lost"));
    repo.write("extensions/models/lost.ts", lost);
    // It fails while it loads.
    let throws =
        format!("throw new Error('at load');\n{}", source("", "'three'").replace("@me/x", "@me/throws"));
    repo.write("mounted/throws.ts", throws);
    repo.write(".swamp-sources.yaml", "sources:\n  - path: mounted\n");
    let mut states = load_states(&repo, 1);
    states.sort_by_key(|state| state["type"].to_string());
    let failed: Vec<&str> = states.iter().map(|state| state["type"].as_str().unwrap()).collect();
    assert_eq!(failed, ["@me/lost", "@me/throws"], "{states:#?}");
    assert!(states[0]["message"].as_str().unwrap().contains("gone.ts"), "{states:#?}");
    assert!(states[1]["message"].as_str().unwrap().contains("at load"), "{states:#?}");
    repo.write("extensions/models/gone.ts", "");
    std::fs::remove_file(repo.path("mounted/throws.ts")).unwrap();
    assert!(load_states(&repo, 0).is_empty());
}

/// Breaks the type in one way, and looks at it from all sides: the process that served it, one that has just started,
/// the doctor, a command; then repairs it.
fn survives(break_it: impl Fn(&Scratch), state: &str, code: &str) {
    let repo = repo();
    let (hosts, others) = (hosts(&repo), hosts(&repo));
    repo.write(FILE, source("", "'one'"));
    let loader = serving(&repo, &hosts);
    let one = resolve(&loader).unwrap();
    assert_eq!(said(&loader, &one, "run"), "one");

    break_it(&repo);
    for _ in 0..3 {
        let still = resolve(&loader).unwrap();
        assert_eq!(still.module.url, one.module.url, "the very same version");
        assert_eq!(said(&loader, &still, "run"), "one");
        let failure = still.failure.unwrap();
        assert_eq!((failure.state.as_str(), failure.code.as_str()), (state, code), "{failure:?}");
        assert_eq!(failure.attempts, 1, "the same inputs are not tried again");
    }
    let fresh = serving(&repo, &others);
    let served = resolve(&fresh).unwrap();
    assert_eq!(served.fingerprint, one.fingerprint);
    assert_eq!(said(&fresh, &served, "run"), "one");

    let states = load_states(&repo, 1);
    assert_eq!(states.len(), 1, "{states:?}");
    assert_eq!((&states[0]["type"], &states[0]["state"]), (&"@me/x".into(), &state.into()));
    assert_eq!(states[0]["serving"], one.fingerprint);
    assert!(!states[0]["message"].as_str().unwrap().is_empty());
    // A command would wait its 30 seconds for what never ends.
    if code != "deadline_exceeded" {
        repo.marsh(&["--json", "model", "type", "describe", "@me/x"]).exits(1).error();
    }

    if repo.path(FILE).is_dir() {
        std::fs::remove_dir(repo.path(FILE)).unwrap();
    }
    repo.write(FILE, source("", "'two'"));
    for loader in [&loader, &fresh] {
        let two = resolve(loader).unwrap();
        assert_eq!((said(loader, &two, "run"), two.failure), ("two".to_owned(), None));
    }
    assert!(load_states(&repo, 0).is_empty());
}

#[test]
fn a_syntax_error() {
    survives(|repo| drop(repo.write(FILE, "export const model = {")), "BundleBuildFailed", "broken_source");
}

#[test]
fn a_missing_dependency() {
    let broken = source("import { gone } from './_lib/gone.ts';", "gone");
    survives(|repo| drop(repo.write(FILE, &broken)), "BundleBuildFailed", "bundle_failed");
}

#[test]
fn a_top_level_that_throws() {
    let broken = source("throw new Error('not today');", "1");
    survives(|repo| drop(repo.write(FILE, &broken)), "ValidationFailed", "load_failed");
}

#[test]
fn a_broken_contract() {
    let broken = source("", "1").replace("description: 'run',", "");
    survives(|repo| drop(repo.write(FILE, &broken)), "ValidationFailed", "contract_violation");
}

#[test]
fn a_top_level_that_never_ends() {
    let broken = source("while (true) (globalThis as any).n = 1;", "1");
    survives(|repo| drop(repo.write(FILE, &broken)), "ValidationFailed", "deadline_exceeded");
}

#[test]
fn a_top_level_that_takes_all_memory() {
    let broken = source("const all: unknown[] = []; while (true) all.push(new Array(10000).fill(all));", "1");
    survives(|repo| drop(repo.write(FILE, &broken)), "ValidationFailed", "load_failed");
}

#[test]
fn a_file_that_vanished() {
    survives(|repo| repo.remove(FILE), "SourceVanished", "source_vanished");
}

#[test]
fn a_file_that_cannot_be_read() {
    survives(|repo| drop(repo.write(FILE, b"\xff\xfe")), "EntryPointUnreadable", "broken_source");
    let directory = |repo: &Scratch| {
        repo.remove(FILE);
        std::fs::create_dir(repo.path(FILE)).unwrap();
    };
    survives(directory, "EntryPointUnreadable", "broken_source");
}

#[test]
fn a_failed_load_is_evaluated_once() {
    let repo = repo();
    let hosts = hosts(&repo);
    repo.write(FILE, source("", "'one'"));
    resolve(&serving(&repo, &hosts)).unwrap();
    let count = repo.path("count");
    let top = format!("Deno.writeTextFileSync({count:?}, 'x', {{ append: true }}); throw new Error('no');");
    repo.write(FILE, source(&top, "1"));
    for _ in 0..5 {
        assert!(resolve(&serving(&repo, &hosts)).unwrap().failure.is_some());
    }
    assert_eq!(repo.read("count"), "x");
}

#[test]
fn a_type_that_never_loaded_fails_with_its_cause_and_is_not_tried_again() {
    let repo = repo();
    let hosts = hosts(&repo);
    repo.write(FILE, source("throw new Error('not today');", "1"));
    let loader = serving(&repo, &hosts);
    assert!(matches!(resolve(&loader), Err(LoadError::Host { .. })));
    let again = resolve(&loader).unwrap_err();
    assert!(matches!(again, LoadError::StillFailing { .. }), "{again:?}");
    assert!(again.to_string().contains("not today"), "{again}");
    repo.write(FILE, source("", "'one'"));
    assert_eq!(resolve(&loader).unwrap().failure, None);
}

#[test]
fn a_removal_on_purpose_takes_effect() {
    let repo = repo();
    let hosts = hosts(&repo);
    let loader = serving(&repo, &hosts);
    let is_gone = || matches!(resolve(&loader), Err(LoadError::UnknownType { .. }));
    // A source that declares something else now.
    repo.write(FILE, source("", "'one'"));
    resolve(&loader).unwrap();
    repo.write(FILE, source("", "'one'").replace("@me/x", "@me/y"));
    assert!(is_gone());
    // A file that vanished, once that is acknowledged.
    repo.write(FILE, source("", "'two'"));
    resolve(&loader).unwrap();
    repo.remove(FILE);
    assert!(resolve(&loader).unwrap().failure.is_some());
    assert_eq!(loader.accept_removals(), [(Kind::Model, TypeName::parse("@me/x").unwrap())]);
    assert!(is_gone());
    assert!(load_states(&repo, 0).is_empty());
}

#[test]
fn a_broken_method_extension_leaves_the_whole_type_unchanged() {
    let repo = repo();
    let hosts = hosts(&repo);
    repo.write(FILE, source("", "'base 1'"));
    repo.write(GRAFT, method_extension("", "'graft 1'"));
    let loader = serving(&repo, &hosts);
    let good = resolve(&loader).unwrap();
    let words = |loaded: &LoadedModel| [said(&loader, loaded, "run"), said(&loader, loaded, "more")];
    for broken in ["export const extension = {", &method_extension("throw new Error('no');", "1")] {
        repo.write(GRAFT, broken);
        repo.write(FILE, source("", "'base 2'"));
        let served = resolve(&loader).unwrap();
        assert_eq!(
            (served.fingerprint.as_str(), served.failure.is_some()),
            (good.fingerprint.as_str(), true)
        );
        assert_eq!(words(&served), ["base 1", "graft 1"]);
    }
    repo.write(GRAFT, method_extension("", "'graft 2'"));
    assert_eq!(words(&resolve(&loader).unwrap()), ["base 2", "graft 2"]);
}

#[test]
fn every_kind_keeps_its_last_good_version() {
    let repo = repo();
    let hosts = hosts(&repo);
    let loader = serving(&repo, &hosts);

    for (kind, member) in [
        (Kind::Vault, "createProvider"),
        (Kind::Datastore, "createProvider"),
        (Kind::Driver, "createDriver"),
        (Kind::Report, "execute"),
    ] {
        let fields = if kind == Kind::Report { report_of } else { identity_of };
        let file = format!("extensions/{}/k.ts", kind.directory());
        let write = |word: &str, member: &str| {
            repo.write(&file, format!("export const {kind} = {{ {}, {member}() {{}} }};\n", fields(word)));
        };
        let described = |loader: &Loader| {
            let loaded = loader.resolve_kind(kind, &TypeName::parse("@me/k").unwrap()).unwrap();
            (
                loaded.description.description.clone().unwrap(),
                loaded.failure.map(|failure| failure.code.to_string()),
            )
        };
        write("one", member);
        assert_eq!(described(&loader), ("one".into(), None));
        write("two", "other");
        assert_eq!(described(&loader), ("one".into(), Some("contract_violation".into())));
        repo.write(&file, format!("export const {kind} = {{"));
        assert_eq!(described(&loader), ("one".into(), Some("broken_source".into())));
        write("three", member);
        assert_eq!(described(&loader), ("three".into(), None));
    }
}

fn identity_of(word: &str) -> String {
    format!("type: '@me/k', name: 'K', description: '{word}'")
}

fn report_of(word: &str) -> String {
    format!("name: '@me/k', description: '{word}', scope: 'method'")
}

/// One thing that happens to the sources.
#[derive(Debug, Clone)]
enum Step {
    Edit,
    EditHelper,
    EditGraft,
    Break(u8),
    BreakGraft(u8),
    BreakHelper,
    Vanish,
    VanishGraft,
    VanishHelper,
    AcceptRemovals,
    Nothing,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Edit),
        2 => Just(Step::EditHelper),
        2 => Just(Step::EditGraft),
        3 => (0..4_u8).prop_map(Step::Break),
        2 => (0..4_u8).prop_map(Step::BreakGraft),
        1 => Just(Step::BreakHelper),
        1 => Just(Step::Vanish),
        1 => Just(Step::VanishGraft),
        1 => Just(Step::VanishHelper),
        1 => Just(Step::AcceptRemovals),
        1 => Just(Step::Nothing),
    ]
}

/// A file as the sequence left it.
#[derive(Debug, Clone, PartialEq)]
enum File {
    Good(u32),
    Broken,
    Gone,
}

/// What is served, as a reader would reckon it: the state of the sources if it loads, else the last that did.
#[derive(Debug)]
struct Reckoning {
    base: File,
    helper: File,
    graft: File,
    /// `run` and, with a method extension, `more`.
    good: Option<(String, Option<String>)>,
}

impl Reckoning {
    fn served(&mut self) -> Option<(String, Option<String>)> {
        let had_graft = self.good.as_ref().is_some_and(|(_, more)| more.is_some());
        let more = match self.graft {
            File::Good(version) => Ok(Some(format!("graft {version}"))),
            // A method extension that never existed cannot be missed.
            File::Gone if !had_graft => Ok(None),
            _ => Err(()),
        };
        if let (File::Good(base), File::Good(helper), Ok(more)) = (&self.base, &self.helper, more) {
            self.good = Some((format!("base {base} helper {helper}"), more));
        }
        self.good.clone()
    }
}

fn broken(how: u8, whole: &str) -> String {
    match how {
        0 => whole.replace("};\n", ""),
        1 => format!("import './_lib/nowhere.ts';\n{whole}"),
        2 => format!("{whole}throw new Error('not today');\n"),
        _ => whole.replace("description: 'run',", "").replace("description: 'more',", ""),
    }
}

fn play(steps: &[(Step, bool)]) {
    let repo = repo();
    let (mine, others) = (hosts(&repo), hosts(&repo));
    let mut now = Reckoning { base: File::Gone, helper: File::Good(0), graft: File::Gone, good: None };
    let helper = "extensions/models/_lib/h.ts";
    let base = |n: u32| source("import { helper } from './_lib/h.ts';", &format!("'base {n} ' + helper"));
    repo.write(helper, "export const helper = 'helper 0';\n");
    let loader = serving(&repo, &mine);
    for (index, (step, asked)) in steps.iter().enumerate() {
        let n = u32::try_from(index).unwrap() + 1;
        let remove = |file: &str| {
            if repo.exists(file) {
                repo.remove(file);
            }
        };
        match step {
            Step::Edit => {
                repo.write(FILE, base(n));
                now.base = File::Good(n);
            }
            Step::EditHelper => {
                repo.write(helper, format!("export const helper = 'helper {n}';\n"));
                now.helper = File::Good(n);
            }
            Step::EditGraft => {
                repo.write(GRAFT, method_extension("", &format!("'graft {n}'")));
                now.graft = File::Good(n);
            }
            Step::Break(how) => {
                repo.write(FILE, broken(*how, &base(n)));
                now.base = File::Broken;
            }
            Step::BreakGraft(how) => {
                repo.write(GRAFT, broken(*how, &method_extension("", "1")));
                // One that cannot be parsed was a method extension only if it was one before.
                let unknown = *how == 0 && !now.good.as_ref().is_some_and(|(_, more)| more.is_some());
                now.graft = if unknown { File::Gone } else { File::Broken };
            }
            Step::BreakHelper => {
                repo.write(helper, "export const helper = ;\n");
                now.helper = File::Broken;
            }
            Step::Vanish => {
                remove(FILE);
                now.base = File::Gone;
            }
            Step::VanishGraft => {
                remove(GRAFT);
                now.graft = File::Gone;
            }
            Step::VanishHelper => {
                remove(helper);
                now.helper = File::Gone;
            }
            Step::AcceptRemovals => {
                loader.accept_removals();
                let had_graft = now.good.as_ref().is_some_and(|(_, more)| more.is_some());
                if now.base == File::Gone || (had_graft && !repo.exists(GRAFT)) {
                    now.good = None;
                }
            }
            Step::Nothing => {}
        }
        let expected = now.served();
        let fresh = serving(&repo, &others);
        let look = |loader: &Loader| {
            resolve(loader).ok().map(|loaded| {
                let more = loaded.description.method("more").map(|_| said(loader, &loaded, "more"));
                (said(loader, &loaded, "run"), more)
            })
        };
        assert_eq!(look(&fresh), expected, "a fresh process after {:?}", &steps[..=index]);
        if *asked {
            assert_eq!(look(&loader), expected, "the long-lived process after {:?}", &steps[..=index]);
        }
    }
}

#[test]
fn after_any_edits_and_failures_a_long_lived_process_serves_what_a_fresh_one_would() {
    let config = Config { cases: 8, failure_persistence: None, max_shrink_iters: 30, ..Config::default() };
    let sequences = prop::collection::vec((step(), any::<bool>()), 4..14);
    TestRunner::new(config)
        .run(&sequences, |steps| {
            play(&steps);
            Ok(())
        })
        .unwrap();
}
