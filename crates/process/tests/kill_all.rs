//! A process that is about to end. Alone in its binary: afterwards no command starts in it.

// cfg: the tests read /proc
// cfg: the tests read /proc
// cfg: the tests read /proc
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use marsh_process::{CommandLimits, CommandLine, Executor as _, Exit, LocalExecutor, Stop, kill_all};

const LIMITS: CommandLimits = CommandLimits { deadline: Duration::from_secs(60), output_bytes: 1 << 20 };

#[test]
fn kill_all_ends_commands_at_once_and_lets_none_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    // Neither the command nor what left its group listens to anything but a kill.
    let script = "trap '' TERM INT; setsid sh -c 'trap \"\" TERM INT; echo $$ >> \"$F\"; while :; do sleep 1; done' & \
                  echo $$ >> \"$F\"; while :; do sleep 1; done";
    let mut line = CommandLine { script: script.to_owned(), ..CommandLine::default() };
    line.env.insert("F".into(), file.display().to_string());
    let running =
        std::thread::spawn(move || LocalExecutor.execute(&line, &LIMITS, &Stop::new(), &mut |_, _| {}));
    let until = Instant::now() + Duration::from_secs(60);
    let pids = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.lines().count() == 2 && text.ends_with('\n') {
            break text;
        }
        assert!(Instant::now() < until, "the command does not start");
        std::thread::sleep(Duration::from_millis(5));
    };
    kill_all();
    // Killed, not stopped: no request was made, and no deadline has passed.
    assert_eq!(running.join().unwrap().unwrap().exit, Exit::Code(137));
    for pid in pids.lines() {
        while std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
        {
            assert!(Instant::now() < until, "process {pid} survives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let late = CommandLine { script: "true".into(), ..CommandLine::default() };
    assert!(LocalExecutor.execute(&late, &LIMITS, &Stop::new(), &mut |_, _| {}).is_err());
}
