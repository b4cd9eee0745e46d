//! The table of results.

use std::process::Command;

use crate::cases::{BATCHED, Case, SINGLE, Target};
use crate::deno;
use crate::error::BenchError;
use crate::fixture::{BATCH, Fixture};
use crate::measure::Sample;
use crate::stats::Series;

/// D is called unsteady if its slow runs took this many times as long as its fastest.
const UNSTEADY: f64 = 1.6;

/// The results of one case.
#[derive(Debug)]
pub struct Row {
    pub wall: Series,
    deno: Series,
    deno_walls: Vec<f64>,
    deno_cpu: Vec<f64>,
    deno_rss_kb: u64,
    cpu: Series,
    /// How long processes of the tree ran after the command, in milliseconds.
    lingers: Series,
    rss_kb: u64,
    processes: u32,
    /// The number of pairs that began on a busy machine.
    disturbed: u32,
}

impl Row {
    pub fn new(deno: &[Sample], case: &[Sample], peaks: &[Sample], disturbed: u32) -> Row {
        let largest = |samples: &[Sample]| samples.iter().map(|sample| sample.max_rss_kb).max().unwrap_or(0);
        let peak = peaks.iter().map(|sample| sample.tree).max_by_key(|tree| tree.sum_kb).unwrap_or_default();
        Row {
            wall: Series::of(case.iter().map(|sample| sample.wall_ms)),
            deno: Series::of(deno.iter().map(|sample| sample.wall_ms)),
            deno_walls: deno.iter().map(|sample| sample.wall_ms).collect(),
            deno_cpu: deno.iter().map(|sample| sample.cpu_ms).collect(),
            deno_rss_kb: largest(deno),
            cpu: Series::of(case.iter().map(|sample| sample.cpu_ms)),
            lingers: Series::of(case.iter().map(|sample| sample.settled_ms - sample.wall_ms)),
            rss_kb: peak.sum_kb.max(largest(case)),
            processes: peak.processes.max(1),
            disturbed,
        }
    }

    /// The median, divided by the median of the Deno runs in between.
    pub fn ratio(&self) -> f64 {
        if self.deno.median > 0.0 { self.wall.median / self.deno.median } else { 0.0 }
    }

    fn verdict(&self, target: Target) -> &'static str {
        let small = target.rss_mb.is_none_or(|limit| megabytes(self.rss_kb) <= limit);
        if self.ratio() <= target.ratio && small { "pass" } else { "above" }
    }
}

/// All results.
#[derive(Debug)]
pub struct Rows {
    machine: String,
    rows: Vec<(&'static str, Option<Target>, Result<Row, String>)>,
    /// The peak RSS in kB that every process has because the measuring process started it.
    pub floor: u64,
}

impl Rows {
    pub fn new(machine: String) -> Rows {
        Rows { machine, rows: Vec::new(), floor: 0 }
    }

    pub fn push(&mut self, case: &Case<'_>, row: Result<Row, BenchError>) {
        self.rows.push((case.name, case.target, row.map_err(|error| error.to_string())));
    }

    pub fn complete(&self) -> bool {
        self.rows.iter().all(|(_, _, row)| row.is_ok())
    }

    /// The header and the lines.
    fn cells(&self) -> Vec<Vec<String>> {
        let header = [
            "command",
            "wall ms",
            "min–p90",
            "D",
            "target",
            "",
            "reference",
            "CPU ms",
            "RSS MB",
            "processes",
        ];
        let mut cells = vec![header.map(str::to_owned).to_vec()];
        let (wall, cpu, rss_kb) = self.deno();
        cells.push(line(
            "`deno run` of an empty script",
            [number(wall.median), span(wall), "1".into()],
            None,
            [number(cpu.median), number(megabytes(rss_kb)), "1".into()],
        ));
        for (name, target, row) in &self.rows {
            let Ok(row) = row else {
                let none = || ["–".into(), "–".into(), "–".into()];
                cells.push(line(name, none(), target.map(|target| (target, "not run")), none()));
                continue;
            };
            cells.push(line(
                name,
                [number(row.wall.median), span(row.wall), format!("{:.2}", row.ratio())],
                target.map(|target| (target, row.verdict(target))),
                [number(row.cpu.median), number(megabytes(row.rss_kb)), row.processes.to_string()],
            ));
        }
        cells
    }

    /// Wall, CPU and memory of all runs of Deno.
    fn deno(&self) -> (Series, Series, u64) {
        let rows = || self.rows.iter().filter_map(|(_, _, row)| row.as_ref().ok());
        (
            Series::of(rows().flat_map(|row| row.deno_walls.iter().copied())),
            Series::of(rows().flat_map(|row| row.deno_cpu.iter().copied())),
            rows().map(|row| row.deno_rss_kb).max().unwrap_or(0),
        )
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|(known, _, _)| *known == name).and_then(|(_, _, row)| row.as_ref().ok())
    }

    fn notes(&self) -> Vec<String> {
        let (wall, _, _) = self.deno();
        let mut notes = vec![format!(
            "D is {:.1} ms over all runs; its slowest tenth took at least {:.2} times its fastest run{}.",
            wall.median,
            if wall.min > 0.0 { wall.p90 / wall.min } else { 0.0 },
            if wall.p90 > UNSTEADY * wall.min { ": the machine was busy, run again" } else { "" }
        )];
        let ran = || self.rows.iter().filter_map(|(_, _, row)| row.as_ref().ok());
        let (disturbed, pairs) = (
            ran().map(|row| row.disturbed).sum::<u32>(),
            ran().map(|row| row.deno_walls.len()).sum::<usize>(),
        );
        notes.push(format!("{disturbed} of {pairs} pairs began while something else used the machine."));
        let single = self.row(SINGLE);
        if let (Some(single), Some(batch)) = (single, self.row(BATCHED)) {
            #[expect(clippy::cast_precision_loss, reason = "a small count")]
            let more = (BATCH - 1) as f64;
            notes.push(format!(
                "A further run in the same command and host: {:.1} ms.",
                (batch.wall.median - single.wall.median) / more
            ));
        }
        if let Some(single) = single {
            notes.push(format!(
                "The host is gone {:.1} ms after the command; its CPU time is counted, this wall time is not.",
                single.lingers.median
            ));
        }
        notes.push(format!(
            "RSS of a process is never reported below {:.1} MB, what the measuring process itself has.",
            megabytes(self.floor)
        ));
        for (name, _, row) in &self.rows {
            if let Err(error) = row {
                notes.push(format!("{name} was not run: {error}"));
            }
        }
        notes
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.machine);
        for (number, cells) in self.cells().iter().enumerate() {
            line_to(&mut text, format_args!("| {} |", cells.join(" | ")));
            if number == 0 {
                let rule: Vec<&str> = (0..cells.len())
                    .map(|column| if matches!(column, 0 | 4 | 5) { "---" } else { "---:" })
                    .collect();
                line_to(&mut text, format_args!("| {} |", rule.join(" | ")));
            }
        }
        text.push('\n');
        for note in self.notes() {
            line_to(&mut text, format_args!("* {note}"));
        }
        text
    }

    pub fn plain(&self) -> String {
        let cells = self.cells();
        let columns = cells.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let of = |line: &Vec<String>| line.get(column).map_or(0, |cell| cell.chars().count());
            cells.iter().map(of).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = format!("{}\n\n", self.machine);
        for line in &cells {
            let padded: Vec<String> = line
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            line_to(&mut text, format_args!("{}", padded.join("  ").trim_end()));
        }
        text.push('\n');
        for note in self.notes() {
            line_to(&mut text, format_args!("{note}"));
        }
        text
    }
}

fn line(
    name: &str,
    time: [String; 3],
    target: Option<(Target, &str)>,
    resources: [String; 3],
) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    cells.extend(time);
    match target {
        Some((target, verdict)) => {
            let memory = target.rss_mb.map(|limit| format!(", ≤ {limit} MB")).unwrap_or_default();
            cells.push(format!("≤ {} D{memory}", target.ratio));
            cells.push(verdict.to_owned());
            cells.push(format!("{} D", target.reference));
        }
        None => cells.extend([String::new(), String::new(), String::new()]),
    }
    cells.extend(resources);
    cells
}

fn line_to(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.push_str(&line.to_string());
    text.push('\n');
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn span(series: Series) -> String {
    format!("{}–{}", number(series.min), number(series.p90))
}

pub fn megabytes(kilobytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "memory of a process")]
    let kilobytes = kilobytes as f64;
    kilobytes * 1024.0 / 1e6
}

/// One line about the machine. Facts that the system does not provide are left out.
pub fn machine(fixture: &Fixture, deno: &std::path::Path) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let said = |program: &std::path::Path, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|total| total.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kilobytes| format!("{:.0} GB", megabytes(kilobytes) / 1e3));
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let parts = [
        Some(format!(
            "{cores} cores{}",
            field(&read("/proc/cpuinfo"), "model name").map_or_else(String::new, |name| format!(" ({name})"))
        )),
        memory,
        Some(format!("{} {kernel}", std::env::consts::OS).trim().to_owned()),
        file_system(fixture.top(), &read("/proc/self/mounts")),
        said("rustc".as_ref(), &["--version"]),
        said(fixture.marsh(), &["--version"]),
        Some(deno::version(deno)),
    ];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The type of the file system of a path, which is that of the longest mount point above it.
fn file_system(path: &std::path::Path, mounts: &str) -> Option<String> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(mounted, _)| path.starts_with(mounted))
        .max_by_key(|(mounted, _)| mounted.len())
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Row, file_system};
    use crate::cases::Target;
    use crate::measure::Sample;

    fn sample(wall_ms: f64, max_rss_kb: u64) -> Sample {
        Sample { wall_ms, max_rss_kb, ..Sample::default() }
    }

    #[test]
    fn a_target_is_met_in_time_and_memory_or_not_at_all() {
        let target = |ratio, rss_mb| Target { ratio, rss_mb, reference: 1.0 };
        let row = Row::new(&[sample(20.0, 1)], &[sample(10.0, 10_000)], &[], 0);
        assert!((row.ratio() - 0.5).abs() < 1e-9);
        assert_eq!(row.verdict(target(0.5, Some(11.0))), "pass");
        assert_eq!(row.verdict(target(0.4, None)), "above");
        assert_eq!(row.verdict(target(0.5, Some(10.0))), "above");
    }

    #[test]
    fn the_file_system_is_the_one_mounted_nearest() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n";
        assert_eq!(file_system(Path::new("/tmp/x"), mounts).as_deref(), Some("tmpfs"));
        assert_eq!(file_system(Path::new("/home"), mounts).as_deref(), Some("ext4"));
    }
}
