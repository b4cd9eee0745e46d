//! Looking at files.

use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::errors;
use crate::gate::{
    Args, Cost, Determinism, Env, ErrorClass, HostError, HostResult, Operation, READ, Val, plain,
};

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("fs.readFile", READ, Determinism::ReadsWorld, Cost::Disk, read_file),
    plain("fs.readText", READ, Determinism::ReadsWorld, Cost::Disk, read_text),
    plain("fs.stat", READ, Determinism::ReadsWorld, Cost::Disk, stat),
    plain("fs.lstat", READ, Determinism::ReadsWorld, Cost::Disk, lstat),
    plain("fs.readDir", READ, Determinism::ReadsWorld, Cost::Disk, read_dir),
    plain("fs.realPath", READ, Determinism::ReadsWorld, Cost::Disk, real_path),
    plain("fs.readLink", READ, Determinism::ReadsWorld, Cost::Disk, read_link),
];

fn read(env: &Env, path: &str) -> Result<Vec<u8>, HostError> {
    let fail = |error: std::io::Error| errors::io(&error, &format!("readfile '{path}'"));
    let file = std::fs::File::open(env.path(path)).map_err(fail)?;
    // What would not fit the heap is not read into ours either.
    let limit = env.shared.heap.limit() as u64;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(HostError::new(
            ErrorClass::RangeError,
            format!("'{path}' is larger than the memory limit"),
        ));
    }
    Ok(bytes)
}

fn read_file(env: &Env, args: &Args) -> HostResult {
    read(env, args.str(0)?).map(Val::Bytes)
}

fn read_text(env: &Env, args: &Args) -> HostResult {
    let bytes = read(env, args.str(0)?)?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(Val::Str(text))
}

fn stat(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let meta = std::fs::metadata(env.path(path));
    meta.map(|meta| describe(&meta)).map_err(|error| errors::io(&error, &format!("stat '{path}'")))
}

fn lstat(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let meta = std::fs::symlink_metadata(env.path(path));
    meta.map(|meta| describe(&meta)).map_err(|error| errors::io(&error, &format!("lstat '{path}'")))
}

pub(crate) fn describe(meta: &Metadata) -> Val {
    let kind = meta.file_type();
    let millis = |seconds: i64, nanos: i64| Val::Num(seconds as f64 * 1e3 + (nanos as f64 / 1e6).floor());
    let born = meta.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Val::Map(vec![
        ("isFile", Val::Bool(kind.is_file())),
        ("isDirectory", Val::Bool(kind.is_dir())),
        ("isSymlink", Val::Bool(kind.is_symlink())),
        ("size", Val::Num(meta.len() as f64)),
        ("mtime", millis(meta.mtime(), meta.mtime_nsec())),
        ("atime", millis(meta.atime(), meta.atime_nsec())),
        ("ctime", millis(meta.ctime(), meta.ctime_nsec())),
        ("birthtime", born.map_or(Val::Null, |at| Val::Num(at.as_millis() as f64))),
        ("dev", Val::Num(meta.dev() as f64)),
        ("ino", Val::Num(meta.ino() as f64)),
        ("mode", Val::Num(meta.mode().into())),
        ("nlink", Val::Num(meta.nlink() as f64)),
        ("uid", Val::Num(meta.uid().into())),
        ("gid", Val::Num(meta.gid().into())),
        ("rdev", Val::Num(meta.rdev() as f64)),
        ("blksize", Val::Num(meta.blksize() as f64)),
        ("blocks", Val::Num(meta.blocks() as f64)),
        ("isBlockDevice", Val::Bool(kind.is_block_device())),
        ("isCharDevice", Val::Bool(kind.is_char_device())),
        ("isFifo", Val::Bool(kind.is_fifo())),
        ("isSocket", Val::Bool(kind.is_socket())),
    ])
}

fn read_dir(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let fail = |error: std::io::Error| errors::io(&error, &format!("readdir '{path}'"));
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(env.path(path)).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let kind = entry.file_type().map_err(fail)?;
        entries.push(Val::Map(vec![
            ("name", Val::Str(entry.file_name().to_string_lossy().into_owned())),
            ("isFile", Val::Bool(kind.is_file())),
            ("isDirectory", Val::Bool(kind.is_dir())),
            ("isSymlink", Val::Bool(kind.is_symlink())),
        ]));
    }
    Ok(Val::List(entries))
}

fn path_text(path: &Path) -> Val {
    Val::Str(path.to_string_lossy().into_owned())
}

fn real_path(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let real = std::fs::canonicalize(env.path(path));
    real.map(|real| path_text(&real)).map_err(|error| errors::io(&error, &format!("realpath '{path}'")))
}

fn read_link(env: &Env, args: &Args) -> HostResult {
    let path = args.str(0)?;
    let target = std::fs::read_link(env.path(path));
    target.map(|target| path_text(&target)).map_err(|error| errors::io(&error, &format!("readlink '{path}'")))
}
