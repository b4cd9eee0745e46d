//! Joining a path with a relative path from an untrusted source.

use std::path::{Path, PathBuf};

/// A relative path that could leave its root, or that means different files on different systems.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unsafe path {path:?}: {reason}")]
pub struct UnsafePath {
    /// The path as it was given.
    pub path: String,
    /// A clause that says what is wrong: `it is absolute`.
    pub reason: &'static str,
}

/// Joins `rel`, with `/` as the separator, to `root`. Drops `.` and doubled slashes.
///
/// Checks the text only. The caller makes sure that no link below `root` leads out of it.
///
/// # Errors
/// `rel` is absolute, empty, contains `..`, a backslash or a NUL, or starts with a drive letter.
pub fn safe_join(root: &Path, rel: &str) -> Result<PathBuf, UnsafePath> {
    let refuse = |reason| Err(UnsafePath { path: rel.to_owned(), reason });
    if rel.starts_with('/') {
        return refuse("it is absolute");
    }
    if rel.contains('\\') {
        return refuse("it contains a backslash");
    }
    if rel.contains('\0') {
        return refuse("it contains a NUL character");
    }
    let bytes = rel.as_bytes();
    if bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
        return refuse("it starts with a drive letter");
    }
    let mut joined = root.to_path_buf();
    let mut names = 0;
    for segment in rel.split('/') {
        match segment {
            "" | "." => {}
            ".." => return refuse("it contains \"..\""),
            name => {
                joined.push(name);
                names += 1;
            }
        }
    }
    if names == 0 {
        return refuse("it is empty");
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_join_of_a_path_inside_joins() {
        for (rel, expected) in [
            ("a", "/r/a"),
            ("a/b.ts", "/r/a/b.ts"),
            ("./a//b/", "/r/a/b"),
            ("..a", "/r/..a"),
            ("a..", "/r/a.."),
        ] {
            assert_eq!(safe_join(Path::new("/r"), rel).unwrap(), Path::new(expected), "{rel}");
        }
    }

    #[test]
    fn safe_join_of_a_path_that_could_leave_fails() {
        for rel in [
            "",
            ".",
            "./",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "a/..",
            "a\\b",
            "..\\x",
            "a\0b",
            "C:/x",
            "c:x",
        ] {
            assert!(safe_join(Path::new("/r"), rel).is_err(), "{rel:?} was accepted");
        }
    }

    #[test]
    fn unsafe_path_message_names_path_and_reason() {
        let error = safe_join(Path::new("/r"), "a/../b").unwrap_err();
        assert_eq!(error.to_string(), r#"unsafe path "a/../b": it contains "..""#);
    }
}
