//! From JavaScript values and I/O errors to typed errors.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{EngineError, EngineErrorKind, Location};
use crate::gate;
use crate::shared::{Owner, Shared};
use crate::stack::Room;
use crate::values::{ErrorClass, HostError};
use rquickjs::{CaughtError, Ctx};

/// A thrown value, as `describe` in `js/main.js` puts it.
#[derive(Deserialize)]
pub(crate) struct Described {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    stack: Option<String>,
    #[serde(default)]
    code: Option<String>,
    /// As text: it may be nested deeper than it can be read, and then it is left out.
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

impl Described {
    pub(crate) fn into_error(self) -> EngineError {
        let name = self.name.as_deref().unwrap_or("");
        let kind = match (name, self.message.as_str()) {
            (_, "out of memory") => EngineErrorKind::OutOfMemory,
            // More than the engine could ever give.
            ("InternalError", "string too long") => EngineErrorKind::OutOfMemory,
            ("RangeError", "invalid array buffer length" | "invalid string length") => {
                EngineErrorKind::OutOfMemory
            }
            ("RangeError" | "InternalError", "Maximum call stack size exceeded" | "stack overflow") => {
                EngineErrorKind::StackOverflow
            }
            _ if self.code.as_deref() == Some("MARSH_UNSUPPORTED") => EngineErrorKind::Unsupported,
            _ => EngineErrorKind::Threw,
        };
        let location = self.stack.as_deref().and_then(first_location);
        EngineError {
            kind,
            message: self.message,
            name: self.name,
            code: self.code,
            stack: self.stack,
            data: self.data.and_then(|data| serde_json::from_str(data.get()).ok()),
            location,
        }
    }
}

/// The first frame that is not the surface's.
fn first_location(stack: &str) -> Option<Location> {
    stack.lines().find_map(|line| {
        let line = line.trim().strip_prefix("at ")?;
        let place = match (line.rfind('('), line.strip_suffix(')')) {
            (Some(open), Some(inner)) => inner.get(open + 1..)?,
            _ => line,
        };
        let (rest, column) = place.rsplit_once(':')?;
        let (file, row) = rest.rsplit_once(':')?;
        if file.starts_with("marsh:") || file.starts_with("node:") {
            return None;
        }
        Some(Location { file: file.to_owned(), line: row.parse().ok()?, column: column.parse().ok()? })
    })
}

pub(crate) fn described(json: &str) -> EngineError {
    match serde_json::from_str::<Described>(json) {
        Ok(described) => described.into_error(),
        Err(_) => {
            EngineError::new(EngineErrorKind::Threw, "the module threw a value that cannot be described")
        }
    }
}

/// The pending exception, as an error.
pub(crate) fn thrown(ctx: &Ctx<'_>, error: rquickjs::Error) -> EngineError {
    match CaughtError::from_error(ctx, error) {
        CaughtError::Error(error) => internal(&error),
        CaughtError::Value(value) => describe(ctx, value),
        CaughtError::Exception(exception) => describe(ctx, exception.into_value()),
    }
}

fn describe<'js>(ctx: &Ctx<'js>, value: rquickjs::Value<'js>) -> EngineError {
    let json: rquickjs::Result<String> = gate::invoke(ctx, Room::Surface, "describe", (value,));
    match json {
        Ok(json) => described(&json),
        Err(error) => {
            let text = CaughtError::from_error(ctx, error).to_string();
            EngineError::new(EngineErrorKind::Threw, text)
        }
    }
}

/// The pending exception as text, without the surface's help.
pub(crate) fn raw(ctx: &Ctx<'_>, error: rquickjs::Error) -> String {
    CaughtError::from_error(ctx, error).to_string()
}

pub(crate) fn internal(error: &rquickjs::Error) -> EngineError {
    EngineError::new(EngineErrorKind::Internal, error.to_string())
}

/// Rejections without a handler: `[[call id, description], …]`.
pub(crate) fn unhandled(shared: &Shared, list: &str) {
    let Ok(list) = serde_json::from_str::<Vec<(String, Described)>>(list) else { return };
    for (id, described) in list {
        let mut error = described.into_error();
        let owner = Owner::Call(id.as_str().into());
        if !id.is_empty() && shared.is_live(&owner) {
            if error.kind == EngineErrorKind::Threw {
                error.kind = EngineErrorKind::UnhandledRejection;
            }
            shared.fail(&owner, error);
        } else {
            shared.uncaught(&owner, &format!("unhandled rejection: {error}"));
        }
    }
}

/// An I/O error as Deno names it: class, code, and `text (os error n): what`.
pub(crate) fn io(error: &std::io::Error, what: &str) -> HostError {
    let (class, code) = classify(error);
    let message = if what.is_empty() { error.to_string() } else { format!("{error}: {what}") };
    HostError { class, message, code: code.map(str::to_owned), data: None }
}

fn classify(error: &std::io::Error) -> (ErrorClass, Option<&'static str>) {
    use rustix::io::Errno;
    let Some(number) = error.raw_os_error() else {
        return match error.kind() {
            std::io::ErrorKind::NotFound => (ErrorClass::NotFound, None),
            std::io::ErrorKind::AlreadyExists => (ErrorClass::AlreadyExists, None),
            std::io::ErrorKind::InvalidData => (ErrorClass::InvalidData, None),
            std::io::ErrorKind::UnexpectedEof => (ErrorClass::UnexpectedEof, None),
            std::io::ErrorKind::TimedOut => (ErrorClass::TimedOut, None),
            _ => (ErrorClass::Error, None),
        };
    };
    let (class, code) = match Errno::from_raw_os_error(number) {
        Errno::NOENT => (ErrorClass::NotFound, "ENOENT"),
        Errno::EXIST => (ErrorClass::AlreadyExists, "EEXIST"),
        Errno::ACCESS => (ErrorClass::PermissionDenied, "EACCES"),
        Errno::PERM => (ErrorClass::PermissionDenied, "EPERM"),
        Errno::NOTDIR => (ErrorClass::NotADirectory, "ENOTDIR"),
        Errno::ISDIR => (ErrorClass::IsADirectory, "EISDIR"),
        Errno::NOTEMPTY => (ErrorClass::Error, "ENOTEMPTY"),
        Errno::LOOP => (ErrorClass::FilesystemLoop, "ELOOP"),
        Errno::BADF => (ErrorClass::BadResource, "EBADF"),
        Errno::PIPE => (ErrorClass::BrokenPipe, "EPIPE"),
        Errno::INTR => (ErrorClass::Interrupted, "EINTR"),
        Errno::TIMEDOUT => (ErrorClass::TimedOut, "ETIMEDOUT"),
        Errno::CONNREFUSED => (ErrorClass::ConnectionRefused, "ECONNREFUSED"),
        Errno::CONNRESET => (ErrorClass::ConnectionReset, "ECONNRESET"),
        Errno::CONNABORTED => (ErrorClass::ConnectionAborted, "ECONNABORTED"),
        Errno::NOTCONN => (ErrorClass::NotConnected, "ENOTCONN"),
        Errno::ADDRINUSE => (ErrorClass::AddrInUse, "EADDRINUSE"),
        Errno::ADDRNOTAVAIL => (ErrorClass::AddrNotAvailable, "EADDRNOTAVAIL"),
        Errno::AGAIN => (ErrorClass::WouldBlock, "EAGAIN"),
        Errno::BUSY => (ErrorClass::Busy, "EBUSY"),
        Errno::TXTBSY => (ErrorClass::Busy, "ETXTBSY"),
        Errno::XDEV => (ErrorClass::Error, "EXDEV"),
        Errno::NOSPC => (ErrorClass::Error, "ENOSPC"),
        Errno::INVAL => (ErrorClass::Error, "EINVAL"),
        Errno::NAMETOOLONG => (ErrorClass::Error, "ENAMETOOLONG"),
        Errno::NOTSUP => (ErrorClass::NotSupported, "ENOTSUP"),
        _ => return (ErrorClass::Error, None),
    };
    (class, Some(code))
}
