//! What a host is sent, and the frame around what it sends about a call.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Nothing;
use crate::methods::methods;
use crate::module::ModuleRef;
use crate::operation::OperationName;

/// The version of everything in this crate. A host of another version is refused.
pub const PROTOCOL_VERSION: u32 = 3;

methods! {
    /// A request or notification to a host.
    HostRequest,
    /// The name of a request to a host.
    HostRequestName {
        /// The first message; answered with [`Initialized`].
        Initialize(Initialize) = "initialize",
        /// Announces a module version and starts to load it. A notification: a failure is the first call's answer.
        Load(ModuleRef) = "load",
        /// Calls an operation of a module version.
        Call(CallParams) = "call",
        /// Aborts a call. A notification.
        Cancel(CancelParams) = "cancel",
        /// Ends a module version after its last call. A notification.
        Unload(Unload) = "unload",
        /// Asks for [`HostStats`](crate::HostStats).
        Stats(Nothing) = "stats",
        /// Ends the host. A notification.
        Shutdown(Nothing) = "shutdown",
    }
}

methods! {
    /// A request of the host itself.
    ParentRequest,
    /// The name of a request of the host itself.
    ParentRequestName {
        /// Asks for code by its digest. Answer: [`ModuleBytes`].
        ModuleGet(ModuleGet) = "module/get",
    }
}

/// The parameters of `module/get`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModuleGet {
    /// The SHA-256 of the text, in hexadecimal digits.
    pub sha256: String,
}

/// The answer to `module/get`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModuleBytes {
    /// The text as base64.
    pub base64: String,
}

/// The parameters of `initialize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Initialize {
    /// The version that the parent speaks.
    pub protocol_version: u32,
    /// Where compiled code is kept, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytecode_cache: Option<PathBuf>,
}

/// The answer to `initialize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Initialized {
    /// The version that the host speaks.
    pub protocol_version: u32,
    /// Name and version of its engine.
    pub engine: String,
    /// Its process id, in its own name space.
    pub pid: u32,
}

/// The parameters of `call`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallParams {
    /// The module version.
    pub url: String,
    /// The name of the call in everything that the host sends about it.
    pub call_id: String,
    /// What the shim does.
    pub op: OperationName,
    /// The operation's parameters, which the host hands to the shim as they are.
    pub params: Box<RawValue>,
    /// Milliseconds that the call may take once its module is loaded.
    pub deadline_ms: u64,
    /// The parent wants to hear when the module is loaded and the call's time starts (`call/loaded`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announce_loaded: bool,
    /// The W3C `traceparent` of the caller's span, so that a host's spans belong to the caller's trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_parent: Option<String>,
}

/// The parameters of `cancel`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelParams {
    /// The call to cancel. An unknown call has ended already.
    pub call_id: String,
    /// The reason of the abort signal.
    pub reason: String,
    /// Milliseconds that the call may take to end by itself before it is interrupted.
    pub grace_ms: u64,
}

/// The parameters of `unload`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unload {
    /// The module version.
    pub url: String,
}

/// The parameters of every request and notification from a host. Reading one borrows its payload from the line.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FromCall<'a> {
    /// The call that it is about; empty when it belongs to no call in flight.
    pub call_id: &'a str,
    /// The parameters of the [`ContextRequest`](crate::ContextRequest) or [`ContextNotice`](crate::ContextNotice).
    #[serde(borrow)]
    pub payload: &'a RawValue,
}
