//! Unpacking gives the packed files, and the same files give the same bytes.

use std::os::unix::fs::PermissionsExt;

use marsh_archive::{
    ArchiveLimits, PackEntry, Source, digest_dir, files_checksum, pack, read_manifest, unpack,
};
use marsh_types::{Digest, Explain, RelPath};

const MANIFEST: &str =
    "manifestVersion: 1\nname: \"@acme/net\"\nversion: 2026.01.02.1\nmodels: [m.ts]\nbinaries: [tool]\n";

fn entry(path: &str, content: &str) -> PackEntry {
    let parsed = RelPath::parse(path);
    let Ok(parsed) = parsed else { panic!("{parsed:?}") };
    PackEntry {
        path: parsed,
        source: Source::Bytes(content.as_bytes().to_vec()),
        executable: path == "files/tool",
    }
}

fn packed(entries: Vec<PackEntry>) -> Vec<u8> {
    let mut archive = Vec::new();
    let said = pack(entries, &mut archive).map(|said| (said.sha256, said.bytes));
    assert!(matches!(said, Ok(said) if said == (Digest::of(&archive), archive.len() as u64)), "{said:?}");
    archive
}

#[test]
fn unpack_of_a_packed_archive_gives_the_same_files() {
    let long = format!("files/{}/{}.md", "directory-".repeat(20), "ü".repeat(100));
    let contents = [
        ("manifest.yaml", MANIFEST),
        ("models/m.ts", "export {};\n"),
        ("files/tool", "#!/bin/sh\n"),
        ("files/empty", ""),
        (long.as_str(), "long"),
    ];
    let archive = packed(contents.iter().map(|(path, content)| entry(path, content)).collect());
    let target = tempfile::tempdir().unwrap();
    let unpacked = unpack(archive.as_slice(), target.path(), &ArchiveLimits::default()).unwrap();
    assert_eq!(unpacked.files.len(), contents.len());
    assert_eq!(
        unpacked.unpacked_bytes,
        contents.iter().map(|(_, content)| content.len() as u64).sum::<u64>()
    );
    for (path, content) in contents {
        let there = target.path().join(path);
        assert_eq!(std::fs::read_to_string(&there).unwrap(), content);
        let mode = std::fs::metadata(&there).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, if path == "files/tool" { 0o555 } else { 0o444 }, "{path}");
        let file = unpacked.files.iter().find(|file| file.path.as_str() == path).unwrap();
        assert_eq!((file.bytes, file.sha256), (content.len() as u64, Digest::of(content.as_bytes())));
        assert_eq!(file.executable, path == "files/tool");
    }
    assert_eq!(digest_dir(target.path()).unwrap(), Some(unpacked.files_checksum));
    assert_eq!(read_manifest(archive.as_slice(), &ArchiveLimits::default()).unwrap(), unpacked.manifest);
}

#[test]
fn pack_of_the_same_files_gives_the_same_bytes() {
    let files = || vec![entry("manifest.yaml", MANIFEST), entry("models/m.ts", "x"), entry("files/a/b", "y")];
    let mut reversed = files();
    reversed.reverse();
    assert_eq!(packed(files()), packed(files()));
    assert_eq!(packed(files()), packed(reversed));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.ts");
    marsh_fs::atomic_write(&file, b"x", marsh_fs::Durability::Atomic).unwrap();
    let mut from_disk = files();
    from_disk[1].source = Source::File(file);
    assert_eq!(packed(files()), packed(from_disk));
}

#[test]
fn pack_of_a_path_that_unpack_refuses_fails() {
    let deep = "d/".repeat(40) + "x";
    for (paths, code) in [
        (vec!["a", "a"], "archive_duplicate_entry"),
        (vec!["a", "A"], "archive_case_collision"),
        (vec!["a", "a/b"], "archive_file_and_directory"),
        (vec!["models"], "archive_file_and_directory"),
        (vec!["files/nul.txt"], "archive_bad_name"),
        (vec![deep.as_str()], "archive_bad_name"),
    ] {
        let entries = paths.iter().map(|path| entry(path, "x")).collect();
        assert_eq!(pack(entries, Vec::new()).unwrap_err().code().as_str(), code, "{paths:?}");
    }
}

#[test]
fn pack_of_an_ignored_file_leaves_it_out() {
    let files = || vec![entry("manifest.yaml", MANIFEST), entry("models/m.ts", "x")];
    let mut more = files();
    more.push(entry("models/._m.ts", "attributes"));
    assert_eq!(packed(files()), packed(more));
}

#[test]
fn files_checksum_equals_the_one_of_other_implementations() {
    let expected = "6f06426d3ba7865d9e1f1e5a02023c848506e9be43039004eaab992681a3f2cb";
    let files = [("models/m.ts", "export {};\n"), ("manifest.yaml", "name: x\n")];
    let known: Vec<(RelPath, Digest)> =
        files.iter().map(|(path, content)| (path.parse().unwrap(), Digest::of(content.as_bytes()))).collect();
    assert_eq!(files_checksum(known.iter().map(|(path, digest)| (path, digest))).to_hex(), expected);
    let dir = tempfile::tempdir().unwrap();
    marsh_fs::create_dir_all(&dir.path().join("models")).unwrap();
    for (path, content) in files.into_iter().chain([("models/._m.ts", "not counted")]) {
        let file = dir.path().join(path);
        marsh_fs::atomic_write(&file, content.as_bytes(), marsh_fs::Durability::Atomic).unwrap();
    }
    assert_eq!(digest_dir(dir.path()).unwrap().unwrap().to_hex(), expected);
    assert_eq!(digest_dir(&dir.path().join("absent")).unwrap(), None);
}
