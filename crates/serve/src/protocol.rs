//! The wire format: JSON-RPC 2.0, one object per line.
//!
//! | request | parameters | result |
//! |---|---|---|
//! | `call` | [`CallParams`] | the document of `marsh model method run --json` |
//! | `workflow` | [`WorkflowParams`] | the document of `marsh workflow run --json` |
//! | `resume` | [`ResumeParams`] | the document of `marsh workflow resume --json` |
//! | `reload` | none | [`Reloaded`]; answered when every later call runs what was on disk when it was asked |
//! | `status` | none | [`Status`] |
//! | `evict` | [`EvictParams`] | [`Evicted`] |
//! | `cancel` | [`CancelParams`] | [`Cancelled`] |
//! | `shutdown` | none | [`ShutdownAccepted`]; the server then finishes what runs, and ends |
//!
//! While a `call`, `workflow` or `resume` with `"events": true` runs, the server sends notifications `event` with
//! [`EventNotification`]. Answers come in the order in which requests end. A client that closes its connection
//! cancels what it asked for and has not been answered.

pub use marsh_api::server::{
    CallParams, CancelParams, Cancelled, EventNotification, EvictParams, Evicted, FailedType, HostRow,
    LastError, Reloaded, ResumeParams, ShutdownAccepted, Status, TriggerRow, TypeRow, TypeState,
    WorkflowParams,
};
pub use marsh_host_client::protocol::{Message, RpcError, raw};

/// The longest line that a server reads.
pub const MAX_LINE: u64 = 64 << 20;
