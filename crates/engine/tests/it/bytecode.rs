//! Compiled code is used when it is genuine, and only then.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::common::{Fixture, call};
use serde_json::json;

const MODULE: &str = "import { z } from 'npm:zod@4.3.6';
export const run = () => [import.meta.url.startsWith('file:///'), z];
export const fail = () => { throw new Error('here') };";

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.cache = Some(fixture.path("cache"));
    fixture.external("npm:zod@4.3.6", "export const z = 1;");
    fixture
}

/// Load, call, say whether the module came from the cache.
fn hit(fixture: &Fixture) -> bool {
    let runtime = fixture.load(MODULE);
    assert_eq!(call(&runtime, "run", json!({})).unwrap(), json!([true, 1]));
    let error = call(&runtime, "fail", json!({})).unwrap_err();
    assert_eq!(error.location.unwrap().line, 3);
    let hit = runtime.stats().bytecode_hit;
    runtime.close();
    hit
}

fn files(fixture: &Fixture) -> Vec<PathBuf> {
    let tags: Vec<_> =
        std::fs::read_dir(fixture.path("cache")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(tags.len(), 1, "one directory per engine");
    std::fs::read_dir(&tags[0]).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_second_load_comes_from_the_cache_and_behaves_the_same() {
    let fixture = fixture();
    assert!(!hit(&fixture));
    assert!(hit(&fixture));
    for file in files(&fixture) {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let dir = file.parent().unwrap();
        assert_eq!(std::fs::metadata(dir).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_damaged_file_is_ignored_and_replaced() {
    let fixture = fixture();
    hit(&fixture);
    for damage in ["flip", "truncate", "empty", "header"] {
        for file in files(&fixture) {
            let mut bytes = std::fs::read(&file).unwrap();
            // The surface's own files are read once per process; what was damaged before may still be.
            if bytes.is_empty() {
                continue;
            }
            match damage {
                "flip" => *bytes.last_mut().unwrap() ^= 1,
                "truncate" => bytes.truncate(bytes.len() - 3),
                "empty" => bytes.clear(),
                _ => bytes[10] ^= 1,
            }
            std::fs::write(&file, bytes).unwrap();
        }
        assert!(!hit(&fixture), "{damage}");
        assert!(hit(&fixture), "replaced after {damage}");
    }
}

#[test]
fn a_file_that_others_can_write_or_that_is_a_link_is_not_trusted() {
    let fixture = fixture();
    hit(&fixture);
    for file in files(&fixture) {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o620)).unwrap();
    }
    assert!(!hit(&fixture));
    assert!(hit(&fixture), "replaced with the right mode");
    for file in files(&fixture) {
        let aside = fixture.path("aside").with_extension(file.file_stem().unwrap());
        std::fs::rename(&file, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &file).unwrap();
    }
    assert!(!hit(&fixture));
}

#[test]
fn a_directory_that_others_can_enter_is_not_used() {
    let fixture = fixture();
    hit(&fixture);
    let dir = files(&fixture)[0].parent().unwrap().to_owned();
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!hit(&fixture));
    assert!(!hit(&fixture));
}

#[test]
fn one_module_s_code_is_never_taken_for_another_s() {
    let fixture = fixture();
    hit(&fixture);
    let files = files(&fixture);
    let contents: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    for (at, file) in files.iter().enumerate() {
        std::fs::write(file, &contents[(at + 1) % contents.len()]).unwrap();
    }
    assert!(!hit(&fixture));
}
