//! A check of the data directory of a repository, which holds at any moment.

use std::path::{Path, PathBuf};

/// Checks that every version below `.swamp/data` is whole, `latest` names one that exists, and no writer left files.
///
/// # Panics
/// If one of these is wrong. The message names the first problem.
pub fn assert_no_half_written(repo: &Path) {
    walk(&repo.join(".swamp"));
}

fn walk(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let versions: Vec<&PathBuf> = entries.iter().filter(|path| is_version(path)).collect();
    let latest = dir.join("latest");
    if latest.is_file() {
        let text = std::fs::read_to_string(&latest).expect("`latest` can be read");
        assert!(
            versions.iter().any(|version| version.file_name().is_some_and(|name| *name == *text)),
            "{} says {text:?}, and there are {versions:?}",
            latest.display()
        );
    }
    for version in versions {
        assert!(latest.is_file(), "{} exists, and no `latest` beside it", version.display());
        for file in ["metadata.yaml", "raw"] {
            assert!(version.join(file).is_file(), "{} has no {file}", version.display());
        }
    }
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(!name.starts_with(".tmp-") && !name.ends_with(".tmp"), "left behind: {}", path.display());
        // Links lead out of the repository.
        if path.is_dir() && !path.is_symlink() {
            walk(&path);
        }
    }
}

/// Whether the directory is a version: its name is a number, and it has no versions below it. A datum may be called `7`.
fn is_version(path: &Path) -> bool {
    let in_data = path.components().any(|part| part.as_os_str() == "data");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    in_data && is_number && path.is_dir() && !path.join("latest").is_file()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::assert_no_half_written;

    /// A repository with one whole version, changed by `spoil`.
    fn holds(spoil: impl FnOnce(&Path)) -> bool {
        let repo = tempfile::tempdir().unwrap();
        let version = repo.path().join(".swamp/data/@me/x/id/7/1");
        std::fs::create_dir_all(&version).unwrap();
        for (file, text) in [("raw", "{}"), ("metadata.yaml", "id: 1"), ("../latest", "1")] {
            std::fs::write(version.join(file), text).unwrap();
        }
        spoil(&version);
        std::panic::catch_unwind(|| assert_no_half_written(repo.path())).is_ok()
    }

    #[test]
    fn half_written_data_fails_the_check() {
        assert!(holds(|_| {}), "a whole version, of a datum whose name is a number");
        assert!(!holds(|version| std::fs::remove_file(version.join("raw")).unwrap()));
        assert!(!holds(|version| std::fs::remove_file(version.join("metadata.yaml")).unwrap()));
        assert!(!holds(|version| std::fs::remove_file(version.join("../latest")).unwrap()));
        assert!(!holds(|version| std::fs::write(version.join("../latest"), "2").unwrap()));
        assert!(!holds(|version| std::fs::write(version.join("../latest"), "").unwrap()));
        assert!(!holds(|version| std::fs::create_dir(version.join("../../.tmp-x")).unwrap()));
        assert!(!holds(|version| std::fs::create_dir(version.join("../2")).unwrap()));
    }
}
