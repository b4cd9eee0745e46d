//! Unpacks randomly damaged archives for the number of seconds in the first argument. Checks that nothing panics, nothing
//! outside the directory changes, and no limit is exceeded:
//!
//! `cargo run --release -p marsh-archive --example fuzz_unpack -- 600 [SEED]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program, and this is its output")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use marsh_archive::ArchiveLimits;
use marsh_types::Explain;

#[path = "../tests/support/mod.rs"]
mod support;

/// Small limits, so that archives on both sides of every limit occur.
const LIMITS: ArchiveLimits = ArchiveLimits {
    archive_bytes: 64 << 10,
    unpacked_bytes: 16 << 10,
    file_bytes: 8 << 10,
    entries: 24,
    depth: 12,
};

/// xorshift64*: the same seed gives the same run.
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

    fn byte(&mut self) -> u8 {
        let interesting = *b"\0\x01/\\.:0127xgLKS \xff\x80";
        if self.below(2) == 0 {
            interesting[self.below(interesting.len())]
        } else {
            self.next().to_le_bytes()[3]
        }
    }
}

/// The start and length of each field of a header.
const FIELDS: [(usize, usize); 8] =
    [(0, 100), (100, 8), (124, 12), (148, 8), (156, 1), (157, 100), (257, 8), (345, 155)];

fn mutate_tar(raw: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let blocks = raw.len() / 512;
    let block = random.below(blocks) * 512;
    match random.below(6) {
        // Changes a field of a header, and corrects the checksum half of the time.
        0..=2 if block + 512 <= raw.len() => {
            let (start, length) = FIELDS[random.below(FIELDS.len())];
            for _ in 0..=random.below(4) {
                raw[block + start + random.below(length)] = random.byte();
            }
            if random.below(2) == 0 {
                support::fix_checksum(&mut raw[block..block + 512]);
            }
        }
        // Inserts blocks of another archive.
        3 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() / 512) * 512;
            let until = (from + 512 * (1 + random.below(4))).min(other.len());
            raw.splice(block..block, other[from..until].iter().copied());
        }
        4 => {
            let until = (block + 512 * (1 + random.below(3))).min(raw.len());
            raw.drain(block.min(until)..until);
        }
        _ => mutate_bytes(raw, random),
    }
}

fn mutate_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    match random.below(4) {
        0 if at < bytes.len() => bytes[at] = random.byte(),
        1 => bytes.insert(at, random.byte()),
        2 => bytes.truncate(at),
        _ if at < bytes.len() => {
            bytes.remove(at);
        }
        _ => {}
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().ok());
    let (seconds, seed) = (arguments.next(), arguments.next());
    let (Some(Some(seconds)), None | Some(Some(_))) = (seconds, seed) else {
        eprintln!("usage: fuzz_unpack SECONDS [SEED]");
        return ExitCode::from(2);
    };
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = seed.flatten().unwrap_or(clock).max(1);
    println!("seed {seed}");
    let sandbox = match support::Sandbox::new() {
        Ok(sandbox) => sandbox,
        Err(error) => {
            eprintln!("cannot create a directory to unpack in: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut corpus: Vec<Vec<u8>> = support::hostile().into_iter().map(|(_, tar, _)| tar).collect();
    corpus.retain(|tar| tar.len() < 128 << 10);
    // Half of the archives are valid, because most damage to a hostile one leaves it hostile for the old reason.
    corpus.resize(corpus.len() * 2, support::good().end());
    let mut random = Random(seed);
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (start, mut iterations) = (Instant::now(), 0_u64);
    while start.elapsed() < Duration::from_secs(seconds) {
        let mut raw = corpus[random.below(corpus.len())].clone();
        for _ in 0..random.below(4) {
            mutate_tar(&mut raw, &corpus, &mut random);
        }
        let mut archive = support::gzip(&raw);
        if random.below(8) == 0 {
            mutate_bytes(&mut archive, &mut random);
        }
        iterations += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| sandbox.unpack(&archive, &LIMITS)));
        let code = match outcome {
            Ok(Ok(Ok(_))) => "unpacked",
            Ok(Ok(Err(error))) => error.code().as_str(),
            Ok(Err(error)) => {
                eprintln!("iteration {iterations}: cannot read the directory to unpack in: {error}");
                return ExitCode::FAILURE;
            }
            Err(_) => {
                eprintln!("iteration {iterations} of seed {seed} failed");
                return ExitCode::FAILURE;
            }
        };
        *counts.entry(code).or_default() += 1;
    }
    println!("iterations {iterations}");
    for (code, count) in counts {
        println!("{code} {count}");
    }
    ExitCode::SUCCESS
}
