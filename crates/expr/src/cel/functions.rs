//! The functions of the table. A call with a type that a function does not take ends here.

use std::sync::Arc;

use base64::Engine as _;

use super::ops;
use super::regexes::Regexes;
use super::signatures::{forms, named, names};
use super::{strings, times};
use crate::cel::computed::{Computed, argument, shown};
use crate::error::ExprErrorKind;
use crate::limits::Meter;
use crate::near::unknown_function;
use crate::value::{Duration, Kind, Timestamp, Value};

pub(crate) fn call(name: &str, arguments: &[Value], meter: &mut Meter) -> Computed {
    if let ("dyn", [value]) = (name, arguments) {
        return Ok(value.clone());
    }
    let secret = arguments.iter().any(Value::is_secret);
    let value = match arguments {
        [value] => global(name, value, meter)?,
        _ => None,
    };
    match value {
        Some(value) => Ok(value.tainted(secret)),
        None => Err(no_overload(name, None, arguments)),
    }
}

pub(crate) fn method(
    receiver: &Value,
    name: &str,
    arguments: &[Value],
    meter: &mut Meter,
    regexes: &mut Regexes,
) -> Computed {
    let inside = name == "join" && receiver.has_secret();
    let secret = receiver.secret || inside || arguments.iter().any(Value::is_secret);
    let value = match (&receiver.kind, name, arguments) {
        (_, "size", []) => size(receiver, meter)?,
        (Kind::String(text), ..) => strings::method(text, name, arguments, meter, regexes)?,
        (Kind::List(list), "join", []) => Some(strings::join(&list.items, "", meter)?),
        (Kind::List(list), "join", [separator]) => match separator.as_str() {
            Some(separator) => Some(strings::join(&list.items, separator, meter)?),
            None => None,
        },
        (Kind::Bytes(bytes), ..) => of_bytes(bytes, name, arguments, meter)?,
        (Kind::Timestamp(at), ..) => times::of_timestamp(*at, name, arguments)?,
        (Kind::Duration(length), _, []) => times::of_duration(*length, name),
        (Kind::Optional(value), "hasValue", []) => Some(Value::from(value.is_some())),
        (Kind::Optional(value), "value", []) => match value {
            Some(value) => Some(Value::clone(value)),
            None => return Err(argument("the optional has no value; `orValue` gives it one")),
        },
        _ => None,
    };
    match value {
        Some(value) => Ok(value.tainted(secret)),
        None => Err(no_overload(name, Some(receiver), arguments)),
    }
}

fn no_overload(name: &str, receiver: Option<&Value>, arguments: &[Value]) -> ExprErrorKind {
    let found = named(name, receiver.is_some());
    if found.is_empty() {
        return unknown_function(name, names(receiver.is_some()));
    }
    let given: Vec<&str> = arguments.iter().map(Value::type_name).collect();
    let receiver = receiver.map(|value| format!("{}.", value.type_name())).unwrap_or_default();
    ops::type_error(
        format!("there is no {receiver}{name}({})", given.join(", ")),
        Some(format!("there is {}", forms(&found))),
    )
}

fn size(value: &Value, meter: &mut Meter) -> Result<Option<Value>, ExprErrorKind> {
    if let Kind::String(text) = &value.kind {
        meter.read(text.len())?;
    }
    Ok(ops::length(value)?.map(|length| Value::from(i64::try_from(length).unwrap_or(i64::MAX))))
}

/// Functions of one argument.
fn global(name: &str, value: &Value, meter: &mut Meter) -> Result<Option<Value>, ExprErrorKind> {
    if let Some(text) = value.as_str() {
        meter.read(text.len())?;
    }
    Ok(Some(match (name, &value.kind) {
        ("size", _) => return size(value, meter),
        ("type", Kind::Optional(_)) => return Ok(None),
        ("type", _) => Value::new(Kind::Type(value.type_name())),
        ("bool", Kind::Bool(_))
        | ("bytes", Kind::Bytes(_))
        | ("double", Kind::Double(_) | Kind::Large(_))
        | ("int", Kind::Int(_))
        | ("uint", Kind::Uint(_))
        | ("string", Kind::String(_)) => value.clone(),
        ("bool", Kind::String(text)) => match &**text {
            "1" | "t" | "true" | "TRUE" | "True" => Value::from(true),
            "0" | "f" | "false" | "FALSE" | "False" => Value::from(false),
            _ => return Err(argument(format!("{} is not a bool", shown(value)))),
        },
        ("bytes", Kind::String(text)) => Value::new(Kind::Bytes(text.as_bytes().into())),
        ("double", Kind::Int(_) | Kind::Uint(_)) => Value::from(value.as_f64().unwrap_or(f64::NAN)),
        ("double", Kind::String(text)) => {
            Value::from(strings::to_double(text).ok_or_else(|| not_a("number", value))?)
        }
        ("int", Kind::Double(_) | Kind::Large(_)) => Value::from(double_to_int(value)?),
        ("int", Kind::String(text)) => Value::from(strings::to_int(text).ok_or_else(|| not_a("int", value))?),
        ("uint", Kind::Int(number)) => uint(u64::try_from(*number).map_err(|_| ops::OVERFLOW)?),
        ("uint", Kind::Double(_) | Kind::Large(_)) => {
            let double = value.as_f64().unwrap_or(f64::NAN).trunc();
            if !(0.0..18_446_744_073_709_551_616.0).contains(&double) {
                return Err(ops::OVERFLOW);
            }
            uint(double as u64)
        }
        ("uint", Kind::String(text)) => {
            let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
            uint(number.ok_or_else(|| not_a("uint", value))?)
        }
        ("string", Kind::Double(double)) if double.is_infinite() => {
            Value::from(if *double > 0.0 { "+Inf" } else { "-Inf" })
        }
        ("string", Kind::Bytes(bytes)) => Value::from(String::from_utf8_lossy(bytes).into_owned()),
        (
            "string",
            Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Uint(_)
            | Kind::Double(_)
            | Kind::Large(_)
            | Kind::Timestamp(_)
            | Kind::Duration(_),
        ) => Value::from(value.to_text().unwrap_or_default()),
        ("timestamp", Kind::String(text)) => {
            let wanted = "a time as `2024-02-29T12:30:00Z`";
            let at = Timestamp::parse(text).ok_or_else(|| not_a(wanted, value))?;
            Value::new(Kind::Timestamp(at))
        }
        ("timestamp", Kind::Int(seconds)) => {
            let at = Timestamp::of_seconds(*seconds)
                .ok_or_else(|| not_a("second of the years 1 to 9999", value))?;
            Value::new(Kind::Timestamp(at))
        }
        ("duration", Kind::String(text)) => {
            let length =
                Duration::parse(text).ok_or_else(|| not_a("length of time such as `1h30m`", value))?;
            Value::new(Kind::Duration(length))
        }
        _ => return Ok(None),
    }))
}

fn uint(number: u64) -> Value {
    Value::new(Kind::Uint(number))
}

fn not_a(what: &str, value: &Value) -> ExprErrorKind {
    let what = what.trim_start_matches("a ");
    let article = if what.starts_with("int") { "an" } else { "a" };
    argument(format!("{} is not {article} {what}", shown(value)))
}

fn double_to_int(value: &Value) -> Result<i64, ExprErrorKind> {
    if let Kind::Large(number) = &value.kind {
        return number.as_i64().ok_or(ops::OVERFLOW);
    }
    let double = value.as_f64().unwrap_or(f64::NAN).trunc();
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&double) {
        Ok(double as i64)
    } else {
        Err(ops::OVERFLOW)
    }
}

fn of_bytes(
    bytes: &Arc<[u8]>,
    name: &str,
    arguments: &[Value],
    meter: &mut Meter,
) -> Result<Option<Value>, ExprErrorKind> {
    meter.read(bytes.len())?;
    meter.bytes(bytes.len() * 2)?;
    Ok(Some(match (name, arguments) {
        ("hex", []) => Value::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        ("base64", []) => Value::from(base64::engine::general_purpose::STANDARD.encode(bytes)),
        ("string", []) => Value::from(String::from_utf8_lossy(bytes).into_owned()),
        ("json", []) => {
            meter.bytes(bytes.len() * 16)?;
            let json: serde_json::Value =
                serde_json::from_slice(bytes).map_err(|_| argument("the bytes are not JSON"))?;
            Value::from_json(&json).map_err(ExprErrorKind::TooDeep)?
        }
        ("at", [index]) => {
            let Kind::Int(index) = index.kind else { return Ok(None) };
            let byte = usize::try_from(index).ok().and_then(|index| bytes.get(index));
            Value::from(i64::from(*byte.ok_or_else(|| argument("there is no byte at that index"))?))
        }
        _ => return Ok(None),
    }))
}
