//! Relative paths that others chose: in manifests, archives and lockfiles.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path below some root, with `/` between its segments, that means the same on every system and cannot leave the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unsafe path {path:?}: {reason}")]
pub struct RelPathError {
    pub path: String,
    pub reason: &'static str,
}

impl RelPath {
    /// Above what file systems take as one name.
    const MAX_SEGMENT: usize = 255;
    const MAX_BYTES: usize = 1024;

    /// `./` at the front, doubled slashes and a final one are dropped. Everything that could climb, that is absolute
    /// anywhere, or that some system would read differently is refused.
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
            return refuse("it climbs out with \"..\"");
        }
        if segments.iter().any(|segment| segment.len() > Self::MAX_SEGMENT) {
            return refuse("a name in it is longer than 255 bytes");
        }
        if segments.is_empty() {
            return refuse("it names nothing");
        }
        Ok(RelPath(segments.join("/")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The path below `self`.
    #[must_use]
    pub fn join(&self, below: &RelPath) -> RelPath {
        RelPath(format!("{}/{}", self.0, below.0))
    }

    /// The path below `root`, in the system's spelling.
    pub fn below(&self, root: &std::path::Path) -> std::path::PathBuf {
        let mut path = root.to_path_buf();
        path.extend(self.segments());
        path
    }

    /// The form in which two paths are one on a file system that ignores case.
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
    fn what_stays_inside_is_normalized() {
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
    fn what_could_leave_is_refused() {
        let (long, name) = ("a/".repeat(600), "x".repeat(256));
        for path in [
            "", ".", "/", "/a", "..", "a/..", "a/../b", "a\\b", "..\\a", "C:/a", "c:a", "a\0b", "a\nb",
            &long, &name,
        ] {
            assert!(RelPath::parse(path).is_err(), "{path:?}");
        }
    }
}
