//! Hostile archives are refused with their error codes, and nothing outside the target directory changes.

use std::io::Read;

use flate2::{Compress, Compression, FlushCompress};
use marsh_archive::{ArchiveError, ArchiveLimits, read_manifest};
use marsh_types::Explain;

mod support;

use support::{Sandbox, good, gzip, hostile};

fn code<T>(outcome: &Result<T, ArchiveError>) -> &'static str {
    outcome.as_ref().err().map_or("unpacked", |error| error.code().as_str())
}

#[test]
fn hostile_archives_are_refused_with_their_codes() {
    let sandbox = Sandbox::new().unwrap();
    let mut wrong = Vec::new();
    for (what, raw, expected) in hostile() {
        let archive = gzip(&raw);
        let got = sandbox.unpack(&archive, &ArchiveLimits::default()).unwrap();
        let read = read_manifest(archive.as_slice(), &ArchiveLimits::default());
        if code(&got) != expected || code(&read) != expected {
            wrong.push(format!("{what}: {expected}, got {got:?} and {read:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn harmless_unusual_archive_is_unpacked() {
    let raw = good()
        .file("extension/files/v1..2.md")
        .file("extension/._x")
        .file("extension/PaxHeader/x")
        .entry(b'g', "pax_global_header", b"17 comment=abcde\n")
        .pax("mtime", "1.5")
        .entry(b'L', "L", b"extension/files/long\0")
        .file("extension/cut")
        .end();
    let unpacked = Sandbox::new().unwrap().unpack(&gzip(&raw), &ArchiveLimits::default()).unwrap().unwrap();
    let paths: Vec<&str> = unpacked.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["files/long", "files/tool", "files/v1..2.md", "manifest.yaml", "models/m.ts"]);
}

#[test]
fn tar_cut_at_any_block_is_damaged() {
    let sandbox = Sandbox::new().unwrap();
    let raw = good().end();
    for length in (0..raw.len()).step_by(512).chain([1, 700, raw.len() - 1]) {
        let got = sandbox.unpack(&gzip(&raw[..length]), &ArchiveLimits::default()).unwrap();
        assert_eq!(code(&got), "archive_corrupt", "{length} of {}: {got:?}", raw.len());
    }
    assert!(sandbox.unpack(&gzip(&raw), &ArchiveLimits::default()).unwrap().is_ok());
}

#[test]
fn gzip_stream_cut_or_continued_is_damaged() {
    let sandbox = Sandbox::new().unwrap();
    let archive = gzip(&good().end());
    let mut sum = archive.clone();
    let at = sum.len() - 6;
    sum[at] ^= 1;
    let longer = [&archive[..], b"garbage"].concat();
    let zeros = [&archive[..], &[0; 512][..]].concat();
    let twice = [&archive[..], &archive[..]].concat();
    let plain = good().end();
    let mut all: Vec<&[u8]> = vec![b"", b"PK\x03\x04 no gzip", &plain, &sum, &longer, &zeros, &twice];
    all.extend((1..archive.len()).map(|length| &archive[..length]));
    for bytes in all {
        let got = sandbox.unpack(bytes, &ArchiveLimits::default()).unwrap();
        assert_eq!(code(&got), "archive_corrupt", "{} of {}: {got:?}", bytes.len(), archive.len());
    }
}

#[test]
fn unpack_beyond_each_limit_fails_with_its_code() {
    let sandbox = Sandbox::new().unwrap();
    let limits = ArchiveLimits {
        archive_bytes: 8 << 10,
        unpacked_bytes: 8 << 10,
        file_bytes: 4 << 10,
        entries: 12,
        depth: 6,
    };
    let many = |count: usize, bytes: usize| {
        (0..count).fold(good(), |tar, n| tar.entry(b'0', &format!("extension/f{n}"), &vec![0; bytes])).end()
    };
    let pax = (0..40).fold(good(), |tar, n| tar.pax("path", &format!("extension/f{n}")).file("extension/a"));
    let records = (0..3)
        .fold(good(), |tar, n| tar.pax("comment", &"x".repeat(60_000)).file(&format!("extension/f{n}")));
    let implied = (0..3).fold(good(), |tar, n| tar.file(&format!("extension/{n}/a/b/c/d")));
    for (what, raw, expected) in [
        ("one file", many(1, (4 << 10) + 1), "archive_too_large"),
        ("all files", many(3, 4 << 10), "archive_bomb"),
        ("entries", many(12, 0), "archive_too_many_entries"),
        ("headers of entries", pax.end(), "archive_too_many_entries"),
        ("records of headers", records.end(), "archive_bomb"),
        ("directories that no entry names", implied.end(), "archive_too_many_entries"),
        ("depth", good().file("extension/a/b/c/d/e/f").end(), "archive_bad_name"),
        ("padding", [good().end(), vec![0; 1 << 20]].concat(), "archive_bomb"),
    ] {
        let got = sandbox.unpack(&gzip(&raw), &limits).unwrap();
        assert_eq!(code(&got), expected, "{what}: {got:?}");
    }
    assert!(sandbox.unpack(&gzip(&many(1, 4 << 10)), &limits).unwrap().is_ok());
    let archive = gzip(&many(1, 100));
    let limits = ArchiveLimits { archive_bytes: archive.len() as u64, ..limits };
    assert!(sandbox.unpack(&archive, &limits).unwrap().is_ok());
    for less in [1, 10, 200] {
        let limits = ArchiveLimits { archive_bytes: limits.archive_bytes - less, ..limits };
        let got = sandbox.unpack(&archive, &limits).unwrap();
        assert_eq!(code(&got), "archive_too_large", "{got:?}");
    }
}

/// A reader that counts the bytes it returns.
struct Metered<'a, R>(R, &'a mut u64);

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buffer)?;
        *self.1 += count as u64;
        Ok(count)
    }
}

/// A gzip stream of these bytes and a gibibyte of zeros, without its end. After a full flush the same input gives the same
/// output, so one mebibyte is compressed and repeated.
fn before_a_gibibyte(head: &[u8]) -> Result<Vec<u8>, flate2::CompressError> {
    let mut deflate = Compress::new(Compression::fast(), false);
    let mut flushed = |bytes: &[u8]| {
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        deflate.compress_vec(bytes, &mut out, FlushCompress::Full)?;
        assert!(out.len() < out.capacity());
        Ok(out)
    };
    let mut archive = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    archive.extend(flushed(head)?);
    let zeros = flushed(&vec![0; 1 << 20])?;
    archive.extend(zeros.repeat(1024));
    Ok(archive)
}

#[test]
fn unpack_of_a_gibibyte_stops_before_reading_half_of_it() {
    // A gibibyte of zeros in one file, in an ignored file, in padding, and in the header of an entry.
    let zeros = 1_u64 << 30;
    let limits = ArchiveLimits {
        unpacked_bytes: 2 << 20,
        file_bytes: 2 << 30,
        entries: 100,
        ..ArchiveLimits::default()
    };
    for (what, head, expected) in [
        ("file", good().raw(b'0', b"extension/a", b"", zeros, b"").0, "archive_bomb"),
        ("ignored", good().raw(b'0', b"extension/._a", b"", zeros, b"").0, "archive_bomb"),
        ("padding", good().0, "archive_bomb"),
        ("header", good().raw(b'x', b"x", b"", zeros, b"").0, "archive_too_large"),
    ] {
        let archive = before_a_gibibyte(&head).unwrap();
        let mut read = 0;
        let got = read_manifest(Metered(archive.as_slice(), &mut read), &limits);
        assert_eq!(code(&got), expected, "{what}: {got:?}");
        assert!(read < archive.len() as u64 / 2, "{what}: {read} of {} bytes were read", archive.len());
    }
}

/// Empty blocks without end: valid deflate that unpacks to nothing, so only the limit on the archive's size can stop it.
struct Endless {
    head: Vec<u8>,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        const EMPTY: [u8; 5] = [0, 0, 0, 0xff, 0xff];
        for byte in buffer.iter_mut() {
            let beyond = self.at.saturating_sub(self.head.len());
            *byte = self.head.get(self.at).copied().unwrap_or(EMPTY[beyond % EMPTY.len()]);
            self.at += 1;
        }
        Ok(buffer.len())
    }
}

#[test]
fn endless_archive_is_refused_at_the_size_limit() {
    const LIMIT: u64 = 1 << 20;
    let limits = ArchiveLimits { archive_bytes: LIMIT, ..ArchiveLimits::default() };
    let mut read = 0;
    let endless = Endless { head: b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec(), at: 0 };
    let got = read_manifest(Metered(endless, &mut read), &limits);
    assert_eq!(code(&got), "archive_too_large", "{got:?}");
    assert!((LIMIT..LIMIT + (64 << 10)).contains(&read), "{read} bytes were read");
}
