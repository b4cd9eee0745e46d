//! Retries: which failures are retried, and after which pause.

use std::time::Duration;

use crate::error::RegistryError;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// If a registry asks for a longer pause, the request fails and the message states the pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// A failed try, and whether to retry.
#[derive(Debug)]
pub(crate) struct FailedTry {
    error: RegistryError,
    again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Again {
    No,
    Soon,
    After(Duration),
}

impl FailedTry {
    pub(crate) fn again(error: RegistryError) -> FailedTry {
        FailedTry { error, again: Again::Soon }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.error.is_not_found()
    }

    pub(crate) fn after(error: RegistryError, pause: Duration) -> FailedTry {
        FailedTry { error, again: Again::After(pause) }
    }
}

impl<E: Into<RegistryError>> From<E> for FailedTry {
    fn from(error: E) -> FailedTry {
        FailedTry { error: error.into(), again: Again::No }
    }
}

pub(crate) struct Retries {
    left: u32,
    pause: Duration,
}

impl Retries {
    pub(crate) fn new(retries: u32) -> Retries {
        Retries { left: retries, pause: FIRST_PAUSE }
    }

    /// Waits before the next try, or returns the error if there is none.
    pub(crate) fn pause(&mut self, failure: FailedTry) -> Result<(), RegistryError> {
        let pause = match failure.again {
            Again::Soon => jittered(self.pause),
            Again::After(asked) if asked <= LONGEST_PAUSE => asked.max(jittered(self.pause)),
            Again::No | Again::After(_) => return Err(failure.error),
        };
        if self.left == 0 {
            return Err(failure.error);
        }
        self.left -= 1;
        std::thread::sleep(pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// Runs `attempt` until it succeeds or fails without a retry.
    pub(crate) fn run<T>(
        mut self,
        mut attempt: impl FnMut() -> Result<T, FailedTry>,
    ) -> Result<T, RegistryError> {
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) => self.pause(failure)?,
            }
        }
    }
}

/// A random duration from half of `pause` to all of it, so that clients that failed together do not retry together.
fn jittered(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_bytes()[0];
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}
