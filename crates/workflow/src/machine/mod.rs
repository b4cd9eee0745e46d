//! Which step runs when: a state machine without threads, clocks or files.
//!
//! Facts go in ([`Machine::apply`]), decisions come out ([`Machine::decide`]), and a decision is a fact like any other:
//! `decide` applies what it returns. So the machine is the fold of a run's journal.
//!
//! * A job or a step is *decided* when it succeeded, failed or was skipped. Whatever depends on others is looked at when
//!   all of them are decided, and not later: nothing waits for siblings that it does not depend on.
//! * All entries of `dependsOn` must hold. If one does not, the job or step is skipped, which decides it, so that what
//!   depends on it is looked at in turn (`skips_travel_by_conditions`).
//! * **A failed step stops nothing by itself.** Steps that depend on it run if their conditions say so, so a step with
//!   `failed`, `completed` or `always` handles the failure (`handlers_in_the_same_job_run`; other implementations end the
//!   job first, so that such handlers never run); steps without any dependency on it go on. What is left undone is only what
//!   asked for success. The job fails all the same, unless the failure was allowed.
//! * A step with `forEach` is decided when its last item is: failed if an item failed, skipped if there were items and all
//!   were skipped, else succeeded (`a_fan_out_is_one_step_to_others`).
//! * Ready steps start in the order of job weight, job name, step weight, step name, item, within the limits: jobs at
//!   once, steps at once in a job, steps at once in the run (`limits_hold`).
//! * A step that waits for an approval holds up nothing but what depends on it (`an_approval_lets_siblings_finish`).
//! * Cancellation starts nothing new and skips what has not started. A run whose steps were all done before is not
//!   cancelled (`cancellation_*`).
//! * From any prefix of its facts, a run goes on to the same end and repeats nothing that had ended
//!   (`a_run_that_stopped_anywhere_goes_on_and_repeats_nothing_finished`).

mod decide;
mod plan;
mod state;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use plan::Dependency;
pub(crate) use plan::{FAN_OUT, Plan, PlanJob, PlanStep, STEPS_AT_ONCE};
pub(crate) use state::{Machine, Phase};
