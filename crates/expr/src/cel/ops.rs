//! Operators, and access to elements.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ast::Binary;
use crate::error::ExprErrorKind;
use crate::limits::Meter;
use crate::too_deep::{MAX_DEPTH, TooDeep};
use crate::value::{Kind, Value};

type Computed = Result<Value, ExprErrorKind>;

pub(crate) const OVERFLOW: ExprErrorKind =
    ExprErrorKind::Arithmetic { message: "the integer is out of range: integers have 64 bits" };
const DIVISION: ExprErrorKind = ExprErrorKind::Arithmetic { message: "division by zero" };
const TIME: ExprErrorKind = ExprErrorKind::Arithmetic { message: "the time is out of range" };

pub(crate) fn type_error(message: String, hint: Option<String>) -> ExprErrorKind {
    ExprErrorKind::Types { message, hint }
}

/// `a string`, `null`: for messages.
pub(crate) fn article(value: &Value) -> &'static str {
    match &value.kind {
        Kind::Null => "null",
        Kind::Bool(_) => "a boolean",
        Kind::Int(_) | Kind::Uint(_) | Kind::Double(_) | Kind::Large(_) => "a number",
        Kind::String(_) => "a string",
        Kind::Bytes(_) => "bytes",
        Kind::List(_) => "a list",
        Kind::Map(_) | Kind::Lazy(_) => "a map",
        Kind::Timestamp(_) => "a timestamp",
        Kind::Duration(_) => "a duration",
        Kind::Type(_) => "a type",
        Kind::Optional(_) => "an optional",
    }
}

/// The text of a key: maps have text keys, and `1`, `1.0` and `"1"` are the same one.
pub(crate) fn key_text(key: &Value) -> Option<String> {
    match &key.kind {
        Kind::Null => Some("null".to_owned()),
        Kind::String(_) | Kind::Bool(_) | Kind::Int(_) | Kind::Uint(_) | Kind::Double(_) | Kind::Large(_) => {
            key.to_text().ok()
        }
        _ => None,
    }
}

/// The element of a list or a map. `None`: there is none, or it is neither.
pub(crate) fn element(value: &Value, key: &Value) -> Result<Option<Value>, ExprErrorKind> {
    let found = match &value.kind {
        Kind::List(list) => {
            let index = key.as_whole().and_then(|index| usize::try_from(index).ok());
            index.and_then(|index| list.items.get(index)).cloned().map(|found| found.tainted(value.secret))
        }
        Kind::Map(_) | Kind::Lazy(_) => match key_text(key) {
            Some(key) => value.get(&key)?,
            None => None,
        },
        _ => None,
    };
    Ok(found.map(|found| found.tainted(key.secret)))
}

/// The keys of a map. `None`: it is none.
pub(crate) fn keys(value: &Value) -> Result<Option<Vec<Arc<str>>>, ExprErrorKind> {
    Ok(match &value.kind {
        Kind::Map(map) => Some(map.entries.keys().cloned().collect()),
        Kind::Lazy(lookup) => Some(lookup.keys()?.into_iter().map(Into::into).collect()),
        _ => None,
    })
}

/// How many elements. `None`: it has none.
pub(crate) fn length(value: &Value) -> Result<Option<usize>, ExprErrorKind> {
    Ok(match &value.kind {
        Kind::String(text) => Some(text.chars().count()),
        Kind::Bytes(bytes) => Some(bytes.len()),
        Kind::List(list) => Some(list.items.len()),
        Kind::Map(map) => Some(map.entries.len()),
        Kind::Lazy(lookup) => Some(lookup.keys()?.len()),
        _ => None,
    })
}

pub(crate) fn binary(operator: Binary, left: &Value, right: &Value, meter: &mut Meter) -> Computed {
    let shallow = left.secret || right.secret;
    let deep = left.has_secret() || right.has_secret();
    Ok(match operator {
        Binary::Equal => Value::from(equal(left, right, meter, 0)?).tainted(deep),
        Binary::NotEqual => Value::from(!equal(left, right, meter, 0)?).tainted(deep),
        Binary::In => Value::from(contains(left, right, meter)?).tainted(deep),
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
            Value::from(compare(operator, left, right, meter)?).tainted(shallow)
        }
        _ => arithmetic(operator, left, right, meter)?.tainted(shallow),
    })
}

fn no_overload(operator: Binary, left: &Value, right: &Value) -> ExprErrorKind {
    let symbol = operator.symbol();
    let text = [left, right].iter().any(|side| side.as_str().is_some());
    let hint = (operator == Binary::Add && text).then(|| "convert the other side with string()".to_owned());
    type_error(format!("there is no {} {symbol} {}", left.type_name(), right.type_name()), hint)
}

pub(crate) fn equal(
    left: &Value,
    right: &Value,
    meter: &mut Meter,
    depth: u16,
) -> Result<bool, ExprErrorKind> {
    meter.steps(1)?;
    if depth > MAX_DEPTH {
        return Err(ExprErrorKind::TooDeep(TooDeep));
    }
    Ok(match (&left.kind, &right.kind) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::String(a), Kind::String(b)) => {
            meter.read(a.len().min(b.len()))?;
            a == b
        }
        (Kind::Bytes(a), Kind::Bytes(b)) => {
            meter.read(a.len().min(b.len()))?;
            a == b
        }
        (Kind::Timestamp(a), Kind::Timestamp(b)) => a == b,
        (Kind::Duration(a), Kind::Duration(b)) => a == b,
        (Kind::Type(a), Kind::Type(b)) => a == b,
        (Kind::Optional(a), Kind::Optional(b)) => match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => equal(a, b, meter, depth + 1)?,
            _ => false,
        },
        (Kind::List(a), Kind::List(b)) => {
            if a.items.len() != b.items.len() {
                return Ok(false);
            }
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(a, b, meter, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Kind::Map(_) | Kind::Lazy(_), Kind::Map(_) | Kind::Lazy(_)) => {
            if length(left)? != length(right)? {
                return Ok(false);
            }
            for key in keys(left)?.unwrap_or_default() {
                let (Some(a), Some(b)) = (left.get(&key)?, right.get(&key)?) else { return Ok(false) };
                if !equal(&a, &b, meter, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => numeric(left, right).is_some_and(|order| order == Some(Ordering::Equal)),
    })
}

/// How two numbers compare; the inner `None` if one is NaN, the outer if one is not a number.
fn numeric(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    let whole = |value: &Value| match value.kind {
        Kind::Int(number) => Some(i128::from(number)),
        Kind::Uint(number) => Some(i128::from(number)),
        _ => None,
    };
    Some(match (whole(left), whole(right)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => compare_whole(a, right.as_f64()?),
        (None, Some(b)) => compare_whole(b, left.as_f64()?).map(Ordering::reverse),
        (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    })
}

/// Exactly, where a double could not hold the integer.
fn compare_whole(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double >= 2e19 {
        return Some(Ordering::Less);
    }
    if double <= -2e19 {
        return Some(Ordering::Greater);
    }
    let floor = double.floor();
    Some(whole.cmp(&(floor as i128)).then(if double > floor { Ordering::Less } else { Ordering::Equal }))
}

fn compare(operator: Binary, left: &Value, right: &Value, meter: &mut Meter) -> Result<bool, ExprErrorKind> {
    let order = match (&left.kind, &right.kind) {
        (Kind::Bool(a), Kind::Bool(b)) => Some(a.cmp(b)),
        (Kind::String(a), Kind::String(b)) => {
            meter.read(a.len().min(b.len()))?;
            // By UTF-16 units, as JavaScript has it.
            Some(a.encode_utf16().cmp(b.encode_utf16()))
        }
        (Kind::Timestamp(a), Kind::Timestamp(b)) => Some(a.cmp(b)),
        (Kind::Duration(a), Kind::Duration(b)) => Some(a.cmp(b)),
        _ => numeric(left, right).ok_or_else(|| no_overload(operator, left, right))?,
    };
    Ok(order.is_some_and(|order| match operator {
        Binary::Less => order.is_lt(),
        Binary::LessOrEqual => order.is_le(),
        Binary::Greater => order.is_gt(),
        _ => order.is_ge(),
    }))
}

fn contains(item: &Value, within: &Value, meter: &mut Meter) -> Result<bool, ExprErrorKind> {
    match &within.kind {
        Kind::List(list) => {
            for candidate in &list.items {
                if equal(item, candidate, meter, 0)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Kind::Map(_) | Kind::Lazy(_) => match key_text(item) {
            Some(key) => Ok(within.get(&key)?.is_some()),
            None => Ok(false),
        },
        _ => Err(no_overload(Binary::In, item, within)),
    }
}

fn arithmetic(operator: Binary, left: &Value, right: &Value, meter: &mut Meter) -> Computed {
    match (&left.kind, &right.kind) {
        (Kind::Int(a), Kind::Int(b)) => integers(operator, *a, *b),
        (Kind::Uint(a), Kind::Uint(b)) => {
            let result = match operator {
                Binary::Add => a.checked_add(*b),
                Binary::Subtract => a.checked_sub(*b),
                Binary::Multiply => a.checked_mul(*b),
                _ if *b == 0 => return Err(DIVISION),
                Binary::Divide => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            result.map(|number| Value::new(Kind::Uint(number))).ok_or(OVERFLOW)
        }
        (Kind::String(a), Kind::String(b)) if operator == Binary::Add => {
            meter.bytes(a.len() + b.len())?;
            Ok(Value::from([&**a, &**b].concat()))
        }
        (Kind::Bytes(a), Kind::Bytes(b)) if operator == Binary::Add => {
            meter.bytes(a.len() + b.len())?;
            Ok(Value::new(Kind::Bytes(Arc::from([&**a, &**b].concat()))))
        }
        (Kind::List(a), Kind::List(b)) if operator == Binary::Add => {
            meter.bytes((a.items.len() + b.items.len()) * size_of::<Value>())?;
            Value::list(a.items.iter().chain(&b.items).cloned()).map_err(ExprErrorKind::TooDeep)
        }
        (
            Kind::Int(_) | Kind::Double(_) | Kind::Large(_),
            Kind::Int(_) | Kind::Double(_) | Kind::Large(_),
        ) => {
            let both_double = !matches!(left.kind, Kind::Int(_)) && !matches!(right.kind, Kind::Int(_));
            let (a, b) = (left.as_f64().unwrap_or(f64::NAN), right.as_f64().unwrap_or(f64::NAN));
            Ok(Value::from(match operator {
                Binary::Add => a + b,
                Binary::Subtract => a - b,
                Binary::Multiply => a * b,
                Binary::Divide => a / b,
                Binary::Remainder if both_double => return Err(no_remainder()),
                _ => a % b,
            }))
        }
        _ => times(operator, left, right),
    }
}

fn no_remainder() -> ExprErrorKind {
    let hint = "numbers of the context are doubles; convert one with int()".to_owned();
    type_error("there is no double % double".to_owned(), Some(hint))
}

fn integers(operator: Binary, a: i64, b: i64) -> Computed {
    let result = match operator {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        _ if b == 0 => return Err(DIVISION),
        Binary::Divide => a.checked_div(b),
        // The remainder of the smallest integer by -1 is 0, although the quotient does not fit.
        _ => Some(a.wrapping_rem(b)),
    };
    result.map(Value::from).ok_or(OVERFLOW)
}

fn times(operator: Binary, left: &Value, right: &Value) -> Computed {
    let at = |at: Option<_>| at.map(|at| Value::new(Kind::Timestamp(at))).ok_or(TIME);
    let length = |length: Option<_>| length.map(|length| Value::new(Kind::Duration(length))).ok_or(TIME);
    match (operator, &left.kind, &right.kind) {
        (Binary::Add, Kind::Duration(a), Kind::Duration(b)) => length(a.plus(*b)),
        (Binary::Subtract, Kind::Duration(a), Kind::Duration(b)) => length(a.minus(*b)),
        (Binary::Add, Kind::Timestamp(a), Kind::Duration(b)) => at(a.plus(*b)),
        (Binary::Add, Kind::Duration(a), Kind::Timestamp(b)) => at(b.plus(*a)),
        (Binary::Subtract, Kind::Timestamp(a), Kind::Duration(b)) => at(a.minus(*b)),
        (Binary::Subtract, Kind::Timestamp(a), Kind::Timestamp(b)) => length(Some(a.since(*b))),
        _ => Err(no_overload(operator, left, right)),
    }
}
