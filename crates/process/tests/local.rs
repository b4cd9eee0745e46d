//! Commands of this machine: their limits, and the processes of a command that was stopped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::time::{Duration, Instant};

use marsh_process::{
    CommandLimits, CommandLine, Ended, Executor as _, Exit, LocalExecutor, OutputStream, Stop,
};

/// Longer than any test takes, shorter than forever.
const LONG: Duration = Duration::from_secs(60);

fn line(script: &str) -> CommandLine {
    CommandLine { script: script.to_owned(), ..CommandLine::default() }
}

/// What a command printed, and how it ended.
struct Run {
    ended: Ended,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    longest_chunk: usize,
}

fn run_with(line: &CommandLine, limits: CommandLimits, stop: &Stop) -> Run {
    let (mut stdout, mut stderr, mut longest_chunk) = (Vec::new(), Vec::new(), 0);
    let ended = LocalExecutor
        .execute(line, &limits, stop, &mut |stream, bytes| {
            longest_chunk = longest_chunk.max(bytes.len());
            match stream {
                OutputStream::Stdout => stdout.extend_from_slice(bytes),
                OutputStream::Stderr => stderr.extend_from_slice(bytes),
            }
        })
        .unwrap();
    Run { ended, stdout, stderr, longest_chunk }
}

fn run(script: &str, deadline: Duration) -> Run {
    run_with(&line(script), CommandLimits { deadline, output_bytes: 1 << 20 }, &Stop::new())
}

#[test]
fn output_and_exit_code_are_reported() {
    let run = run("echo out; echo err >&2; exit 3", LONG);
    assert_eq!(run.ended.exit, Exit::Code(3));
    assert_eq!((run.stdout.as_slice(), run.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!((run.ended.dropped_stdout, run.ended.dropped_stderr), (0, 0));
}

#[test]
fn a_signal_is_reported_as_128_and_its_number() {
    assert_eq!(run("kill -9 $$", LONG).ended.exit, Exit::Code(137));
}

#[test]
fn discarded_stderr_does_not_arrive() {
    let line = CommandLine { discard_stderr: true, ..line("echo out; echo err >&2") };
    let run = run_with(&line, CommandLimits { deadline: LONG, output_bytes: 4 }, &Stop::new());
    assert_eq!((run.stdout.as_slice(), run.stderr.len()), (&b"out\n"[..], 0));
}

#[test]
fn a_missing_directory_is_an_error() {
    let line = CommandLine { directory: Some("/does/not/exist".into()), ..line("true") };
    let limits = CommandLimits { deadline: LONG, output_bytes: 1 };
    assert!(LocalExecutor.execute(&line, &limits, &Stop::new(), &mut |_, _| {}).is_err());
}

#[test]
fn a_deadline_beyond_the_clock_is_accepted() {
    assert_eq!(run("true", Duration::MAX).ended.exit, Exit::Code(0));
}

#[test]
fn a_flood_of_output_does_not_delay_the_deadline() {
    let began = Instant::now();
    let run = run("yes", Duration::from_millis(300));
    assert_eq!(run.ended.exit, Exit::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_flood_of_output_is_dropped_beyond_the_limit() {
    let run = run("yes | head -c 3000000", LONG);
    assert_eq!(run.ended.exit, Exit::Code(0));
    assert_eq!(run.stdout.len(), 1 << 20);
    assert_eq!(run.ended.dropped_stdout, 3_000_000 - (1 << 20));
    assert_eq!(run.ended.dropped_stderr, 0);
}

#[test]
fn an_endless_line_takes_no_memory() {
    let run = run("tr '\\0' x < /dev/zero", Duration::from_millis(300));
    assert_eq!(run.ended.exit, Exit::TimedOut);
    assert!(run.stdout.len() <= 1 << 20 && run.longest_chunk <= 16 << 10, "{}", run.longest_chunk);
}

#[test]
fn a_request_to_stop_ends_the_command_before_and_while_it_runs() {
    let stop = Stop::new();
    let limits = CommandLimits { deadline: LONG, output_bytes: 1 << 20 };
    std::thread::scope(|scope| {
        // Before or after the command has started: both must end it.
        scope.spawn(|| stop.request("interrupted"));
        let run = run_with(&line("yes"), limits, &stop);
        assert_eq!(run.ended.exit, Exit::Stopped("interrupted".into()));
    });
    let run = run_with(&line("sleep 60"), limits, &stop);
    assert_eq!(run.ended.exit, Exit::Stopped("interrupted".into()));
}

#[test]
fn a_group_that_ignores_the_request_is_killed() {
    let began = Instant::now();
    let run = run("trap '' TERM; sleep 300 & sleep 300", Duration::from_millis(100));
    assert_eq!(run.ended.exit, Exit::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(20));
}

fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

fn await_text(path: &Path) -> String {
    let until = Instant::now() + LONG;
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => assert!(Instant::now() < until, "{} does not appear", path.display()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn await_death(pid: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    while is_alive(pid) {
        assert!(Instant::now() < until, "process {pid} survives");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a script that writes the number of a process to `$PIDFILE`, stops it once the number is there, and says it.
// cfg: survivors are found on Linux only
#[cfg(target_os = "linux")]
fn survivor_of(script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let mut line = line(script);
    line.env.insert("PIDFILE".into(), file.display().to_string());
    let stop = Stop::new();
    std::thread::scope(|scope| {
        let pid = scope.spawn(|| {
            let pid = await_text(&file);
            stop.request("enough");
            pid
        });
        let run = run_with(&line, CommandLimits { deadline: LONG, output_bytes: 1 << 20 }, &stop);
        assert_eq!(run.ended.exit, Exit::Stopped("enough".into()));
        pid.join().unwrap()
    })
}

#[test]
// cfg: survivors are found on Linux only
#[cfg(target_os = "linux")]
fn a_child_in_a_session_of_its_own_is_killed() {
    let script = "setsid sh -c 'trap \"\" TERM; echo $$ > \"$PIDFILE\"; while :; do sleep 1; done' & wait";
    await_death(&survivor_of(script));
}

#[test]
// cfg: survivors are found on Linux only
#[cfg(target_os = "linux")]
fn a_daemon_whose_parent_has_ended_is_killed() {
    // Its parent is gone and its output is closed: only the mark in its environment tells whose it is.
    let script = "(setsid sh -c 'echo $$ > \"$PIDFILE\"; exec sleep 300' > /dev/null 2>&1 &); sleep 300";
    await_death(&survivor_of(script));
}

#[test]
// cfg: survivors are found on Linux only
#[cfg(target_os = "linux")]
fn a_process_left_behind_on_purpose_keeps_running() {
    let run = run("sleep 300 > /dev/null 2>&1 & echo $!", LONG);
    assert_eq!(run.ended.exit, Exit::Code(0));
    let pid = String::from_utf8(run.stdout).unwrap().trim().to_owned();
    assert!(is_alive(&pid));
    assert_eq!(crate::run(&format!("kill -9 {pid}"), LONG).ended.exit, Exit::Code(0));
}
