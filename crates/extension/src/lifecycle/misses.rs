//! Extensions that a registry does not have, remembered for [`REMEMBERED`], so that a type that nothing provides does not
//! cost a request in each command. A file in the user's cache holds them; it is lost without harm.
//!
//! Only answers "not there" of servers are kept. A directory is asked each time, because that costs nothing. When a server
//! does not answer, this process leaves it alone for [`LEFT_ALONE`]; the next command asks again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use marsh_fs::Durability;
use marsh_registry::Location;
use marsh_types::{Digest, ExtensionName};

/// How long an extension counts as missing.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);
/// How long a process does not ask a registry that did not answer.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(60);

/// When each extension was last missing, in seconds of Unix time.
type Times = BTreeMap<ExtensionName, i64>;

#[derive(Debug)]
pub(super) struct Misses {
    /// `None`: nothing is remembered, since the registry is a directory.
    file: Option<PathBuf>,
    /// Read at the first question.
    times: Mutex<Option<Times>>,
    silent_since: Mutex<Option<Timestamp>>,
}

impl Misses {
    /// For one registry, in a directory of the user's cache.
    pub fn new(dir: &Path, registry: &Location) -> Misses {
        let file = match registry {
            Location::Directory(_) => None,
            Location::Http(url) => Some(dir.join(format!("{}.json", Digest::of(url.as_str().as_bytes())))),
        };
        Misses { file, times: Mutex::default(), silent_since: Mutex::default() }
    }

    /// Whether the registry did not have the extension a short while ago.
    pub fn contains(&self, name: &ExtensionName, now: Timestamp) -> bool {
        self.file.is_some()
            && self.times().as_ref().is_some_and(|times| is_young(moment(times.get(name)), now, REMEMBERED))
    }

    /// Remembers that the registry does not have an extension.
    pub fn remember(&self, name: &ExtensionName, now: Timestamp) {
        let Some(file) = &self.file else { return };
        let mut times = self.times();
        let times = times.get_or_insert_default();
        times.retain(|_, at| is_young(moment(Some(at)), now, REMEMBERED));
        times.insert(name.clone(), now.as_second());
        let written = serde_json::to_vec(times).map_err(std::io::Error::other).and_then(|text| {
            let parent = file.parent().unwrap_or(Path::new("."));
            marsh_fs::create_dir_all(parent).map_err(std::io::Error::other)?;
            marsh_fs::atomic_write(file, &text, Durability::Atomic).map_err(std::io::Error::other)
        });
        marsh_types::ignore(written, "the next command asks the registry again");
    }

    /// Whether the registry did not answer this process a moment ago.
    pub fn is_silent(&self, now: Timestamp) -> bool {
        let since = *self.silent_since.lock().unwrap_or_else(PoisonError::into_inner);
        is_young(since, now, LEFT_ALONE)
    }

    /// Remembers that the registry did not answer.
    pub fn remember_silence(&self, now: Timestamp) {
        *self.silent_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn times(&self) -> MutexGuard<'_, Option<Times>> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.is_none() {
            let text = self.file.as_ref().and_then(|file| marsh_fs::read(file).ok());
            *times = Some(text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default());
        }
        times
    }
}

fn moment(seconds: Option<&i64>) -> Option<Timestamp> {
    Timestamp::from_second(*seconds?).ok()
}

/// Whether a moment lies within this time. One in the future, after the clock was set back, does not count.
fn is_young(at: Option<Timestamp>, now: Timestamp, limit: SignedDuration) -> bool {
    at.is_some_and(|at| at <= now && now.duration_since(at) < limit)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::{SignedDuration, Timestamp};
    use marsh_registry::Location;
    use marsh_types::ExtensionName;

    use super::Misses;

    fn http(url: &str) -> Location {
        Location::parse(url, Path::new("/")).unwrap()
    }

    #[test]
    fn miss_is_remembered_for_ten_minutes_across_processes_and_for_its_registry() {
        let dir = tempfile::tempdir().unwrap();
        let (name, other) = (ExtensionName::parse("@a/b").unwrap(), ExtensionName::parse("@a/c").unwrap());
        let now = Timestamp::now();
        let misses = || Misses::new(dir.path(), &http("http://one.test/"));
        assert!(!misses().contains(&name, now));
        misses().remember(&name, now);
        let later = |minutes: i64| now + SignedDuration::from_mins(minutes);
        assert!(misses().contains(&name, later(9)));
        assert!(!misses().contains(&name, later(10)));
        assert!(!misses().contains(&name, later(-1)), "the clock was set back");
        assert!(!misses().contains(&other, now));
        assert!(!Misses::new(dir.path(), &http("http://two.test/")).contains(&name, now));
    }

    #[test]
    fn damaged_file_holds_no_misses_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let name = ExtensionName::parse("@a/b").unwrap();
        let now = Timestamp::now();
        let misses = || Misses::new(dir.path(), &http("http://one.test/"));
        misses().remember(&name, now);
        let file = std::fs::read_dir(dir.path()).unwrap().flatten().next().unwrap().path();
        marsh_fs::atomic_write(&file, b"{", marsh_fs::Durability::Atomic).unwrap();
        assert!(!misses().contains(&name, now));
        misses().remember(&name, now);
        assert!(misses().contains(&name, now));
    }

    #[test]
    fn directory_is_asked_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let name = ExtensionName::parse("@a/b").unwrap();
        let misses = Misses::new(dir.path(), &Location::Directory(dir.path().join("registry")));
        misses.remember(&name, Timestamp::now());
        assert!(!misses.contains(&name, Timestamp::now()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn silent_registry_is_left_alone_for_a_minute() {
        let misses = Misses::new(Path::new("/nonexistent"), &http("http://one.test/"));
        let now = Timestamp::now();
        assert!(!misses.is_silent(now));
        misses.remember_silence(now);
        assert!(misses.is_silent(now + SignedDuration::from_secs(59)));
        assert!(!misses.is_silent(now + SignedDuration::from_secs(60)));
    }
}
