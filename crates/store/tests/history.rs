//! Generations: rollback step by step, to a number, and to the empty set; forgotten generations are errors.

use marsh_store::{GenerationRetention, Installation, StoreError};
use marsh_types::Explain as _;

use crate::support::*;

fn restores(installation: &Installation) -> Vec<Option<u64>> {
    installation.history().unwrap().iter().map(|generation| generation.restores).collect()
}

#[test]
fn rollback_repeated_goes_back_step_by_step() {
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
    // A new change starts from that state.
    pull(&installation, "@s/d", 1).unwrap();
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "");
    assert_settled(&installation, "at the end");
}

#[test]
fn rollback_to_a_number_continues_from_there() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=4 {
        pull(&installation, "@s/a", n).unwrap();
    }
    rollback(&installation, Some(2)).unwrap();
    assert_eq!(installed(&installation), "@s/a 2");
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "@s/a 1", "before 2 is 1, not 4");
    // A chain of rollbacks.
    rollback(&installation, Some(5)).unwrap();
    assert_eq!(installed(&installation), "@s/a 2");
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "@s/a 1");
    // A later generation can be restored too.
    rollback(&installation, Some(4)).unwrap();
    assert_eq!(installed(&installation), "@s/a 4");
    rollback(&installation, Some(0)).unwrap();
    assert_eq!(installed(&installation), "");
    let error = rollback(&installation, Some(99)).unwrap_err();
    assert!(matches!(error, StoreError::NoGeneration { number: 99, newest: 10 }), "{error}");
    assert_settled(&installation, "at the end");
}

#[test]
fn rollback_to_the_current_set_changes_nothing() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    assert!(rollback(&installation, Some(1)).unwrap().generation.is_none());
    assert_eq!(installation.history().unwrap().len(), 1);
}

/// A reformatted lockfile is another state of the file, but the same set, so a rollback to it would change nothing.
#[test]
fn rollback_skips_states_that_differ_only_in_spelling() {
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
fn rollback_to_a_forgotten_generation_fails() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=6 {
        pull(&installation, "@s/a", n).unwrap();
    }
    let collection = installation.collect(GenerationRetention { generations: 3 }, true, "gc", LONG).unwrap();
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
    // The generation that the newest one restored is forgotten. The state before it is unknown, and later ones do not count.
    installation.collect(GenerationRetention { generations: 2 }, true, "gc", LONG).unwrap();
    assert_eq!(numbers(&installation), [7, 8]);
    assert!(matches!(rollback(&installation, None).unwrap_err(), StoreError::NothingToRollBack));
    // Numbers are never used twice.
    assert_eq!(pull(&installation, "@s/b", 1).unwrap().generation.unwrap().number, 9);
    assert_settled(&installation, "at the end");
}

#[test]
fn rollback_to_a_generation_with_lost_content_fails() {
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
    // Another commit of that state makes it whole again.
    pull(&installation, "@s/a", 1).unwrap();
    pull(&installation, "@s/a", 2).unwrap();
    rollback(&installation, Some(1)).unwrap();
    assert_eq!(installed(&installation), "@s/a 1");
}

/// A record that cannot be read does not stop commits.
#[test]
fn history_with_damaged_records_lists_the_others() {
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
