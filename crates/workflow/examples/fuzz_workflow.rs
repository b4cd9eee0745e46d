//! Reads workflow files that were damaged at random, for as many seconds as the first argument says: no panic, every
//! problem in a place that the file has, and what reads is read the same once more from its own rendering.
//! `cargo run --release -p marsh-workflow --example fuzz_workflow -- 600 [SEED]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program, and this is what it says")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use marsh_workflow::schema::{Workflow, parse};
use marsh_workflow::{GraphFormat, draw};

/// xorshift64*: the same seed, the same run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.next() >> 16) % (end.max(1) as u64)).unwrap_or_default()
    }
}

const CORPUS: [&str; 3] = [
    "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: nightly\ntrigger: {schedule: '0 3 * * *', inputs: {region: eu}}\ntags: {team: a}\ninputs: {properties: {region: {type: string, default: eu}}, required: [region]}\nversion: 2\nconcurrency: 4\ncode: pinned\nreports: {require: [summary]}\naffinity: true\ntarget: box\nlabels: {os: linux}\nplatform: linux\nqueueTimeout: 30\njobs:\n  - name: main\n    weight: -1\n    timeout: 5m\n    dependsOn:\n      - {job: prepare, condition: {type: or, conditions: [{type: succeeded}, {type: not, condition: {type: failed}}]}}\n    steps:\n      - name: scan\n        guard: ${{ inputs.skip }}\n        retry: {attempts: 3, backoff: {initial: 1s, factor: 2, max: 1m}, jitter: 0.5, on: [error, timeout]}\n        timeout: 30\n        forEach: {item: host, in: '${{ inputs.hosts }}'}\n        dataOutputOverrides:\n          - {specName: result, lifetime: 7d, garbageCollection: 3, tags: {a: b}, vary: [region], vaultName: main}\n        task: {type: model_method, modelIdOrName: scanner, methodName: run, inputs: {region: '${{ inputs.region }}'}}\n  - name: prepare\n    steps:\n      - name: x\n        task: {type: assert, expr: 'true', message: m, severity: low}\n",
    "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\njobs:\n- name: a\n  steps:\n  - name: ask\n    task: {type: manual_approval, prompt: go?, timeout: 60}\n  - name: nested\n    dependsOn: [{step: ask, condition: {type: and, conditions: [{type: always}, {type: completed}]}}]\n    task: {type: workflow, workflowIdOrName: other, inputs: {a: 1}}\n  - name: direct\n    allowFailure: true\n    task:\n      type: model_method\n      modelType: command/shell\n      modelName: sh\n      methodName: execute\n      inputs: ${{ inputs.all }}\n      globalArgs: {a: 1}\n",
    "&a [*a, !!binary x, {? [b]: c}, |\n  text\n, 0x1F, .inf, 1e999, ~, 'é\u{1f600}']\n",
];

/// Pieces that mean something in YAML, in expressions or in the format.
const PIECES: [&str; 34] = [
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "#",
    "&a ",
    "*a",
    "!!str ",
    "|\n",
    ">-\n",
    "? ",
    "---\n",
    "\t",
    "${{ ",
    " }}",
    "condition: {type: not, condition: ",
    "steps:",
    "name: ",
    "task:",
    "1e309",
    "-0",
    "99999999999999999999",
    "null",
    "\u{feff}",
    "\u{0}",
    "é",
    "<<: ",
    "retry: ",
];

fn mutate(text: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(text.len() + 1);
    match random.below(7) {
        0 => {
            let piece = PIECES[random.below(PIECES.len())];
            text.splice(at..at, piece.bytes());
        }
        1 => {
            let end = (at + 1 + random.below(12)).min(text.len());
            text.drain(at.min(end)..end);
        }
        // A part of the file once more, somewhere.
        2 => {
            let from = random.below(text.len() + 1);
            let until = (from + random.below(80)).min(text.len());
            let part = text[from..until].to_vec();
            text.splice(at..at, part);
        }
        3 => {
            let other = CORPUS[random.below(CORPUS.len())].as_bytes();
            let from = random.below(other.len());
            let until = (from + random.below(120)).min(other.len());
            text.splice(at..at, other[from..until].iter().copied());
        }
        // Depth.
        4 => {
            let piece = PIECES[random.below(PIECES.len())];
            let many = piece.repeat(1 << random.below(9));
            text.splice(at..at, many.bytes());
        }
        5 if at < text.len() => text[at] = random.next().to_le_bytes()[3],
        _ => text.truncate(text.len().saturating_sub(random.below(8))),
    }
    text.truncate(64 << 10);
}

/// As marsh writes workflows.
fn render(workflow: &Workflow) -> Result<String, String> {
    marsh_types::yaml::to_string(workflow).map_err(|error| error.to_string())
}

/// What came of a text, or what is wrong with the reader.
fn check(text: &str) -> Result<&'static str, String> {
    let lines = text.lines().count().max(1) as u64;
    match parse(text) {
        Ok(parsed) => {
            for format in [GraphFormat::Text, GraphFormat::Mermaid] {
                if draw(&parsed.workflow, format).is_empty() {
                    return Err("the graph is empty".into());
                }
            }
            let shown = render(&parsed.workflow)?;
            let again =
                parse(&shown).map_err(|problems| format!("its own rendering does not read: {problems:?}"))?;
            if render(&again.workflow)? != shown {
                return Err(format!("its own rendering reads as something else: {shown}"));
            }
            Ok("read")
        }
        Err(problems) if problems.is_empty() => Err("refused without a reason".into()),
        Err(problems) => {
            for problem in &problems {
                if problem.line.is_some_and(|line| line == 0 || line > lines + 1) {
                    return Err(format!("a place that the file does not have: {problem:?}"));
                }
            }
            Ok(if problems.len() == 1 && problems[0].path.is_empty() { "no YAML" } else { "refused" })
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().ok());
    let (seconds, seed) = (arguments.next(), arguments.next());
    let (Some(Some(seconds)), None | Some(Some(_))) = (seconds, seed) else {
        eprintln!("usage: fuzz_workflow SECONDS [SEED]");
        return ExitCode::from(2);
    };
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = seed.flatten().unwrap_or(clock).max(1);
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (start, mut iterations) = (Instant::now(), 0_u64);
    while start.elapsed() < Duration::from_secs(seconds) {
        let mut bytes = CORPUS[random.below(CORPUS.len())].as_bytes().to_vec();
        for _ in 0..random.below(4) {
            mutate(&mut bytes, &mut random);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        iterations += 1;
        match catch_unwind(AssertUnwindSafe(|| check(&text))) {
            Ok(Ok(outcome)) => *counts.entry(outcome).or_default() += 1,
            Ok(Err(message)) => {
                eprintln!("iteration {iterations} of seed {seed}: {message}\n{text}");
                return ExitCode::FAILURE;
            }
            Err(_) => {
                eprintln!("iteration {iterations} of seed {seed} panicked\n{text}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("iterations {iterations}");
    for (outcome, count) in counts {
        println!("{outcome} {count}");
    }
    ExitCode::SUCCESS
}
