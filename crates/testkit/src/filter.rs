//! Replaces text that differs from run to run with a word in brackets.

use std::path::Path;
use std::sync::LazyLock;

use regex_lite::Regex;

/// Patterns and their replacements, applied in order.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "[uuid]"),
        // As in documents, and as in file names.
        (r"\b\d{4}-\d\d-\d\dT\d\d[:-]\d\d[:-]\d\d([.-]\d+)?Z", "[time]"),
        (r"\b[0-9a-f]{64}\b", "[sha256]"),
        (r#""pid": \d+"#, r#""pid": [pid]"#),
        (r#""(duration|durationMs)": \d+"#, r#""$1": [duration]"#),
        (r"\bdurationMs( +)\d+", "durationMs$1[duration]"),
        (r"\b(\d+ ms|\d+\.\d s|\d+ min \d+ s)\b", "[duration]"),
    ];
    patterns.into_iter().map(|(pattern, with)| (Regex::new(pattern).unwrap(), with)).collect()
});

/// The standard filters, and those of a scratch directory.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    literal: Vec<(String, String)>,
}

impl Filters {
    /// Replaces `path` in output by `[word]`. Longer paths first: the order of calls is the order of replacement.
    #[must_use]
    pub fn path(mut self, path: &Path, word: &str) -> Filters {
        self.literal.push((path.display().to_string(), format!("[{word}]")));
        self
    }

    /// Replaces what differs from run to run.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.literal {
            text = text.replace(from, to);
        }
        for (pattern, with) in PATTERNS.iter() {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Filters;

    #[test]
    fn filters_replace_varying_text_only() {
        let filters = Filters::default().path(Path::new("/tmp/x/repo"), "repo");
        let text = "/tmp/x/repo/a fd3fecbc-fd07-455d-b05d-96873f408d11-2026-11-22T23-14-33-763Z.log in 15 ms, 1.2 s, \
            \"durationMs\": 58, \"durationMs\": \"58\", did not end within 1 s";
        assert_eq!(
            filters.apply(text),
            "[repo]/a [uuid]-[time].log in [duration], [duration], \
             \"durationMs\": [duration], \"durationMs\": \"58\", did not end within 1 s"
        );
        assert_eq!(filters.apply(&"0a".repeat(32)), "[sha256]");
    }
}
