//! Relative paths from untrusted files: manifests, archives and lockfiles.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A relative path with `/` between its segments, which means the same on every system and cannot leave its root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(String);

/// A text is not a safe relative path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unsafe path {path:?}: {reason}")]
pub struct RelPathError {
    /// The first 200 characters of the text.
    pub path: String,
    /// A clause that says what is wrong: `it is absolute`.
    pub reason: &'static str,
}

impl RelPath {
    /// The longest name that common file systems accept.
    const MAX_SEGMENT: usize = 255;
    const MAX_BYTES: usize = 1024;

    /// Parses a path. Drops a leading `./`, doubled slashes and a final slash.
    ///
    /// # Errors
    /// The path is empty, absolute on any system, longer than 1024 bytes, or contains `..`, a backslash, a control
    /// character or a segment of more than 255 bytes.
    pub fn parse(path: &str) -> Result<RelPath, RelPathError> {
        let refuse = |reason| Err(RelPathError { path: path.chars().take(200).collect(), reason });
        if path.len() > Self::MAX_BYTES {
            return refuse("it is longer than 1024 bytes");
        }
        if path.starts_with('/') {
            return refuse("it is absolute");
        }
        if path.contains('\\') {
            return refuse("it contains a backslash");
        }
        if path.chars().any(char::is_control) {
            return refuse("it contains a control character");
        }
        let bytes = path.as_bytes();
        if bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
            return refuse("it starts with a drive letter");
        }
        let segments: Vec<&str> = path.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
        if segments.contains(&"..") {
            return refuse("it contains \"..\"");
        }
        if segments.iter().any(|segment| segment.len() > Self::MAX_SEGMENT) {
            return refuse("a segment is longer than 255 bytes");
        }
        if segments.is_empty() {
            return refuse("it is empty");
        }
        Ok(RelPath(segments.join("/")))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names between the slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The path `below`, taken relative to this one.
    #[must_use]
    pub fn join(&self, below: &RelPath) -> RelPath {
        RelPath(format!("{}/{}", self.0, below.0))
    }

    /// The path below `root`, with the system's separators.
    pub fn below(&self, root: &std::path::Path) -> std::path::PathBuf {
        let mut path = root.to_path_buf();
        path.extend(self.segments());
        path
    }

    /// The path in lower case. Two paths with equal folded forms name one file on a file system that ignores case.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl std::str::FromStr for RelPath {
    type Err = RelPathError;

    fn from_str(path: &str) -> Result<RelPath, RelPathError> {
        RelPath::parse(path)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RelPath::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::RelPath;

    #[test]
    fn path_inside_its_root_is_normalized() {
        for (path, expected) in [
            ("a", "a"),
            ("./a//b/", "a/b"),
            ("a..b/v1..2.md", "a..b/v1..2.md"),
            ("..a", "..a"),
            ("ü/x", "ü/x"),
        ] {
            assert_eq!(RelPath::parse(path).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn path_that_could_leave_its_root_is_refused() {
        let (long, name) = ("a/".repeat(600), "x".repeat(256));
        for path in [
            "", ".", "/", "/a", "..", "a/..", "a/../b", "a\\b", "..\\a", "C:/a", "c:a", "a\0b", "a\nb",
            &long, &name,
        ] {
            assert!(RelPath::parse(path).is_err(), "{path:?}");
        }
    }
}
