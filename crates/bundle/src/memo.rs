//! Results of parsing, remembered by the source text.
//!
//! Freshness trusts no file that changed a moment ago by its time, so such a file is read again and again; parsing it each
//! time would be slow. The result depends on the text and the language alone, so it is kept by their hash and never stale.
//! The memo is bounded, and holds results of larger texts only.

use std::sync::{Arc, Mutex, PoisonError};

use oxc_span::SourceType;
use sha2::{Digest, Sha256};

/// Texts that are remembered; the one that was asked for least recently goes.
const KEPT: usize = 64;
/// Bytes of a text that parses faster than it is looked up.
const SMALL: usize = 2048;

struct Entry<T> {
    hash: [u8; 32],
    language: SourceType,
    value: Arc<T>,
    asked: u64,
}

pub(crate) struct Memo<T> {
    /// And how often was asked.
    entries: Mutex<(Vec<Entry<T>>, u64)>,
}

impl<T> Memo<T> {
    pub const fn new() -> Memo<T> {
        Memo { entries: Mutex::new((Vec::new(), 0)) }
    }

    /// What `read` says of this text, or has said. An error is not remembered.
    pub fn of<E>(
        &self,
        source: &str,
        language: SourceType,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        if source.len() < SMALL {
            return read().map(Arc::new);
        }
        let hash: [u8; 32] = Sha256::digest(source.as_bytes()).into();
        if let Some(known) = self.find(&hash, language) {
            return Ok(known);
        }
        let value = Arc::new(read()?);
        self.keep(hash, language, &value);
        Ok(value)
    }

    fn find(&self, hash: &[u8; 32], language: SourceType) -> Option<Arc<T>> {
        let mut guard = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (entries, asked) = &mut *guard;
        *asked += 1;
        let entry = entries.iter_mut().find(|entry| entry.hash == *hash && entry.language == language)?;
        entry.asked = *asked;
        Some(Arc::clone(&entry.value))
    }

    fn keep(&self, hash: [u8; 32], language: SourceType, value: &Arc<T>) {
        let mut guard = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (entries, asked) = &mut *guard;
        if entries.len() >= KEPT
            && let Some(oldest) =
                (0..entries.len()).min_by_key(|at| entries.get(*at).map(|entry| entry.asked))
        {
            entries.swap_remove(oldest);
        }
        entries.push(Entry { hash, language, value: Arc::clone(value), asked: *asked });
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Memo, SMALL};
    use oxc_span::SourceType;
    use std::cell::Cell;

    fn text(number: usize) -> String {
        format!("{number:0width$}", width = SMALL)
    }

    #[test]
    fn a_text_is_read_once_and_another_language_again() {
        let (memo, reads) = (Memo::new(), Cell::new(0));
        let ask = |text: &str, language| {
            let read = || {
                reads.set(reads.get() + 1);
                Ok::<_, ()>(text.to_owned())
            };
            assert_eq!(*memo.of(text, language, read).unwrap(), text);
            reads.get()
        };
        assert_eq!(ask(&text(1), SourceType::ts()), 1);
        assert_eq!(ask(&text(1), SourceType::ts()), 1);
        assert_eq!(ask(&text(2), SourceType::ts()), 2);
        assert_eq!(ask(&text(1), SourceType::mjs()), 3);
        // The first is asked for all the while, and stays.
        for number in 3..3 * KEPT {
            ask(&text(number), SourceType::ts());
            let before = reads.get();
            assert_eq!(ask(&text(1), SourceType::ts()), before);
        }
        let before = reads.get();
        assert_eq!(ask(&text(2), SourceType::ts()), before + 1, "it was forgotten");
    }

    #[test]
    fn an_error_is_not_remembered() {
        let memo = Memo::new();
        assert!(memo.of(&text(1), SourceType::ts(), || Err::<(), _>("no")).is_err());
        assert!(memo.of(&text(1), SourceType::ts(), || Ok::<_, ()>(())).is_ok());
    }
}
