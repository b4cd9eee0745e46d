//! What a method run tells while it happens, and who listens.

use marsh_types::TypeName;
use serde_json::Value;

/// An event of a method run.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// Definition, type and method are known.
    Resolved {
        /// The name of the definition.
        model: String,
        /// The type.
        type_name: TypeName,
        /// The method.
        method: String,
    },
    /// The run created a definition.
    DefinitionCreated {
        /// Its name.
        name: String,
        /// Its file.
        path: std::path::PathBuf,
    },
    /// The run changed the global arguments of a definition.
    GlobalArgumentsUpdated {
        /// The name of the definition.
        name: String,
    },
    /// The definition was upgraded to a newer version of its type.
    Upgraded {
        /// The name of the definition.
        name: String,
        /// The version.
        to_version: String,
    },
    /// Something that the user should know.
    Warning {
        /// A stable code.
        code: &'static str,
        /// The message.
        message: String,
    },
    /// The method begins.
    Executing {
        /// The method.
        method: String,
        /// The checks that passed.
        checks: Vec<String>,
    },
    /// The method printed or logged a line.
    Output {
        /// `stdout` or `stderr`.
        stream: String,
        /// The line, with secrets masked.
        line: String,
    },
    /// A version was stored.
    Saved {
        /// The name of the data.
        name: String,
        /// The number of the version.
        version: u32,
    },
    /// An event that the extension defines.
    Extension(Value),
}

/// Receives events as they happen, possibly from several runs at once.
pub trait Observer: Sync {
    /// Handles an event. The run waits meanwhile.
    fn event(&self, event: &RunEvent);
}

/// An observer that ignores events.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &RunEvent) {}
}
