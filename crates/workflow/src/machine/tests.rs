//! The scheduler with steps that do nothing but what the test says.

use std::collections::BTreeMap;

use super::{Dependency, Machine, Phase, Plan, PlanJob, PlanStep};
use crate::journal::{ApprovalDecision, Fact, Item, SkipReason, StepEnd, StepKey};
use crate::record::RunStatus;
use crate::schema::{Condition, FailureKind};

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

/// One line per step, `name: dependencies`; a line `job name: dependencies` starts a job. Steps called `fan…` have items.
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
        let names: Vec<String> = steps.iter().map(|(name, _)| name.clone()).collect();
        let steps = steps.iter().map(|(name, entries)| PlanStep {
            name: name.clone(),
            depends: depends(entries, &names),
            for_each: name.starts_with("fan"),
            ..PlanStep::default()
        });
        PlanJob { name, depends: depends(&entries, &job_names), steps: steps.collect(), weight: 0.0 }
    });
    Plan::new(jobs.collect(), None, None)
}

/// xorshift64*: the same seed, the same run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end.max(1) as u64).unwrap()
    }
}

/// How many items a step called `fan<n>` has.
fn items_of(step: &str) -> usize {
    step.trim_start_matches("fan").parse().unwrap_or(3)
}

/// What a step does, by its name: `bad…` fails, `ok!` is allowed to, `twice…` fails at first, `ask…` asks, `guard…` is
/// skipped, the odd items of a step called `fan…` with `bad` in its name fail.
fn outcome(key: &StepKey, attempt: u32) -> Fact {
    let (name, key) = (key.step.clone(), key.clone());
    let fails =
        name.starts_with("bad") || (name.contains("bad") && key.item.is_some_and(|item| item % 2 == 1));
    if name.starts_with("fan") && key.item.is_none() {
        let item = |at: usize| Item { name: format!("{name}-{at}"), value: at.into() };
        let items = (0..items_of(name.trim_end_matches("bad"))).map(item).collect();
        return Fact::Expanded { job: key.job, step: name, items };
    }
    if name.starts_with("ask") {
        return Fact::ApprovalRequested { key, prompt: "?".into(), timeout_ms: None };
    }
    if name.starts_with("guard") {
        return Fact::StepSkipped { key, reason: SkipReason::Guarded };
    }
    if name.starts_with("twice") && attempt == 1 {
        let error = "once more".to_owned();
        return Fact::StepRetried { key, attempt, error, kind: FailureKind::Error, pause_ms: 0 };
    }
    let mut end = StepEnd::default();
    if fails {
        end = StepEnd::failed(FailureKind::Error, "it is bad");
        end.allowed = name.ends_with('!');
    }
    Fact::StepEnded { key, end: Box::new(end) }
}

fn decision(key: &StepKey, approved: bool) -> Fact {
    let decision = ApprovalDecision { approved, reason: None, decided_by: None, decided_at: "now".into() };
    Fact::ApprovalDecided { key: key.clone(), decision }
}

/// Runs on from what the machine knows; `pick` chooses which of the running steps ends next.
fn drive(machine: &mut Machine<'_>, facts: &mut Vec<Fact>, random: &mut Random) {
    let mut running: Vec<(StepKey, u32)> = Vec::new();
    loop {
        for fact in machine.decide(true) {
            if let Fact::StepStarted { key, attempt } = &fact {
                running.push((key.clone(), *attempt));
            }
            facts.push(fact);
        }
        let paused = machine.keys_in(Phase::Paused);
        let next = if let Some(key) = paused.first() {
            Fact::StepDue { key: key.clone() }
        } else if running.is_empty() {
            let asked = machine.keys_in(Phase::Asked);
            match asked.first() {
                Some(key) => decision(key, true),
                None => return,
            }
        } else {
            let (key, attempt) = running.swap_remove(random.below(running.len()));
            outcome(&key, attempt)
        };
        machine.apply(&next);
        facts.push(next);
    }
}

/// By step or by `job <name>`; items are left out.
fn ends(facts: &[Fact]) -> BTreeMap<String, &'static str> {
    let mut ends = BTreeMap::new();
    let mut put = |name: String, end| assert!(ends.insert(name.clone(), end).is_none(), "{name} ended twice");
    for fact in facts {
        match fact {
            Fact::JobEnded { job, succeeded } => {
                put(format!("job {job}"), if *succeeded { "ok" } else { "failed" });
            }
            Fact::JobSkipped { job, reason } => put(format!("job {job}"), reason.as_str()),
            Fact::StepEnded { key, end } if key.item.is_none() => {
                let word = match (&end.error, end.allowed) {
                    (None, _) => "ok",
                    (Some(_), true) => "allowed",
                    (Some(_), false) => "failed",
                };
                put(key.step.clone(), word);
            }
            Fact::StepSkipped { key, reason } if key.item.is_none() => {
                put(key.step.clone(), reason.as_str());
            }
            _ => {}
        }
    }
    ends
}

fn run_all(plan: &Plan) -> (Vec<Fact>, RunStatus) {
    let (mut machine, mut facts) = (Machine::new(plan), Vec::new());
    drive(&mut machine, &mut facts, &mut Random(7));
    assert!(machine.is_done());
    (facts, machine.status())
}

fn check(text: &str, expected: &str) {
    let plan = plan(text);
    let (facts, _) = run_all(&plan);
    let ends = ends(&facts);
    for entry in expected.split(',').map(str::trim) {
        let (name, end) = entry.split_once('=').unwrap();
        assert_eq!(ends.get(name), Some(&end), "{name} of {text}");
    }
}

#[test]
fn conditions_decide_what_runs() {
    for (text, expected) in [
        ("a\nb: a:succeeded", "a=ok, b=ok, job main=ok"),
        ("a\nb: a:failed", "b=dependency, job main=ok"),
        ("a\nb: a:completed\nc: a:skipped\nd: a:always", "b=ok, c=dependency, d=ok"),
        ("a\nb: a:not-succeeded", "b=dependency"),
        // All entries must hold.
        (
            "a\nbad\nc: a:succeeded bad:succeeded\nd: a:succeeded bad:failed",
            "c=dependency, d=ok, job main=failed",
        ),
        ("guard\nb: guard:skipped\nc: guard:succeeded", "guard=guarded, b=ok, c=dependency, job main=ok"),
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
        ("bad\nnext: bad:succeeded\nh: next:failed-or-skipped", "next=dependency, h=ok"),
        // Independent steps go on.
        ("bad\na\nb: a:succeeded\nc: b:succeeded", "a=ok, b=ok, c=ok, job main=failed"),
        ("bad!\nh: bad!:failed", "bad!=allowed, h=ok, job main=ok"),
        ("bad!\nh: bad!:succeeded", "h=dependency, job main=ok"),
    ] {
        check(text, expected);
    }
}

#[test]
fn skips_travel_by_conditions() {
    for (text, expected) in [
        (
            "a\nb: a:failed\nc: b:succeeded\nd: c:completed",
            "b=dependency, c=dependency, d=dependency, job main=ok",
        ),
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
            "job a=failed, job b=dependency, x=dependency, y=dependency",
        ),
        ("job a\nbad\njob b: a:failed\nx", "job a=failed, job b=ok, x=ok"),
        ("job a\nbad\njob b: a:succeeded\nx\njob c: b:skipped\nz", "job b=dependency, job c=ok, z=ok"),
        ("job a\nbad!\njob b: a:succeeded\nx", "job a=ok, job b=ok"),
        // A job all of whose steps were skipped did what it had to.
        ("job a\nx\ny: x:failed\njob b: a:succeeded\nz", "job a=ok, z=ok"),
    ] {
        check(text, expected);
    }
}

#[test]
fn a_fan_out_is_one_step_to_others() {
    for (text, expected) in [
        ("fan3\nb: fan3:succeeded", "b=ok, job main=ok"),
        ("fan0\nb: fan0:succeeded", "b=ok, job main=ok"),
        ("fan3bad\nb: fan3bad:succeeded\nh: fan3bad:failed", "b=dependency, h=ok, job main=failed"),
        ("a\nfan2: a:failed\nc: fan2:skipped", "fan2=dependency, c=ok, job main=ok"),
    ] {
        check(text, expected);
    }
    let fan = plan("fan5");
    let started = |facts: &[Fact]| {
        let items =
            facts.iter().filter(|fact| matches!(fact, Fact::StepStarted { key, .. } if key.item.is_some()));
        items.count()
    };
    assert_eq!(started(&run_all(&fan).0), 5);
}

#[test]
fn nothing_waits_for_what_it_does_not_depend_on() {
    // `slow` runs all the while.
    let plan = plan("job a\nslow\nfirst\nsecond: first:succeeded\njob b\nother\njob c: b:succeeded\nlast");
    let mut machine = Machine::new(&plan);
    let mut ended = Vec::new();
    loop {
        machine.decide(true);
        let running = machine.keys_in(Phase::Running);
        let Some(key) = running.into_iter().find(|key| key.step != "slow") else { break };
        ended.push(key.step.clone());
        machine.apply(&outcome(&key, 1));
    }
    assert!(["second", "last"].iter().all(|name| ended.iter().any(|step| step == name)), "{ended:?}");
}

fn started(facts: &[Fact]) -> Vec<&str> {
    let steps = facts.iter().filter_map(|fact| match fact {
        Fact::StepStarted { key, .. } => Some(key.step.as_str()),
        _ => None,
    });
    steps.collect()
}

#[test]
fn ready_steps_start_by_weight_then_name() {
    let mut plan = plan("job z\nb\na\nc\njob y\ne");
    plan.jobs[0].steps[2].weight = -1.0;
    plan.jobs[1].weight = 1.0;
    plan.max_steps = Some(1);
    assert_eq!(started(&run_all(&plan).0), ["c", "a", "b", "e"]);
}

/// The most steps and jobs at once.
fn most(plan: &Plan) -> (usize, usize) {
    let (mut machine, mut facts) = (Machine::new(plan), Vec::new());
    drive(&mut machine, &mut facts, &mut Random(3));
    assert!(machine.is_done());
    let (mut steps, mut jobs, mut most_steps, mut most_jobs) = (0_i64, 0_i64, 0, 0);
    for fact in &facts {
        match fact {
            Fact::JobStarted { .. } => jobs += 1,
            Fact::JobEnded { .. } => jobs -= 1,
            Fact::StepStarted { .. } => steps += 1,
            Fact::StepEnded { .. } | Fact::Expanded { .. } => steps -= 1,
            _ => {}
        }
        (most_steps, most_jobs) = (most_steps.max(steps), most_jobs.max(jobs));
    }
    (usize::try_from(most_steps).unwrap(), usize::try_from(most_jobs).unwrap())
}

#[test]
fn limits_hold_and_are_used_up() {
    let wide = "job a\na1\na2\na3\na4\njob b\nb1\nb2\nb3\nb4";
    type Limit = fn(&mut Plan);
    let cases: [(Limit, usize, usize); 4] = [
        (|_| {}, 8, 2),
        (|plan| plan.max_steps = Some(3), 3, 2),
        (|plan| plan.max_jobs = Some(1), 4, 1),
        (
            |plan| plan.jobs.iter_mut().flat_map(|job| &mut job.steps).for_each(|step| step.cap = Some(1)),
            2,
            2,
        ),
    ];
    for (limit, steps, jobs) in cases {
        let mut plan = plan(wide);
        limit(&mut plan);
        assert_eq!(most(&plan), (steps, jobs));
    }
    // Fan-outs have a limit of their own, of which a cap is another one.
    assert_eq!(most(&plan("fan100")).0, super::FAN_OUT);
    let mut capped = plan("fan100");
    capped.jobs[0].steps[0].cap = Some(40);
    assert_eq!(most(&capped).0, 40);
}

#[test]
fn cap_counts_all_running_steps_of_the_job() {
    let mut plan = plan("a\nb\nc");
    plan.jobs[0].steps[0].cap = Some(1);
    // `a` starts first, so nothing may join it.
    let mut machine = Machine::new(&plan);
    assert_eq!(started(&machine.decide(true)), ["a"]);
    machine.apply(&outcome(&plan.key(0, 0, None), 1));
    assert_eq!(started(&machine.decide(true)), ["b", "c"]);
}

#[test]
fn an_approval_lets_siblings_finish() {
    let plan = plan("ask\nb: ask:succeeded\nc\nd: c:succeeded\nr: ask:failed");
    for approved in [true, false] {
        let mut machine = Machine::new(&plan);
        let mut facts = Vec::new();
        while let Some(key) = {
            facts.extend(machine.decide(true));
            machine.keys_in(Phase::Running).into_iter().next()
        } {
            let fact = outcome(&key, 1);
            machine.apply(&fact);
            facts.push(fact);
        }
        assert_eq!(ends(&facts), BTreeMap::from([("c".into(), "ok"), ("d".into(), "ok")]));
        let asked = machine.keys_in(Phase::Asked);
        assert_eq!((asked.len(), machine.running(), machine.is_done()), (1, 0, false));
        let mut facts = vec![decision(&asked[0], approved)];
        machine.apply(&facts[0]);
        drive(&mut machine, &mut facts, &mut Random(1));
        let (b, r) = if approved { ("ok", "dependency") } else { ("dependency", "ok") };
        let found = ends(&facts);
        assert_eq!((found["b"], found["r"]), (b, r));
        let status = if approved { RunStatus::Succeeded } else { RunStatus::Failed };
        assert_eq!(machine.status(), status);
    }
}

#[test]
fn cancellation_stops_what_runs_and_starts_nothing() {
    let plan = plan("job a\nrun!\nnext: run!:always\ndone\nask\njob b: a:always\nlater");
    let mut machine = Machine::new(&plan);
    let mut facts = machine.decide(true);
    for step in [2, 3] {
        let fact = outcome(&plan.key(0, step, None), 1);
        machine.apply(&fact);
        facts.push(fact);
    }
    machine.apply(&Fact::Stopping { reason: "interrupted".into() });
    facts.extend(machine.decide(true));
    // It had `allowFailure`, which does not apply here: an interruption is not a failure of the step.
    let end = StepEnd::failed(FailureKind::Cancelled, "interrupted");
    let fact = Fact::StepEnded { key: plan.key(0, 0, None), end: Box::new(end) };
    machine.apply(&fact);
    facts.push(fact);
    facts.extend(machine.decide(true));
    assert_eq!((machine.status(), machine.cut_short()), (RunStatus::Cancelled, Some("interrupted")));
    let found = ends(&facts);
    let ends: Vec<(&str, &str)> = found.iter().map(|(name, end)| (name.as_str(), *end)).collect();
    assert_eq!(
        ends,
        [
            ("ask", "cancelled"),
            ("done", "ok"),
            ("job a", "failed"),
            ("job b", "cancelled"),
            ("later", "cancelled"),
            ("next", "cancelled"),
            ("run!", "failed")
        ]
    );
}

#[test]
fn cancellation_after_the_last_step_cancels_nothing() {
    let plan = plan("a\nb");
    let (mut machine, mut facts) = (Machine::new(&plan), Vec::new());
    drive(&mut machine, &mut facts, &mut Random(1));
    machine.apply(&Fact::Stopping { reason: "too late".into() });
    assert!(machine.decide(true).is_empty());
    assert_eq!((machine.status(), machine.cut_short()), (RunStatus::Succeeded, None));
}

#[test]
fn the_time_of_a_job_ends_that_job() {
    let plan = plan("job a\nx\ny: x:succeeded\njob b: a:failed\nz");
    let mut machine = Machine::new(&plan);
    let mut facts = machine.decide(true);
    machine.apply(&Fact::JobTimedOut { job: "a".into(), error: "late".into() });
    facts.extend(machine.decide(true));
    let end = StepEnd::failed(FailureKind::Timeout, "late");
    machine.apply(&Fact::StepEnded { key: plan.key(0, 0, None), end: Box::new(end) });
    drive(&mut machine, &mut facts, &mut Random(1));
    let ends = ends(&facts);
    assert_eq!((ends["y"], ends["job a"], ends["z"]), ("timeout", "failed", "ok"));
    assert_eq!(machine.status(), RunStatus::Failed);
}

const RICH: &str = "job a\nx\nfan4: x:succeeded\ntwice: x:succeeded\ny: fan4:succeeded twice:succeeded\n\
                    ask: y:succeeded\nlast: ask:succeeded\nh: x:failed\n\
                    job b\nfan6bad\nguard\nk: fan6bad:failed guard:skipped\nbad!: k:succeeded\n\
                    job c: a:succeeded b:failed\nz\njob d: c:failed\nnever";

/// The invariant that resumption rests on.
#[test]
fn a_run_that_stopped_anywhere_goes_on_and_repeats_nothing_finished() {
    let plan = plan(RICH);
    for seed in 1..40 {
        let (mut machine, mut facts) = (Machine::new(&plan), Vec::new());
        drive(&mut machine, &mut facts, &mut Random(seed));
        assert!(machine.is_done());
        let whole = ends(&facts);
        for cut in 0..=facts.len() {
            let mut again = Machine::new(&plan);
            facts[..cut].iter().for_each(|fact| again.apply(fact));
            let mut twin = Machine::new(&plan);
            facts[..cut].iter().for_each(|fact| twin.apply(fact));
            assert!(again == twin);
            let resumed = Fact::Resumed {
                pid: 1,
                inputs: serde_json::Map::new(),
                workflow_sha256: String::new(),
                outline: None,
            };
            again.apply(&resumed);
            assert_eq!(again.running(), 0);
            let mut more = Vec::new();
            drive(&mut again, &mut more, &mut Random(seed + 99));
            assert!(again.is_done(), "seed {seed}, cut {cut}");
            let joined: Vec<Fact> = facts[..cut].iter().chain(&more).cloned().collect();
            assert_eq!(ends(&joined), whole, "seed {seed}, cut {cut}");
            assert_eq!(again.status(), machine.status());
            let ended = |facts: &[Fact]| -> Vec<StepKey> {
                let ended = facts.iter().filter_map(|fact| match fact {
                    Fact::StepEnded { key, .. } | Fact::StepSkipped { key, .. } => Some(key.clone()),
                    _ => None,
                });
                ended.collect()
            };
            for key in ended(&facts[..cut]) {
                let repeats = more
                    .iter()
                    .any(|fact| matches!(fact, Fact::StepStarted { key: started, .. } if *started == key));
                assert!(!repeats, "seed {seed}, cut {cut}: {key} ran again");
            }
        }
    }
}

#[test]
fn what_was_reset_runs_again_and_counts_its_tries_on() {
    let plan = plan("a\nb: a:succeeded\nbad: b:succeeded\nc: bad:succeeded");
    let (mut machine, mut facts) = (Machine::new(&plan), Vec::new());
    drive(&mut machine, &mut facts, &mut Random(1));
    let keys = [1, 2, 3].map(|step| plan.key(0, step, None));
    machine.apply(&Fact::Reset { steps: keys.to_vec(), jobs: vec!["main".into()] });
    let mut more = Vec::new();
    drive(&mut machine, &mut more, &mut Random(1));
    assert_eq!(started(&more), ["b", "bad"]);
    assert!(matches!(&more[1], Fact::StepStarted { attempt: 2, .. }), "{more:?}");
    assert_eq!(machine.status(), RunStatus::Failed);
}

#[test]
fn facts_about_what_is_gone_change_nothing() {
    let plan = plan("a");
    let mut machine = Machine::new(&plan);
    let gone = StepKey { job: "main".into(), step: "gone".into(), item: None };
    machine.apply(&Fact::StepStarted { key: gone.clone(), attempt: 1 });
    machine.apply(&outcome(&gone, 1));
    machine.apply(&Fact::JobEnded { job: "gone".into(), succeeded: true });
    machine.apply(&Fact::StepStarted { key: StepKey { item: Some(4), ..plan.key(0, 0, None) }, attempt: 1 });
    assert!(machine == Machine::new(&plan));
}

#[test]
fn many_steps_and_items_are_decided_quickly() {
    let mut text = String::from("s0");
    for at in 1..400 {
        text.push_str(&format!("\ns{at}: s{}:failed", at - 1));
    }
    let (facts, _) = run_all(&plan(&text));
    assert_eq!(started(&facts), ["s0"]);
    assert_eq!(ends(&facts).values().filter(|end| **end == "dependency").count(), 399);
    let (facts, status) = run_all(&plan("fan2000\nlast: fan2000:succeeded"));
    assert_eq!((started(&facts).len(), status), (2_002, RunStatus::Succeeded));
}
