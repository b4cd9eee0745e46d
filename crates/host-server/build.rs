//! Joins the files of `src/shim` to the module that `src/shim.rs` includes.

#![expect(clippy::disallowed_methods, reason = "a build script writes its own output directory")]

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What the kinds use, in the order in which it is evaluated.
const BEFORE_KINDS: [&str; 8] = ["names", "zod", "contract", "describe", "kinds", "data", "context", "run"];
/// What uses the kinds.
const AFTER_KINDS: [&str; 1] = ["dispatch"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/shim");
    let shim = Path::new("src/shim");
    let named = |name: &&str| shim.join(name).with_extension("js");
    let mut kinds = fs::read_dir(shim.join("kinds"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    kinds.retain(|path| path.extension().is_some_and(|ending| ending == "js"));
    kinds.sort();
    let mut code = String::new();
    for path in BEFORE_KINDS.iter().map(named).chain(kinds).chain(AFTER_KINDS.iter().map(named)) {
        code.push_str(&fs::read_to_string(&path)?);
    }
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("shim.js"), code)
}
