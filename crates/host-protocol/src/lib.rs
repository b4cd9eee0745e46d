//! The host protocol: every message between marsh and a process that runs extension code.
//!
//! The protocol is JSON-RPC 2.0, one object per line, in both directions. [`HostRequest`] lists what a host is sent,
//! [`Operation`] what the shim can do with a module, [`ContextRequest`] what running code can ask for and
//! [`ContextNotice`] what it reports. Each list is one table with typed parameters (`methods!`); no other file matches
//! these names as text. The shim's own names are compared with the tables by the test
//! `shim_names_and_protocol_tables_are_equal` of `marsh-host-server`.
//!
//! The crate does no I/O and knows no engine, so that another engine, or a host on another machine, can speak the
//! protocol.

#![warn(missing_docs)]

mod context;
mod error;
mod framing;
mod methods;
mod module;
mod operation;
mod requests;
mod shape;
mod wire;

pub use context::{
    AddSecret, AppendFile, BeginFile, ContextAnswer, ContextNotice, ContextNoticeName, ContextRequest,
    ContextRequestName, DataCollect, DataQuery, DataRename, DataSave, DeleteResource, Event, Executing,
    ExtensionFile, FileWriter, FinalizeFile, FindDefinition, Log, LogLevel, OpenedFile, Output, OutputStream,
    Overrides, ProcessGroup, QueryData, ReadModelData, ReadResource, Redact, RunModel, SchemaWarning,
    Upgraded, VaultKey, VaultName, VaultNote, VaultPut, WriteResource,
};
pub use error::{CallError, CallbackError, ErrorKind, MODULE_IDENTITY, SourceLocation};
pub use framing::{LOAD_LIMIT, LineRead, MAX_LINE_BYTES, MAX_PAYLOAD_BYTES, read_line};
pub use methods::MethodError;
pub use module::{
    DenoProgram, External, HostStats, Limits, ModuleEngine, ModuleRef, ModuleState, ModuleStats,
};
pub use operation::*;
pub use requests::{
    CallParams, CancelParams, FromCall, HostRequest, HostRequestName, Initialize, Initialized, ModuleBytes,
    ModuleGet, PROTOCOL_VERSION, ParentRequest, ParentRequestName, Unload,
};
pub use shape::{MAX_DEPTH, MAX_VALUES, ShapeError, check_shape};
pub use wire::{Message, MessageRef, RpcError, Version, raw, to_raw};

/// The parameters of a method that takes none, `{}` or `null`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nothing;

impl serde::Serialize for Nothing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde::Serialize::serialize(&serde_json::Map::new(), serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Nothing {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Nothing, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Nothing)
    }
}
