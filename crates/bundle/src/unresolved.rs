//! Names that cannot be resolved, as diagnostics.

use marsh_types::near;

use crate::config::Config;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::specifier::split_bare;

pub(crate) fn unsupported(specifier: &str, address: &str) -> Diagnostic {
    let shown = if specifier == address {
        format!("{address:?}")
    } else {
        format!("{specifier:?} (mapped to {address:?})")
    };
    let (what, hint) = match address.split_once(':').map(|(scheme, _)| scheme) {
        Some("jsr") => (
            "this is not a valid jsr: specifier",
            "write jsr:@scope/name@version or jsr:@scope/name@version/path",
        ),
        Some("http" | "https") => (
            "modules are fetched over https, without a password in the address",
            "write an address of https, or copy the module beside the extension",
        ),
        Some("npm") => {
            ("this is not a valid npm: specifier", "write npm:name@version or npm:@scope/name@version/path")
        }
        _ => ("this kind of import is not supported", "import a file, an npm: package or a node: module"),
    };
    Diagnostic::new(DiagnosticCode::UnsupportedSpecifier, format!("cannot import {shown}: {what}"))
        .with_hint(Some(hint.to_owned()))
}

pub(crate) fn unknown_name(name: &str, config: &Config) -> Diagnostic {
    let near = near::did_you_mean(name, config.names());
    let (package, sub) = split_bare(name);
    let path = if sub.is_empty() { String::new() } else { format!("/{sub}") };
    let hint = near.unwrap_or_else(|| {
        format!("write `npm:{package}@<version>{path}`, or map {package:?} in the `imports` of a deno.json")
    });
    Diagnostic::new(
        DiagnosticCode::MissingPackage,
        format!("cannot import {name:?}: nothing says which package that is"),
    )
    .with_hint(Some(hint))
}
