//! Extensions for tests, and a directory registry that publishes them.
//!
//! Their models are TypeScript without imports, so loading them needs no network.

use std::path::{Path, PathBuf};

use marsh_archive::{PackEntry, Source, pack};
use marsh_registry::{ClientOptions, Location, PushMetadata, Registry};
use serde_json::json;
use tempfile::TempDir;

/// One version of an extension, before it is published.
///
/// ```text
/// Package::new("@stress/a", "2026.01.01.1").model("main.ts", "@stress/a").needs("@stress/d@>=2026.01.01.1")
/// ```
#[derive(Debug, Clone)]
pub struct Package {
    name: String,
    version: String,
    channel: Option<String>,
    claims: Option<(String, String)>,
    models: Vec<String>,
    workflows: Vec<String>,
    skills: Vec<String>,
    dependencies: Vec<String>,
    told: bool,
    files: Vec<(String, String)>,
}

impl Package {
    /// A package without files.
    pub fn new(name: &str, version: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            channel: None,
            claims: None,
            models: Vec::new(),
            workflows: Vec::new(),
            skills: Vec::new(),
            dependencies: Vec::new(),
            told: true,
            files: Vec::new(),
        }
    }

    /// Adds a model of this type in `models/<file>`, with the package's version.
    #[must_use]
    pub fn model(self, file: &str, type_name: &str) -> Package {
        let text = format!(
            "export const model = {{\n  type: \"{type_name}\",\n  version: \"{}\",\n  methods: {{}},\n}};\n",
            self.version
        );
        self.source(file, &text)
    }

    /// Adds an entry point `models/<file>` with this text.
    #[must_use]
    pub fn source(mut self, file: &str, text: &str) -> Package {
        self.models.push(file.to_owned());
        self.file(&format!("models/{file}"), text)
    }

    /// Adds a skill with one file.
    #[must_use]
    pub fn skill(mut self, skill: &str, text: &str) -> Package {
        self.skills.push(skill.to_owned());
        self.file(&format!("skills/{skill}/SKILL.md"), text)
    }

    /// Adds a file that the manifest does not list.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Package {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Adds a dependency, with its version requirement.
    #[must_use]
    pub fn needs(mut self, reference: &str) -> Package {
        self.dependencies.push(reference.to_owned());
        self
    }

    /// Sets the channel to publish to.
    #[must_use]
    pub fn channel(mut self, channel: &str) -> Package {
        self.channel = Some(channel.to_owned());
        self
    }

    /// Makes the archive's manifest name another extension or version.
    #[must_use]
    pub fn claiming(mut self, name: &str, version: &str) -> Package {
        self.claims = Some((name.to_owned(), version.to_owned()));
        self
    }

    /// Leaves the dependencies out of the registry's record, so that only the archive's manifest has them. For names that a
    /// registry does not accept.
    #[must_use]
    pub fn dependencies_untold(mut self) -> Package {
        self.told = false;
        self
    }

    fn manifest(&self) -> String {
        let (name, version) = self.claims.clone().unwrap_or((self.name.clone(), self.version.clone()));
        let mut manifest = json!({
            "manifestVersion": 1, "name": name, "version": version, "description": format!("{name} for tests"),
        });
        let lists = [
            ("models", &self.models),
            ("workflows", &self.workflows),
            ("skills", &self.skills),
            ("dependencies", &self.dependencies),
        ];
        for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            manifest[key] = json!(list);
        }
        // JSON is YAML.
        format!("{manifest}\n")
    }

    fn archive(&self) -> Vec<u8> {
        let entry = |path: &str, text: &str| PackEntry {
            path: path.parse().expect("a relative path"),
            source: Source::Bytes(text.as_bytes().to_vec()),
            executable: false,
        };
        let mut entries = vec![entry("manifest.yaml", &self.manifest())];
        entries.extend(self.files.iter().map(|(path, text)| entry(path, text)));
        let mut bytes = Vec::new();
        pack(entries, &mut bytes).expect("the files of a package can be packed");
        bytes
    }
}

/// A new directory registry, removed on drop.
#[derive(Debug)]
pub struct ExtensionRegistry {
    dir: TempDir,
}

impl Default for ExtensionRegistry {
    fn default() -> ExtensionRegistry {
        ExtensionRegistry::new()
    }
}

impl ExtensionRegistry {
    /// An empty registry.
    pub fn new() -> ExtensionRegistry {
        let dir =
            tempfile::Builder::new().prefix("marsh-registry-").tempdir().expect("a temporary directory");
        marsh_registry::init(dir.path()).expect("a registry can be made in an empty directory");
        ExtensionRegistry { dir }
    }

    /// A registry with these packages.
    pub fn with(packages: &[Package]) -> ExtensionRegistry {
        let registry = ExtensionRegistry::new();
        for package in packages {
            registry.publish(package);
        }
        registry
    }

    /// The directory of the registry.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The value for `--registry` and `MARSH_REGISTRY`.
    pub fn location(&self) -> String {
        self.dir.path().display().to_string()
    }

    fn client(&self) -> Registry {
        Registry::open(Location::Directory(self.dir.path().to_owned()), ClientOptions::default())
    }

    /// Publishes a version. Returns the digest of its archive.
    ///
    /// # Panics
    /// If the registry refuses.
    pub fn publish(&self, package: &Package) -> String {
        self.publish_bytes(package, &package.archive())
    }

    /// Publishes other bytes under a package's name.
    pub fn publish_bytes(&self, package: &Package, bytes: &[u8]) -> String {
        let mut metadata = json!({
            "name": package.name, "version": package.version,
            "description": format!("{} for tests", package.name),
        });
        if package.told {
            metadata["dependencies"] = json!(package.dependencies);
        }
        if let Some(channel) = &package.channel {
            metadata["channel"] = json!(channel);
        }
        let metadata: PushMetadata = serde_json::from_value(metadata).expect("a package has sound metadata");
        let file = self.dir.path().join(format!("{}.upload", uuid()));
        std::fs::write(&file, bytes).expect("the registry's directory can be written");
        let published = self.client().publish(&metadata, &json!({}), &file).expect("the registry takes it");
        std::fs::remove_file(&file).expect("what was written can be removed");
        published.checksum.expect("a directory registry computes it").to_hex()
    }

    /// The record of an extension, to change it in ways that the registry's commands would refuse.
    pub fn record(&self, name: &str) -> PathBuf {
        self.dir.path().join("extensions").join(name).join("index.json")
    }

    /// Removes an extension from the registry. Its archives stay.
    pub fn withdraw(&self, name: &str) {
        std::fs::remove_file(self.record(name)).expect("it was published");
    }
}

fn uuid() -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// The five extensions of the concurrency tests. Each has two versions with different content and dependencies; all use the
/// same file names. `a` needs `d`; `b` needs `d` and `e`, with version requirements from the second version on; no extension
/// needs `a`, `b` or `c`.
pub fn stress_packages() -> Vec<Package> {
    const V1: &str = "2026.01.01.1";
    const V2: &str = "2026.02.01.1";
    let one = |letter: &str, version: &str| {
        let name = format!("@stress/{letter}");
        Package::new(&name, version)
            .model("main.ts", &name)
            .model("shared.ts", &format!("{name}-shared"))
            .model(&format!("of-{version}.ts"), &format!("{name}-{}", version.replace('.', "-")))
            .file("models/lib/shared.ts", &format!("export const from = \"{name}@{version}\";\n"))
            .file("files/README.md", &format!("# {name} {version}\n"))
            .skill(&format!("stress-{letter}"), &format!("# {name} {version}\n"))
    };
    vec![
        one("d", V1),
        one("d", V2),
        one("e", V1),
        one("e", V2),
        one("c", V1),
        one("c", V2),
        one("a", V1).needs("@stress/d"),
        one("a", V2).needs("@stress/d@>=2026.01.01.1"),
        one("b", V1).needs("@stress/d").needs("@stress/e"),
        one("b", V2).needs("@stress/d@>=2026.02.01.1").needs("@stress/e@>=2026.01.01.1"),
    ]
}
