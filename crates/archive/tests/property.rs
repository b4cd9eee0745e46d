//! Any tree round-trips. Any damage gives a result or an error, and changes nothing outside the target directory.

use std::collections::BTreeMap;

use marsh_archive::{ArchiveLimits, PackEntry, Source, pack, unpack};
use marsh_types::Digest;
use proptest::prelude::*;

mod support;

use support::{MANIFEST, Sandbox, good, gzip, hostile};

#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Insert(usize, u8),
    Delete(usize),
    Truncate(usize),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<usize>();
    let one = prop_oneof![
        4 => (at, 1..=255_u8).prop_map(|(at, with)| Damage::Flip(at, with)),
        2 => (at, any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => at.prop_map(Damage::Delete),
        1 => at.prop_map(Damage::Truncate),
    ];
    prop::collection::vec(one, 1..4)
}

fn damaged(mut bytes: Vec<u8>, all: &[Damage]) -> Vec<u8> {
    for one in all {
        let length = bytes.len();
        match *one {
            _ if length == 0 => {}
            Damage::Flip(at, with) => bytes[at % length] ^= with,
            Damage::Insert(at, byte) => bytes.insert(at % length, byte),
            Damage::Delete(at) => {
                bytes.remove(at % length);
            }
            Damage::Truncate(at) => bytes.truncate(at % length),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn pack_and_unpack_of_any_tree_round_trips(
        tree in prop::collection::btree_map(
            "(models|files|skills/[a-c]{1,3})/[d-f]{1,2}[ü0-9_-]{0,120}\\.(ts|md)",
            prop::collection::vec(any::<u8>(), 0..2000),
            0..12,
        ),
    ) {
        let mut tree: BTreeMap<String, Vec<u8>> = tree;
        tree.insert("manifest.yaml".into(), MANIFEST.as_bytes().to_vec());
        let entries = tree.iter().map(|(path, content)| PackEntry {
            path: path.parse().unwrap(),
            source: Source::Bytes(content.clone()),
            executable: false,
        });
        let mut archive = Vec::new();
        pack(entries.collect(), &mut archive).unwrap();
        let target = tempfile::tempdir().unwrap();
        let unpacked = unpack(archive.as_slice(), target.path(), &ArchiveLimits::default()).unwrap();
        prop_assert_eq!(unpacked.files.len(), tree.len());
        for file in &unpacked.files {
            let content = std::fs::read(file.path.below(target.path())).unwrap();
            prop_assert_eq!(Some(&content), tree.get(file.path.as_str()));
            prop_assert_eq!(file.sha256, Digest::of(&content));
        }
    }

    #[test]
    fn unpack_of_a_damaged_tar_changes_nothing_outside(all in damage()) {
        let archive = gzip(&damaged(good().end(), &all));
        let outcome = Sandbox::new().unwrap().unpack(&archive, &ArchiveLimits::default()).unwrap();
        marsh_types::ignore(outcome, "the sandbox checks what changed, whatever the outcome");
    }

    #[test]
    fn unpack_of_a_damaged_hostile_tar_changes_nothing_outside(all in damage(), which in any::<usize>()) {
        let mut tars = hostile();
        let (_, raw, _) = tars.swap_remove(which % tars.len());
        let archive = gzip(&damaged(raw, &all));
        let outcome = Sandbox::new().unwrap().unpack(&archive, &ArchiveLimits::default()).unwrap();
        marsh_types::ignore(outcome, "the sandbox checks what changed, whatever the outcome");
    }

    /// The checksum of gzip covers all bytes: a damaged stream is refused, or gives the files that were packed.
    #[test]
    fn unpack_of_a_damaged_gzip_stream_never_gives_other_files(all in damage()) {
        let archive = gzip(&good().end());
        let outcome = Sandbox::new().unwrap().unpack(&damaged(archive, &all), &ArchiveLimits::default()).unwrap();
        if let Ok(unpacked) = outcome {
            let digests: Vec<Digest> = unpacked.files.iter().map(|file| file.sha256).collect();
            let expected = [&b"#!/bin/sh\n"[..], MANIFEST.as_bytes(), b"export {};\n"].map(Digest::of);
            prop_assert_eq!(digests, expected);
        }
    }
}
