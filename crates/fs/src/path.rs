//! Joining names that others chose.

use std::path::{Path, PathBuf};

/// A relative path that could leave its root, or means different things on different systems.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unsafe path {path:?}: {reason}")]
pub struct UnsafePath {
    pub path: String,
    pub reason: &'static str,
}

/// Joins `rel`, with `/` as the separator, to `root`. Refuses what is absolute, climbs (`..`), holds a backslash, a NUL
/// or a drive letter, or names nothing; `.` and doubled slashes are dropped. Looks at text only: that no link below
/// `root` leads out is a matter of who creates links there.
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
            ".." => return refuse("it climbs out with \"..\""),
            name => {
                joined.push(name);
                names += 1;
            }
        }
    }
    if names == 0 {
        return refuse("it names nothing");
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_what_stays_inside() {
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
    fn refuses_what_could_leave() {
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
    fn the_message_names_path_and_reason() {
        let error = safe_join(Path::new("/r"), "a/../b").unwrap_err();
        assert_eq!(error.to_string(), r#"unsafe path "a/../b": it climbs out with "..""#);
    }
}
