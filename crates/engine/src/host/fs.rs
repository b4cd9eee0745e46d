//! Changing files, as extensions ask for it: plain POSIX effects, with Deno's semantics.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the file API that extensions see; what they write is theirs, not marsh's own state"
)]

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;

use crate::errors;
use crate::gate::{
    Args, Cost, Determinism, Env, HostError, HostResult, Operation, READ_WRITE, Val, WRITE, plain,
};

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("fs.writeFile", WRITE, Determinism::ChangesWorld, Cost::Disk, write_file),
    plain("fs.mkdir", WRITE, Determinism::ChangesWorld, Cost::Disk, mkdir),
    plain("fs.remove", WRITE, Determinism::ChangesWorld, Cost::Disk, remove),
    plain("fs.rename", READ_WRITE, Determinism::ChangesWorld, Cost::Disk, rename),
    plain("fs.copyFile", READ_WRITE, Determinism::ChangesWorld, Cost::Disk, copy_file),
    plain("fs.chmod", WRITE, Determinism::ChangesWorld, Cost::Disk, chmod),
    plain("fs.symlink", WRITE, Determinism::ChangesWorld, Cost::Disk, symlink),
    plain("fs.link", READ_WRITE, Determinism::ChangesWorld, Cost::Disk, link),
    plain("fs.truncate", WRITE, Determinism::ChangesWorld, Cost::Disk, truncate),
    plain("fs.utime", WRITE, Determinism::ChangesWorld, Cost::Disk, utime),
    plain("fs.makeTemp", WRITE, Determinism::ChangesWorld, Cost::Disk, make_temp),
];

fn fail(what: String) -> impl Fn(std::io::Error) -> HostError {
    move |error| errors::io(&error, &what)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WriteOptions {
    append: bool,
    create: Option<bool>,
    create_new: bool,
    mode: Option<u32>,
}

fn write_file(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let options: WriteOptions = if args.is_none(2) { WriteOptions::default() } else { args.json(2)? };
    let fail = fail(format!("writefile '{path}'"));
    let mut open = OpenOptions::new();
    open.append(options.append).write(true).truncate(!options.append && !options.create_new);
    open.create(options.create.unwrap_or(true)).create_new(options.create_new);
    if let Some(mode) = options.mode {
        open.mode(mode);
    }
    let mut file = open.open(env.path(path)).map_err(&fail)?;
    if let Some(mode) = options.mode {
        file.set_permissions(Permissions::from_mode(mode)).map_err(&fail)?;
    }
    file.write_all(args.bytes(1)?).map_err(&fail)?;
    Ok(Val::Undefined)
}

/// `(path, recursive, mode or nothing)`
fn mkdir(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let mut builder = DirBuilder::new();
    builder.recursive(args.bool(1));
    if !args.is_none(2) {
        builder.mode(args.num(2)? as u32);
    }
    builder.create(env.path(path)).map_err(fail(format!("mkdir '{path}'")))?;
    Ok(Val::Undefined)
}

/// `(path, recursive)`
fn remove(env: &Env, args: &Args) -> HostResult {
    let text = args.str(0)?;
    let path = env.path(text);
    let fail = fail(format!("remove '{text}'"));
    let meta = std::fs::symlink_metadata(&path).map_err(&fail)?;
    let done = match (meta.is_dir(), args.bool(1)) {
        (true, true) => std::fs::remove_dir_all(&path),
        (true, false) => std::fs::remove_dir(&path),
        (false, _) => std::fs::remove_file(&path),
    };
    done.map_err(&fail)?;
    Ok(Val::Undefined)
}

fn rename(env: &Env, args: &Args) -> HostResult {
    let (from, to) = (args.str(0)?, args.str(1)?);
    std::fs::rename(env.path(from), env.path(to)).map_err(fail(format!("rename '{from}' -> '{to}'")))?;
    Ok(Val::Undefined)
}

fn copy_file(env: &Env, args: &Args) -> HostResult {
    let (from, to) = (args.str(0)?, args.str(1)?);
    std::fs::copy(env.path(from), env.path(to)).map_err(fail(format!("copy '{from}' -> '{to}'")))?;
    Ok(Val::Undefined)
}

fn chmod(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let mode = Permissions::from_mode(args.num(1)? as u32);
    std::fs::set_permissions(env.path(path), mode).map_err(fail(format!("chmod '{path}'")))?;
    Ok(Val::Undefined)
}

fn symlink(env: &Env, args: &Args) -> HostResult {
    let (target, path) = (args.str(0)?, args.str(1)?);
    // The target is text inside the link, not a path of ours to resolve.
    std::os::unix::fs::symlink(target, env.path(path))
        .map_err(fail(format!("symlink '{target}' -> '{path}'")))?;
    Ok(Val::Undefined)
}

fn link(env: &Env, args: &Args) -> HostResult {
    let (from, to) = (args.str(0)?, args.str(1)?);
    std::fs::hard_link(env.path(from), env.path(to)).map_err(fail(format!("link '{from}' -> '{to}'")))?;
    Ok(Val::Undefined)
}

fn truncate(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let size = if args.is_none(1) { 0 } else { args.num(1)? as u64 };
    let file = OpenOptions::new().write(true).open(env.path(path));
    file.and_then(|file| file.set_len(size)).map_err(fail(format!("truncate '{path}'")))?;
    Ok(Val::Undefined)
}

/// `(path, atime ms, mtime ms)`
fn utime(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let at = |ms: f64| UNIX_EPOCH + Duration::from_secs_f64((ms / 1e3).clamp(0.0, 1e12));
    let times = std::fs::FileTimes::new().set_accessed(at(args.num(1)?)).set_modified(at(args.num(2)?));
    let file = std::fs::File::open(env.path(path));
    file.and_then(|file| file.set_times(times)).map_err(fail(format!("utime '{path}'")))?;
    Ok(Val::Undefined)
}

/// `(directory?, parent or nothing, prefix, suffix)`
fn make_temp(env: &Env, args: &Args) -> HostResult {
    let parent = args.opt_str(1).map_or_else(std::env::temp_dir, |dir| env.path(dir));
    let (prefix, suffix) = (args.opt_str(2).unwrap_or(""), args.opt_str(3).unwrap_or(""));
    if prefix.contains('/') || suffix.contains('/') {
        return Err(HostError::type_error("a prefix or suffix cannot name another directory"));
    }
    loop {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let path = parent.join(format!("{prefix}{}{suffix}", &random[..12]));
        let made = if args.bool(0) {
            DirBuilder::new().mode(0o700).create(&path)
        } else {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map(drop)
        };
        match made {
            Ok(()) => return Ok(Val::Str(path.to_string_lossy().into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(errors::io(&error, &format!("mktemp '{}'", path.display()))),
        }
    }
}
