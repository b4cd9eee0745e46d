//! The plain data that crosses the gate: no JavaScript value ever leaves the JavaScript thread.

use crate::mapping::MemoryView;
use rquickjs::{Array, Ctx, IntoJs, Object, TypedArray, Value};

/// An argument of a host operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// `undefined` or `null`.
    None,
    /// A boolean.
    Bool(bool),
    /// A number.
    Num(f64),
    /// A string; lone surrogates are replaced.
    Str(String),
    /// A copy of a `Uint8Array`.
    Bytes(Vec<u8>),
}

/// The result of a host operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    /// `undefined`.
    Undefined,
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Num(f64),
    /// A string.
    Str(String),
    /// A new `Uint8Array`.
    Bytes(Vec<u8>),
    /// An `ArrayBuffer` over memory of the host, which is not copied.
    Memory(MemoryView),
    /// JSON text, parsed on arrival.
    Json(String),
    /// An array.
    List(Vec<Val>),
    /// A plain object.
    Map(Vec<(&'static str, Val)>),
}

/// The JavaScript class of a failed operation's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The built-in `Error`.
    Error,
    /// The built-in `TypeError`.
    TypeError,
    /// The built-in `RangeError`.
    RangeError,
    /// An error that no `catch` stops: the code must not go on.
    Uncatchable,
    /// An error with the code `MARSH_UNSUPPORTED`.
    Unsupported,
    /// `Deno.errors.NotFound`.
    NotFound,
    /// `Deno.errors.AlreadyExists`.
    AlreadyExists,
    /// `Deno.errors.PermissionDenied`.
    PermissionDenied,
    /// `Deno.errors.NotADirectory`.
    NotADirectory,
    /// `Deno.errors.IsADirectory`.
    IsADirectory,
    /// `Deno.errors.FilesystemLoop`.
    FilesystemLoop,
    /// `Deno.errors.BadResource`.
    BadResource,
    /// `Deno.errors.BrokenPipe`.
    BrokenPipe,
    /// `Deno.errors.Interrupted`.
    Interrupted,
    /// `Deno.errors.TimedOut`.
    TimedOut,
    /// `Deno.errors.ConnectionRefused`.
    ConnectionRefused,
    /// `Deno.errors.ConnectionReset`.
    ConnectionReset,
    /// `Deno.errors.ConnectionAborted`.
    ConnectionAborted,
    /// `Deno.errors.NotConnected`.
    NotConnected,
    /// `Deno.errors.AddrInUse`.
    AddrInUse,
    /// `Deno.errors.AddrNotAvailable`.
    AddrNotAvailable,
    /// `Deno.errors.WouldBlock`.
    WouldBlock,
    /// `Deno.errors.Busy`.
    Busy,
    /// `Deno.errors.NotSupported`.
    NotSupported,
    /// `Deno.errors.InvalidData`.
    InvalidData,
    /// `Deno.errors.UnexpectedEof`.
    UnexpectedEof,
    /// A `DOMException` with this name.
    DomAbortError,
    /// A `DOMException` with this name.
    DomDataError,
    /// A `DOMException` with this name.
    DomInvalidAccessError,
    /// A `DOMException` with this name.
    DomInvalidCharacterError,
    /// A `DOMException` with this name.
    DomNotSupportedError,
    /// A `DOMException` with this name.
    DomOperationError,
}

impl ErrorClass {
    /// As `makeError` in `js/core.js` takes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Error => "Error",
            ErrorClass::TypeError => "TypeError",
            ErrorClass::RangeError => "RangeError",
            ErrorClass::Uncatchable => "Uncatchable",
            ErrorClass::Unsupported => "Unsupported",
            ErrorClass::NotFound => "NotFound",
            ErrorClass::AlreadyExists => "AlreadyExists",
            ErrorClass::PermissionDenied => "PermissionDenied",
            ErrorClass::NotADirectory => "NotADirectory",
            ErrorClass::IsADirectory => "IsADirectory",
            ErrorClass::FilesystemLoop => "FilesystemLoop",
            ErrorClass::BadResource => "BadResource",
            ErrorClass::BrokenPipe => "BrokenPipe",
            ErrorClass::Interrupted => "Interrupted",
            ErrorClass::TimedOut => "TimedOut",
            ErrorClass::ConnectionRefused => "ConnectionRefused",
            ErrorClass::ConnectionReset => "ConnectionReset",
            ErrorClass::ConnectionAborted => "ConnectionAborted",
            ErrorClass::NotConnected => "NotConnected",
            ErrorClass::AddrInUse => "AddrInUse",
            ErrorClass::AddrNotAvailable => "AddrNotAvailable",
            ErrorClass::WouldBlock => "WouldBlock",
            ErrorClass::Busy => "Busy",
            ErrorClass::NotSupported => "NotSupported",
            ErrorClass::InvalidData => "InvalidData",
            ErrorClass::UnexpectedEof => "UnexpectedEof",
            ErrorClass::DomAbortError => "DOMException:AbortError",
            ErrorClass::DomDataError => "DOMException:DataError",
            ErrorClass::DomInvalidAccessError => "DOMException:InvalidAccessError",
            ErrorClass::DomInvalidCharacterError => "DOMException:InvalidCharacterError",
            ErrorClass::DomNotSupportedError => "DOMException:NotSupportedError",
            ErrorClass::DomOperationError => "DOMException:OperationError",
        }
    }
}

/// A failed host operation.
#[derive(Clone, Debug)]
pub struct HostError {
    /// The class of the JavaScript error.
    pub class: ErrorClass,
    /// Its `message`.
    pub message: String,
    /// Its `code`.
    pub code: Option<String>,
    /// Its `data`, as JSON.
    pub data: Option<String>,
}

/// What an operation comes to.
pub type HostResult = Result<Val, HostError>;

impl HostError {
    /// An error without a code or data.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> HostError {
        HostError { class, message: message.into(), code: None, data: None }
    }

    pub(crate) fn type_error(message: impl Into<String>) -> HostError {
        HostError::new(ErrorClass::TypeError, message)
    }

    pub(crate) fn unsupported(what: &str) -> HostError {
        HostError::new(ErrorClass::Unsupported, format!("{what} is not available in marsh's engine"))
    }
}

/// The arguments of one host call, by position.
#[derive(Debug)]
pub struct Args(Vec<Arg>);

impl Args {
    pub(crate) fn new(args: Vec<Arg>) -> Args {
        Args(args)
    }

    /// The arguments of an operation of a call: its id comes first.
    pub(crate) fn of_call(mut self, id: &str) -> Args {
        self.0.insert(0, Arg::Str(id.to_owned()));
        self
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Arg] {
        &self.0
    }

    pub(crate) fn is_none(&self, at: usize) -> bool {
        matches!(self.0.get(at), None | Some(Arg::None))
    }

    pub(crate) fn str(&self, at: usize) -> Result<&str, HostError> {
        match self.0.get(at) {
            Some(Arg::Str(text)) => Ok(text),
            other => Err(HostError::type_error(format!("argument {at} must be a string, not {other:?}"))),
        }
    }

    pub(crate) fn opt_str(&self, at: usize) -> Option<&str> {
        match self.0.get(at) {
            Some(Arg::Str(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn num(&self, at: usize) -> Result<f64, HostError> {
        match self.0.get(at) {
            Some(Arg::Num(number)) => Ok(*number),
            other => Err(HostError::type_error(format!("argument {at} must be a number, not {other:?}"))),
        }
    }

    pub(crate) fn bool(&self, at: usize) -> bool {
        matches!(self.0.get(at), Some(Arg::Bool(true)))
    }

    pub(crate) fn bytes(&self, at: usize) -> Result<&[u8], HostError> {
        match self.0.get(at) {
            Some(Arg::Bytes(bytes)) => Ok(bytes),
            Some(Arg::Str(text)) => Ok(text.as_bytes()),
            other => Err(HostError::type_error(format!("argument {at} must be bytes, not {other:?}"))),
        }
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, at: usize) -> Result<T, HostError> {
        serde_json::from_str(self.str(at)?).map_err(|error| HostError::type_error(error.to_string()))
    }
}

impl<'js> IntoJs<'js> for Val {
    fn into_js(self, ctx: &Ctx<'js>) -> rquickjs::Result<Value<'js>> {
        match self {
            Val::Undefined => Ok(Value::new_undefined(ctx.clone())),
            Val::Null => Ok(Value::new_null(ctx.clone())),
            Val::Bool(flag) => Ok(Value::new_bool(ctx.clone(), flag)),
            Val::Num(number) => Ok(Value::new_number(ctx.clone(), number)),
            Val::Str(text) => Ok(rquickjs::String::from_str(ctx.clone(), &text)?.into_value()),
            // Copied into the engine's own heap, so that it counts against the limit.
            Val::Bytes(bytes) => Ok(TypedArray::<u8>::new_copy(ctx.clone(), bytes)?.into_value()),
            Val::Memory(view) => view.into_js(ctx),
            Val::Json(text) => ctx.json_parse(text),
            Val::List(items) => {
                let array = Array::new(ctx.clone())?;
                for (at, item) in items.into_iter().enumerate() {
                    array.set(at, item.into_js(ctx)?)?;
                }
                Ok(array.into_value())
            }
            Val::Map(fields) => {
                let object = Object::new(ctx.clone())?;
                for (name, value) in fields {
                    object.set(name, value.into_js(ctx)?)?;
                }
                Ok(object.into_value())
            }
        }
    }
}
