//! The host operations, by topic. Each table is reached only through the gate.

pub(crate) mod calls;
pub(crate) mod ciphers;
pub(crate) mod crypto;
pub(crate) mod fetch;
pub(crate) mod file;
pub(crate) mod flate;
pub(crate) mod fs;
pub(crate) mod fs_read;
pub(crate) mod keys;
pub(crate) mod net;
pub(crate) mod os;
pub(crate) mod process;
pub(crate) mod socket;
pub(crate) mod text;
pub(crate) mod tls;
pub(crate) mod url;

use crate::gate::Op;

pub(crate) const TABLES: &[&[Op]] = &[
    calls::OPS,
    ciphers::OPS,
    keys::OPS,
    crypto::OPS,
    fetch::OPS,
    file::OPS,
    socket::OPS,
    flate::OPS,
    fs::OPS,
    fs_read::OPS,
    os::OPS,
    process::OPS,
    text::OPS,
    url::OPS,
];
