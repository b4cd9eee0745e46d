//! Bounds on the cost of an evaluation.

use crate::error::ExprErrorKind;

/// Bounds of one evaluation. Expressions that are too long or nest too deeply are refused earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluationLimits {
    /// Steps: each evaluated part, each visited element, and each 64 bytes of text that are read.
    pub steps: u64,
    /// Approximate bytes of all values that are made.
    pub bytes: usize,
}

impl Default for EvaluationLimits {
    fn default() -> Self {
        EvaluationLimits { steps: 5_000_000, bytes: 64 << 20 }
    }
}

#[derive(Debug)]
pub(crate) struct Meter {
    limits: EvaluationLimits,
    steps: u64,
    bytes: usize,
}

impl Meter {
    pub fn new(limits: &EvaluationLimits) -> Meter {
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
