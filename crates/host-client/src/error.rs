//! Errors of requests to a host.

use marsh_host_protocol::CallError;

/// A failed request to a host: the extension's fault or the host's.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are the parts of the message beside them")]
pub enum HostError {
    /// The program cannot be started.
    #[error("cannot start the host process {program}: {source}")]
    Spawn { program: String, source: std::io::Error },
    /// The process ended while a call waited for it.
    #[error("the host process died ({status}){tail}", tail = tail(stderr))]
    Died { status: String, stderr: String },
    /// It missed a call's deadline, and was killed.
    #[error("the host process did not answer `{request}` within {seconds} s and was killed")]
    Unresponsive { request: String, seconds: u64 },
    /// It speaks another version of the protocol.
    #[error("the host process speaks protocol {theirs}, this marsh speaks {ours}")]
    Version { theirs: u32, ours: u32 },
    /// It sent something that is not the protocol, and was killed.
    #[error("the host process sent invalid protocol data and was killed: {line}")]
    Garbage { line: String },
    /// Its engine does not keep module versions apart.
    #[error("the host refuses to run code that might not be the newest: {message}")]
    Identity { message: String },
    /// A message cannot be encoded, such as one with a path that is not UTF-8.
    #[error("cannot encode a message to the host process: {source}")]
    Encode { source: serde_json::Error },
    /// An answer does not have the shape that its operation promises.
    #[error("invalid answer to `{operation}`: {source}")]
    Answer { operation: &'static str, source: serde_json::Error },
    /// The code failed, missed its deadline or was cancelled.
    #[error(transparent)]
    Call(#[from] CallError),
}

fn tail(stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
