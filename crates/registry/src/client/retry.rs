//! Trying again: what is worth it, and after how long.

use std::time::Duration;

use crate::error::RegistryError;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// A registry that asks for more is not waited for; the user hears how long it would take.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// A try that failed, and whether another may do better.
#[derive(Debug)]
pub(crate) struct Failure {
    error: RegistryError,
    again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Again {
    No,
    Soon,
    After(Duration),
}

impl Failure {
    pub(crate) fn again(error: RegistryError) -> Failure {
        Failure { error, again: Again::Soon }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.error.is_not_found()
    }

    pub(crate) fn after(error: RegistryError, pause: Duration) -> Failure {
        Failure { error, again: Again::After(pause) }
    }
}

impl<E: Into<RegistryError>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure { error: error.into(), again: Again::No }
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

    /// Waits for the next try, or returns what the last one failed with.
    pub(crate) fn pause(&mut self, failure: Failure) -> Result<(), RegistryError> {
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

    /// Runs `attempt` until it succeeds or is not worth another.
    pub(crate) fn run<T>(
        mut self,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, RegistryError> {
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) => self.pause(failure)?,
            }
        }
    }
}

/// Half to the whole, so that those who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_bytes()[0];
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}
