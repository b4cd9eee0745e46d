//! Named points at which a test can stop, fail or delay the process.
//!
//! With the feature `failpoints`, the environment variable `MARSH_FAILPOINT` holds a comma-separated list of
//! `name=action` or `name=action@n`. The name `*` matches every point. `n` selects the n-th time that this process passes
//! a matching point (from 1); without it every passage counts. So `*=abort@n` for n = 1, 2, … visits every mutation of a
//! command without knowing their names. The actions:
//!
//! * `abort`: the process dies at once, as under `kill -9`, without destructors;
//! * `error`: the operation fails; `eio`, `enospc`, `erofs`, `eacces`: it fails as on a broken, full, read-only or
//!   forbidden disk;
//! * `sleep:<ms>`: the operation is delayed;
//! * `short`, where bytes are written ([`writer`]): half of the bytes reach the file, then the disk is full;
//! * `trickle`, where bytes are written: each write takes fewer bytes than it was given, and the writer must continue.
//!
//! `short` and `trickle` do nothing at other points. Without the feature, [`hit`] is an inlined `Ok(())`.
//!
//! Held by `tests/failpoints.rs`: `failpoint_with_a_name_applies_at_that_point_only`.

use std::io;

/// Passes the point `name`.
///
/// # Errors
/// The error that `MARSH_FAILPOINT` asks for.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_name: &'static str) -> io::Result<()> {
    Ok(())
}

/// Passes the point `name`.
///
/// # Errors
/// The error that `MARSH_FAILPOINT` asks for.
#[cfg(feature = "failpoints")]
pub fn hit(name: &'static str) -> io::Result<()> {
    active::hit(name).map(drop)
}

/// The file that [`writer`] returns, which does what `MARSH_FAILPOINT` asks for.
#[cfg(not(feature = "failpoints"))]
pub type Writer<'f> = &'f mut std::fs::File;

/// Passes the point `name`, at which bytes are written to `file`. Write them through the answer.
///
/// # Errors
/// The error that `MARSH_FAILPOINT` asks for.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn writer<'f>(_name: &'static str, file: &'f mut std::fs::File) -> io::Result<Writer<'f>> {
    Ok(file)
}

#[cfg(feature = "failpoints")]
pub use active::Writer;

/// Passes the point `name`, at which bytes are written to `file`. Write them through the answer.
///
/// # Errors
/// The error that `MARSH_FAILPOINT` asks for.
#[cfg(feature = "failpoints")]
pub fn writer<'f>(name: &'static str, file: &'f mut std::fs::File) -> io::Result<Writer<'f>> {
    Ok(Writer::new(file, active::hit(name)?))
}

#[cfg(feature = "failpoints")]
mod active {
    use std::fs::File;
    use std::io::{self, Write};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    enum Action {
        Abort,
        /// Fails with this error number, or with an error without a number.
        Error(Option<i32>),
        Sleep(Duration),
        Write(Fault),
    }

    /// How a write falls short.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Fault {
        /// Half of the next write reaches the file, and nothing after it.
        Short,
        /// The disk is full.
        Full,
        /// Each write takes half of its bytes.
        Trickle,
    }

    /// A file whose writes may fall short.
    #[derive(Debug)]
    pub struct Writer<'f> {
        file: &'f mut File,
        fault: Option<Fault>,
    }

    impl<'f> Writer<'f> {
        pub(super) fn new(file: &'f mut File, fault: Option<Fault>) -> Writer<'f> {
            Writer { file, fault }
        }
    }

    impl Write for Writer<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            match self.fault {
                None => self.file.write(bytes),
                Some(Fault::Short) if !half.is_empty() => {
                    self.fault = Some(Fault::Full);
                    self.file.write(half)
                }
                Some(Fault::Short | Fault::Full) => Err(super::full()),
                Some(Fault::Trickle) => self.file.write(if half.is_empty() { bytes } else { half }),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
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
            None if action == "short" => Action::Write(Fault::Short),
            None if action == "trickle" => Action::Write(Fault::Trickle),
            None => Action::Error(Some(code(action)?)),
            Some(("sleep", ms)) => Action::Sleep(Duration::from_millis(ms.parse().ok()?)),
            _ => return None,
        };
        Some(Rule { name: name.to_owned(), action, nth, passed: AtomicU64::new(0) })
    }

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

    /// Passes the point. Returns the fault for the bytes that are written here.
    pub fn hit(name: &str) -> io::Result<Option<Fault>> {
        let mut fault = None;
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
                Action::Write(wanted) => fault = Some(wanted),
            }
        }
        Ok(fault)
    }
}

/// The error of a disk without space.
#[cfg(feature = "failpoints")]
fn full() -> io::Error {
    return io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
}
