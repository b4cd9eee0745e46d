//! The location of a registry.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use url::Url;

/// A directory on this machine, or the base URL of a server or of static files. Lockfiles store its `Display` form, which
/// parses back to the same location.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A directory registry.
    Directory(PathBuf),
    /// The base URL of a server or of static files, http or https.
    Http(Url),
}

/// A text is not the location of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid registry `{text}`: {reason}")]
pub struct LocationError {
    /// The first 200 characters of the text.
    pub text: String,
    /// A clause that says what is wrong.
    pub reason: &'static str,
}

impl Location {
    /// Parses a path (absolute, or relative to `cwd`), a `file:` URL, or an http(s) URL.
    ///
    /// # Errors
    /// The text is empty, or is a URL with another scheme, with credentials, a query or a fragment, or without a host.
    pub fn parse(text: &str, cwd: &Path) -> Result<Location, LocationError> {
        let refuse = |reason| Err(LocationError { text: text.chars().take(200).collect(), reason });
        if text.trim().is_empty() {
            return refuse("it is empty");
        }
        if text.contains('\0') {
            return refuse("it contains a NUL");
        }
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => match problem(&url) {
                Some(reason) => refuse(reason),
                None => Ok(Location::Http(url)),
            },
            Ok(url) if url.scheme() == "file" => match url.to_file_path() {
                Ok(path) => Ok(Location::Directory(path)),
                Err(()) => refuse("the file URL is not a path on this machine"),
            },
            // One letter before the colon is a drive letter.
            Ok(url) if url.scheme().len() > 1 && text.contains("://") => {
                refuse("expected a path, or a URL with file:, http: or https:")
            }
            _ => Ok(Location::Directory(normalized(&cwd.join(text)))),
        }
    }
}

fn problem(url: &Url) -> Option<&'static str> {
    if url.host_str().is_none() {
        return Some("the URL has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("the URL contains credentials; set MARSH_API_KEY instead");
    }
    (url.query().is_some() || url.fragment().is_some()).then_some("the URL has a query or a fragment")
}

/// The path without `.` and `..`, by its text alone.
fn normalized(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Http(url) => f.write_str(url.as_str().trim_end_matches('/')),
            Location::Directory(path) => match Url::from_file_path(path) {
                Ok(url) => f.write_str(url.as_str()),
                Err(()) => write!(f, "{}", path.display()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Location;

    #[test]
    fn location_of_a_path_or_url_round_trips() {
        let cwd = Path::new("/home/me");
        for (text, shown) in [
            ("registry", "file:///home/me/registry"),
            ("../other/./reg", "file:///home/other/reg"),
            ("/srv/my reg", "file:///srv/my%20reg"),
            ("file:///srv/reg", "file:///srv/reg"),
            ("a:b", "file:///home/me/a:b"),
            ("https://example.org", "https://example.org"),
            ("http://127.0.0.1:8080/base/", "http://127.0.0.1:8080/base"),
        ] {
            let location = Location::parse(text, cwd).unwrap();
            assert_eq!(location.to_string(), shown, "{text}");
            assert_eq!(Location::parse(shown, Path::new("/")).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn location_that_no_request_can_use_is_refused() {
        for text in
            ["", " ", "ftp://x/y", "https://u:p@host/", "https://host/?q=1", "https://host/#x", "a\0b"]
        {
            assert!(Location::parse(text, Path::new("/")).is_err(), "{text:?}");
        }
    }
}
