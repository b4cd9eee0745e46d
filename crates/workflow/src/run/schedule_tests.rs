//! The scheduler with steps that do nothing but what the test says.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use marsh_host::CancelToken;

use super::plan::{Dependency, Plan, PlanJob, PlanStep};
use super::schedule::{Change, Finished, Progress, StepExecutor, run};
use crate::record::SkipReason;
use crate::schema::Condition;

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

fn condition(word: &str) -> Condition {
    match word {
        "always" => Condition::Always,
        "succeeded" => Condition::Succeeded,
        "failed" => Condition::Failed,
        "completed" => Condition::Completed,
        "skipped" => Condition::Skipped,
        "not-succeeded" => Condition::Not { condition: Box::new(Condition::Succeeded) },
        "failed-or-skipped" => Condition::Or { conditions: vec![Condition::Failed, Condition::Skipped] },
        other => panic!("{other}"),
    }
}

/// `a:succeeded b:failed`, resolved by name.
fn depends(text: &str, names: &[String]) -> Vec<Dependency> {
    let entries = text.split_whitespace().map(|entry| {
        let (name, word) = entry.split_once(':').unwrap();
        Dependency { on: names.iter().position(|known| known == name).unwrap(), condition: condition(word) }
    });
    entries.collect()
}

/// One line per step, `name: dependencies`; a line `job name: dependencies` starts a job. `!` after a step's name
/// allows its failure.
fn plan(text: &str) -> Plan {
    type Lines = Vec<(String, String)>;
    let mut jobs: Vec<(String, String, Lines)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, entries) = line.split_once(':').unwrap_or((line, ""));
        match name.strip_prefix("job ") {
            Some(name) => jobs.push((name.to_owned(), entries.to_owned(), Vec::new())),
            None => {
                if jobs.is_empty() {
                    jobs.push(("main".into(), String::new(), Vec::new()));
                }
                jobs.last_mut().unwrap().2.push((name.to_owned(), entries.to_owned()));
            }
        }
    }
    let job_names: Vec<String> = jobs.iter().map(|(name, ..)| name.clone()).collect();
    let jobs = jobs.into_iter().map(|(name, entries, steps)| {
        let names: Vec<String> =
            steps.iter().map(|(name, _)| name.trim_end_matches('!').to_owned()).collect();
        let steps = steps.iter().zip(&names).map(|((raw, entries), name)| PlanStep {
            name: name.clone(),
            depends: depends(entries, &names),
            allow_failure: raw.ends_with('!'),
            ..PlanStep::default()
        });
        PlanJob { name, depends: depends(&entries, &job_names), steps: steps.collect(), weight: 0.0 }
    });
    Plan { jobs: jobs.collect(), max_jobs: None, max_steps: None }
}

/// Steps called `bad…` fail, `panic…` panic; what a step does before is up to the hook.
struct Fake<'a> {
    plan: &'a Plan,
    hook: Hook<'a>,
}

/// Gets the step's name; a reason that it returns interrupts the step.
type Hook<'a> = Box<dyn Fn(&str) -> Option<&'static str> + Sync + 'a>;

impl StepExecutor for Fake<'_> {
    type Output = ();
    fn execute(&self, job: usize, step: usize) -> Finished<()> {
        let name = &self.plan.jobs[job].steps[step].name;
        if let Some(reason) = (self.hook)(name) {
            return Finished { output: None, error: Some(reason.to_owned()), interrupted: true };
        }
        assert!(!name.starts_with("panic"), "on purpose");
        let error = name.starts_with("bad").then(|| "it is bad".to_owned());
        Finished { output: Some(()), error, interrupted: false }
    }
}

#[derive(Default)]
struct Trace {
    names: Vec<(String, Vec<String>)>,
    /// By step or by `job <name>`.
    ends: BTreeMap<String, &'static str>,
    started: Vec<String>,
    running: usize,
    most: usize,
    jobs_running: usize,
    most_jobs: usize,
}

impl Trace {
    fn of(plan: &Plan) -> Trace {
        let names = plan
            .jobs
            .iter()
            .map(|job| (job.name.clone(), job.steps.iter().map(|step| step.name.clone()).collect()))
            .collect();
        Trace { names, ..Trace::default() }
    }
}

fn reason_word(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Dependency => "skipped",
        SkipReason::Cancelled => "cancelled",
    }
}

impl Progress<()> for Trace {
    fn change(&mut self, change: Change<()>) {
        let step_name = |job: usize, step: usize| self.names[job].1[step].clone();
        let job_name = |job: usize| format!("job {}", self.names[job].0);
        match change {
            Change::JobStarted(_) => {
                self.jobs_running += 1;
                self.most_jobs = self.most_jobs.max(self.jobs_running);
            }
            Change::JobEnded { job, succeeded } => {
                let name = job_name(job);
                self.jobs_running -= 1;
                assert!(self.ends.insert(name, if succeeded { "ok" } else { "failed" }).is_none());
            }
            Change::JobSkipped { job, reason } => {
                let name = job_name(job);
                assert!(self.ends.insert(name, reason_word(reason)).is_none());
            }
            Change::StepStarted { job, step } => {
                let name = step_name(job, step);
                self.started.push(name);
                self.running += 1;
                self.most = self.most.max(self.running);
            }
            Change::StepEnded { job, step, finished, allowed } => {
                let name = step_name(job, step);
                self.running -= 1;
                let word = match (finished.error, allowed) {
                    (None, _) => "ok",
                    (Some(_), true) => "allowed",
                    (Some(_), false) => "failed",
                };
                assert!(self.ends.insert(name, word).is_none());
            }
            Change::StepSkipped { job, step, reason } => {
                let name = step_name(job, step);
                assert!(self.ends.insert(name, reason_word(reason)).is_none());
            }
        }
    }

    fn settled(&mut self) {}
}

fn run_plan(
    plan: &Plan,
    cancel: &CancelToken,
    hook: impl Fn(&str) -> Option<&'static str> + Sync,
) -> (Trace, Option<String>) {
    let mut trace = Trace::of(plan);
    let executor = Fake { plan, hook: Box::new(hook) };
    let cancelled = run(plan, &executor, cancel, &mut trace);
    assert_eq!(trace.running, 0);
    (trace, cancelled)
}

fn check(text: &str, expected: &str) {
    let plan = plan(text);
    let (trace, cancelled) = run_plan(&plan, &CancelToken::new(), |_| None);
    assert_eq!(cancelled, None);
    let total = plan.jobs.len() + plan.jobs.iter().map(|job| job.steps.len()).sum::<usize>();
    assert_eq!(trace.ends.len(), total, "everything is decided once: {text}");
    for entry in expected.split(',').map(str::trim) {
        let (name, end) = entry.split_once('=').unwrap();
        assert_eq!(trace.ends.get(name), Some(&end), "{name} of {text}");
    }
}

#[test]
fn conditions_decide_what_runs() {
    for (text, expected) in [
        ("a\nb: a:succeeded", "a=ok, b=ok, job main=ok"),
        ("a\nb: a:failed", "b=skipped, job main=ok"),
        ("a\nb: a:completed\nc: a:skipped\nd: a:always", "b=ok, c=skipped, d=ok"),
        ("a\nb: a:not-succeeded", "b=skipped"),
        // All entries must hold.
        (
            "a\nbad\nc: a:succeeded bad:succeeded\nd: a:succeeded bad:failed",
            "c=skipped, d=ok, job main=failed",
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn handlers_in_the_same_job_run() {
    for (text, expected) in [
        ("bad\nh: bad:failed", "bad=failed, h=ok, job main=failed"),
        ("bad\nh: bad:completed", "h=ok, job main=failed"),
        ("bad\nh: bad:always", "h=ok, job main=failed"),
        ("bad\nnext: bad:succeeded\nh: next:failed-or-skipped", "next=skipped, h=ok"),
        // Independent steps go on.
        ("bad\na\nb: a:succeeded\nc: b:succeeded", "a=ok, b=ok, c=ok, job main=failed"),
        ("bad!\nh: bad:failed", "bad=allowed, h=ok, job main=ok"),
        ("bad!\nh: bad:succeeded", "h=skipped, job main=ok"),
        ("panic\nh: panic:failed", "panic=failed, h=ok, job main=failed"),
    ] {
        check(text, expected);
    }
}

#[test]
fn skips_travel_by_conditions() {
    for (text, expected) in [
        ("a\nb: a:failed\nc: b:succeeded\nd: c:completed", "b=skipped, c=skipped, d=skipped, job main=ok"),
        ("a\nb: a:failed\nc: b:skipped\nd: b:always\ne: b:not-succeeded", "c=ok, d=ok, e=ok"),
    ] {
        check(text, expected);
    }
}

#[test]
fn jobs_follow_the_same_rules() {
    for (text, expected) in [
        (
            "job a\nbad\njob b: a:succeeded\nx\ny: x:always",
            "job a=failed, job b=skipped, x=skipped, y=skipped",
        ),
        ("job a\nbad\njob b: a:failed\nx", "job a=failed, job b=ok, x=ok"),
        ("job a\nbad\njob b: a:succeeded\nx\njob c: b:skipped\nz", "job b=skipped, job c=ok, z=ok"),
        ("job a\nbad!\njob b: a:succeeded\nx", "job a=ok, job b=ok"),
        // A job all of whose steps were skipped did what it had to.
        ("job a\nx\ny: x:failed\njob b: a:succeeded\nz", "job a=ok, z=ok"),
    ] {
        check(text, expected);
    }
}

/// Lets steps wait for each other.
#[derive(Default)]
struct Gate {
    reached: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Gate {
    fn reach(&self, name: &str) {
        self.reached.lock().unwrap().push(name.to_owned());
        self.changed.notify_all();
    }

    fn wait(&self, name: &str) {
        let reached = self.reached.lock().unwrap();
        let (_reached, timeout) = self
            .changed
            .wait_timeout_while(reached, PATIENCE, |reached| !reached.iter().any(|r| r == name))
            .unwrap();
        assert!(!timeout.timed_out(), "{name} was not reached");
    }
}

#[test]
fn a_slow_sibling_delays_nobody() {
    // The slow step of one chain ends only after the other chain is through, in another job too.
    let plan = plan("job a\nslow\nfirst\nsecond: first:succeeded\njob b\nother\njob c: b:succeeded\nlast");
    let gate = Gate::default();
    let (trace, _) = run_plan(&plan, &CancelToken::new(), |name| {
        if name == "slow" {
            gate.wait("second");
            gate.wait("last");
        }
        gate.reach(name);
        None
    });
    assert!(trace.ends.values().all(|end| *end == "ok"), "{:?}", trace.ends);
}

#[test]
fn ready_steps_start_by_weight_then_name() {
    let mut plan = plan("job z\nb\na\nc\njob y\ne");
    plan.jobs[0].steps[2].weight = -1.0;
    plan.jobs[1].weight = 1.0;
    plan.max_steps = Some(1);
    let (trace, _) = run_plan(&plan, &CancelToken::new(), |_| None);
    assert_eq!(trace.started, ["c", "a", "b", "e"]);
}

#[test]
fn limits_hold() {
    let wide = "job a\na1\na2\na3\na4\njob b\nb1\nb2\nb3\nb4";
    type Limit = fn(&mut Plan);
    let cases: [(Limit, usize, usize); 5] = [
        (|_| {}, 8, 2),
        (|plan| plan.max_steps = Some(3), 3, 2),
        (|plan| plan.max_jobs = Some(1), 4, 1),
        (
            |plan| plan.jobs.iter_mut().flat_map(|job| &mut job.steps).for_each(|step| step.cap = Some(1)),
            2,
            2,
        ),
        (|plan| plan.jobs[0].steps[0].cap = Some(2), 8, 2),
    ];
    for (limit, most, most_jobs) in cases {
        let mut plan = plan(wide);
        limit(&mut plan);
        let (trace, _) = run_plan(&plan, &CancelToken::new(), |_| None);
        assert!(trace.most <= most && trace.most_jobs <= most_jobs, "{} {}", trace.most, trace.most_jobs);
        assert_eq!(trace.ends.len(), 10);
        assert!(trace.ends.values().all(|end| *end == "ok"));
    }
}

#[test]
fn limits_are_used_up() {
    // Each of two steps waits for the other, so with a limit of two they must run together.
    let mut plan = plan("a\nb\nc");
    plan.max_steps = Some(2);
    let gate = Gate::default();
    let (trace, _) = run_plan(&plan, &CancelToken::new(), |name| {
        gate.reach(name);
        match name {
            "a" => gate.wait("b"),
            "b" => gate.wait("a"),
            _ => {}
        }
        None
    });
    assert_eq!(trace.most, 2);
}

#[test]
fn a_cap_counts_whoever_runs_beside_it() {
    let mut plan = plan("a\nb\nc");
    plan.jobs[0].steps[0].cap = Some(1);
    // `a` starts first, so nothing may join it.
    let (trace, _) = run_plan(&plan, &CancelToken::new(), |_| None);
    assert_eq!(trace.started[0], "a");
    assert!(trace.most <= 2);
}

#[test]
fn cancellation_stops_what_runs_and_starts_nothing() {
    let plan = plan("job a\nrun!\nnext: run:always\ndone\njob b: a:always\nlater");
    let cancel = CancelToken::new();
    let gate = Gate::default();
    let (trace, cancelled) = run_plan(&plan, &cancel, |name| {
        if name == "run" {
            gate.wait("done");
            cancel.cancel("interrupted");
            return Some("interrupted");
        }
        gate.reach(name);
        None
    });
    assert_eq!(cancelled.as_deref(), Some("interrupted"));
    let ends: Vec<(&str, &str)> = trace.ends.iter().map(|(name, end)| (name.as_str(), *end)).collect();
    // The interrupted step had `allowFailure`, which is not meant for this.
    assert_eq!(
        ends,
        [
            ("done", "ok"),
            ("job a", "failed"),
            ("job b", "cancelled"),
            ("later", "cancelled"),
            ("next", "cancelled"),
            ("run", "failed")
        ]
    );
}

#[test]
fn cancellation_while_steps_run_skips_the_others_at_once() {
    // The running step ends only after it was seen that the waiting one had been skipped: the scheduler must not wait.
    struct Watch<'a> {
        trace: Trace,
        gate: &'a Gate,
    }
    impl Progress<()> for Watch<'_> {
        fn change(&mut self, change: Change<()>) {
            if matches!(change, Change::StepSkipped { .. }) {
                self.gate.reach("skipped");
            }
            self.trace.change(change);
        }
        fn settled(&mut self) {}
    }
    let plan = plan("run\nnext: run:always");
    let (cancel, gate) = (CancelToken::new(), Gate::default());
    let executor = Fake {
        plan: &plan,
        hook: Box::new(|_| {
            cancel.cancel("stop");
            gate.wait("skipped");
            None
        }),
    };
    let mut watch = Watch { trace: Trace::of(&plan), gate: &gate };
    assert_eq!(run(&plan, &executor, &cancel, &mut watch).as_deref(), Some("stop"));
    // It did its work in spite of the cancellation, and that is told.
    assert_eq!(watch.trace.ends["run"], "ok");
    assert_eq!(watch.trace.ends["job main"], "failed");
}

#[test]
fn cancellation_after_the_last_step_cancels_nothing() {
    let plan = plan("a\nb");
    let cancel = CancelToken::new();
    let gate = Gate::default();
    let (trace, cancelled) = run_plan(&plan, &cancel, |name| {
        gate.reach(name);
        gate.wait("a");
        gate.wait("b");
        cancel.cancel("too late");
        None
    });
    assert_eq!(cancelled, None);
    assert_eq!(trace.ends["job main"], "ok");
}

#[test]
fn cancellation_before_the_start_skips_everything() {
    let plan = plan("a\nb: a:always");
    let cancel = CancelToken::new();
    cancel.cancel("early");
    let (trace, cancelled) = run_plan(&plan, &cancel, |_| None);
    assert_eq!(cancelled.as_deref(), Some("early"));
    assert!(trace.started.is_empty());
    assert_eq!(trace.ends.len(), 3);
}

#[test]
fn many_steps_are_decided_quickly() {
    let mut text = String::from("s0");
    for at in 1..400 {
        text.push_str(&format!("\ns{at}: s{}:failed", at - 1));
    }
    let plan = plan(&text);
    let (trace, _) = run_plan(&plan, &CancelToken::new(), |_| None);
    assert_eq!(trace.started, ["s0"]);
    assert_eq!(trace.ends.values().filter(|end| **end == "skipped").count(), 399);
}
