//! Any sequence of operations, by two handles in turn, agrees with a simple model.

use std::collections::BTreeMap;

use marsh_store::{GenerationRetention, Installation, StoreError, TreeState, ViewReport};
use marsh_types::Lockfile;
use proptest::prelude::*;

use crate::support::*;

const NAMES: [&str; 4] = ["@s/a", "@s/a/b", "@s/a/models", "@s/c"];

#[derive(Debug, Clone)]
enum Op {
    Install(usize, u64),
    Remove(usize),
    /// Several in one commit.
    Update(Vec<(usize, u64)>),
    Rollback(Option<u64>),
    /// Version control writes the lockfile of an earlier generation, or another one.
    Foreign(Vec<(usize, u64)>),
    Reformat,
    Collect(usize),
    Views,
}

fn op() -> impl Strategy<Value = Op> {
    let entry = || (0..NAMES.len(), 1..4u64);
    prop_oneof![
        4 => entry().prop_map(|(name, n)| Op::Install(name, n)),
        2 => (0..NAMES.len()).prop_map(Op::Remove),
        1 => prop::collection::vec(entry(), 1..4).prop_map(Op::Update),
        3 => prop::option::of(0..12u64).prop_map(Op::Rollback),
        1 => prop::collection::vec(entry(), 0..3).prop_map(Op::Foreign),
        1 => Just(Op::Reformat),
        1 => (1..6usize).prop_map(Op::Collect),
        1 => Just(Op::Views),
    ]
}

type Set = BTreeMap<&'static str, u64>;

#[derive(Debug, Clone, PartialEq)]
struct Past {
    number: u64,
    restores: Option<u64>,
    set: Set,
}

/// The model.
#[derive(Debug, Default)]
struct Model {
    /// The installed set.
    now: Set,
    /// Whether another program changed the lockfile since the last commit.
    is_foreign: bool,
    history: Vec<Past>,
}

impl Model {
    fn record(&mut self, restores: Option<u64>) {
        let number = self.history.last().map_or(1, |last| last.number + 1);
        self.history.push(Past { number, restores, set: self.now.clone() });
    }

    /// Every commit first records the state that it finds.
    fn settle(&mut self) {
        if std::mem::take(&mut self.is_foreign) {
            self.record(None);
        }
    }

    fn commit(&mut self, set: Set, restores: Option<u64>) {
        self.settle();
        if set != self.now {
            self.now = set;
            self.record(restores);
        }
    }

    fn found(&self, number: u64) -> Option<&Past> {
        self.history.iter().find(|past| past.number == number)
    }

    /// The generation and set of a rollback; `None` if it fails.
    fn target(&mut self, number: Option<u64>) -> Option<(u64, Set)> {
        let pending = self.is_foreign.then(|| Past {
            number: self.history.last().map_or(1, |last| last.number + 1),
            restores: None,
            set: self.now.clone(),
        });
        let list: Vec<Past> = self.history.iter().cloned().chain(pending).collect();
        let nothing = || Some((0, Set::new()));
        if let Some(number) = number {
            if number == 0 {
                return nothing();
            }
            let past = list.iter().find(|past| past.number == number)?;
            return Some((number, past.set.clone()));
        }
        let mut position = list.last()?.number;
        while let Some(restores) =
            list.iter().find(|past| past.number == position).and_then(|past| past.restores)
        {
            position = restores;
        }
        let before: Vec<&Past> = list.iter().filter(|past| past.number < position).collect();
        if let Some(past) = before.iter().rev().find(|past| past.set != self.now) {
            return Some((past.number, past.set.clone()));
        }
        // The set before the first generation is empty, even if that generation has been forgotten.
        let is_known_from_the_start = before.first().map_or(position, |past| past.number) == 1;
        if is_known_from_the_start && !self.now.is_empty() { nothing() } else { None }
    }
}

fn as_lockfile(set: &Set) -> Lockfile {
    let entries = set.iter().map(|(extension, n)| (name(extension), entry(extension, *n)));
    Lockfile { entries: entries.collect(), refused: Vec::new() }
}

fn apply(op: &Op, installation: &Installation, root: &std::path::Path, model: &mut Model) {
    match op {
        Op::Install(at, n) => {
            pull(installation, NAMES[*at], *n).unwrap();
            let mut set = model.now.clone();
            set.insert(NAMES[*at], *n);
            model.commit(set, None);
        }
        Op::Remove(at) => {
            remove(installation, NAMES[*at]).unwrap();
            let mut set = model.now.clone();
            set.remove(NAMES[*at]);
            model.commit(set, None);
        }
        Op::Update(entries) => {
            let leases: Vec<_> =
                entries.iter().map(|(at, n)| lease(installation, NAMES[*at], *n).unwrap()).collect();
            let mut set = model.now.clone();
            set.extend(entries.iter().map(|(at, n)| (NAMES[*at], *n)));
            change(installation, "update", &leases, |lockfile| *lockfile = as_lockfile(&set)).unwrap();
            model.commit(set, None);
        }
        Op::Rollback(number) => match (rollback(installation, *number), model.target(*number)) {
            (Ok(_), Some((number, set))) => model.commit(set, Some(number)),
            (Err(StoreError::NothingToRollBack | StoreError::NoGeneration { .. }), None) => {}
            (found, expected) => panic!("{op:?}: {found:?} where the model has {expected:?}"),
        },
        Op::Foreign(entries) => {
            let set: Set = entries.iter().map(|(at, n)| (NAMES[*at], *n)).collect();
            for (extension, n) in &set {
                publish(installation, extension, *n).unwrap();
            }
            write_behind(root, &as_lockfile(&set).to_json(), model, set);
        }
        Op::Reformat => {
            let set = model.now.clone();
            let text = as_lockfile(&set).to_json().replace("  ", "\t");
            write_behind(root, &text, model, set);
        }
        Op::Collect(generations) => {
            installation
                .collect(GenerationRetention { generations: *generations }, true, "gc", LONG)
                .unwrap();
            let excess = model.history.len().saturating_sub(*generations);
            model.history.drain(..excess);
            // Exactly the named trees are left.
            let named = model.history.iter().map(|past| &past.set).chain([&model.now]);
            let named: std::collections::BTreeSet<_> =
                named.flatten().map(|(extension, n)| digest_of(extension, *n)).collect();
            assert_eq!(installation.trees().list().unwrap(), named.into_iter().collect::<Vec<_>>());
        }
        Op::Views => {
            installation.derive_views(LONG).unwrap();
            let snapshot = installation.snapshot().unwrap();
            assert_eq!(installation.check_views(&snapshot).unwrap(), ViewReport::default());
            for extension in model.now.keys() {
                let links = find(&installation.views_dir(), |name| name == "manifest.yaml");
                let whole = find(&installation.views_dir(), |_| true);
                let manifests = links.into_iter().chain(whole.iter().map(|path| path.join("manifest.yaml")));
                let is_shown = manifests
                    .filter_map(|path| std::fs::read_to_string(path).ok())
                    .any(|text| text.starts_with(&format!("name: {extension}\n")));
                assert!(is_shown, "{extension} has no view");
            }
        }
    }
}

fn write_behind(root: &std::path::Path, text: &str, model: &mut Model, set: Set) {
    let path = lockfile_in(root);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    let recorded = open(root).history().unwrap().last().map(|last| last.lockfile);
    // The recorded bytes are not a change, and neither is another spelling of the empty set before the first generation.
    model.is_foreign = recorded != Some(marsh_types::Digest::of(text.as_bytes()));
    model.now = set;
}

fn agrees(installation: &Installation, model: &Model) {
    let snapshot = installation.snapshot().unwrap();
    assert_eq!(snapshot.lockfile, as_lockfile(&model.now));
    for digest in snapshot.lockfile.digests() {
        assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Whole);
    }
    let history = installation.history().unwrap();
    let found: Vec<(u64, Option<u64>)> =
        history.iter().map(|generation| (generation.number, generation.restores)).collect();
    let expected: Vec<(u64, Option<u64>)> =
        model.history.iter().map(|past| (past.number, past.restores)).collect();
    assert_eq!(found, expected);
    for past in &model.history {
        let (_, lockfile) = installation.target_of_rollback(Some(past.number)).unwrap();
        assert_eq!(lockfile, as_lockfile(&past.set), "generation {}", past.number);
        assert_eq!(model.found(past.number), Some(past));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn operations_in_any_order_agree_with_the_model(ops in prop::collection::vec((op(), any::<bool>()), 1..24)) {
        let repo = Repo::new();
        let root = repo.root();
        let handles = [open(&root), open(&root)];
        let mut model = Model::default();
        for (op, which) in &ops {
            apply(op, &handles[usize::from(*which)], &root, &mut model);
            agrees(&handles[usize::from(!*which)], &model);
        }
    }
}
