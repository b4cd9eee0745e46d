//! Compression: gzip, zlib ("deflate") and raw deflate by flate2, Brotli ("br") by the crate of that name.
//!
//! What comes out may be a thousand times what went in, so the output is held to the runtime's memory limit.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::sync::Mutex;

use flate2::Compression;
use flate2::{read, write};

use crate::gate::{
    Args, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, Val, plain,
};
use crate::lock::lock;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("flate.open", NONE, Determinism::Pure, Cost::Instant, open),
    plain("flate.push", NONE, Determinism::Pure, Cost::Compute, push),
    plain("flate.finish", NONE, Determinism::Pure, Cost::Compute, finish),
    plain("flate.drop", NONE, Determinism::Pure, Cost::Instant, drop_flate),
    plain("flate.all", NONE, Determinism::Pure, Cost::Compute, all),
    plain("flate.crc32", NONE, Determinism::Pure, Cost::Compute, crc32),
];

/// Streams in progress, by number.
pub(crate) type Flates = Mutex<HashMap<u64, Box<dyn Flate + Send>>>;

/// How much goes in before the output is looked at.
const STEP: usize = 16 << 10;

pub(crate) trait Flate {
    fn push(&mut self, bytes: &[u8]) -> std::io::Result<()>;
    fn take(&mut self) -> &mut Vec<u8>;
    fn finish(&mut self) -> std::io::Result<()>;
}

macro_rules! flates {
    ($($kind:ty),*) => {$(
        impl Flate for $kind {
            fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
                self.write_all(bytes)
            }
            fn take(&mut self) -> &mut Vec<u8> {
                self.get_mut()
            }
            fn finish(&mut self) -> std::io::Result<()> {
                self.try_finish()
            }
        }
    )*};
}
flates!(
    write::GzEncoder<Vec<u8>>,
    write::ZlibEncoder<Vec<u8>>,
    write::DeflateEncoder<Vec<u8>>,
    write::ZlibDecoder<Vec<u8>>,
    write::DeflateDecoder<Vec<u8>>
);

/// flate2's own says nothing when its input ends early, so the end is checked here.
struct Gunzip {
    inner: write::GzDecoder<Vec<u8>>,
    any: bool,
}

impl Flate for Gunzip {
    fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.any |= !bytes.is_empty();
        self.inner.write_all(bytes)
    }
    fn take(&mut self) -> &mut Vec<u8> {
        self.inner.get_mut()
    }
    fn finish(&mut self) -> std::io::Result<()> {
        if !self.any {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.inner.try_finish()
    }
}

/// As Node's defaults: the best quality, a window of 4 MiB.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 22;
const BROTLI_BUFFER: usize = 4096;

/// Brotli's writers hold their output until they end, which consumes them.
struct Brotli<W> {
    inner: Option<W>,
    out: Vec<u8>,
}

type Compressor = brotli::CompressorWriter<Vec<u8>>;
type Decompressor = brotli::DecompressorWriter<Vec<u8>>;

impl Flate for Brotli<Compressor> {
    fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let Some(inner) = &mut self.inner else { return Err(ErrorKind::WriteZero.into()) };
        inner.write_all(bytes)?;
        self.out.append(inner.get_mut());
        Ok(())
    }
    fn take(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
    fn finish(&mut self) -> std::io::Result<()> {
        if let Some(inner) = self.inner.take() {
            self.out.append(&mut inner.into_inner());
        }
        Ok(())
    }
}

impl Flate for Brotli<Decompressor> {
    fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let Some(inner) = &mut self.inner else { return Err(ErrorKind::WriteZero.into()) };
        inner.write_all(bytes)?;
        self.out.append(inner.get_mut());
        Ok(())
    }
    fn take(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
    fn finish(&mut self) -> std::io::Result<()> {
        let Some(mut inner) = self.inner.take() else { return Ok(()) };
        inner.close().map_err(|_| Error::from(ErrorKind::UnexpectedEof))?;
        self.out.append(inner.get_mut());
        Ok(())
    }
}

fn quality(args: &Args, at: usize) -> u32 {
    match args.num(at) {
        Ok(quality @ 0.0..=11.0) => quality as u32,
        _ => BROTLI_QUALITY,
    }
}

fn failed(error: &Error) -> HostError {
    let text = if error.kind() == ErrorKind::WriteZero {
        "there is data after the end of the compressed stream".to_owned()
    } else {
        format!("the compressed data is not valid: {error}")
    };
    let mut failed = HostError::type_error(text);
    failed.code = Some(
        if error.kind() == ErrorKind::UnexpectedEof { "Z_BUF_ERROR" } else { "Z_DATA_ERROR" }.to_owned(),
    );
    failed
}

fn gone() -> HostError {
    HostError::type_error("the compression stream has ended")
}

fn open(env: &Env, args: &Args) -> HostResult {
    let out = Vec::new();
    let level = Compression::default();
    let flate: Box<dyn Flate + Send> = match (args.str(0)?, args.bool(1)) {
        ("gzip", true) => Box::new(write::GzEncoder::new(out, level)),
        ("gzip", false) => Box::new(Gunzip { inner: write::GzDecoder::new(out), any: false }),
        ("deflate", true) => Box::new(write::ZlibEncoder::new(out, level)),
        ("deflate", false) => Box::new(write::ZlibDecoder::new(out)),
        ("deflate-raw", true) => Box::new(write::DeflateEncoder::new(out, level)),
        ("deflate-raw", false) => Box::new(write::DeflateDecoder::new(out)),
        ("br", true) => {
            let inner = Compressor::new(out, BROTLI_BUFFER, quality(args, 2), BROTLI_WINDOW);
            Box::new(Brotli { inner: Some(inner), out: Vec::new() })
        }
        ("br", false) => {
            Box::new(Brotli { inner: Some(Decompressor::new(out, BROTLI_BUFFER)), out: Vec::new() })
        }
        (other, _) => return Err(HostError::type_error(format!("no compression format '{other}'"))),
    };
    let id = env.next_id();
    lock(&env.flates).insert(id, flate);
    Ok(Val::Num(id as f64))
}

/// `(stream, bytes)` to what has come out so far.
fn push(env: &Env, args: &Args) -> HostResult {
    let id = args.num(0)? as u64;
    let mut flate = lock(&env.flates).remove(&id).ok_or_else(gone)?;
    for step in args.bytes(1)?.chunks(STEP) {
        flate.push(step).map_err(|error| failed(&error))?;
        fits(env, flate.take().len())?;
    }
    let out = std::mem::take(flate.take());
    lock(&env.flates).insert(id, flate);
    Ok(Val::Bytes(out))
}

fn fits(env: &Env, size: usize) -> Result<(), HostError> {
    if size > env.shared.heap.limit() {
        return Err(HostError::new(ErrorClass::RangeError, "the data does not fit the memory limit"));
    }
    Ok(())
}

fn finish(env: &Env, args: &Args) -> HostResult {
    let mut flate = lock(&env.flates).remove(&(args.num(0)? as u64)).ok_or_else(gone)?;
    flate.finish().map_err(|error| failed(&error))?;
    Ok(Val::Bytes(std::mem::take(flate.take())))
}

fn drop_flate(env: &Env, args: &Args) -> HostResult {
    lock(&env.flates).remove(&(args.num(0)? as u64));
    Ok(Val::Undefined)
}

/// `(format, compress?, bytes, level)` in one go, as node's zlib does it: "unzip" finds out by itself.
fn all(env: &Env, args: &Args) -> HostResult {
    let bytes = args.bytes(2)?;
    let level = match args.num(3) {
        Ok(level @ 0.0..=9.0) => Compression::new(level as u32),
        _ => Compression::default(),
    };
    let format = match (args.str(0)?, bytes) {
        ("unzip", [0x1f, 0x8b, ..]) => "gzip",
        ("unzip", _) => "deflate",
        (format, _) => format,
    };
    let reader: Box<dyn Read + '_> = match (format, args.bool(1)) {
        ("gzip", true) => Box::new(read::GzEncoder::new(bytes, level)),
        ("gzip", false) => Box::new(read::MultiGzDecoder::new(bytes)),
        ("deflate", true) => Box::new(read::ZlibEncoder::new(bytes, level)),
        ("deflate", false) => Box::new(read::ZlibDecoder::new(bytes)),
        ("deflate-raw", true) => Box::new(read::DeflateEncoder::new(bytes, level)),
        ("deflate-raw", false) => Box::new(read::DeflateDecoder::new(bytes)),
        ("br", true) => {
            Box::new(brotli::CompressorReader::new(bytes, BROTLI_BUFFER, quality(args, 3), BROTLI_WINDOW))
        }
        ("br", false) => Box::new(brotli::Decompressor::new(bytes, BROTLI_BUFFER)),
        (other, _) => return Err(HostError::unsupported(&format!("the compression '{other}'"))),
    };
    let mut out = Vec::new();
    let limit = env.shared.heap.limit() as u64;
    reader.take(limit + 1).read_to_end(&mut out).map_err(|error| failed(&error))?;
    fits(env, out.len())?;
    Ok(Val::Bytes(out))
}

/// `(bytes, checksum of what came before)`
fn crc32(_env: &Env, args: &Args) -> HostResult {
    let mut hasher = crc32fast::Hasher::new_with_initial(args.num(1)? as u32);
    hasher.update(args.bytes(0)?);
    Ok(Val::Num(hasher.finalize().into()))
}
