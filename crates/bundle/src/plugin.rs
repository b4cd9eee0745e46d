//! The resolver that rolldown asks.
//!
//! A local file resolves names through [`Config::resolve`], as the graph does. A file inside a package resolves bare
//! names through the closure: each package sees exactly the versions of its own dependencies, then the real resolver
//! (exports, conditions, main) is started beside the target package, alone under its `node_modules`.
//!
//! A name that cannot be resolved is noted and stubbed, so that one run reports all of them; the notes become
//! diagnostics, and their number decides whether there is a bundle.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rolldown_common::{ImportKind, ResolvedExternal, ResolvedId};
use rolldown_error::DiagnosticOptions;
use rolldown_plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookResolveIdArgs, HookResolveIdOutput,
    HookResolveIdReturn, HookUsage, Plugin, PluginContext, PluginContextResolveOptions,
    SharedLoadPluginContext,
};
use url::Url;

use crate::config::{Config, Target};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::import_map::is_path;
use crate::npm::{Closure, Package, Store};
use crate::remote::Remote;
use crate::specifier::{is_builtin, split_bare};
use crate::unresolved::{unknown_name, unsupported};
use crate::zod_names as zod;

/// What the resolver knows and what it finds out.
#[derive(Debug)]
pub(crate) struct Names {
    pub config: Config,
    pub closure: Closure,
    pub store: Store,
    /// Set when a package itself is the entry: then nothing is external.
    pub package: Option<Package>,
    /// The modules that were fetched, by address.
    remote: Remote,
    /// The local files, as they were read when they were fingerprinted.
    texts: BTreeMap<PathBuf, String>,
    /// From the name of a store entry to the `name@version` in it.
    by_key: HashMap<String, String>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Packages that the output imports instead of holding them.
    pub externals: BTreeSet<String>,
    pub failures: Vec<Failure>,
}

/// A name that could not be resolved.
#[derive(Debug)]
pub(crate) struct Failure {
    pub importer: PathBuf,
    pub specifier: String,
    pub diagnostic: Diagnostic,
}

impl Names {
    pub(crate) fn new(config: Config, closure: Closure, store: Store) -> Self {
        let by_key = closure.packages.iter().map(|(id, package)| (store.key(package), id.clone())).collect();
        Self {
            config,
            closure,
            store,
            package: None,
            remote: Remote::default(),
            texts: BTreeMap::new(),
            by_key,
            found: Mutex::default(),
        }
    }

    /// Local files are not read again.
    pub(crate) fn with_texts(self, texts: BTreeMap<PathBuf, String>) -> Self {
        Self { texts, ..self }
    }

    /// With the modules that were fetched.
    pub(crate) fn with_remote(self, remote: Remote) -> Self {
        Self { remote, ..self }
    }

    /// To bundle one package as a module of its own.
    pub(crate) fn of_package(package: Package, closure: Closure, store: Store) -> Self {
        Self { package: Some(package), ..Self::new(Config::default(), closure, store) }
    }

    pub(crate) fn take_found(&self) -> Found {
        std::mem::take(&mut *self.found())
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn package_of(&self, file: &str) -> Option<&Package> {
        let rest = Path::new(file).strip_prefix(self.store.packages()).ok()?;
        let key = rest.components().next()?.as_os_str().to_str()?;
        self.closure.packages.get(self.by_key.get(key)?)
    }

    fn fail(&self, importer: &str, specifier: &str, diagnostic: Diagnostic) -> HookResolveIdOutput {
        let mut found = self.found();
        found.failures.push(Failure {
            importer: importer.into(),
            specifier: specifier.to_owned(),
            diagnostic,
        });
        external(specifier)
    }

    /// The version that `importer` means by `name`: its own dependency, itself, or, for a package that imports what it
    /// does not declare, the highest version that anyone brought in.
    fn dependency(&self, importer: &Package, name: &str) -> Option<&Package> {
        if let Some(id) = importer.dependencies.get(name) {
            return self.closure.packages.get(id);
        }
        if importer.name == name {
            return self.closure.packages.get(&importer.id());
        }
        let version = |package: &Package| deno_semver::Version::parse_from_npm(&package.version).ok();
        self.closure
            .packages
            .values()
            .filter(|package| package.name == name)
            .max_by_key(|package| version(package))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Resolver(pub Arc<Names>);

impl Resolver {
    async fn for_local(&self, ctx: &PluginContext, importer: &str, args: &HookResolveIdArgs<'_>) -> Answer {
        let target = self.0.config.resolve(args.specifier, Path::new(importer));
        self.for_target(ctx, importer, target, args).await
    }

    async fn for_remote(
        &self,
        ctx: &PluginContext,
        importer: &str,
        url: &Url,
        args: &HookResolveIdArgs<'_>,
    ) -> Answer {
        let target = self.0.config.resolve_from(args.specifier, url);
        self.for_target(ctx, importer, target, args).await
    }

    async fn for_target(
        &self,
        ctx: &PluginContext,
        importer: &str,
        target: Target,
        args: &HookResolveIdArgs<'_>,
    ) -> Answer {
        let names = &self.0;
        let fetched = match &target {
            Target::Remote(url) => names.remote.find(url.as_str()),
            Target::Npm(reference) => names.remote.of_jsr(reference),
            _ => None,
        };
        if let Some(fetched) = fetched {
            return Some(HookResolveIdOutput::from_id(fetched));
        }
        match target {
            Target::Remote(url) => {
                let message = format!("{url} is not among the modules that were fetched");
                let diagnostic = Diagnostic::new(DiagnosticCode::MissingFile, message);
                Some(names.fail(importer, args.specifier, diagnostic))
            }
            Target::File(path) => Some(HookResolveIdOutput::from_id(path.to_string_lossy().as_ref())),
            Target::Node(name) => Some(external(&name)),
            Target::Inline => None,
            Target::Npm(reference) => match names.closure.root(&reference) {
                Some(package) => self.of_package(ctx, importer, package, &reference.sub, args).await,
                None => {
                    // Seen by rolldown only: what a transform of JSX imports.
                    let message =
                        format!("npm package {reference} is not among those that the source imports");
                    Some(names.fail(
                        importer,
                        args.specifier,
                        Diagnostic::new(DiagnosticCode::MissingPackage, message),
                    ))
                }
            },
            Target::Unsupported(specifier) => {
                Some(names.fail(importer, args.specifier, unsupported(args.specifier, &specifier)))
            }
            Target::Unknown(name) => {
                Some(names.fail(importer, args.specifier, unknown_name(&name, &names.config)))
            }
        }
    }

    async fn for_package(
        &self,
        ctx: &PluginContext,
        importer: &str,
        package: &Package,
        args: &HookResolveIdArgs<'_>,
    ) -> Answer {
        let names = &self.0;
        let specifier = args.specifier;
        if is_path(specifier) || specifier.starts_with('#') {
            return self.within(ctx, importer, package, args).await;
        }
        if let Some(name) = specifier.strip_prefix("node:") {
            return Some(external(&format!("node:{name}")));
        }
        if is_builtin(specifier) {
            return Some(external(&format!("node:{specifier}")));
        }
        if specifier.contains(':') {
            return None;
        }
        // `punycode/` is how a package says that it means the package and not the built-in module.
        let (name, sub) = split_bare(specifier.trim_end_matches('/'));
        if let Some(target) = names.dependency(package, name) {
            return self.of_package(ctx, importer, target, sub, args).await;
        }
        // Packages can ship packages inside of them.
        if let Some(bundled) = self.within(ctx, importer, package, args).await {
            return Some(bundled);
        }
        match args.kind {
            ImportKind::Import => {
                let message = format!(
                    "npm package {} imports {name:?}, which is not among its dependencies",
                    package.id()
                );
                let hint = "it may be an optional peer dependency: import it in the extension to bring it in";
                let diagnostic =
                    Diagnostic::new(DiagnosticCode::MissingPackage, message).with_hint(Some(hint.to_owned()));
                Some(names.fail(importer, specifier, diagnostic))
            }
            // `import(…)` and `require(…)` of what may be missing are usual; they fail when they run, if they do.
            ImportKind::DynamicImport => Some(external(specifier)),
            _ => None,
        }
    }

    /// A file of the importer's own package. One that is elsewhere (`require("/etc/…")`) does not get into a bundle.
    async fn within(
        &self,
        ctx: &PluginContext,
        importer: &str,
        package: &Package,
        args: &HookResolveIdArgs<'_>,
    ) -> Answer {
        let id = resolve(ctx, args.specifier, importer, args.kind).await.ok()?;
        let path = Path::new(id.id.as_str());
        let is_file = !id.external.is_external() && path.is_absolute();
        if !is_file || path.starts_with(self.0.store.entry(package)) {
            return Some(HookResolveIdOutput::from_resolved_id(id));
        }
        if !is_path(args.specifier) {
            return None;
        }
        let message =
            format!("npm package {} imports {:?}, a file outside of it", package.id(), args.specifier);
        Some(self.0.fail(importer, args.specifier, Diagnostic::new(DiagnosticCode::UnsafeImport, message)))
    }

    /// The module `sub` of `package`, as an importer outside of it sees it.
    async fn of_package(
        &self,
        ctx: &PluginContext,
        importer: &str,
        package: &Package,
        sub: &str,
        args: &HookResolveIdArgs<'_>,
    ) -> Answer {
        let names = &self.0;
        if names.package.is_none() && zod::is_external(package, sub) {
            names.found().externals.insert(package.id());
            return Some(match args.kind {
                ImportKind::Require => HookResolveIdOutput::from_id(zod::for_require(package).as_str()),
                _ => external(&zod::specifier(package)),
            });
        }
        let build = (sub.is_empty() && args.kind != ImportKind::Require)
            .then(|| modules_of(package, &names.store.entry(package)))
            .flatten();
        match self.beside(ctx, package, build.as_deref().unwrap_or(sub), args.kind).await {
            Ok(id) => Some(HookResolveIdOutput::from_resolved_id(id)),
            // In a `try` this is an optional feature; rolldown knows.
            Err(_) if args.kind == ImportKind::Require => None,
            Err(reason) => {
                let hint =
                    exported_paths(&names.store.entry(package).join("node_modules").join(&package.name), sub);
                let part = if sub.is_empty() { "main module".to_owned() } else { format!("module {sub:?}") };
                let message = format!("npm package {} has no {part}: {reason}", package.id());
                let diagnostic = Diagnostic::new(DiagnosticCode::MissingPackage, message).with_hint(hint);
                Some(names.fail(importer, args.specifier, diagnostic))
            }
        }
    }

    async fn beside(
        &self,
        ctx: &PluginContext,
        package: &Package,
        sub: &str,
        kind: ImportKind,
    ) -> Result<ResolvedId, String> {
        let specifier = if sub.is_empty() { package.name.clone() } else { format!("{}/{sub}", package.name) };
        // No such file: only its directory counts.
        let importer = self.0.store.entry(package).join("importer.js");
        // The resolver knows the names of built-in modules and takes `punycode` for one of them.
        let specifier =
            if is_builtin(&specifier) { format!("./node_modules/{specifier}") } else { specifier };
        resolve(ctx, &specifier, &importer.to_string_lossy(), kind).await
    }
}

/// `None`: rolldown's own resolver decides.
type Answer = Option<HookResolveIdOutput>;

async fn resolve(
    ctx: &PluginContext,
    specifier: &str,
    importer: &str,
    kind: ImportKind,
) -> Result<ResolvedId, String> {
    let options = PluginContextResolveOptions { import_kind: kind, ..PluginContextResolveOptions::default() };
    match ctx.resolve(specifier, Some(importer), Some(options)).await {
        Ok(Ok(id)) => Ok(id),
        // The error's own text is about directories of the cache.
        Ok(Err(error)) => {
            let at = DiagnosticOptions { cwd: PathBuf::new() };
            let text = rolldown_error::resolve_error_to_message(&error, &at);
            Err(text.chars().take(1).flat_map(char::to_lowercase).chain(text.chars().skip(1)).collect())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The build of ES modules that a package has beside the one for `require`, for importers that import.
///
/// Node takes `main`, and so do we, because the two builds of many packages differ in what their default export is.
/// Those of the AWS SDK have none, are generated from one source, and say that they have no side effects: of their ES
/// modules only what a model uses gets into its bundle (a client of S3 that lists buckets: 40 % of the bytes), and loads.
fn modules_of(package: &Package, entry: &Path) -> Option<String> {
    if !["@aws-sdk/", "@smithy/"].iter().any(|scope| package.name.starts_with(scope)) {
        return None;
    }
    let manifest = entry.join("node_modules").join(&package.name).join("package.json");
    let json: serde_json::Value = serde_json::from_str(&marsh_fs::read_to_string(manifest).ok()?).ok()?;
    if json.get("exports").is_some() {
        return None;
    }
    let path = json.get("module")?.as_str()?;
    Some(path.strip_prefix("./").unwrap_or(path).to_owned())
}

/// The paths that a package lets others import, near `sub` or all of a few.
fn exported_paths(package: &Path, sub: &str) -> Option<String> {
    let text = marsh_fs::read_to_string(package.join("package.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    let paths: Vec<&str> =
        json.get("exports")?.as_object()?.keys().filter_map(|key| key.strip_prefix("./")).collect();
    let near = marsh_types::near::did_you_mean(sub, paths.iter().copied());
    near.or_else(|| (1..=12).contains(&paths.len()).then(|| format!("it has {}", paths.join(", "))))
}

fn external(id: &str) -> HookResolveIdOutput {
    HookResolveIdOutput { external: Some(ResolvedExternal::Bool(true)), ..HookResolveIdOutput::from_id(id) }
}

impl Plugin for Resolver {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("marsh")
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId | HookUsage::Load
    }

    async fn resolve_id(&self, ctx: &PluginContext, args: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        if args.specifier.starts_with('\0') || args.specifier.starts_with("rolldown:") {
            return Ok(None);
        }
        let Some(importer) = args.importer else {
            return Ok(match &self.0.package {
                Some(package) => {
                    let id = self.beside(ctx, package, "", args.kind).await.ok();
                    id.map(HookResolveIdOutput::from_resolved_id)
                }
                None => Some(HookResolveIdOutput::from_id(args.specifier)),
            });
        };
        if zod::version_for_require(importer).is_some() {
            return Ok(Some(external(args.specifier)));
        }
        // Rolldown's own modules, and what stands in a `data:` URL.
        if importer.starts_with('\0') {
            return Ok(None);
        }
        if self.0.remote.modules.contains_key(importer)
            && let Ok(url) = Url::parse(importer)
        {
            return Ok(self.for_remote(ctx, importer, &url, args).await);
        }
        Ok(match self.0.package_of(importer) {
            Some(package) => self.for_package(ctx, importer, package, args).await,
            None => self.for_local(ctx, importer, args).await,
        })
    }

    async fn load(&self, _ctx: SharedLoadPluginContext, args: &HookLoadArgs<'_>) -> HookLoadReturn {
        if let Some(text) = self.0.texts.get(Path::new(args.id)) {
            return Ok(Some(HookLoadOutput { code: text.as_str().into(), ..HookLoadOutput::default() }));
        }
        if let Some(module) = self.0.remote.modules.get(args.id) {
            return Ok(Some(HookLoadOutput {
                code: module.text.as_str().into(),
                module_type: Some(module.language.module_type()),
                ..HookLoadOutput::default()
            }));
        }
        Ok(zod::version_for_require(args.id).map(|version| HookLoadOutput {
            code: zod::source_for_require(version).into(),
            ..HookLoadOutput::default()
        }))
    }
}
