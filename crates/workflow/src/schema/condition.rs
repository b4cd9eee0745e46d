//! Conditions on what a job or step depends on.

use serde::Serialize;

/// How a job or step was decided. Nothing depends on one that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It was skipped.
    Skipped,
}

/// How something has to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Condition {
    /// It ended, or was skipped.
    Always,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// Succeeded or failed.
    Completed,
    /// It was skipped.
    Skipped,
    /// All conditions hold.
    And {
        /// The conditions, two or more.
        conditions: Vec<Condition>,
    },
    /// One condition holds.
    Or {
        /// The conditions, two or more.
        conditions: Vec<Condition>,
    },
    /// The condition does not hold.
    Not {
        /// The condition.
        condition: Box<Condition>,
    },
}

impl Condition {
    /// The words of all conditions.
    pub const TYPES: [&'static str; 8] =
        ["always", "succeeded", "failed", "completed", "skipped", "and", "or", "not"];

    /// Whether the condition holds for something that ended so.
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
