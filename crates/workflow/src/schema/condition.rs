//! Conditions on what a job or step depends on.

use serde::Serialize;

/// How a job or step was decided. Nothing depends on one that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    Succeeded,
    Failed,
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Condition {
    Always,
    Succeeded,
    Failed,
    /// Succeeded or failed.
    Completed,
    Skipped,
    And {
        conditions: Vec<Condition>,
    },
    Or {
        conditions: Vec<Condition>,
    },
    Not {
        condition: Box<Condition>,
    },
}

impl Condition {
    pub const TYPES: [&'static str; 8] =
        ["always", "succeeded", "failed", "completed", "skipped", "and", "or", "not"];

    pub fn holds(&self, decided: Decided) -> bool {
        match self {
            Condition::Always => true,
            Condition::Succeeded => decided == Decided::Succeeded,
            Condition::Failed => decided == Decided::Failed,
            Condition::Completed => decided != Decided::Skipped,
            Condition::Skipped => decided == Decided::Skipped,
            Condition::And { conditions } => conditions.iter().all(|condition| condition.holds(decided)),
            Condition::Or { conditions } => conditions.iter().any(|condition| condition.holds(decided)),
            Condition::Not { condition } => !condition.holds(decided),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Decided};

    #[test]
    fn the_table_of_conditions() {
        use Condition::{Always, And, Completed, Failed, Not, Or, Skipped, Succeeded};
        // Whether each holds for succeeded, failed, skipped.
        for (condition, expected) in [
            (Always, [true, true, true]),
            (Succeeded, [true, false, false]),
            (Failed, [false, true, false]),
            (Completed, [true, true, false]),
            (Skipped, [false, false, true]),
            (Not { condition: Box::new(Succeeded) }, [false, true, true]),
            (Or { conditions: vec![Failed, Skipped] }, [false, true, true]),
            (And { conditions: vec![Completed, Not { condition: Box::new(Failed) }] }, [true, false, false]),
        ] {
            let held = [Decided::Succeeded, Decided::Failed, Decided::Skipped]
                .map(|decided| condition.holds(decided));
            assert_eq!(held, expected, "{condition:?}");
        }
    }
}
