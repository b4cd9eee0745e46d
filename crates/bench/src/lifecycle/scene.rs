//! A directory registry with many small extensions, and new repositories and caches.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use marsh_archive::{PackEntry, Source, pack};
use marsh_registry::{ClientOptions, Location, PushMetadata, Registry};
use marsh_types::{ExtensionName, RelPath};

use crate::error::BenchError;
use crate::fixture::{Fixture, write};
use crate::measure::Job;

/// The number of extensions in the registry.
pub const COUNT: usize = 500;

pub struct Scene<'a> {
    pub fixture: &'a Fixture,
    registry: PathBuf,
    made: Cell<usize>,
}

impl<'a> Scene<'a> {
    pub fn make(fixture: &'a Fixture) -> Result<Scene<'a>, BenchError> {
        let registry = fixture.top().join("registry");
        let failed = |error: String| BenchError::Command { what: "make a registry".into(), said: error };
        marsh_registry::init(&registry).map_err(|error| failed(error.to_string()))?;
        let scene = Scene { fixture, registry, made: Cell::new(0) };
        let client = Registry::open(
            Location::Directory(scene.registry.clone()),
            ClientOptions {
                offline: true,
                user_agent: "marsh-bench".into(),
                api_key: None,
                timeout: std::time::Duration::from_secs(15),
                transfer_timeout: std::time::Duration::from_secs(120),
                max_archive_bytes: 64 << 20,
                retries: 0,
            },
        );
        for number in 0..COUNT {
            let name = scene.name(number);
            let mut bytes = Vec::new();
            pack(entries(&name, number)?, &mut bytes).map_err(|error| failed(error.to_string()))?;
            let path = fixture.top().join("archive.tar.gz");
            marsh_fs::atomic_write(&path, &bytes, marsh_fs::Durability::Atomic)?;
            let metadata: PushMetadata = serde_json::from_value(serde_json::json!({
                "name": name, "version": "2026.01.01.1", "description": "One of many",
            }))
            .map_err(|error| failed(error.to_string()))?;
            client
                .publish(&metadata, &serde_json::json!({}), &path)
                .map_err(|error| failed(error.to_string()))?;
        }
        Ok(scene)
    }

    pub fn name(&self, number: usize) -> String {
        format!("@bench/extension-{number:03}")
    }

    pub fn fresh_dir(&self, what: &str) -> Result<PathBuf, BenchError> {
        self.made.set(self.made.get() + 1);
        let dir = self.fixture.top().join("lifecycle").join(format!("{what}-{}", self.made.get()));
        marsh_fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// An initialized repository with nothing installed.
    pub fn fresh_repo(&self) -> Result<PathBuf, BenchError> {
        let dir = self.fresh_dir("repo")?;
        super::timed(&self.fixture.job(&dir, &["init", "--quiet"]))?;
        Ok(dir)
    }

    /// An initialized repository with the lockfile of another one, and nothing installed.
    pub fn clone_of(&self, full: &Path) -> Result<PathBuf, BenchError> {
        let dir = self.fresh_repo()?;
        let lockfile = Path::new("extensions/models/upstream_extensions.json");
        let text = std::fs::read_to_string(full.join(lockfile))
            .map_err(|source| BenchError::io("read the lockfile", source))?;
        write(&dir.join(lockfile), &text)?;
        Ok(dir)
    }

    pub fn fresh_cache(&self) -> Result<PathBuf, BenchError> {
        self.fresh_dir("cache")
    }

    pub fn job(&self, repo: &Path, cache: &Path, args: &[&str]) -> Job {
        let mut job = self.fixture.job(repo, args);
        job.env.push(("MARSH_CACHE_DIR".into(), cache.into()));
        job.env.push(("MARSH_REGISTRY".into(), self.registry.clone().into()));
        job
    }

    /// The number of extensions of a repository whose trees are in the store.
    pub fn installed(&self, repo: &Path, cache: &Path) -> Result<usize, BenchError> {
        let (_, said) = super::timed(&self.job(repo, cache, &["--json", "extension", "list"]))?;
        let document: serde_json::Value = serde_json::from_str(&said).map_err(|error| {
            BenchError::Command { what: "extension list".into(), said: error.to_string() }
        })?;
        let listed = document["extensions"].as_array().cloned().unwrap_or_default();
        Ok(listed.iter().filter(|one| one["state"] == "stored").count())
    }
}

/// The files of a small extension: a manifest, one model of about 40 lines, a helper, a page of text.
pub fn files(name: &str, number: usize) -> Vec<(String, String)> {
    let manifest = format!(
        "manifestVersion: 1\nname: \"{name}\"\nversion: 2026.01.01.1\ndescription: One of many\n\
         models:\n- model.ts\nadditionalFiles:\n- README.md\n"
    );
    let method = "    list: {\n      description: \"List volumes\",\n      execute: async (args, context) => {\n        \
                  const volumes = await names(args.region);\n        return { dataHandles: volumes };\n      },\n    },\n";
    let model = format!(
        "import {{ names }} from \"./_lib/names.ts\";\n\nexport const model = {{\n  type: \"{name}/volume\",\n  \
         version: \"2026.01.01.1\",\n  methods: {{\n{}  }},\n}};\n",
        (0..6).map(|n| method.replace("list", &format!("list{n}"))).collect::<String>()
    );
    let helper = "/** Names of volumes. */\nexport async function names(region: string): Promise<string[]> {\n  \
                  return [`${region}-a`, `${region}-b`];\n}\n";
    vec![
        ("manifest.yaml".into(), manifest),
        ("models/model.ts".into(), model),
        ("models/_lib/names.ts".into(), helper.into()),
        ("files/README.md".into(), format!("# Extension {number}\n\n{}\n", "It lists volumes. ".repeat(40))),
    ]
}

fn entries(name: &str, number: usize) -> Result<Vec<PackEntry>, BenchError> {
    ExtensionName::parse(name)
        .map_err(|error| BenchError::Command { what: "name".into(), said: error.to_string() })?;
    files(name, number)
        .into_iter()
        .map(|(path, text)| {
            let path = RelPath::parse(&path)
                .map_err(|error| BenchError::Command { what: "path".into(), said: error.to_string() })?;
            Ok(PackEntry { path, source: Source::Bytes(text.into_bytes()), executable: false })
        })
        .collect()
}

/// For others that need a file of the scene.
pub fn put(path: &Path, text: &str) -> Result<(), BenchError> {
    write(path, text)
}
