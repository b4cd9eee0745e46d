//! Code that the parent sent, by its digest. Module versions share packages, so a host that cannot read the parent's files
//! would ask for each package once for each version (`tests/modules.rs`).

use std::collections::VecDeque;
use std::sync::Mutex;

use marsh_types::Digest;

use crate::locked;

/// The code that is kept takes no more memory than this.
const MAX_BYTES: usize = 32 << 20;

/// The code that was used last, in the order of its last use.
pub struct ModuleCache {
    max_bytes: usize,
    entries: Mutex<VecDeque<(Digest, Vec<u8>)>>,
}

impl Default for ModuleCache {
    fn default() -> ModuleCache {
        ModuleCache { max_bytes: MAX_BYTES, entries: Mutex::default() }
    }
}

impl ModuleCache {
    /// The code with this digest, if it is kept.
    pub fn get(&self, sha256: &str) -> Option<Vec<u8>> {
        let wanted: Digest = sha256.parse().ok()?;
        let mut entries = locked(&self.entries);
        let at = entries.iter().position(|(digest, _)| *digest == wanted)?;
        let entry = entries.remove(at)?;
        let code = entry.1.clone();
        entries.push_back(entry);
        Some(code)
    }

    /// Keeps code under its own digest, and forgets what was not used for the longest time.
    pub fn put(&self, code: &[u8]) {
        if code.len() > self.max_bytes {
            return;
        }
        let digest = Digest::of(code);
        let mut entries = locked(&self.entries);
        entries.retain(|(other, _)| *other != digest);
        entries.push_back((digest, code.to_vec()));
        let mut bytes: usize = entries.iter().map(|(_, code)| code.len()).sum();
        while bytes > self.max_bytes {
            let Some((_, oldest)) = entries.pop_front() else { break };
            bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use marsh_types::Digest;

    use super::ModuleCache;

    fn hex(code: &[u8]) -> String {
        Digest::of(code).to_hex()
    }

    #[test]
    fn cache_beyond_its_limit_forgets_what_was_used_longest_ago() {
        let cache = ModuleCache { max_bytes: 10, ..ModuleCache::default() };
        cache.put(b"aaaa");
        cache.put(b"bbbb");
        assert_eq!(cache.get(&hex(b"aaaa")).as_deref(), Some(&b"aaaa"[..]));
        cache.put(b"cccc");
        assert_eq!(cache.get(&hex(b"bbbb")), None);
        assert!(cache.get(&hex(b"aaaa")).is_some() && cache.get(&hex(b"cccc")).is_some());
    }

    #[test]
    fn code_larger_than_the_cache_is_not_kept_and_displaces_nothing() {
        let cache = ModuleCache { max_bytes: 10, ..ModuleCache::default() };
        cache.put(b"aaaa");
        cache.put(b"more than ten bytes");
        assert_eq!(cache.get(&hex(b"more than ten bytes")), None);
        assert!(cache.get(&hex(b"aaaa")).is_some());
    }

    #[test]
    fn code_put_twice_counts_once() {
        let cache = ModuleCache { max_bytes: 10, ..ModuleCache::default() };
        cache.put(b"aaaa");
        cache.put(b"bbbb");
        cache.put(b"aaaa");
        assert!(cache.get(&hex(b"bbbb")).is_some());
        assert_eq!(cache.get("not a digest"), None);
    }
}
