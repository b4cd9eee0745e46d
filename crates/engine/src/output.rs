//! Text that code writes: cut into lines, and cut off at a limit.

/// The part of a stream that has no end of line yet.
#[derive(Default)]
pub(crate) struct Lines {
    partial: String,
}

impl Lines {
    /// Adds text, and moves what is complete to `out`, without the ends of lines.
    pub(crate) fn push(&mut self, text: &str, out: &mut Vec<String>) {
        self.partial.push_str(text);
        while let Some(end) = self.partial.find('\n') {
            let rest = self.partial.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.partial, rest);
            line.pop();
            out.push(line);
        }
    }

    /// What has no end yet, if anything.
    pub(crate) fn take(&mut self) -> Option<String> {
        (!self.partial.is_empty()).then(|| std::mem::take(&mut self.partial))
    }
}

/// How much has been said so far, in bytes.
#[derive(Default)]
pub(crate) struct Said {
    bytes: usize,
}

/// Whether what is said next still goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    Enough,
    /// Here the limit is crossed, which happens once.
    UpToHere,
    None,
}

impl Said {
    pub(crate) fn says(&mut self, bytes: usize, limit: usize) -> Allowance {
        if self.bytes > limit {
            return Allowance::None;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > limit { Allowance::UpToHere } else { Allowance::Enough }
    }
}
