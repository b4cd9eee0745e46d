//! The comparison of the tree with the catalog.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use marsh_types::TypeName;
use rusqlite::Connection;

use super::CatalogError;
use super::tree::{Dir, Known, ROOT, Seen, Stamp, Version, VersionDirectory};
use crate::DataStore;
use crate::name::version_number;
use crate::read::sub_directories;

pub fn scan(store: &DataStore, connection: &Connection, mut known: Known) -> Result<Seen, CatalogError> {
    super::prefetch::prefetch(store.root(), &mut known);
    let next = known.next.max(1);
    let root = known.root;
    let mut walk = Walk { known, connection, seen: Seen::default(), next };
    let before = root.and_then(|at| walk.known.dirs.get(at).cloned());
    walk.visit(store.root().to_path_buf(), &mut Vec::new(), before, ROOT, "")?;
    Ok(walk.seen)
}

struct Walk<'a> {
    known: Known,
    connection: &'a Connection,
    seen: Seen,
    next: i64,
}

impl Walk<'_> {
    /// `above` are the names from the root to `path`.
    fn visit(
        &mut self,
        path: PathBuf,
        above: &mut Vec<String>,
        before: Option<Dir>,
        parent: i64,
        name: &str,
    ) -> Result<(), CatalogError> {
        let stamp = match before.as_ref().and_then(|before| before.looked) {
            Some(stamp) => Some(stamp),
            None => Stamp::of(&path)?,
        };
        let Some(stamp) = stamp else {
            self.seen.gone.extend(before.map(|dir| dir.id));
            return Ok(());
        };
        if let Some(before) = before.as_ref().filter(|before| before.settled && before.stamp == stamp) {
            if !before.holder {
                let is_same = |child: &Dir| child.settled && child.looked == Some(child.stamp);
                let children = self.known.children(before.id);
                // Of most there is nothing to say.
                let children: Vec<Dir> =
                    children.filter(|child| !child.holder || !is_same(child)).cloned().collect();
                for child in children {
                    self.descend(&path, above, Some(child.clone()), before.id, &child.name)?;
                }
            }
            return Ok(());
        }
        // Its time is compared with ours before it is listed: what comes later is newer than that.
        let settled = stamp.is_settled(SystemTime::now());
        let entries = sub_directories(&path)?;
        self.seen.listed += 1;
        let id = match &before {
            Some(before) => before.id,
            None if above.is_empty() => ROOT,
            None => self.fresh(),
        };
        let mut dir = Dir { id, parent, name: name.to_owned(), stamp, settled, holder: false, looked: None };
        let numbers: Vec<(u32, &String)> =
            entries.iter().filter_map(|entry| Some((version_number(entry)?, entry))).collect();
        let is_there = |entry: &str, file: &str| path.join(entry).join(file).is_file();
        dir.holder = above.len() >= 3 && numbers.iter().any(|(_, entry)| is_there(entry, "metadata.yaml"));
        if dir.holder {
            // What was below it as long as it was none.
            self.seen.gone.extend(self.known.children(id).map(|child| child.id));
            // When all is read anyway, that tells too which are complete.
            let is_rebuilding = self.known.root.is_none();
            let complete: Vec<u32> = numbers
                .iter()
                .filter(|(_, entry)| {
                    is_rebuilding || is_there(entry, "metadata.yaml") && is_there(entry, "raw")
                })
                .map(|(number, _)| *number)
                .collect();
            dir.settled &= complete.len() == numbers.len();
            self.versions(&path, above, id, complete)?;
        } else {
            // A number may become a version.
            dir.settled &= numbers.is_empty();
            if before.as_ref().is_some_and(|before| before.holder) {
                self.versions(&path, above, id, Vec::new())?;
            }
            let known: HashMap<String, Dir> =
                self.known.children(id).map(|child| (child.name.clone(), child.clone())).collect();
            let gone = known.values().filter(|child| !entries.contains(&child.name));
            self.seen.gone.extend(gone.map(|child| child.id));
            for entry in &entries {
                self.descend(&path, above, known.get(entry).cloned(), id, entry)?;
            }
        }
        let same = before.is_some_and(|before| {
            before.stamp == dir.stamp && before.settled == dir.settled && before.holder == dir.holder
        });
        if !same {
            self.seen.dirs.push(dir);
        }
        Ok(())
    }

    fn descend(
        &mut self,
        path: &Path,
        above: &mut Vec<String>,
        before: Option<Dir>,
        parent: i64,
        name: &str,
    ) -> Result<(), CatalogError> {
        above.push(name.to_owned());
        let visited = self.visit(path.join(name), above, before, parent, name);
        above.pop();
        visited
    }

    fn fresh(&mut self) -> i64 {
        let id = self.next;
        self.next += 1;
        id
    }

    fn versions(
        &mut self,
        path: &Path,
        above: &[String],
        dir: i64,
        complete: Vec<u32>,
    ) -> Result<(), CatalogError> {
        let [types @ .., model_id, name] = above else { return Ok(()) };
        let type_path = types.join("/");
        // Directories that no type is named after hold nothing that could be asked for.
        if !TypeName::parse(&type_path).is_ok_and(|parsed| parsed.as_str() == type_path) {
            return Ok(());
        }
        let mut known = self.known_versions(dir)?;
        let place = Arc::new(VersionDirectory {
            dir,
            type_path,
            model_id: model_id.clone(),
            name: name.clone(),
            path: path.to_path_buf(),
        });
        if self.known.root.is_none() {
            let all = complete.into_iter();
            self.seen.versions.extend(all.map(|number| Version {
                place: Arc::clone(&place),
                number,
                stamp: None,
            }));
            self.seen.touched.push(dir);
            return Ok(());
        }
        let mut changed = false;
        for number in complete {
            let Some(stamp) = Stamp::of(&path.join(number.to_string()))? else { continue };
            match known.remove(&number) {
                Some(before) if before == stamp => continue,
                Some(_) => self.seen.stale.push((dir, number)),
                None => {}
            }
            changed = true;
            self.seen.versions.push(Version { place: Arc::clone(&place), number, stamp: Some(stamp) });
        }
        changed |= !known.is_empty();
        self.seen.stale.extend(known.into_keys().map(|number| (dir, number)));
        if changed {
            self.seen.touched.push(dir);
        }
        Ok(())
    }

    fn known_versions(&self, dir: i64) -> Result<HashMap<u32, Stamp>, CatalogError> {
        let mut statement =
            self.connection.prepare_cached("SELECT version, inode, changed FROM records WHERE dir = ?1")?;
        let rows = statement
            .query_map([dir], |row| Ok((row.get(0)?, Stamp { inode: row.get(1)?, changed: row.get(2)? })))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
