//! Test data of the web platform tests, unmodified, from the sources of the `url` crate, which ships it. cargo has them,
//! since the engine is built with that crate.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::error::Error;

/// `{ url: [...], setters: {...} }`.
pub fn data() -> Result<Value, Error> {
    let tests = package()?;
    let read = |name: &str| -> Result<Value, Error> {
        let path = tests.join(name);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error::io(format!("read {}", path.display()), error))?;
        serde_json::from_str(&text).map_err(|source| Error::Json { path, source })
    };
    Ok(json!({ "url": read("urltestdata.json")?, "setters": read("setters_tests.json")? }))
}

/// The platform that this machine's compiler builds for.
fn host() -> Result<String, Error> {
    let what = "ask the compiler for its platform";
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("-vV")
        .output()
        .map_err(|error| Error::io(what, error))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Error::io(what, std::io::Error::other(said.clone())))
}

/// The `tests` folder of the `url` crate that this workspace is locked to.
fn package() -> Result<PathBuf, Error> {
    let what = "ask cargo where the url crate is";
    let failed = |message: String| Error::io(what, std::io::Error::other(message));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Of this platform only: what other platforms need is not on this machine, and asking offline for it fails.
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &host()?])
        .current_dir(crate::folder::root())
        .output()
        .map_err(|error| Error::io(what, error))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let manifest = packages.iter().find(|package| package["name"] == "url");
    let manifest = manifest.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.ok_or_else(|| failed("it is not in the metadata".to_owned()))?;
    Ok(PathBuf::from(manifest).with_file_name("tests"))
}
