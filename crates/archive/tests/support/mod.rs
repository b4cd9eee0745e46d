//! Tar archives written by hand, because a library refuses to write hostile ones, and a directory to unpack them in that
//! detects changes around it.

use std::io::Write;
use std::path::{Path, PathBuf};

use marsh_archive::{ArchiveError, ArchiveLimits, Unpacked, unpack};

pub const MANIFEST: &str =
    "manifestVersion: 1\nname: \"@acme/net\"\nversion: 2026.01.02.1\nmodels: [m.ts]\nbinaries: [tool]\n";

/// A raw tar.
#[derive(Clone, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    /// Adds an entry of any type with this header and a right checksum.
    pub fn raw(mut self, kind: u8, name: &[u8], link: &[u8], size: u64, content: &[u8]) -> Tar {
        let mut block = [0_u8; 512];
        let cut = name.len().min(100);
        block[..cut].copy_from_slice(&name[..cut]);
        block[100..108].copy_from_slice(b"0000777\0");
        block[108..116].copy_from_slice(b"0000000\0");
        block[116..124].copy_from_slice(b"0000000\0");
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[136..148].copy_from_slice(b"00000000000\0");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        fix_checksum(&mut block);
        self.0.extend_from_slice(&block);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn entry(self, kind: u8, name: &str, content: &[u8]) -> Tar {
        self.raw(kind, name.as_bytes(), b"", content.len() as u64, content)
    }

    pub fn file(self, name: &str) -> Tar {
        self.entry(b'0', name, b"content")
    }

    pub fn link(self, kind: u8, name: &str, target: &str) -> Tar {
        self.raw(kind, name.as_bytes(), target.as_bytes(), 0, b"")
    }

    /// Adds a PAX header for the next entry.
    pub fn pax(self, key: &str, value: &str) -> Tar {
        self.entry(b'x', "PaxHeader", record(key, value).as_bytes())
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let length = (rest.len()..).find(|length| *length == rest.len() + length.to_string().len());
    format!("{}{rest}", length.unwrap_or_default())
}

pub fn fix_checksum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub fn gzip(raw: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory cannot fail.
    out.write_all(raw).and_then(|()| out.finish()).unwrap_or_default()
}

/// A valid archive, to which tests add entries.
pub fn good() -> Tar {
    Tar::default()
        .entry(b'5', "extension/", b"")
        .entry(b'0', "extension/manifest.yaml", MANIFEST.as_bytes())
        .entry(b'5', "extension/models/", b"")
        .entry(b'0', "extension/models/m.ts", b"export {};\n")
        .entry(b'0', "extension/files/tool", b"#!/bin/sh\n")
}

/// Hostile archives: a name, the raw tar, and the error code.
pub fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let long = "n".repeat(256);
    let path = format!("extension/{}x", "d2345678/".repeat(120));
    let deep = format!("extension/{}x", "d/".repeat(40));
    let big = format!("{MANIFEST}# {}\n", "x".repeat(1 << 20));
    let bare = || Tar::default().entry(b'5', "extension/", b"");
    let manifest = |text: &str| bare().entry(b'0', "extension/manifest.yaml", text.as_bytes()).end();
    let mut bad_sum = good().end();
    bad_sum[600] ^= 1;
    let mut no_number = good().end();
    no_number[512 + 124..512 + 136].copy_from_slice(b"not a number");
    fix_checksum(&mut no_number[512..1024]);
    let mut after = good().end();
    after.extend_from_slice(b"more");
    let mut second = good().end();
    second.extend_from_slice(&good().end());
    let hidden = b"extension/a\0/../../x";
    let (dup, bad, link) = ("archive_duplicate_entry", "archive_bad_name", "archive_link");
    let (climbs, twice, device) = ("archive_traversal", "archive_file_and_directory", "archive_device");
    let (case, manifests) = ("archive_case_collision", "archive_bad_manifest");
    let (outside, corrupt, large) = ("archive_outside_top", "archive_corrupt", "archive_too_large");
    vec![
        ("climbs", good().file("../x").end(), climbs),
        ("climbs twice", good().file("extension/../../x").end(), climbs),
        ("climbs later", good().file("extension/a/../../b").end(), climbs),
        ("climbs by backslash", good().file("extension\\..\\..\\x").end(), climbs),
        ("climbs by a mixture", good().file("extension/a\\..\\../x").end(), climbs),
        ("climbs by PAX", good().pax("path", "extension/../../x").file("extension/a").end(), climbs),
        ("climbs by GNU name", good().entry(b'L', "L", b"../../x\0").file("extension/a").end(), climbs),
        ("directory climbs", good().entry(b'5', "extension/../../x/", b"").end(), climbs),
        ("absolute", good().file("/tmp/x").end(), "archive_absolute_path"),
        ("absolute by PAX", good().pax("path", "/x").file("extension/a").end(), "archive_absolute_path"),
        ("backslash", good().file("extension/a\\b").end(), bad),
        ("drive letter", good().file("C:/x").end(), bad),
        ("drive letter below", good().file("extension/C:/x").end(), bad),
        ("symlink, absolute", good().link(b'2', "extension/l", "/etc/passwd").end(), link),
        ("symlink, relative", good().link(b'2', "extension/l", "../../x").end(), link),
        ("symlink to inside", good().link(b'2', "extension/l", "manifest.yaml").end(), link),
        (
            "symlink, then through it",
            good().link(b'2', "extension/l", "..").file("extension/l/x").end(),
            link,
        ),
        ("hard link", good().link(b'1', "extension/l", "extension/manifest.yaml").end(), link),
        ("long link", good().entry(b'K', "K", b"/x\0").link(b'2', "extension/l", "/x").end(), link),
        ("character device", good().entry(b'3', "extension/d", b"").end(), device),
        ("block device", good().entry(b'4', "extension/d", b"").end(), device),
        ("pipe", good().entry(b'6', "extension/d", b"").end(), device),
        ("GNU sparse", good().entry(b'S', "extension/d", b"").end(), device),
        ("PAX sparse", good().pax("GNU.sparse.major", "1").file("extension/d").end(), device),
        ("unknown type", good().entry(b'V', "extension/d", b"").end(), device),
        ("duplicate file", good().file("extension/a").file("extension/a").end(), dup),
        ("duplicate, spelled otherwise", good().file("extension/a").file("extension/./a").end(), dup),
        ("duplicate manifest", good().entry(b'0', "extension/manifest.yaml", MANIFEST.as_bytes()).end(), dup),
        ("files differ by case", good().file("extension/a").file("extension/A").end(), case),
        ("directories differ by case", good().file("extension/a/x").file("extension/A/y").end(), case),
        ("long s", good().file("extension/\u{17f}").file("extension/s").end(), case),
        ("manifest of another case", good().file("extension/Manifest.yaml").end(), case),
        ("file, then directory", good().file("extension/a").file("extension/a/b").end(), twice),
        (
            "file, then named directory",
            good().file("extension/a").entry(b'5', "extension/a/", b"").end(),
            twice,
        ),
        ("directory, then file", good().file("extension/a/b").file("extension/a").end(), twice),
        ("NUL in the name", good().raw(b'0', hidden, b"", 0, b"").end(), bad),
        ("NUL by PAX", good().pax("path", "extension/a\0b").file("extension/a").end(), bad),
        ("control character", good().file("extension/a\x1bb").end(), bad),
        ("line feed", good().file("extension/a\nb").end(), bad),
        ("not UTF-8", good().raw(b'0', b"extension/\xff", b"", 0, b"").end(), bad),
        ("file with a slash at the end", good().file("extension/a/").end(), bad),
        ("name too long", good().pax("path", &format!("extension/{long}")).file("extension/a").end(), bad),
        ("path too long", good().pax("path", &path).file("extension/a").end(), bad),
        ("too deep", good().file(&deep).end(), bad),
        ("CON", good().file("extension/CON").end(), bad),
        ("nul.txt", good().file("extension/nul.txt").end(), bad),
        ("com1 as directory", good().file("extension/com1/x").end(), bad),
        ("CON with a space", good().file("extension/con .txt").end(), bad),
        ("dot at the end", good().file("extension/a.").end(), bad),
        ("space at the end", good().file("extension/a ").end(), bad),
        ("beside the top", good().file("other/x").end(), outside),
        ("above the top", good().file("x").end(), outside),
        ("the top as file", Tar::default().file("extension").end(), outside),
        ("several tops", good().entry(b'5', "other/", b"").end(), outside),
        ("no manifest", bare().file("extension/a").end(), "archive_no_manifest"),
        ("nothing", Tar::default().end(), "archive_no_manifest"),
        (
            "manifest is a directory",
            bare().entry(b'5', "extension/manifest.yaml/", b"").end(),
            "archive_no_manifest",
        ),
        ("manifest: not YAML", manifest("a: [\n"), manifests),
        ("manifest: not a map", manifest("- 1\n"), manifests),
        ("manifest: no version", manifest("name: x\n"), manifests),
        ("manifest: another version", manifest("manifestVersion: 2\n"), manifests),
        ("manifest: not valid", manifest("manifestVersion: 1\nname: 7\n"), manifests),
        ("manifest: climbs", manifest(&MANIFEST.replace("m.ts", "../m.ts")), manifests),
        ("manifest: not UTF-8", bare().entry(b'0', "extension/manifest.yaml", b"\xff\xfe").end(), corrupt),
        ("manifest: too large", manifest(&big), large),
        ("checksum of a header", bad_sum, corrupt),
        ("size is not a number", no_number, corrupt),
        ("size too large", good().raw(b'0', b"extension/a", b"", 900_000, b"content").end(), corrupt),
        ("size beyond all", good().raw(b'0', b"extension/a", b"", 0o77_777_777_777, b"content").end(), large),
        ("size too small", good().raw(b'0', b"extension/a", b"", 1, &[b'x'; 600]).end(), corrupt),
        ("two sizes", good().pax("size", "1").file("extension/a").end(), corrupt),
        ("size of a directory", good().entry(b'5', "extension/a/", &[0; 512]).end(), corrupt),
        (
            "global name",
            good().entry(b'g', "g", record("path", "extension/b").as_bytes()).file("extension/a").end(),
            corrupt,
        ),
        (
            "two PAX headers",
            good().pax("path", "extension/a").pax("path", "extension/b").file("extension/a").end(),
            corrupt,
        ),
        ("damaged PAX header", good().entry(b'x', "x", b"99999 path=x\n").file("extension/a").end(), corrupt),
        ("PAX header of nothing", good().pax("path", "extension/a").end(), corrupt),
        ("long PAX header", good().pax("comment", &"x".repeat(70_000)).file("extension/a").end(), large),
        ("endless PAX header", good().raw(b'x', b"x", b"", 1 << 32, b"").end(), large),
        ("something after the end", after, corrupt),
        ("a second tar after the end", second, corrupt),
        ("no end mark", good().0, corrupt),
    ]
}

/// A directory to unpack into, with files around it that must not change.
pub struct Sandbox {
    root: tempfile::TempDir,
}

impl Sandbox {
    pub fn new() -> std::io::Result<Sandbox> {
        let root = tempfile::tempdir()?;
        let failed = std::io::Error::other;
        for near in ["x", "a/b", "a/x", "a/b2/x", "a/extension/manifest.yaml"] {
            let near = root.path().join(near);
            if let Some(parent) = near.parent() {
                marsh_fs::create_dir_all(parent).map_err(failed)?;
            }
            if !near.ends_with("b") {
                marsh_fs::atomic_write(&near, b"sentinel", marsh_fs::Durability::Atomic).map_err(failed)?;
            }
        }
        Ok(Sandbox { root })
    }

    /// Unpacks, checks that nothing around the target changed and that the target is within the limits, and empties it.
    pub fn unpack(
        &self,
        archive: &[u8],
        limits: &ArchiveLimits,
    ) -> std::io::Result<Result<Unpacked, ArchiveError>> {
        let target = self.root.path().join("a/b/target");
        marsh_fs::create_dir_all(&target).map_err(std::io::Error::other)?;
        let before = tree(self.root.path(), &target)?;
        let outcome = unpack(archive, &target, limits);
        assert_eq!(before, tree(self.root.path(), &target)?, "something around the target changed");
        let inside = tree(&target, Path::new(""))?;
        let bytes: u64 =
            inside.iter().map(|(_, content)| content.as_ref().map_or(0, |c| c.len() as u64)).sum();
        assert!(bytes <= limits.unpacked_bytes, "{bytes} bytes were unpacked");
        assert!(inside.len() as u64 <= limits.entries, "{} entries were made", inside.len());
        if let Ok(unpacked) = &outcome {
            assert_eq!(unpacked.unpacked_bytes, bytes);
            assert_eq!(unpacked.files.len(), inside.iter().filter(|(_, content)| content.is_some()).count());
        }
        marsh_fs::remove_tree(&target).map_err(std::io::Error::other)?;
        Ok(outcome)
    }
}

type Tree = Vec<(PathBuf, Option<Vec<u8>>)>;

/// Everything below `dir` except `skip`, with the content of files. Fails at a link.
fn tree(dir: &Path, skip: &Path) -> std::io::Result<Tree> {
    let mut found = Tree::new();
    for entry in std::fs::read_dir(dir)? {
        let (path, kind) = {
            let entry = entry?;
            (entry.path(), entry.file_type()?)
        };
        assert!(kind.is_dir() || kind.is_file(), "{path:?} is neither file nor directory");
        if path == skip {
            continue;
        }
        if kind.is_dir() {
            found.push((path.clone(), None));
            found.append(&mut tree(&path, skip)?);
        } else {
            found.push((path.clone(), Some(std::fs::read(&path)?)));
        }
    }
    found.sort();
    Ok(found)
}
