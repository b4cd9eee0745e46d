//! Open files. Operations on one file wait for each other, as they share its position.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the file API that extensions see; what they write is theirs, not marsh's own state"
)]

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;

use crate::errors;
use crate::gate::{
    Args, Completer, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, READ,
    READ_WRITE, Val, WRITE, plain, start,
};
use crate::host::net;
use crate::lock::lock;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("file.open", READ_WRITE, Determinism::ChangesWorld, Cost::Disk, open),
    plain("file.read", READ, Determinism::ReadsWorld, Cost::Disk, read),
    plain("file.write", WRITE, Determinism::ChangesWorld, Cost::Disk, write),
    plain("file.seek", READ, Determinism::ReadsWorld, Cost::Disk, seek),
    plain("file.stat", READ, Determinism::ReadsWorld, Cost::Disk, stat),
    plain("file.truncate", WRITE, Determinism::ChangesWorld, Cost::Disk, truncate),
    plain("file.sync", WRITE, Determinism::ChangesWorld, Cost::Disk, sync),
    start("file.lock", READ, Determinism::ChangesWorld, Cost::Wait, lock_when_free),
    plain("file.tryLock", READ, Determinism::ChangesWorld, Cost::Disk, try_lock),
    plain("file.unlock", READ, Determinism::ChangesWorld, Cost::Disk, unlock),
    plain("file.close", NONE, Determinism::ChangesWorld, Cost::Disk, close),
];

/// Open files by number.
pub(crate) type Files = Mutex<HashMap<u64, Arc<Mutex<File>>>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Options {
    read: Option<bool>,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    mode: Option<u32>,
}

/// `(path, options)` to the number of the file.
fn open(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let options: Options = if args.is_none(1) { Options::default() } else { args.json(1)? };
    let writes = options.write || options.append;
    let mut open = OpenOptions::new();
    open.read(options.read.unwrap_or(!writes)).write(options.write).append(options.append);
    open.truncate(options.truncate).create(options.create).create_new(options.create_new);
    if let Some(mode) = options.mode {
        open.mode(mode);
    }
    let file = open.open(env.path(path)).map_err(|error| errors::io(&error, &format!("open '{path}'")))?;
    let id = env.next_id();
    lock(&env.files).insert(id, Arc::new(Mutex::new(file)));
    Ok(Val::Num(id as f64))
}

fn with<T>(
    env: &Env,
    args: &Args,
    what: &str,
    work: impl FnOnce(&mut File) -> std::io::Result<T>,
) -> Result<T, HostError> {
    let file = find(env, args)?;
    let mut file = lock(&file);
    work(&mut file).map_err(|error| errors::io(&error, what))
}

/// `(file, wanted bytes)` to what was there, or nothing at the end.
fn read(env: &Env, args: &Args) -> HostResult {
    let wanted = args.num(1)? as usize;
    if wanted > env.shared.heap.limit() {
        return Err(HostError::new(ErrorClass::RangeError, "more than the memory limit at once"));
    }
    let mut bytes = vec![0_u8; wanted];
    let read = with(env, args, "read", |file| file.read(&mut bytes))?;
    if read == 0 && wanted > 0 {
        return Ok(Val::Null);
    }
    bytes.truncate(read);
    Ok(Val::Bytes(bytes))
}

fn write(env: &Env, args: &Args) -> HostResult {
    let bytes = args.bytes(1)?;
    with(env, args, "write", |file| file.write(bytes)).map(|written| Val::Num(written as f64))
}

/// `(file, offset, whence)`, whence 0 from the start, 1 from here, 2 from the end.
fn seek(env: &Env, args: &Args) -> HostResult {
    let offset = args.num(1)?;
    let to = match args.num(2)? as u8 {
        0 => SeekFrom::Start(offset as u64),
        1 => SeekFrom::Current(offset as i64),
        2 => SeekFrom::End(offset as i64),
        other => return Err(HostError::type_error(format!("Invalid seek mode: {other}"))),
    };
    with(env, args, "seek", |file| file.seek(to)).map(|at| Val::Num(at as f64))
}

fn stat(env: &Env, args: &Args) -> HostResult {
    with(env, args, "stat", |file| file.metadata()).map(|meta| super::fs_read::describe(&meta))
}

fn truncate(env: &Env, args: &Args) -> HostResult {
    let size = if args.is_none(1) { 0 } else { args.num(1)? as u64 };
    with(env, args, "truncate", |file| file.set_len(size)).map(|()| Val::Undefined)
}

fn sync(env: &Env, args: &Args) -> HostResult {
    with(env, args, "sync", |file| file.sync_all()).map(|()| Val::Undefined)
}

/// How long a wait for a lock sleeps between two looks: the kernel wakes only those whom it blocks.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// `(file, exclusive?)`: waits without a thread, and ends with the file, its call or its runtime.
fn lock_when_free(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let (id, exclusive) = (args.num(0)? as u64, args.bool(1));
    let (shared, owner) = (env.shared.clone(), env.shared.slice());
    let mut file = Arc::downgrade(&find(env, &args)?);
    // The table of files, which the future must not keep alive: it goes with its runtime.
    net::run(env, done, async move {
        let mut pause = FIRST_LOOK;
        loop {
            let Some(open) = file.upgrade() else { return Err(gone()) };
            file = Arc::downgrade(&open);
            // A read in progress holds the file, and ends sooner than the next look.
            let taken =
                open.try_lock().is_ok_and(|file| take_lock(&file, exclusive).is_ok_and(|taken| taken));
            drop(open);
            if taken {
                return Ok(Val::Undefined);
            }
            if !shared.is_live(&owner) {
                let message = format!("the call ended before the lock of file {id} was free");
                return Err(HostError::new(ErrorClass::Interrupted, message));
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LAST_LOOK);
        }
    })
}

fn take_lock(file: &File, exclusive: bool) -> std::io::Result<bool> {
    let taken = if exclusive { file.try_lock() } else { file.try_lock_shared() };
    match taken {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// `(file, exclusive?)` to whether the lock was free.
fn try_lock(env: &Env, args: &Args) -> HostResult {
    with(env, args, "lock", |file| take_lock(file, args.bool(1))).map(Val::Bool)
}

fn unlock(env: &Env, args: &Args) -> HostResult {
    with(env, args, "unlock", |file| file.unlock()).map(|()| Val::Undefined)
}

fn gone() -> HostError {
    HostError::new(ErrorClass::BadResource, "Bad resource ID")
}

fn find(env: &Env, args: &Args) -> Result<Arc<Mutex<File>>, HostError> {
    lock(&env.files).get(&(args.num(0)? as u64)).cloned().ok_or_else(gone)
}

fn close(env: &Env, args: &Args) -> HostResult {
    let file = lock(&env.files).remove(&(args.num(0)? as u64));
    file.map(|_| Val::Undefined).ok_or_else(gone)
}
