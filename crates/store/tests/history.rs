//! Generations: rollback goes back step by step, to a number, to nothing; what is forgotten is said to be.

use marsh_store::{Installation, Retention, StoreError};
use marsh_types::Explain as _;

use crate::support::*;

fn restores(installation: &Installation) -> Vec<Option<u64>> {
    installation.history().unwrap().iter().map(|generation| generation.restores).collect()
}

#[test]
fn repeated_rollbacks_go_back_step_by_step() {
    let repo = Repo::new();
    let installation = repo.open();
    assert!(matches!(rollback(&installation, None).unwrap_err(), StoreError::NothingToRollBack));
    for extension in ["@s/a", "@s/b", "@s/c"] {
        pull(&installation, extension, 1).unwrap();
    }
    for expected in ["@s/a 1, @s/b 1", "@s/a 1", ""] {
        rollback(&installation, None).unwrap();
        assert_eq!(installed(&installation), expected);
    }
    assert_eq!(restores(&installation), [None, None, None, Some(2), Some(1), Some(0)]);
    let error = rollback(&installation, None).unwrap_err();
    assert_eq!(error.code().as_str(), "nothing_to_roll_back");
    assert_eq!(installation.history().unwrap().len(), 6);
    // A new change starts from there.
    pull(&installation, "@s/d", 1).unwrap();
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "");
    assert_settled(&installation, "at the end");
}

#[test]
fn a_rollback_to_a_number_continues_from_there() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=4 {
        pull(&installation, "@s/a", n).unwrap();
    }
    rollback(&installation, Some(2)).unwrap();
    assert_eq!(installed(&installation), "@s/a 2");
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "@s/a 1", "before 2 is 1, not 4");
    // Through a chain of rollbacks.
    rollback(&installation, Some(5)).unwrap();
    assert_eq!(installed(&installation), "@s/a 2");
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "@s/a 1");
    // Forward again is a number too.
    rollback(&installation, Some(4)).unwrap();
    assert_eq!(installed(&installation), "@s/a 4");
    rollback(&installation, Some(0)).unwrap();
    assert_eq!(installed(&installation), "");
    let error = rollback(&installation, Some(99)).unwrap_err();
    assert!(matches!(error, StoreError::NoGeneration { number: 99, newest: 10 }), "{error}");
    assert_settled(&installation, "at the end");
}

#[test]
fn a_rollback_to_what_is_there_already_is_no_change() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    assert!(rollback(&installation, Some(1)).unwrap().generation.is_none());
    assert_eq!(installation.history().unwrap().len(), 1);
}

/// A reformatted lockfile is another state of the file and the same set: going back to it would be going nowhere.
#[test]
fn a_rollback_passes_over_states_that_differ_in_spelling_only() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    pull(&installation, "@s/a", 2).unwrap();
    let text = std::fs::read_to_string(repo.lockfile()).unwrap();
    std::fs::write(repo.lockfile(), text.replace("  ", "\t")).unwrap();
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "@s/a 1");
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "");
}

#[test]
fn what_is_forgotten_is_said_to_be() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=6 {
        pull(&installation, "@s/a", n).unwrap();
    }
    let collection = installation.collect(Retention { generations: 3 }, true, "gc", LONG).unwrap();
    assert_eq!((collection.forgotten, collection.removed.len(), collection.kept), (3, 3, 3));
    let numbers = |installation: &Installation| -> Vec<u64> {
        installation.history().unwrap().iter().map(|generation| generation.number).collect()
    };
    assert_eq!(numbers(&installation), [4, 5, 6]);
    let error = rollback(&installation, Some(2)).unwrap_err();
    assert!(matches!(error, StoreError::NoGeneration { number: 2, newest: 6 }), "{error}");
    assert!(error.hint().unwrap().contains("history"));
    for expected in ["@s/a 5", "@s/a 4"] {
        rollback(&installation, None).unwrap();
        assert_eq!(installed(&installation), expected);
    }
    assert!(matches!(rollback(&installation, None).unwrap_err(), StoreError::NothingToRollBack));
    // What the newest one restored is forgotten: nothing before it is known, and what came later is not "before".
    installation.collect(Retention { generations: 2 }, true, "gc", LONG).unwrap();
    assert_eq!(numbers(&installation), [7, 8]);
    assert!(matches!(rollback(&installation, None).unwrap_err(), StoreError::NothingToRollBack));
    // Numbers are never given twice.
    assert_eq!(pull(&installation, "@s/b", 1).unwrap().generation.unwrap().number, 9);
    assert_settled(&installation, "at the end");
}

#[test]
fn a_generation_whose_content_is_lost_cannot_be_restored_and_nothing_happens() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    pull(&installation, "@s/a", 2).unwrap();
    let first = installation.history().unwrap()[0].lockfile;
    let content = find(&repo.root().join(".swamp"), |name| name == format!("{first}.json"));
    assert_eq!(content.len(), 1);
    for damage in [Some("{}\n"), Some(""), None] {
        match damage {
            Some(text) => std::fs::write(&content[0], text).unwrap(),
            None => std::fs::remove_file(&content[0]).unwrap(),
        }
        for number in [None, Some(1)] {
            let error = rollback(&installation, number).unwrap_err();
            assert!(matches!(error, StoreError::GenerationLost { number: 1 }), "{error}");
        }
        assert_eq!(installed(&installation), "@s/a 2");
    }
    // Committed once more, that state is whole again.
    pull(&installation, "@s/a", 1).unwrap();
    pull(&installation, "@s/a", 2).unwrap();
    rollback(&installation, Some(1)).unwrap();
    assert_eq!(installed(&installation), "@s/a 1");
}

/// What keeps a record from being read does not keep the set from being changed.
#[test]
fn damaged_records_are_passed_over() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=3 {
        pull(&installation, "@s/a", n).unwrap();
    }
    let records = find(&repo.root().join(".swamp/marsh/generations"), |name| name == "3.json");
    std::fs::write(&records[0], "{").unwrap();
    pull(&installation, "@s/b", 1).unwrap();
    assert_eq!(installed(&installation), "@s/a 3, @s/b 1");
    let history = installation.history().unwrap();
    let newest = history.last().unwrap();
    assert_eq!(newest.lockfile, installation.snapshot().unwrap().digest);
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "@s/a 3");
}
