//! A check of a repository's installed set, which reads the disk and uses no code of marsh.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A file's identity and content. If two readings are equal, no process replaced the file in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) bytes: Vec<u8>,
    identity: Option<(u64, SystemTime)>,
}

/// Reads a file; `None` if it is missing.
pub(crate) fn sight(path: &Path) -> Sighting {
    use std::io::Read as _;
    let Ok(mut file) = std::fs::File::open(path) else {
        return Sighting { bytes: Vec::new(), identity: None };
    };
    let metadata = file.metadata().expect("an open file has metadata");
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("an open file can be read");
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    Sighting { bytes, identity: Some((inode, metadata.modified().expect("there are clocks"))) }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a string takes it");
    }
    text
}

/// Where things are in a repository.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) lockfile: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) views: PathBuf,
    pub(crate) stamps: PathBuf,
    pub(crate) generations: PathBuf,
    pub(crate) skills: PathBuf,
}

impl Places {
    pub(crate) fn of(repo: &Path) -> Places {
        let state = repo.join(".swamp");
        Places {
            lockfile: repo.join("extensions/models/upstream_extensions.json"),
            store: state.join("marsh/store/v1"),
            views: state.join("pulled-extensions"),
            stamps: state.join("marsh/views"),
            generations: state.join("marsh/generations"),
            skills: repo.join(".claude/skills"),
        }
    }
}

/// An entry of the lockfile: version and checksum.
type Locked = BTreeMap<String, (String, String)>;

pub(crate) fn parse_lockfile(bytes: &[u8]) -> Result<Locked, String> {
    if bytes.is_empty() {
        return Ok(Locked::new());
    }
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("the lockfile does not parse: {error}"))?;
    let map = value.as_object().ok_or("expected a lockfile with an object")?;
    let mut locked = Locked::new();
    for (name, entry) in map {
        let text = |key: &str| {
            entry[key]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| format!("the lockfile's {name} has no {key}"))
        };
        locked.insert(name.clone(), (text("version")?, text("checksum")?));
    }
    Ok(locked)
}

/// The problems of the tree of an installed extension: its record, its files, their digests.
fn check_tree(places: &Places, name: &str, version: &str, checksum: &str, wrong: &mut Vec<String>) {
    let dir = places.store.join(checksum);
    let record = match std::fs::read(dir.join("entry.json")) {
        Ok(bytes) => bytes,
        Err(error) => return wrong.push(format!("{name}@{version} is locked and not in the store: {error}")),
    };
    let Ok(record) = serde_json::from_slice::<Value>(&record) else {
        return wrong.push(format!("the record of {name}@{version} does not parse"));
    };
    if record["name"] != name || record["version"] != version || record["checksum"] != checksum {
        wrong.push(format!("the record of {name}@{version} is of another: {record}"));
    }
    let mut listed = BTreeSet::new();
    for file in record["files"].as_array().into_iter().flatten() {
        let path = file["path"].as_str().unwrap_or_default();
        listed.insert(path.to_owned());
        match std::fs::read(dir.join("tree").join(path)) {
            Ok(bytes) if file["sha256"] == sha256(&bytes).as_str() => {}
            Ok(_) => wrong.push(format!("{path} of {name}@{version} has other content")),
            Err(error) => wrong.push(format!("{path} of {name}@{version}: {error}")),
        }
    }
    let there: BTreeSet<String> = files_below(&dir.join("tree")).into_iter().collect();
    if there != listed {
        wrong.push(format!("the tree of {name}@{version} has {there:?} and should have {listed:?}"));
    }
}

fn files_below(top: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![top.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(entry.path());
            } else if let Ok(path) = entry.path().strip_prefix(top) {
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found
}

/// The types that the sources of the locked trees declare.
pub(crate) fn declared_types(places: &Places, locked: &Locked) -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for (_, checksum) in locked.values() {
        let tree = places.store.join(checksum).join("tree");
        for file in
            files_below(&tree).iter().filter(|file| file.starts_with("models/") && file.ends_with(".ts"))
        {
            let text = std::fs::read_to_string(tree.join(file)).unwrap_or_default();
            let after =
                text.split("export const model").nth(1).and_then(|rest| rest.split("type: \"").nth(1));
            types.extend(after.and_then(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    types
}

/// Every link below the views with its target, and the entries that are neither a directory nor a link.
fn links(root: &Path, wrong: &mut Vec<String>) -> BTreeMap<PathBuf, PathBuf> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            if kind.is_symlink() {
                let Ok(target) = std::fs::read_link(&path) else { continue };
                // Checks the target that was read, because the link may lead elsewhere by now.
                if !path.parent().unwrap_or(root).join(&target).is_dir() {
                    wrong.push(format!("the view {} dangles: {}", path.display(), target.display()));
                }
                found.insert(path.strip_prefix(root).unwrap_or(&path).to_owned(), target);
            } else if kind.is_dir() {
                pending.push(path);
            } else {
                wrong.push(format!("{} is not a view", path.display()));
            }
        }
    }
    found
}

fn stamp(places: &Places) -> Sighting {
    let file = files_below(&places.stamps).into_iter().find(|path| path.ends_with(".json"));
    file.map_or(Sighting { bytes: Vec::new(), identity: None }, |file| sight(&places.stamps.join(file)))
}

/// The result of a check.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) wrong: Vec<String>,
    /// Whether the views could be compared with the lockfile, because no process changed either in between.
    pub(crate) views_compared: bool,
    pub(crate) extensions: usize,
}

/// Checks everything that must hold at any moment. If `at_rest`, no process works, so the views must be up to date too.
pub(crate) fn look(places: &Places, at_rest: bool) -> Look {
    let mut look = Look::default();
    let stamp_before = stamp(places);
    let lockfile = sight(&places.lockfile);
    let locked = match parse_lockfile(&lockfile.bytes) {
        Ok(locked) => locked,
        Err(error) => {
            look.wrong.push(error);
            return look;
        }
    };
    look.extensions = locked.len();
    for (name, (version, checksum)) in &locked {
        check_tree(places, name, version, checksum, &mut look.wrong);
    }
    let seen = links(&places.views, &mut look.wrong);
    let stamped: Value = serde_json::from_slice(&stamp_before.bytes).unwrap_or_default();
    let is_of_lockfile = stamped["lockfile"] == sha256(&lockfile.bytes).as_str();
    // Views change only while there is no stamp. If the stamp was there all the time, the views did not change.
    if is_of_lockfile && stamp_before == stamp(places) {
        look.views_compared = true;
        let wanted: BTreeMap<PathBuf, String> =
            locked.iter().map(|(name, (_, checksum))| (PathBuf::from(name), checksum.clone())).collect();
        for (name, checksum) in &wanted {
            match seen.get(name) {
                Some(target) if target.to_string_lossy().ends_with(&format!("store/v1/{checksum}/tree")) => {}
                other => look.wrong.push(format!("the view of {} leads to {other:?}", name.display())),
            }
        }
        let orphans: Vec<_> = seen.keys().filter(|name| !wanted.contains_key(*name)).collect();
        if !orphans.is_empty() {
            look.wrong.push(format!("views of what is not installed: {orphans:?}"));
        }
    } else if at_rest {
        look.wrong.push("the views are out of date although no process works".to_owned());
    }
    look
}

/// Checks the history and the store when no process works: numbers without gaps, no pending records, no leftovers.
pub(crate) fn check_rest(places: &Places) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut numbers = BTreeSet::new();
    for file in files_below(&places.generations) {
        let name = file.rsplit('/').next().unwrap_or_default();
        if name.starts_with('.') || name.ends_with(".pending") {
            wrong.push(format!("left among the generations: {file}"));
        }
        numbers.extend(name.strip_suffix(".json").and_then(|name| name.parse::<usize>().ok()));
    }
    // The oldest records may be removed, but none in between.
    let (first, last) = (numbers.first().copied().unwrap_or(1), numbers.last().copied().unwrap_or(0));
    if numbers.len() + first != last + 1 {
        wrong.push(format!("{} generations, from {first} to {last}", numbers.len()));
    }
    for dir in
        [&places.stamps, &places.skills, &places.views, places.lockfile.parent().unwrap_or(&places.stamps)]
    {
        let left = files_below(dir)
            .into_iter()
            .filter(|path| path.ends_with(".tmp") || path.ends_with(".marsh-new"));
        wrong.extend(left.map(|path| format!("left in {}: {path}", dir.display())));
    }
    let lockfile = sight(&places.lockfile);
    let wanted: BTreeMap<String, Vec<u8>> = parse_lockfile(&lockfile.bytes)
        .unwrap_or_default()
        .iter()
        .map(|(name, (version, _))| {
            let letter = name.rsplit('/').next().unwrap_or_default();
            (format!("stress-{letter}/SKILL.md"), format!("# {name} {version}\n").into_bytes())
        })
        .collect();
    let skills: BTreeMap<String, Vec<u8>> = files_below(&places.skills)
        .into_iter()
        .map(|path| (path.clone(), sight(&places.skills.join(path)).bytes))
        .collect();
    if skills != wanted {
        wrong.push(format!("there are the skills {:?}, and should be {:?}", skills.keys(), wanted.keys()));
    }
    for entry in std::fs::read_dir(&places.store).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            wrong.push(format!("left in the store: {name}"));
        }
    }
    wrong
}
