//! The rules for publishing: the number, sizes and kinds of files. The numbers come from the extension format ("Publishing").

use marsh_types::RelPath;

/// The largest number of files.
pub const MAX_FILES: usize = 150;
/// The largest size of a file, in bytes.
pub const MAX_FILE_BYTES: u64 = 1_000_000;
/// The largest size of all files together, in bytes.
pub const MAX_TOTAL_BYTES: u64 = 10_000_000;
/// The largest size of a file of a skill, in bytes.
pub const MAX_SKILL_FILE_BYTES: u64 = 512_000;
/// The largest size of all files of a skill together, in bytes.
pub const MAX_SKILL_BYTES: u64 = 2_097_152;

const EXTENSIONS: [&str; 6] = ["ts", "json", "md", "yaml", "yml", "txt"];
const LEGAL: [&str; 7] =
    ["AUTHORS", "CONTRIBUTORS", "COPYING", "COPYING-EXCEPTION", "LICENSE", "NOTICE", "PATENTS"];

/// A file to publish.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// The path, relative to the extension.
    pub path: &'a RelPath,
    /// The size in bytes.
    pub bytes: u64,
    /// Whether the manifest lists the file under `binaries`, which allows any kind of file.
    pub binary: bool,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The file that breaks the rule, or `None` if all files together break it.
    pub file: Option<String>,
    /// The rule, in words.
    pub message: String,
}

/// Checks the rules and returns every broken one, so that an author sees them at once.
pub fn check(files: &[Candidate<'_>]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if files.len() > MAX_FILES {
        let message = format!("expected at most {MAX_FILES} files, found {}", files.len());
        breaches.push(Breach { file: None, message });
    }
    for one in files {
        let mut breach =
            |message: String| breaches.push(Breach { file: Some(one.path.to_string()), message });
        if one.path.file_name().starts_with('.') {
            breach("hidden files cannot be published".into());
        } else if !one.binary && !allowed(one.path.file_name()) {
            breach(format!(
                "this kind of file cannot be published: expected {} or a license text; list programs under `binaries`",
                EXTENSIONS.map(|extension| format!(".{extension}")).join(" ")
            ));
        }
        if one.bytes > MAX_FILE_BYTES {
            breach(format!("expected at most {MAX_FILE_BYTES} bytes, found {}", one.bytes));
        }
    }
    let total: u64 = files.iter().map(|one| one.bytes).sum();
    if total > MAX_TOTAL_BYTES {
        let message =
            format!("expected at most {MAX_TOTAL_BYTES} bytes in all files together, found {total}");
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
    fn check_of_a_wrong_kind_or_size_reports_one_breach() {
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
    fn check_of_too_many_files_reports_one_breach() {
        let path = RelPath::parse("a.ts").unwrap();
        let files = vec![Candidate { path: &path, bytes: 1, binary: false }; MAX_FILES + 1];
        assert_eq!(check(&files).len(), 1);
        assert!(check(&files[1..]).is_empty());
    }
}
