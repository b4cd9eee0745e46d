//! Digests and random bytes, by md5, sha1, sha2 and the kernel.

use std::collections::HashMap;
use std::sync::Mutex;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::gate::{
    Args, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, Val, plain,
};
use crate::host::algorithms::DigestAlgorithm;
use crate::lock::lock;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("crypto.random", NONE, Determinism::ReadsWorld, Cost::Compute, random),
    plain("crypto.uuid", NONE, Determinism::ReadsWorld, Cost::Instant, uuid),
    plain("crypto.digest", NONE, Determinism::Pure, Cost::Compute, digest),
    plain("crypto.hash", NONE, Determinism::Pure, Cost::Instant, hash),
    plain("crypto.update", NONE, Determinism::Pure, Cost::Compute, update),
    plain("crypto.copy", NONE, Determinism::Pure, Cost::Compute, copy),
    plain("crypto.finish", NONE, Determinism::Pure, Cost::Compute, finish),
];

/// Hashes in progress (node's `createHash`), by number.
pub(crate) type Digests = Mutex<HashMap<u64, Hash>>;

#[derive(Clone)]
pub(crate) enum Hash {
    Md5(Md5),
    Sha1(Sha1),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hash {
    fn new(algorithm: DigestAlgorithm) -> Hash {
        match algorithm {
            DigestAlgorithm::Md5 => Hash::Md5(Md5::new()),
            DigestAlgorithm::Sha224 => Hash::Sha224(Sha224::new()),
            DigestAlgorithm::Sha1 => Hash::Sha1(Sha1::new()),
            DigestAlgorithm::Sha256 => Hash::Sha256(Sha256::new()),
            DigestAlgorithm::Sha384 => Hash::Sha384(Sha384::new()),
            DigestAlgorithm::Sha512 => Hash::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hash::Md5(hash) => hash.update(bytes),
            Hash::Sha224(hash) => hash.update(bytes),
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
            Hash::Sha384(hash) => hash.update(bytes),
            Hash::Sha512(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Hash::Md5(hash) => hash.finalize().to_vec(),
            Hash::Sha224(hash) => hash.finalize().to_vec(),
            Hash::Sha1(hash) => hash.finalize().to_vec(),
            Hash::Sha256(hash) => hash.finalize().to_vec(),
            Hash::Sha384(hash) => hash.finalize().to_vec(),
            Hash::Sha512(hash) => hash.finalize().to_vec(),
        }
    }
}

fn random(_env: &Env, args: &Args) -> HostResult {
    let wanted = args.num(0)? as usize;
    if wanted > 64 << 20 {
        return Err(HostError::new(ErrorClass::RangeError, "too many random bytes at once"));
    }
    let mut bytes = vec![0_u8; wanted];
    getrandom::fill(&mut bytes)
        .map_err(|error| crate::errors::io(&std::io::Error::other(error.to_string()), "getrandom"))?;
    Ok(Val::Bytes(bytes))
}

fn uuid(_env: &Env, _args: &Args) -> HostResult {
    Ok(Val::Str(uuid::Uuid::new_v4().to_string()))
}

fn digest(_env: &Env, args: &Args) -> HostResult {
    let mut hash = Hash::new(DigestAlgorithm::parse(args.str(0)?)?);
    hash.update(args.bytes(1)?);
    Ok(Val::Bytes(hash.finish()))
}

fn hash(env: &Env, args: &Args) -> HostResult {
    let hash = Hash::new(DigestAlgorithm::parse(args.str(0)?)?);
    let id = env.next_id();
    lock(&env.digests).insert(id, hash);
    Ok(Val::Num(id as f64))
}

fn gone() -> HostError {
    HostError::new(ErrorClass::Error, "Digest already called")
}

fn update(env: &Env, args: &Args) -> HostResult {
    let mut digests = lock(&env.digests);
    digests.get_mut(&(args.num(0)? as u64)).ok_or_else(gone)?.update(args.bytes(1)?);
    Ok(Val::Undefined)
}

fn copy(env: &Env, args: &Args) -> HostResult {
    let mut digests = lock(&env.digests);
    let hash = digests.get(&(args.num(0)? as u64)).ok_or_else(gone)?.clone();
    let id = env.next_id();
    digests.insert(id, hash);
    Ok(Val::Num(id as f64))
}

fn finish(env: &Env, args: &Args) -> HostResult {
    let hash = lock(&env.digests).remove(&(args.num(0)? as u64)).ok_or_else(gone)?;
    Ok(Val::Bytes(hash.finish()))
}
