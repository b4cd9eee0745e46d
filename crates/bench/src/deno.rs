//! The Deno that times are compared with: a given binary, or one that npm installs into a cache of the bench.
//!
//! npm chooses the registry. The package `deno` is a script for Node that starts the binary of a platform package; the bench
//! measures that binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use etcetera::BaseStrategy as _;

use crate::error::BenchError;

/// The Deno to compare with: `given`, or one that npm installs.
///
/// # Errors
/// `given` does not exist, or npm cannot install Deno.
pub fn find(given: Option<PathBuf>) -> Result<PathBuf, BenchError> {
    if let Some(path) = given {
        return path
            .canonicalize()
            .map_err(|error| BenchError::NoDeno { tried: format!("{}: {error}", path.display()) });
    }
    let cache = etcetera::choose_base_strategy()
        .map_err(|error| BenchError::NoDeno { tried: error.to_string() })?
        .cache_dir()
        .join("marsh-bench")
        .join("deno");
    if let Some(found) = installed(&cache) {
        return Ok(found);
    }
    marsh_fs::create_dir_all(&cache)?;
    eprintln!("installing Deno with npm into {}", cache.display());
    let npm = "npm";
    let output = Command::new(npm)
        .args(["install", "--no-audit", "--no-fund", "--prefix"])
        .arg(&cache)
        .arg("deno")
        .output()
        .map_err(|error| BenchError::NoDeno { tried: format!("{npm}: {error}") })?;
    installed(&cache).ok_or_else(|| BenchError::NoDeno {
        tried: format!("npm install deno: {}", String::from_utf8_lossy(&output.stderr).trim()),
    })
}

/// The path `node_modules/@deno/<platform>/deno`.
fn installed(cache: &Path) -> Option<PathBuf> {
    let name = format!("deno{}", std::env::consts::EXE_SUFFIX);
    let platforms = std::fs::read_dir(cache.join("node_modules").join("@deno")).ok()?;
    platforms.flatten().map(|platform| platform.path().join(&name)).find(|path| path.is_file())
}

/// The version for the report: `deno 2.1.0`.
pub fn version(deno: &Path) -> String {
    let output = Command::new(deno).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    words.join(" ")
}
