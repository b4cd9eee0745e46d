//! Named points at which a test can stop, fail or delay the process.
//!
//! With the feature `failpoints`, the environment variable `MARSH_FAILPOINT` holds a comma-separated list of
//! `name=action` or `name=action@n`. The name `*` stands for every point; `n` picks the n-th time this process passes
//! a matching point (from 1), and without it every passage counts. Actions: `abort` (the process dies on the spot, as
//! under `kill -9`, without destructors), `error` (the operation fails), `eio`, `enospc`, `erofs`, `eacces` (it fails as it
//! does on a broken, full, read-only or forbidden disk), `sleep:<ms>`; and where bytes are written ([`writer`]) `short` (half
//! of them reach the file, then the disk is full) and `trickle` (each write takes less than it was given and the writer
//! has to go on), which do nothing at other points. So `*=abort@17` for 17 = 1, 2, …
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
    active::hit(name).map(drop)
}

/// What [`writer`] hands out.
#[cfg(not(feature = "failpoints"))]
pub type Writer<'f> = &'f mut std::fs::File;

/// Passes the point `name`, at which something is written to `file`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn writer<'f>(_name: &'static str, file: &'f mut std::fs::File) -> io::Result<Writer<'f>> {
    Ok(file)
}

#[cfg(feature = "failpoints")]
pub use active::Writer;

/// Passes the point `name`, at which something is written to `file`.
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
        /// `None`: an error of no particular kind.
        Error(Option<i32>),
        Sleep(Duration),
        Write(Fault),
    }

    /// What happens to bytes that are written.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Fault {
        /// The next half of what comes is written, and nothing after it.
        Short,
        Full,
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

    /// Says what is to happen to the bytes that are written here, if any are.
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

/// As of a disk without space.
#[cfg(feature = "failpoints")]
fn full() -> io::Error {
    return io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
}
