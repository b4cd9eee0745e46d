//! Locks exclude each other, name their holder, end their waits, and end with the process that holds them.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "these tests create the files that marsh_fs then locks"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use marsh_fs::{
    LockError, lock_exclusive, lock_existing_shared, lock_latch, lock_shared, try_lock_exclusive,
    try_lock_existing_exclusive,
};
use marsh_types::{ErrorCode, Explain as _};

/// A held lock is `Busy`, exit code 75. A lock that fails for another reason is not.
#[test]
fn lock_error_has_the_code_of_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repo.lock");
    let held = lock_exclusive(&path, LONG, "test", &mut |_| {}).unwrap();
    let error = lock_exclusive(&path, Duration::ZERO, "test", &mut |_| {}).unwrap_err();
    assert_eq!((error.code(), error.class().exit_code()), (ErrorCode::LockTimeout, 75));
    assert_eq!(error.details().unwrap()["holder"]["pid"], std::process::id());
    drop(held);
    let error = lock_exclusive(dir.path(), Duration::ZERO, "test", &mut |_| {}).unwrap_err();
    assert_eq!((error.code(), error.class().exit_code()), (ErrorCode::Io, 1), "{error}");
    let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
    let error = LockError::Unsupported { path, source };
    assert_eq!((error.code(), error.class().exit_code()), (ErrorCode::LockUnsupported, 1));
}

const LONG: Duration = Duration::from_secs(30);

/// Not a test of its own: the body of the child process of the tests below.
#[test]
fn child_holds_the_lock() {
    let Some(path) = std::env::var_os("MARSH_TEST_LOCK") else { return };
    let _lock = lock_exclusive(Path::new(&path), LONG, "marsh child", &mut |_| {}).unwrap();
    println!("\nlocked");
    std::thread::sleep(LONG);
}

fn spawn_holder(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_holds_the_lock", "--nocapture"])
        .env("MARSH_TEST_LOCK", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "locked"));
    child
}

#[test]
fn exclusive_lock_taken_by_many_threads_excludes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, counter) = (dir.path().join("locks/repo.lock"), dir.path().join("counter"));
    fs::write(&counter, "0").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let _lock = lock_exclusive(&path, LONG, "test", &mut |_| {}).unwrap();
                    let count: u32 = fs::read_to_string(&counter).unwrap().parse().unwrap();
                    fs::write(&counter, (count + 1).to_string()).unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_to_string(&counter).unwrap(), "200");
}

#[test]
fn shared_locks_share_and_exclude_an_exclusive_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lease.lock");
    let first = lock_shared(&path, LONG, &mut |_| {}).unwrap();
    let second = lock_shared(&path, Duration::ZERO, &mut |_| {}).unwrap();
    assert!(try_lock_exclusive(&path, "gc").unwrap().is_none());
    drop((first, second));
    assert!(try_lock_exclusive(&path, "gc").unwrap().is_some());
}

#[test]
fn wait_for_a_held_lock_names_the_holder_and_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repo.lock");
    let mut child = spawn_holder(&path);
    let mut heard = Vec::new();
    let start = Instant::now();
    let error = lock_exclusive(&path, Duration::from_millis(1300), "marsh rm", &mut |holder| {
        heard.push(holder.clone());
    })
    .unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(heard.len(), 1, "told once");
    assert_eq!((heard[0].pid, heard[0].command.as_deref()), (Some(child.id()), Some("marsh child")));
    let LockError::Timeout { holder, waited, .. } = &error else { panic!("{error}") };
    assert_eq!(holder, &heard[0]);
    assert!(*waited >= Duration::from_millis(1300));
    assert!(error.to_string().contains(&format!("process {} (marsh child) since 20", child.id())), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn lock_of_a_killed_process_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repo.lock");
    let mut child = spawn_holder(&path);
    assert!(try_lock_exclusive(&path, "test").unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    let lock = lock_exclusive(&path, LONG, "test", &mut |_| {}).unwrap();
    drop(lock);
    assert_eq!(fs::read(&path).unwrap(), b"", "the file stays, the holder's line is removed");
}

/// The line that a killed holder left does not name the reader that has the lock now.
#[test]
fn timeout_after_a_dead_holder_does_not_name_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repo.lock");
    let mut child = spawn_holder(&path);
    child.kill().unwrap();
    child.wait().unwrap();
    let _reader = lock_shared(&path, LONG, &mut |_| {}).unwrap();
    let error = lock_exclusive(&path, Duration::ZERO, "test", &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("is held by another process; gave up"), "{error}");
}

#[test]
fn latch_taken_again_by_one_process_is_signed_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latch");
    let mut child = spawn_holder(&path);
    child.kill().unwrap();
    child.wait().unwrap();
    let latch = lock_latch(&path, LONG, "data write").unwrap();
    let error = lock_latch(&path, Duration::ZERO, "data write").unwrap_err();
    let holder = format!("is held by process {} (data write); gave up", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    drop(latch);
    let signed = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    assert!(signed.0.ends_with(b"}\n"), "the holder's line stays");
    drop(lock_latch(&path, LONG, "data write").unwrap());
    assert_eq!((fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()), signed);
    drop(lock_latch(&path, LONG, "gc").unwrap());
    assert_ne!(fs::read(&path).unwrap(), signed.0, "another purpose signs anew");
    assert!(try_lock_exclusive(&path, "test").unwrap().is_some(), "the line does not hold the lock");
}

#[test]
fn shared_lock_of_a_read_only_file_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.lock");
    fs::write(&path, "").unwrap();
    marsh_fs::set_mode(&path, 0o444).unwrap();
    lock_shared(&path, LONG, &mut |_| {}).unwrap();
}

/// A file with content is locked as it is: never created, never written.
#[test]
fn lock_of_an_existing_file_does_not_change_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("entry.json");
    assert!(lock_existing_shared(&path, LONG).unwrap().is_none());
    assert!(try_lock_existing_exclusive(&path).unwrap().is_none());
    assert!(!path.exists());
    fs::write(&path, "content").unwrap();
    marsh_fs::set_mode(&path, 0o444).unwrap();
    let (one, two) = (lock_existing_shared(&path, LONG).unwrap(), lock_existing_shared(&path, LONG).unwrap());
    assert!(one.is_some() && two.is_some());
    assert!(try_lock_existing_exclusive(&path).unwrap().is_none(), "it is in use");
    drop((one, two));
    let alone = try_lock_existing_exclusive(&path).unwrap().unwrap();
    assert!(try_lock_existing_exclusive(&path).unwrap().is_none());
    let error = lock_existing_shared(&path, Duration::from_millis(10)).unwrap_err();
    assert!(matches!(error, LockError::Timeout { .. }), "{error}");
    drop(alone);
    assert!(lock_existing_shared(&path, Duration::ZERO).unwrap().is_some());
    assert_eq!(fs::read_to_string(&path).unwrap(), "content");
}

/// A process that waits for the lock of a file that is renamed meanwhile gets the lock of a file with another name.
#[test]
fn lock_of_a_renamed_file_is_not_at_its_old_path() {
    let dir = tempfile::tempdir().unwrap();
    let (entry, away) = (dir.path().join("entry"), dir.path().join("away"));
    let path = entry.join("entry.json");
    fs::create_dir(&entry).unwrap();
    fs::write(&path, "old").unwrap();
    let lock = lock_existing_shared(&path, LONG).unwrap().unwrap();
    assert!(lock.is_at(&path));
    fs::rename(&entry, &away).unwrap();
    assert!(!lock.is_at(&path), "the name is free");
    assert!(lock.is_at(&away.join("entry.json")));
    fs::create_dir(&entry).unwrap();
    fs::write(&path, "old").unwrap();
    assert!(!lock.is_at(&path), "another file of the same content has it");
    assert!(try_lock_existing_exclusive(&path).unwrap().is_some());
}
