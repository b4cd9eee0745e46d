//! `Intl`: what `marsh-intl` knows. The JavaScript has read and resolved the options; formatters are found again by them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use marsh_intl::{DateFormat, Error, NumberFormat, Order, Part, PluralFormat, RelativeFormat, Tag};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::gate::{
    Args, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, Val, plain,
};
use crate::lock::lock;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("intl.tag", NONE, Determinism::Pure, Cost::Compute, tag),
    plain("intl.find", NONE, Determinism::Pure, Cost::Compute, find),
    plain("intl.best", NONE, Determinism::Pure, Cost::Compute, best),
    plain("intl.customs", NONE, Determinism::Pure, Cost::Compute, customs),
    plain("intl.currencyDigits", NONE, Determinism::Pure, Cost::Compute, currency_digits),
    plain("intl.number", NONE, Determinism::Pure, Cost::Compute, number),
    plain("intl.date", NONE, Determinism::Pure, Cost::Compute, date),
    plain("intl.datePattern", NONE, Determinism::Pure, Cost::Compute, date_pattern),
    plain("intl.zone", NONE, Determinism::Pure, Cost::Compute, zone),
    plain("intl.currencies", NONE, Determinism::Pure, Cost::Compute, currencies),
    plain("intl.zones", NONE, Determinism::Pure, Cost::Compute, zones),
    plain("intl.plural", NONE, Determinism::Pure, Cost::Compute, plural),
    plain("intl.pluralCategories", NONE, Determinism::Pure, Cost::Compute, plural_categories),
    plain("intl.relative", NONE, Determinism::Pure, Cost::Compute, relative),
    plain("intl.list", NONE, Determinism::Pure, Cost::Compute, list),
    plain("intl.name", NONE, Determinism::Pure, Cost::Compute, name),
    plain("intl.compare", NONE, Determinism::Pure, Cost::Compute, compare),
    plain("intl.segment", NONE, Determinism::Pure, Cost::Compute, segment),
    plain("intl.case", NONE, Determinism::Pure, Cost::Compute, case),
];

/// How many formatters of a kind are kept.
const KEPT: usize = 64;

type Kept<T> = LazyLock<Mutex<HashMap<String, Arc<T>>>>;

fn failed(error: Error) -> HostError {
    match error {
        Error::Range(message) => HostError::new(ErrorClass::RangeError, message),
        Error::Unsupported(what) => HostError::unsupported(&what),
        Error::Data(_) => HostError::new(ErrorClass::Error, error.to_string()),
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, HostError> {
    serde_json::from_str(text).map_err(|error| HostError::type_error(format!("invalid options: {error}")))
}

fn json(value: &impl Serialize) -> HostResult {
    serde_json::to_string(value)
        .map(Val::Json)
        .map_err(|error| HostError::type_error(format!("a result has no JSON form: {error}")))
}

/// The formatter for these options: the one that was made for the same before, or a new one.
fn kept<O: DeserializeOwned, T>(
    all: &'static Kept<T>,
    options: &str,
    make: fn(O) -> Result<T, Error>,
) -> Result<Arc<T>, HostError> {
    if let Some(known) = lock(all).get(options) {
        return Ok(known.clone());
    }
    let made = Arc::new(make(read(options)?).map_err(failed)?);
    let mut all = lock(all);
    if all.len() >= KEPT {
        all.clear();
    }
    all.insert(options.to_owned(), made.clone());
    Ok(made)
}

/// The parts, or the text of them.
fn shown(parts: &[Part], as_parts: bool) -> HostResult {
    if as_parts { json(&parts) } else { Ok(Val::Str(marsh_intl::text(parts))) }
}

/// `(tag, changes as JSON or nothing, "maximize", "minimize" or nothing)`
fn tag(_env: &Env, args: &Args) -> HostResult {
    let tag = args.str(0)?;
    let found = match (args.is_none(1), args.is_none(2)) {
        (false, _) => Tag::with(tag, &read::<BTreeMap<String, String>>(args.str(1)?)?),
        (true, true) => Tag::parse(tag),
        (true, false) if args.str(2)? == "maximize" => Tag::maximize(tag),
        (true, false) => Tag::minimize(tag),
    };
    json(&found.map_err(failed)?)
}

/// `(tags as JSON)` to the locale that answers.
fn find(_env: &Env, args: &Args) -> HostResult {
    json(&marsh_intl::find(&read::<Vec<String>>(args.str(0)?)?).map_err(failed)?)
}

fn best(_env: &Env, args: &Args) -> HostResult {
    Ok(marsh_intl::best(args.str(0)?).map_err(failed)?.map_or(Val::Null, Val::Str))
}

fn customs(_env: &Env, args: &Args) -> HostResult {
    json(&marsh_intl::customs(args.str(0)?).map_err(failed)?)
}

fn currency_digits(_env: &Env, args: &Args) -> HostResult {
    Ok(Val::Num(marsh_intl::currency_digits(args.str(0)?).map_err(failed)?.into()))
}

/// `(options, number, end of a range or nothing, parts?)`
fn number(_env: &Env, args: &Args) -> HostResult {
    static FORMATS: Kept<NumberFormat> = LazyLock::new(Mutex::default);
    let format = kept(&FORMATS, args.str(0)?, NumberFormat::new)?;
    let parts = if args.is_none(2) {
        format.parts(args.str(1)?)
    } else {
        format.range_parts(args.str(1)?, args.str(2)?)
    };
    shown(&parts.map_err(failed)?, args.bool(3))
}

/// `(options, milliseconds, end of a range or nothing, parts?)`
fn date(_env: &Env, args: &Args) -> HostResult {
    let format = kept(&DATES, args.str(0)?, DateFormat::new)?;
    let parts = if args.is_none(2) {
        format.parts(args.num(1)?)
    } else {
        format.range_parts(args.num(1)?, args.num(2)?)
    };
    shown(&parts.map_err(failed)?, args.bool(3))
}

static DATES: Kept<DateFormat> = LazyLock::new(Mutex::default);

/// `(options)` to the pattern that stands for them.
fn date_pattern(_env: &Env, args: &Args) -> HostResult {
    Ok(Val::Str(kept(&DATES, args.str(0)?, DateFormat::new)?.pattern()))
}

/// The name of a zone as it is shown.
fn zone(_env: &Env, args: &Args) -> HostResult {
    marsh_intl::canonical_zone(args.str(0)?).map(Val::Str).map_err(failed)
}

fn zones(_env: &Env, _args: &Args) -> HostResult {
    json(&marsh_intl::zones().map_err(failed)?)
}

fn currencies(_env: &Env, _args: &Args) -> HostResult {
    json(&marsh_intl::currencies().map_err(failed)?)
}

static PLURALS: Kept<PluralFormat> = LazyLock::new(Mutex::default);

/// `(options, number, end of a range or nothing)`
fn plural(_env: &Env, args: &Args) -> HostResult {
    let rules = kept(&PLURALS, args.str(0)?, PluralFormat::new)?;
    let category = if args.is_none(2) {
        rules.select(args.str(1)?)
    } else {
        rules.select_range(args.str(1)?, args.str(2)?)
    };
    Ok(Val::Str(category.map_err(failed)?.to_owned()))
}

fn plural_categories(_env: &Env, args: &Args) -> HostResult {
    json(&kept(&PLURALS, args.str(0)?, PluralFormat::new)?.categories())
}

const UNITS: [&str; 8] = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];

/// `(options, number, unit, parts?)`
fn relative(_env: &Env, args: &Args) -> HostResult {
    static FORMATS: Kept<RelativeFormat> = LazyLock::new(Mutex::default);
    let format = kept(&FORMATS, args.str(0)?, RelativeFormat::new)?;
    let unit = args.str(2)?;
    let unit = UNITS.iter().find(|known| **known == unit).ok_or_else(|| {
        HostError::new(ErrorClass::RangeError, format!("Invalid unit argument for format() '{unit}'"))
    })?;
    shown(&format.parts(args.str(1)?, unit).map_err(failed)?, args.bool(3))
}

/// `(options, elements, parts?)`
fn list(_env: &Env, args: &Args) -> HostResult {
    let parts = marsh_intl::list(&read(args.str(0)?)?, &read::<Vec<String>>(args.str(1)?)?);
    shown(&parts.map_err(failed)?, args.bool(2))
}

/// `(options, code)`
fn name(_env: &Env, args: &Args) -> HostResult {
    let name = marsh_intl::name(&read(args.str(0)?)?, args.str(1)?).map_err(failed)?;
    Ok(name.map_or(Val::Undefined, Val::Str))
}

/// `(options, text, text)` to -1, 0 or 1.
fn compare(_env: &Env, args: &Args) -> HostResult {
    static ORDERS: Kept<Order> = LazyLock::new(Mutex::default);
    let order = kept(&ORDERS, args.str(0)?, Order::new)?;
    Ok(Val::Num(f64::from(order.compare(args.str(1)?, args.str(2)?) as i8)))
}

/// `(granularity, text)` to the ends of the segments, each with whether it is a word.
fn segment(_env: &Env, args: &Args) -> HostResult {
    json(&marsh_intl::segment(args.str(0)?, args.str(1)?))
}

/// `(language, upper?, text)`
fn case(_env: &Env, args: &Args) -> HostResult {
    marsh_intl::change_case(args.str(0)?, args.bool(1), args.str(2)?).map(Val::Str).map_err(failed)
}
