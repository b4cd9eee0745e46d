//! The host operations, by topic. Each table is reached only through the gate.

pub(crate) mod algorithms;
pub(crate) mod calls;
pub(crate) mod ciphers;
pub(crate) mod crypto;
pub(crate) mod fetch;
pub(crate) mod file;
pub(crate) mod flate;
pub(crate) mod fs;
pub(crate) mod fs_read;
pub(crate) mod intl;
pub(crate) mod keys;
pub(crate) mod net;
pub(crate) mod os;
pub(crate) mod process;
pub(crate) mod serve;
pub(crate) mod socket;
pub(crate) mod sqlite;
pub(crate) mod text;
pub(crate) mod tls;
pub(crate) mod url;
pub(crate) mod url_pattern;
pub(crate) mod wasm;
pub(crate) mod wasm_module;
pub(crate) mod websocket;

use crate::gate::Operation;

pub(crate) const TABLES: &[&[Operation]] = &[
    calls::OPERATIONS,
    ciphers::OPERATIONS,
    intl::OPERATIONS,
    keys::OPERATIONS,
    crypto::OPERATIONS,
    fetch::OPERATIONS,
    file::OPERATIONS,
    serve::OPERATIONS,
    socket::OPERATIONS,
    flate::OPERATIONS,
    fs::OPERATIONS,
    fs_read::OPERATIONS,
    os::OPERATIONS,
    process::OPERATIONS,
    sqlite::OPERATIONS,
    text::OPERATIONS,
    url::OPERATIONS,
    url_pattern::OPERATIONS,
    wasm::OPERATIONS,
    websocket::OPERATIONS,
];
