//! What may be published: how many files, how large, of which kinds. The numbers are those of the extension format.

use marsh_types::RelPath;

pub const MAX_FILES: usize = 150;
pub const MAX_FILE_BYTES: u64 = 1_000_000;
pub const MAX_TOTAL_BYTES: u64 = 10_000_000;
pub const MAX_SKILL_FILE_BYTES: u64 = 512_000;
pub const MAX_SKILL_BYTES: u64 = 2_097_152;

const EXTENSIONS: [&str; 6] = ["ts", "json", "md", "yaml", "yml", "txt"];
const LEGAL: [&str; 7] =
    ["AUTHORS", "CONTRIBUTORS", "COPYING", "COPYING-EXCEPTION", "LICENSE", "NOTICE", "PATENTS"];

/// A file that is to be published.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    pub path: &'a RelPath,
    pub bytes: u64,
    /// Binaries may be of any kind.
    pub binary: bool,
}

/// What a rule says against a file; without a file, against all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub file: Option<String>,
    pub message: String,
}

/// Every breach, so that an author mends them in one go.
pub fn check(files: &[Candidate<'_>]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if files.len() > MAX_FILES {
        let message = format!("{} files are more than {MAX_FILES}", files.len());
        breaches.push(Breach { file: None, message });
    }
    for one in files {
        let mut breach =
            |message: String| breaches.push(Breach { file: Some(one.path.to_string()), message });
        if one.path.file_name().starts_with('.') {
            breach("hidden files are not published".into());
        } else if !one.binary && !allowed(one.path.file_name()) {
            breach(format!(
                "files of this kind are not published; allowed are {} and legal texts; list programs under `binaries`",
                EXTENSIONS.map(|extension| format!(".{extension}")).join(" ")
            ));
        }
        if one.bytes > MAX_FILE_BYTES {
            breach(format!("{} bytes are more than {MAX_FILE_BYTES}", one.bytes));
        }
    }
    let total: u64 = files.iter().map(|one| one.bytes).sum();
    if total > MAX_TOTAL_BYTES {
        let message = format!("{total} bytes in all are more than {MAX_TOTAL_BYTES}");
        breaches.push(Breach { file: None, message });
    }
    breaches
}

fn allowed(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, extension)) => EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)),
        None => LEGAL.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use marsh_types::RelPath;

    use super::{Candidate, MAX_FILE_BYTES, MAX_FILES, check};

    fn breaches(path: &str, bytes: u64, binary: bool) -> usize {
        check(&[Candidate { path: &RelPath::parse(path).unwrap(), bytes, binary }]).len()
    }

    #[test]
    fn kinds_and_sizes() {
        for good in ["a.ts", "b/A.JSON", "LICENSE", "x.md"] {
            assert_eq!(breaches(good, MAX_FILE_BYTES, false), 0, "{good}");
        }
        for bad in ["a.sh", "b.js", "Makefile", ".env", "a.ts.exe"] {
            assert_eq!(breaches(bad, 1, false), 1, "{bad}");
        }
        assert_eq!(breaches("tool", 1, true), 0);
        assert_eq!(breaches("a.ts", MAX_FILE_BYTES + 1, false), 1);
    }

    #[test]
    fn there_may_not_be_too_many() {
        let path = RelPath::parse("a.ts").unwrap();
        let files = vec![Candidate { path: &path, bytes: 1, binary: false }; MAX_FILES + 1];
        assert_eq!(check(&files).len(), 1);
        assert!(check(&files[1..]).is_empty());
    }
}
