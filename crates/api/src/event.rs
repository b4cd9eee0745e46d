//! What happens while a request runs: the lines of `--events`, and the events of the server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens while a method runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum MethodEvent {
    /// The target is known, and its code.
    ModelResolved {
        /// The name of the definition.
        model_name: String,
        /// Its type.
        model_type: String,
        /// The method that runs.
        method_name: String,
    },
    /// All checks passed; the method's code runs.
    MethodExecuting {
        /// The method.
        method_name: String,
        /// The pre-flight checks that passed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        checks: Vec<String>,
    },
    /// The code wrote a line.
    MethodOutput {
        /// `stdout`, `stderr`, or the level of a log line.
        stream: String,
        /// The line, without its end.
        line: String,
    },
    /// A version of a datum is visible.
    DataArtifactSaved {
        /// The name of the datum.
        name: String,
        /// The version.
        version: u32,
    },
    /// An event that the extension's code sent.
    MethodEvent {
        /// What it sent.
        event: Value,
    },
    /// Something that deserves attention and stops nothing.
    Warning {
        /// The stable code.
        code: String,
        /// What it is about, for people.
        message: String,
    },
    /// A definition was made because the run names one that did not exist.
    DefinitionCreated {
        /// Its name.
        name: String,
    },
    /// The global arguments of a definition were changed by the request.
    GlobalArgumentsUpdated {
        /// The name of the definition.
        name: String,
    },
    /// A definition was upgraded to the version of its type.
    DefinitionUpgraded {
        /// The name of the definition.
        name: String,
        /// The version of the type.
        to_version: String,
    },
}

/// Something that happens while the installed set changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum InstallEvent {
    /// An extension is looked up in the registry.
    Resolving {
        /// The extension.
        name: String,
    },
    /// Bytes of an archive have arrived.
    Downloading {
        /// The extension.
        name: String,
        /// The version.
        version: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, if the registry says so.
        total: Option<u64>,
    },
    /// An archive is in the store.
    Stored {
        /// The extension.
        name: String,
        /// The version.
        version: String,
    },
    /// Another process holds the lock of the installed set.
    Waiting {
        /// That process.
        holder: String,
    },
    /// Changed files are about to be replaced.
    Overwriting {
        /// The extension.
        name: String,
        /// The files, relative to the tree; empty: the tree is damaged.
        files: Vec<String>,
    },
    /// A warning.
    Warning {
        /// Its text.
        message: String,
    },
}

/// Receives events as they happen, possibly from several threads at once.
pub trait EventSink<E>: Sync {
    /// Takes one event. Must not block for long: the run waits.
    fn event(&self, event: E);
}

/// Any closure is a sink.
impl<E, F: Fn(E) + Sync> EventSink<E> for F {
    fn event(&self, event: E) {
        self(event);
    }
}

/// Drops every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEvents;

impl<E> EventSink<E> for NoEvents {
    fn event(&self, _event: E) {}
}
