//! How much an evaluation may cost.

use crate::error::ExprErrorKind;

/// Bounds of one evaluation. What is longer or nests deeper than the language allows is refused earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Parts evaluated, elements visited, and 64 bytes of text read, each.
    pub steps: u64,
    /// Bytes of all that is made on the way, about.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { steps: 5_000_000, bytes: 64 << 20 }
    }
}

#[derive(Debug)]
pub(crate) struct Meter {
    limits: Limits,
    steps: u64,
    bytes: usize,
}

impl Meter {
    pub fn new(limits: &Limits) -> Meter {
        Meter { limits: *limits, steps: limits.steps, bytes: limits.bytes }
    }

    pub fn steps(&mut self, steps: u64) -> Result<(), ExprErrorKind> {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => {
                self.steps = 0;
                let limit = usize::try_from(self.limits.steps).unwrap_or(usize::MAX);
                Err(ExprErrorKind::Limit { what: "the expression takes more steps", limit })
            }
        }
    }

    /// Text of that length was read.
    pub fn read(&mut self, length: usize) -> Result<(), ExprErrorKind> {
        self.steps(1 + length as u64 / 64)
    }

    pub fn bytes(&mut self, bytes: usize) -> Result<(), ExprErrorKind> {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                Ok(())
            }
            None => {
                self.bytes = 0;
                Err(ExprErrorKind::Limit {
                    what: "the expression makes more bytes of values",
                    limit: self.limits.bytes,
                })
            }
        }
    }
}
