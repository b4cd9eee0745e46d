//! One run of rolldown, and its diagnostics in our words.
//!
//! The source map is made beside the code and not named in it: what reads it knows where it lies (`source_map.rs`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use marsh_types::near;
use rolldown::plugin::__inner::SharedPluginable;
use rolldown::{
    BundlerBuilder, BundlerOptions, CodeSplittingMode, CommentsOptions, InputItem, OutputFormat, Platform,
    RawMinifyOptions, ResolveOptions, SourceMapType, TsConfig,
};
use rolldown_common::Output;
use rolldown_error::{BatchedBuildDiagnostic, BuildDiagnostic, DiagnosticOptions, EventKind};

use crate::diagnostic::{BundleError, Diagnostic, DiagnosticCode, shown};
use crate::import_map::{is_path, normalized};
use crate::paths::relative;
use crate::plugin::{Failure, Found, Names, Resolver};
use crate::remote::is_web;
use crate::scan::scan;
use crate::source_map;

pub(crate) struct Built {
    pub code: String,
    /// As it is stored.
    pub map: Option<String>,
    pub warnings: Vec<String>,
    pub externals: BTreeSet<String>,
}

/// Bundles `entry`, a path or what the resolver makes a path of. File names in messages are relative to `root`.
pub(crate) fn run(entry: &str, root: &Path, names: Names) -> Result<Built, BundleError> {
    let names = Arc::new(names);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4)))
        .enable_all()
        .build()
        .map_err(|source| BundleError::io(root, source))?;
    let plugin: SharedPluginable = Arc::new(Resolver(Arc::clone(&names)));
    let outcome = runtime.block_on(async {
        let mut bundler = BundlerBuilder::default()
            .with_options(options(entry, root))
            .with_plugins(vec![plugin])
            .build()?;
        bundler.generate().await
    });
    let Found { externals, failures } = names.take_found();
    if !failures.is_empty() {
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for failure in failures {
            let diagnostic = locate(failure, root);
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
        return Err(BundleError::Diagnostics(diagnostics));
    }
    let output = outcome.map_err(|batch| BundleError::Diagnostics(translate_all(batch, root)))?;
    let at = DiagnosticOptions { cwd: root.to_path_buf() };
    let warnings = output.warnings.iter().map(|warning| warning.to_message_with(&at)).collect();
    let mut chunks = output.assets.iter().filter_map(|asset| match asset {
        Output::Chunk(chunk) => Some((chunk.code.clone(), chunk.map.clone())),
        Output::Asset(_) => None,
    });
    match (chunks.next(), chunks.next()) {
        (Some((code, map)), None) => {
            let map = map.map(|map| source_map::stored(&map, root, &names.store.packages()));
            // Rolldown marks where each module begins. The place of the user's cache must not be part of the result.
            let packages = relative(&names.store.packages(), root);
            let code = code.replace(&format!("//#region {packages}/"), "//#region npm/");
            Ok(Built { code, map, warnings, externals })
        }
        _ => Err(BundleError::one(Diagnostic::new(
            DiagnosticCode::BundleError,
            "the bundle is not one module",
        ))),
    }
}

fn options(entry: &str, root: &Path) -> BundlerOptions {
    BundlerOptions {
        input: Some(vec![InputItem { name: Some("bundle".to_owned()), import: entry.to_owned() }]),
        cwd: Some(root.to_path_buf()),
        platform: Some(Platform::Node),
        format: Some(OutputFormat::Esm),
        code_splitting: Some(CodeSplittingMode::Bool(false)),
        sourcemap: Some(SourceMapType::Hidden),
        minify: Some(RawMinifyOptions::Bool(false)),
        keep_names: Some(true),
        comments: Some(CommentsOptions { legal: true, annotation: true, jsdoc: false }),
        // The host provides `require`; rolldown's own asks for `import.meta.url` of a file that is not there.
        polyfill_require: Some(false),
        // A tsconfig is not part of the fingerprint, so it must not be part of the result.
        tsconfig: Some(TsConfig::Auto(false)),
        resolve: Some(ResolveOptions { symlinks: Some(false), ..ResolveOptions::default() }),
        ..BundlerOptions::default()
    }
}

/// A failure of the resolver, at the import that asked.
fn locate(failure: Failure, root: &Path) -> Diagnostic {
    let file = shown(&failure.importer, root);
    let Ok(source) = marsh_fs::read_to_string(&failure.importer) else {
        return failure.diagnostic.in_file(file);
    };
    let scanned = scan(&source, &failure.importer);
    match scanned.sites.iter().find(|site| site.specifier == failure.specifier) {
        Some(site) => failure.diagnostic.at(file, &source, site.offset),
        None => failure.diagnostic.in_file(file),
    }
}

fn translate_all(batch: BatchedBuildDiagnostic, root: &Path) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for one in batch.into_vec() {
        let diagnostic = translate(&one, root);
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
    if diagnostics.is_empty() {
        diagnostics
            .push(Diagnostic::new(DiagnosticCode::BundleError, "the bundler failed and gave no reason"));
    }
    diagnostics
}

fn translate(fault: &BuildDiagnostic, root: &Path) -> Diagnostic {
    let at = DiagnosticOptions { cwd: root.to_path_buf() };
    let code = match fault.kind() {
        EventKind::ParseError | EventKind::TransformError | EventKind::JsonParseError => {
            DiagnosticCode::SyntaxError
        }
        EventKind::MissingExportError => DiagnosticCode::MissingExport,
        EventKind::UnresolvedImport | EventKind::ResolveError | EventKind::UnloadableDependencyError => {
            DiagnosticCode::MissingFile
        }
        _ => DiagnosticCode::BundleError,
    };
    let message = fault.to_message_with(&at);
    let mut diagnostic = Diagnostic::new(code, message.trim());
    if let Some((file, line, column, _)) = fault.to_diagnostic_with(&at).get_primary_location() {
        let path = normalized(&root.join(&file));
        diagnostic.source_line = marsh_fs::read_to_string(&path)
            .ok()
            .and_then(|text| text.lines().nth(line - 1).map(str::to_owned));
        diagnostic.file = Some(if is_web(&file) { file } else { shown(&path, root) });
        diagnostic.line = u32::try_from(line).ok();
        diagnostic.column = u32::try_from(column + 1).ok();
    } else {
        diagnostic.file = fault.id().map(|id| shown(Path::new(&id), root));
    }
    if code == DiagnosticCode::MissingExport {
        explain_export(&mut diagnostic, fault, root);
    }
    diagnostic
}

/// Names the export, the module and the names that are near.
fn explain_export(diagnostic: &mut Diagnostic, fault: &BuildDiagnostic, root: &Path) {
    let (Some(name), Some(exporter)) = (diagnostic.message.split('"').nth(1), fault.exporter()) else {
        return;
    };
    let exporter = PathBuf::from(exporter);
    let mut exports = Exports::default();
    exports.add(&exporter);
    let values = &exports.values;
    let hint = match exports.types.contains(name) {
        true => Some(format!("it is a type: write `import type {{ {name} }}` or `export type {{ {name} }}`")),
        false => near::did_you_mean(name, values.iter().map(String::as_str)),
    };
    let hint = hint.or_else(|| match values.len() {
        0 => Some("it exports nothing".to_owned()),
        1..=12 => Some(format!("it exports {}", values.iter().cloned().collect::<Vec<_>>().join(", "))),
        _ => None,
    });
    diagnostic.message = format!("{name:?} is not exported by {}", shown(&exporter, root));
    diagnostic.hint = hint;
}

/// What a file exports, `export *` of its neighbours included.
#[derive(Default)]
struct Exports {
    values: BTreeSet<String>,
    types: BTreeSet<String>,
    seen: BTreeSet<PathBuf>,
}

impl Exports {
    fn add(&mut self, path: &Path) {
        if !self.seen.insert(path.to_path_buf()) {
            return;
        }
        let Ok(source) = marsh_fs::read_to_string(path) else { return };
        let scanned = scan(&source, path);
        // A star does not pass `default` on, and only the first file is not behind a star.
        let first = self.seen.len() == 1;
        self.values.extend(scanned.exports.iter().filter(|name| first || *name != "default").cloned());
        self.types.extend(scanned.types.iter().cloned());
        for star in scanned.stars.iter().filter(|star| is_path(star)) {
            self.add(&normalized(&path.parent().unwrap_or(Path::new("/")).join(star)));
        }
    }
}
