//! One line of the protocol.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// One line of the protocol. The fields that are present say whether it is a request, a notification or an answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    /// Always `"2.0"`.
    pub jsonrpc: Version,
    /// Set in requests and answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Set in requests and notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The parameters of a request or notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Box<RawValue>>,
    /// The result of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// The error of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RpcError>,
}

/// A line as its reader sees it: payloads are borrowed from the line.
#[derive(Debug, Deserialize)]
pub struct MessageRef<'a> {
    /// Set in requests and answers.
    #[serde(default)]
    pub id: Option<u64>,
    /// Set in requests and notifications.
    #[serde(default)]
    pub method: Option<&'a str>,
    /// The parameters of a request or notification.
    #[serde(default, borrow)]
    pub params: Option<&'a RawValue>,
    /// The result of an answer.
    #[serde(default, borrow)]
    pub result: Option<&'a RawValue>,
    /// The error of an answer.
    #[serde(default)]
    pub error: Option<RpcError>,
}

/// The JSON text of a payload. Payloads stay text on their way through, so that the text that an extension wrote is
/// stored byte for byte and large values are parsed once.
///
/// # Errors
/// When the value has no JSON form, such as a path that is not UTF-8.
pub fn to_raw<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(value)
}

/// The JSON text of plain data with string keys, which always has one; `null` otherwise.
pub fn raw<T: Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The constant `"2.0"`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Version {
    /// JSON-RPC 2.0.
    #[serde(rename = "2.0")]
    V2,
}

/// The error of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RpcError {
    /// JSON-RPC's number. Readers decide by `data`.
    pub code: i64,
    /// The message for people.
    pub message: String,
    /// A [`CallError`](crate::CallError) from a host, `{code, data}` from the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Message {
    fn empty() -> Message {
        Message { jsonrpc: Version::V2, id: None, method: None, params: None, result: None, error: None }
    }

    /// A request, which is answered under its id.
    pub fn request(id: u64, method: &str, params: Box<RawValue>) -> Message {
        Message { id: Some(id), method: Some(method.to_owned()), params: Some(params), ..Message::empty() }
    }

    /// A notification, which is not answered.
    pub fn notification(method: &str, params: Box<RawValue>) -> Message {
        Message { method: Some(method.to_owned()), params: Some(params), ..Message::empty() }
    }

    /// The answer to a request.
    pub fn answer(id: u64, result: Result<Box<RawValue>, RpcError>) -> Message {
        match result {
            Ok(value) => Message { id: Some(id), result: Some(value), ..Message::empty() },
            Err(error) => Message { id: Some(id), error: Some(error), ..Message::empty() },
        }
    }

    /// The message as one line, with its end.
    ///
    /// # Errors
    /// When a part has no JSON form.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}
