//! The tables of the CLDR: one file inside of the binary, of which each part is unpacked when it is first asked for.
//!
//! `cargo xtask intl-data` writes `data/locales.bin`: the length of the index (four bytes, little-endian), the index, and the
//! sections, each a JSON document in zlib. The index names for each locale its parent and where its sections lie. A
//! section holds what differs from the parent's; `null` takes a member away. Unpacked sections stay in memory, up to
//! [`KEPT`] of them.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result, data};

static BYTES: &[u8] = include_bytes!("../data/locales.bin");

/// How many sections stay unpacked; one takes some tens of kilobytes.
const KEPT: usize = 64;

#[derive(Deserialize)]
struct Entry {
    parent: Option<String>,
    sections: HashMap<String, (usize, usize)>,
}

#[derive(Deserialize)]
struct Index {
    supplement: (usize, usize),
    locales: HashMap<String, Entry>,
}

struct Tables {
    index: Index,
    body: &'static [u8],
    supplement: Value,
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut text).map_err(data)?;
    Ok(text)
}

fn section_at(body: &[u8], (offset, length): (usize, usize)) -> Result<Value> {
    let bytes = body.get(offset..offset + length).ok_or_else(|| data("a section is cut off"))?;
    serde_json::from_slice(&unpack(bytes)?).map_err(data)
}

static TABLES: LazyLock<Result<Tables>> = LazyLock::new(|| {
    let (length, rest) = BYTES.split_first_chunk::<4>().ok_or_else(|| data("no index"))?;
    let (index, body) = rest
        .split_at_checked(u32::from_le_bytes(*length) as usize)
        .ok_or_else(|| data("the index is cut off"))?;
    let index: Index = serde_json::from_slice(&unpack(index)?).map_err(data)?;
    let supplement = section_at(body, index.supplement)?;
    Ok(Tables { index, body, supplement })
});

fn tables() -> Result<&'static Tables> {
    TABLES.as_ref().map_err(Error::clone)
}

/// What does not depend on a locale.
pub(crate) fn supplement() -> Result<&'static Value> {
    Ok(&tables()?.supplement)
}

/// Whether there are data under this name.
pub(crate) fn has(locale: &str) -> Result<bool> {
    Ok(tables()?.index.locales.contains_key(locale))
}

type Kept = Mutex<HashMap<(String, &'static str), Arc<Value>>>;
static SECTIONS: LazyLock<Kept> = LazyLock::new(Kept::default);

/// A section of a locale, whole. The locale has to be one that [`has`] knows.
pub(crate) fn section(locale: &str, name: &'static str) -> Result<Arc<Value>> {
    let key = (locale.to_owned(), name);
    let mut kept = SECTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(&key) {
        return Ok(known.clone());
    }
    let tables = tables()?;
    let mut chain: Vec<&(usize, usize)> = Vec::new();
    let mut at = Some(locale);
    while let Some(locale) = at {
        let entry = tables.index.locales.get(locale).ok_or_else(|| data(format!("no locale '{locale}'")))?;
        chain.extend(entry.sections.get(name));
        at = entry.parent.as_deref();
    }
    let mut whole = Value::Null;
    for place in chain.into_iter().rev() {
        apply(&mut whole, section_at(tables.body, *place)?);
    }
    if kept.len() >= KEPT {
        kept.clear();
    }
    let whole = Arc::new(whole);
    kept.insert(key, whole.clone());
    Ok(whole)
}

fn apply(whole: &mut Value, change: Value) {
    match (whole, change) {
        (Value::Object(members), Value::Object(changes)) => {
            for (key, change) in changes {
                match change {
                    Value::Null => {
                        members.shift_remove(&key);
                    }
                    change => apply(members.entry(key).or_insert(Value::Null), change),
                }
            }
        }
        (whole, change) => *whole = change,
    }
}

/// A text in a table; empty if it is not there.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The members of an object; none of anything else.
pub(crate) fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// The form of a text for a plural category.
pub(crate) fn plural<'a>(counts: &'a Value, category: &str) -> Option<&'a str> {
    counts[category].as_str().or_else(|| counts["other"].as_str())
}
