//! Reads, checks and evaluates expressions that were made and damaged at random, for as many seconds as the first argument
//! says: no panic, no hang, no more memory than the limits allow. `cargo run --release -p marsh-expr --example fuzz_expr -- 600 [SEED]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program, and this is what it says")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use marsh_expr::{
    Cel, Declared, Evaluated, EvaluationLimits, Evaluator, Mode, Program, Value, Variables, expand,
    references, segments,
};
use marsh_types::Explain;
use serde_json::Value as Json;

#[path = "../tests/support/generate.rs"]
mod generate;
use generate::{CONTEXT, Generator, Random};

/// Small, so that both sides of every limit are met.
const LIMITS: EvaluationLimits = EvaluationLimits { steps: 200_000, bytes: 4 << 20 };
/// No input may take longer, on any machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// The text of a secret that is in the context, and that no error may say.
const SECRET: &str = "c4n4ry";

const PIECES: [&str; 60] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    ":",
    "?",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "<",
    ">",
    "==",
    "!=",
    "<=",
    ">=",
    "&&",
    "||",
    "in",
    "'",
    "\"",
    "'''",
    "\\",
    "`",
    "0x",
    "1e",
    "9223372036854775808",
    "1u",
    "null",
    "true",
    "inputs",
    ".?",
    "[?",
    ".map(x, ",
    ".all(x, ",
    ".filter(x, ",
    "cel.bind(x, ",
    "has(",
    "x",
    "vault.get(",
    "model.a-b.input",
    "${{",
    "}}",
    "//",
    "\n",
    "é",
    "😀",
    "\u{feff}",
    "b'\\xff'",
    "r'",
    "timestamp(",
    "duration('",
    ".matches('(a*)*",
    ".orValue(",
];

fn mutate(text: &mut String, corpus: &[String], random: &mut Random) {
    let mut at = random.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    match random.below(6) {
        0 | 1 => text.insert_str(at, random.pick(&PIECES)),
        2 => text.truncate(at),
        3 => {
            text.drain(..at);
        }
        4 => {
            let other = &corpus[random.below(corpus.len())];
            text.insert_str(at, other);
        }
        // Much of the same.
        _ => {
            let piece = random.pick(&PIECES);
            text.insert_str(at, &piece.repeat(1 + random.below(400)));
        }
    }
    let mut end = text.len().min(80_000);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// Everything that is done with the text of an expression. What came of it, or what is wrong.
fn run(expression: &str, scope: &Variables) -> Result<&'static str, String> {
    references(expression);
    segments(expression);
    let declared = Declared::new().with_keys("inputs", ["n", "s"]).with_functions_of("vault");
    let cel = Cel { limits: LIMITS };
    for problem in cel.check(expression, &declared) {
        let length = expression.len();
        if problem.span().is_some_and(|span| span.end > length || span.start > span.end) {
            return Err(format!("{problem} points outside of the expression"));
        }
    }
    if let Ok(program) = Program::parse(expression) {
        program.conjuncts();
    }
    let written = Json::from(format!("a ${{{{ {expression} }}}} b"));
    let expanded =
        expand(&written, &cel, scope, Mode::Lenient, |_| false).map_err(|error| error.to_string())?;
    expanded.with_references(&written);
    match cel.evaluate(expression, scope).and_then(|value| Evaluated::of(&value)) {
        Ok(_) => Ok("value"),
        Err(error) => {
            let said = format!("{error} {error:?} {:?}", error.hint());
            if said.contains(SECRET) && !expression.contains(SECRET) {
                return Err(format!("an error says a secret: {said}"));
            }
            Ok(error.code().as_str())
        }
    }
}

fn scope() -> Variables {
    let context: Json = serde_json::from_str(CONTEXT).unwrap_or_default();
    let mut scope = Variables::new().with("inputs", context["inputs"].clone());
    scope.set_value("secret", Value::from(SECRET).into_secret());
    scope
}

fn fuzz(seconds: u64, seed: u64) -> ExitCode {
    println!("seed {seed}");
    let mut generator = Generator::new(seed);
    let mut random = Random::new(seed ^ 0x9E37_79B9_7F4A_7C15);
    let scope = scope();
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (start, mut iterations, mut slowest) = (Instant::now(), 0_u64, (Duration::ZERO, String::new()));
    let mut corpus: Vec<String> = (0..200).map(|_| generator.any()).collect();
    while start.elapsed() < Duration::from_secs(seconds) {
        let slot = random.below(corpus.len());
        corpus[slot] = generator.any();
        let mut expression = corpus[slot].clone();
        for _ in 0..random.below(5) {
            mutate(&mut expression, &corpus, &mut random);
        }
        // A secret in the place of a text.
        if random.below(4) == 0 {
            expression = expression.replacen("inputs.s", "secret", 2);
        }
        iterations += 1;
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&expression, &scope)));
        if began.elapsed() > slowest.0 {
            slowest = (began.elapsed(), expression.chars().take(200).collect());
        }
        let wrong = match outcome {
            Ok(Ok(_)) if began.elapsed() > PATIENCE => Some(format!("took {:?}", began.elapsed())),
            Ok(Ok(code)) => {
                *counts.entry(code).or_default() += 1;
                None
            }
            Ok(Err(problem)) => Some(problem),
            Err(_) => Some("panicked".to_owned()),
        };
        if let Some(wrong) = wrong {
            eprintln!("iteration {iterations} of seed {seed}: {wrong}\n{expression}");
            return ExitCode::FAILURE;
        }
    }
    println!("iterations {iterations}, the slowest {} ms: {:?}", slowest.0.as_millis(), slowest.1);
    for (code, count) in counts {
        println!("{code} {count}");
    }
    ExitCode::SUCCESS
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().ok());
    let (seconds, seed) = (arguments.next(), arguments.next());
    let (Some(Some(seconds)), None | Some(Some(_))) = (seconds, seed) else {
        eprintln!("usage: fuzz_expr SECONDS [SEED]");
        return ExitCode::from(2);
    };
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = seed.flatten().unwrap_or(clock).max(1);
    // With as little stack as threads have; what overflows it ends the process, and so the run.
    let fuzzing = std::thread::Builder::new().stack_size(1 << 20).spawn(move || fuzz(seconds, seed));
    match fuzzing.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        _ => ExitCode::FAILURE,
    }
}
