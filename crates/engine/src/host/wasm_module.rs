//! Modules as the machine takes them: a memory that the module defines becomes an import, because the machine's own would
//! move as it grows, and its start function an export, because it may call JavaScript.
//!
//! Numbers of functions, tables and globals stay, so only four sections change. What is malformed is left to the machine's
//! validation.

/// The module of the import that stands for a module's own memory.
pub(crate) const OWN_MEMORY: &str = "\u{1}memory";
/// The name of the export that stands for a module's start function.
pub(crate) const OWN_START: &str = "\u{1}start";

const HEADER: usize = 8;
const IMPORT: u8 = 2;
const MEMORY: u8 = 5;
const EXPORT: u8 = 7;
const START: u8 = 8;

const MALFORMED: &str = "the module is malformed";

/// Where a section stands among the others; the section of data counts comes before the code.
const fn rank(id: u8) -> u8 {
    match id {
        12 => 95,
        10 => 100,
        11 => 110,
        13 => 55,
        id => id * 10,
    }
}

/// A number of at most 32 bits at the start of `bytes`, and what follows.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, &bytes[at + 1..]));
        }
    }
    None
}

fn put(out: &mut Vec<u8>, mut value: u32) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    put(out, u32::try_from(name.len()).unwrap_or(0));
    out.extend_from_slice(name.as_bytes());
}

/// The section `id` with one entry more at its end.
fn with_entry(section: Option<&[u8]>, entry: &[u8]) -> Option<Vec<u8>> {
    let (count, rest) = match section {
        Some(payload) => number(payload)?,
        None => (0, &[][..]),
    };
    let mut out = Vec::new();
    put(&mut out, count.checked_add(1)?);
    out.extend_from_slice(rest);
    out.extend_from_slice(entry);
    Some(out)
}

/// The module with its memory imported and its start function exported; the same bytes where it has neither.
pub(crate) fn prepared(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let sections = sections(bytes).ok_or(MALFORMED)?;
    let find = |id: u8| sections.iter().find(|(one, _)| *one == id).map(|(_, payload)| *payload);
    let memory = match find(MEMORY).map(number) {
        Some(Some((1, limits))) => Some(limits),
        Some(Some((0, _))) | None => None,
        Some(Some(_)) => return Err("a module has one memory at most"),
        Some(None) => return Err(MALFORMED),
    };
    let start = find(START);
    if memory.is_none() && start.is_none() {
        return Ok(bytes.to_vec());
    }
    let mut changed: Vec<(u8, Vec<u8>)> = Vec::new();
    if let Some(limits) = memory {
        let mut entry = Vec::new();
        put_name(&mut entry, OWN_MEMORY);
        put_name(&mut entry, "memory");
        entry.push(2);
        entry.extend_from_slice(limits);
        changed.push((IMPORT, with_entry(find(IMPORT), &entry).ok_or(MALFORMED)?));
    }
    if let Some(function) = start {
        let mut entry = Vec::new();
        put_name(&mut entry, OWN_START);
        entry.push(0);
        entry.extend_from_slice(function);
        changed.push((EXPORT, with_entry(find(EXPORT), &entry).ok_or(MALFORMED)?));
    }
    let mut out = bytes[..HEADER].to_vec();
    let write = |out: &mut Vec<u8>, id: u8, payload: &[u8]| -> Option<()> {
        out.push(id);
        put(out, u32::try_from(payload.len()).ok()?);
        out.extend_from_slice(payload);
        Some(())
    };
    let mut changed = changed.into_iter().peekable();
    for (id, payload) in &sections {
        // What is new goes before the first section that comes after it.
        while let Some((new, own)) = changed.next_if(|(new, _)| *id != 0 && rank(*new) < rank(*id)) {
            write(&mut out, new, &own).ok_or(MALFORMED)?;
        }
        if let Some((new, own)) = changed.next_if(|(new, _)| new == id) {
            write(&mut out, new, &own).ok_or(MALFORMED)?;
        } else if !(*id == START || (*id == MEMORY && memory.is_some())) {
            write(&mut out, *id, payload).ok_or(MALFORMED)?;
        }
    }
    for (new, own) in changed {
        write(&mut out, new, &own).ok_or(MALFORMED)?;
    }
    Ok(out)
}

/// The names that a module exports, in its order.
pub(crate) fn exports(bytes: &[u8]) -> Option<Vec<String>> {
    let sections = sections(bytes)?;
    let Some((_, payload)) = sections.iter().find(|(id, _)| *id == EXPORT) else { return Some(Vec::new()) };
    let (count, mut rest) = number(payload)?;
    let mut names = Vec::new();
    for _ in 0..count {
        let (length, after) = number(rest)?;
        let (name, after) = after.split_at_checked(length as usize)?;
        names.push(String::from_utf8(name.to_vec()).ok()?);
        // Its kind and its number.
        rest = number(after.get(1..)?)?.1;
    }
    Some(names)
}

/// Number and content of each section.
fn sections(bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    if !bytes.starts_with(b"\0asm\x01\0\0\0") {
        return None;
    }
    let mut rest = bytes.get(HEADER..)?;
    let mut found = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        let (size, after) = number(after)?;
        let (payload, after) = after.split_at_checked(size as usize)?;
        found.push((*id, payload));
        rest = after;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn a_memory_becomes_an_import_and_a_start_function_an_export() {
        // A type, a function, a memory of one page, a start function, code.
        let module =
            [HEAD, &[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 8, 1, 0, 10, 4, 1, 2, 0, 0x0b]].concat();
        let made = prepared(&module).unwrap();
        let ids: Vec<u8> = sections(&made).unwrap().iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [1, 2, 3, 7, 10]);
        let shown = String::from_utf8_lossy(&made).into_owned();
        assert!(shown.contains(OWN_MEMORY) && shown.contains(OWN_START));
    }

    #[test]
    fn other_modules_stay_and_malformed_ones_are_refused() {
        assert_eq!(prepared(HEAD).unwrap(), HEAD);
        for bad in [&b"wasm"[..], b"\0asm\x02\0\0\0", b"\0asm\x01\0\0\0\x01\xff"] {
            assert_eq!(prepared(bad), Err(MALFORMED));
        }
    }
}
