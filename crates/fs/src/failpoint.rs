//! Named points at which a test can stop, fail or delay the process.
//!
//! With the feature `failpoints`, the environment variable `MARSH_FAILPOINT` holds a comma-separated list of
//! `name=action` or `name=action@n`. The name `*` stands for every point; `n` picks the n-th time this process passes
//! a matching point (from 1), and without it every passage counts. Actions: `abort` (the process dies on the spot, as
//! under `kill -9`, without destructors), `error` (the operation fails), `eio`, `enospc`, `erofs`, `eacces` (it fails as it
//! does on a broken, full, read-only or forbidden disk), `sleep:<ms>`. So `*=abort@17` for 17 = 1, 2, …
//! visits every mutation of a command without knowing their names.
//!
//! Without the feature [`hit`] is an inlined `Ok(())`.

use std::io;

/// Passes the point `name`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_name: &'static str) -> io::Result<()> {
    Ok(())
}

/// Passes the point `name`.
#[cfg(feature = "failpoints")]
pub fn hit(name: &'static str) -> io::Result<()> {
    active::hit(name)
}

#[cfg(feature = "failpoints")]
mod active {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    enum Action {
        Abort,
        /// `None`: an error of no particular kind.
        Error(Option<i32>),
        Sleep(Duration),
    }

    struct Rule {
        name: String,
        action: Action,
        nth: Option<u64>,
        passed: AtomicU64,
    }

    fn rules() -> &'static [Rule] {
        static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
        RULES.get_or_init(|| {
            let spec = std::env::var("MARSH_FAILPOINT").unwrap_or_default();
            spec.split(',').filter_map(parse).collect()
        })
    }

    fn parse(rule: &str) -> Option<Rule> {
        let (name, action) = rule.trim().split_once('=')?;
        let (action, nth) = match action.split_once('@') {
            Some((action, nth)) => (action, Some(nth.parse().ok()?)),
            None => (action, None),
        };
        let action = match action.split_once(':') {
            None if action == "abort" => Action::Abort,
            None if action == "error" => Action::Error(None),
            None => Action::Error(Some(code(action)?)),
            Some(("sleep", ms)) => Action::Sleep(Duration::from_millis(ms.parse().ok()?)),
            _ => return None,
        };
        Some(Rule { name: name.to_owned(), action, nth, passed: AtomicU64::new(0) })
    }

    #[cfg(unix)]
    fn code(action: &str) -> Option<i32> {
        use rustix::io::Errno;
        let errno = match action {
            "eio" => Errno::IO,
            "enospc" => Errno::NOSPC,
            "erofs" => Errno::ROFS,
            "eacces" => Errno::ACCESS,
            _ => return None,
        };
        Some(errno.raw_os_error())
    }

    #[cfg(not(unix))]
    fn code(_action: &str) -> Option<i32> {
        None
    }

    pub fn hit(name: &str) -> io::Result<()> {
        for rule in rules().iter().filter(|rule| rule.name == "*" || rule.name == name) {
            let passage = rule.passed.fetch_add(1, Ordering::Relaxed) + 1;
            if rule.nth.is_some_and(|nth| nth != passage) {
                continue;
            }
            match rule.action {
                Action::Abort => std::process::abort(),
                Action::Error(None) => return Err(io::Error::other(format!("failpoint {name}"))),
                Action::Error(Some(code)) => return Err(io::Error::from_raw_os_error(code)),
                Action::Sleep(time) => std::thread::sleep(time),
            }
        }
        Ok(())
    }
}
