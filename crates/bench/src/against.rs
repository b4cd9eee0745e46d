//! Two binaries in one run: what a change costs, case by case.
//!
//! Each binary has repositories and caches of its own. A round runs both, and every second round in the other order, so
//! that neither always finds the machine as the other left it. A row compares the medians, and the fastest runs, which
//! other processes disturb least.

use std::path::Path;
use std::time::Duration;

use crate::cases::{self, Case};
use crate::error::BenchError;
use crate::fixture::Fixture;
use crate::measure::{Job, Runner, Sample};
use crate::quiet;
use crate::report;
use crate::stats::Series;

/// Slower than this is a loss.
const ALLOWED: f64 = 1.03;

/// How the two binaries are run.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The binary from before the change.
    pub before: &'a Path,
    /// The number of rounds of a case.
    pub runs: u32,
    /// Longest wait for an idle machine before a round.
    pub patience: Duration,
    /// Only cases whose name contains this.
    pub only: Option<&'a str>,
}

struct Compared {
    name: &'static str,
    before: Series,
    after: Series,
    cpu: (Series, Series),
    rss_kb: (u64, u64),
    disturbed: u32,
}

/// Runs every case with both binaries and returns the table.
pub fn run(runner: &Runner, after: &Fixture, deno: &Path, plan: Plan<'_>) -> Result<String, BenchError> {
    let before = Fixture::make(after.top().parent(), plan.before, deno)?;
    let (cases, earlier) = (cases::all(after), cases::all(&before));
    let mut rows = Vec::new();
    for (case, earlier) in cases.iter().zip(&earlier) {
        if plan.only.is_some_and(|only| !case.name.contains(only)) {
            continue;
        }
        eprint!("{} ...", case.name);
        let row = compare(runner, earlier, case, plan)?;
        eprintln!(" {:.3}", ratio(row.before.median, row.after.median));
        rows.push(row);
    }
    Ok(table(&report::machine(after, deno), &rows))
}

fn compare(
    runner: &Runner,
    before: &Case<'_>,
    after: &Case<'_>,
    plan: Plan<'_>,
) -> Result<Compared, BenchError> {
    let runs = (plan.runs / after.part).max(plan.runs.min(3));
    let job = |case: &Case<'_>| -> Result<Job, BenchError> { (case.prepare)() };
    for case in [before, after] {
        runner.check(&job(case)?, case.says)?;
        for _ in 0..case.warm_up {
            runner.timed(&job(case)?)?;
        }
    }
    let mut samples: [Vec<Sample>; 2] = Default::default();
    let mut disturbed = 0;
    for round in 0..runs {
        let order = if round % 2 == 0 { [(0, before), (1, after)] } else { [(1, after), (0, before)] };
        for (which, case) in order {
            let job = job(case)?;
            disturbed += u32::from(!quiet::wait(plan.patience));
            samples[which].push(runner.timed(&job)?);
        }
    }
    let peak = |case: &Case<'_>| -> Result<u64, BenchError> {
        let mut peak = 0;
        for _ in 0..runs.min(5) {
            peak = peak.max(runner.sampled(&job(case)?)?.tree.sum_kb);
        }
        Ok(peak)
    };
    let rss_kb = (peak(before)?, peak(after)?);
    let [before, now] = samples;
    let wall = |samples: &[Sample]| Series::of(samples.iter().map(|sample| sample.wall_ms));
    let cpu = |samples: &[Sample]| Series::of(samples.iter().map(|sample| sample.cpu_ms));
    Ok(Compared {
        name: after.name,
        before: wall(&before),
        after: wall(&now),
        cpu: (cpu(&before), cpu(&now)),
        rss_kb,
        disturbed,
    })
}

fn ratio(before: f64, after: f64) -> f64 {
    if before > 0.0 { after / before } else { 0.0 }
}

fn table(machine: &str, rows: &[Compared]) -> String {
    let mut text = format!(
        "{machine}\n\n| command | before ms | after ms | wall | fastest | CPU | RSS MB before, after | |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n"
    );
    for row in rows {
        let wall = ratio(row.before.median, row.after.median);
        let fastest = ratio(row.before.min, row.after.min);
        let verdict = match (wall <= ALLOWED, fastest <= ALLOWED) {
            (true, _) => "within 3 %",
            (false, true) => "median slower",
            (false, false) => "slower",
        };
        text.push_str(&format!(
            "| {} | {:.1} | {:.1} | {wall:.3} | {fastest:.3} | {:.3} | {:.1}, {:.1} | {verdict} |\n",
            row.name,
            row.before.median,
            row.after.median,
            ratio(row.cpu.0.median, row.cpu.1.median),
            report::megabytes(row.rss_kb.0),
            report::megabytes(row.rss_kb.1),
        ));
    }
    let disturbed: u32 = rows.iter().map(|row| row.disturbed).sum();
    text.push_str(&format!(
        "\n* Ratios are after / before: of the medians, of the fastest runs, and of the median CPU times.\n\
         * {disturbed} runs began while something else used the machine.\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::{Compared, table};
    use crate::stats::Series;

    fn row(before: f64, after: f64) -> Compared {
        let series = |value| Series { min: value, median: value, p90: value, p95: value };
        let (before, after) = (series(before), series(after));
        Compared { name: "`x`", before, after, cpu: (before, after), rss_kb: (1, 1), disturbed: 0 }
    }

    #[test]
    fn row_that_is_slower_by_more_than_three_percent_is_named() {
        assert!(
            table("", &[row(100.0, 103.0)]).contains("| 1.030 | 1.030 | 1.030 | 0.0, 0.0 | within 3 % |")
        );
        assert!(table("", &[row(100.0, 104.0)]).contains("| slower |"));
    }
}
