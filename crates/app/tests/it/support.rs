//! A scratch repository, and sessions on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use marsh_api::event::NoEvents;
use marsh_app::{App, AppError, Program, Session, Settings};
use marsh_data::{DataStore, GarbageCollection, Lifetime, NewVersion, Owner, Tags};
use marsh_repo::Environment;
use marsh_types::{ErrorCode, Explain as _, TypeName};
use tempfile::TempDir;

/// The id of the model `m` of a [`Repository`].
pub const ID: &str = "11111111-2222-4333-8444-555555555555";

/// The definition of the model `m`.
pub const MODEL: &str = "models/@me/x/m.yaml";

/// A repository in a directory of its own, with a model `m` of type `@me/x`. The type has no source: nothing here runs it.
pub struct Repository {
    dir: TempDir,
    environment: Vec<(String, String)>,
}

impl Repository {
    pub fn new() -> Repository {
        let dir = tempfile::tempdir().unwrap();
        let repository = Repository { dir, environment: Vec::new() };
        marsh_repo::init(&repository.root(), "0.0.0", false).unwrap();
        repository.write(
            MODEL,
            format!("type: \"@me/x\"\nid: {ID}\nname: m\nversion: 1\ntags: {{}}\nglobalArguments: {{}}\n"),
        );
        repository
    }

    /// The same, with this environment variable in all sessions.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Repository {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The directory of the repository's directory; it holds the user's home and cache, too.
    pub fn outside(&self) -> &Path {
        self.dir.path()
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    pub fn write(&self, relative: &str, text: impl AsRef<[u8]>) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, relative: &str) -> String {
        std::fs::read_to_string(self.path(relative)).unwrap()
    }

    pub fn remove(&self, relative: &str) {
        let path = self.path(relative);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// A session as one command has it.
    pub fn session(&self) -> Session {
        self.try_session(&[]).unwrap()
    }

    /// The same, with these environment variables.
    pub fn try_session(&self, environment: &[(&str, &str)]) -> Result<Session, AppError> {
        self.app_at(self.root(), environment).session()
    }

    /// The application, as one command has it.
    pub fn app(&self) -> App {
        self.app_at(self.root(), &[])
    }

    /// The same, for the repository in this directory, with these environment variables.
    pub fn app_at(&self, root: PathBuf, environment: &[(&str, &str)]) -> App {
        self.app_of(Some(root), environment)
    }

    /// The application, for the repository that it finds itself.
    pub fn app_anywhere(&self) -> App {
        self.app_of(None, &[])
    }

    fn app_of(&self, repo_dir: Option<PathBuf>, environment: &[(&str, &str)]) -> App {
        let home = self.dir.path().join("home").display().to_string();
        let cache = self.dir.path().join("cache").display().to_string();
        let mut pairs = vec![("HOME", home.as_str()), ("MARSH_CACHE_DIR", cache.as_str())];
        pairs.extend(self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        pairs.extend(environment);
        let program = self.dir.path().join("no-such-program");
        App::new(Settings {
            repo_dir,
            current_dir: self.root(),
            environment: Environment::from_pairs(pairs),
            program: Program { path: program, host_arguments: Vec::new(), bundle_arguments: Vec::new() },
            load_timeout: None,
            installs: Arc::new(NoEvents),
            version: "0.0.0",
            name: "marsh",
        })
    }

    pub fn exists(&self, relative: &str) -> bool {
        self.path(relative).exists()
    }

    /// The names in a directory of the repository, sorted; none if there is no such directory.
    pub fn list(&self, relative: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(relative)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// The files below a directory, sorted.
pub fn files(top: &Path) -> Vec<PathBuf> {
    let (mut found, mut pending) = (Vec::new(), vec![top.to_owned()]);
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            if entry.path().is_dir() {
                pending.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Lets the owner write a file of an installed tree.
pub fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

/// A version of a datum of `m`, before it is written.
pub struct Datum<'a> {
    pub name: &'a str,
    pub content_type: &'a str,
    pub streaming: bool,
    pub tags: Vec<(&'a str, &'a str)>,
    pub lifetime: Lifetime,
}

/// A resource of this name.
pub fn resource(name: &str) -> Datum<'_> {
    Datum {
        name,
        content_type: "application/json",
        streaming: false,
        tags: vec![("type", "resource"), ("specName", "out"), ("modelName", "m")],
        lifetime: Lifetime::Infinite,
    }
}

/// A text file of this name.
pub fn file(name: &str) -> Datum<'_> {
    let tags = vec![("type", "file"), ("specName", "blob"), ("modelName", "m")];
    Datum { content_type: "text/plain", tags, ..resource(name) }
}

/// Writes a version, as a method of `m` does. Returns its id.
pub fn put(session: &Session, datum: Datum<'_>, content: impl AsRef<[u8]>) -> String {
    let new = NewVersion {
        type_path: &TypeName::parse("@me/x").unwrap(),
        model_id: ID,
        name: datum.name,
        content_type: datum.content_type,
        lifetime: datum.lifetime,
        garbage_collection: GarbageCollection::Keep(10),
        streaming: datum.streaming,
        tags: Tags::from_iter(datum.tags),
        owner: Owner::model_method(ID),
        lifecycle: None,
        renamed_to: None,
    };
    let directory = session.read().datastore_status().unwrap().path;
    let store = DataStore::new(Path::new(&directory).join("data"));
    store.write(&new, content.as_ref()).unwrap().id
}

/// Writes resources by name, each this many times: `{"n": 1, "name": "a"}`, `{"n": 2, …}`.
pub fn put_resources(session: &Session, resources: &[(&str, usize)]) {
    for (name, count) in resources {
        for n in 1..=*count {
            put(session, resource(name), format!(r#"{{"n":{n},"name":"{name}"}}"#));
        }
    }
}

/// The code of an operation's error.
#[track_caller]
pub fn code<T>(result: Result<T, AppError>) -> ErrorCode {
    match result {
        Ok(_) => panic!("the operation succeeded"),
        Err(error) => error.code(),
    }
}

/// What a change returned, pushed.
#[track_caller]
pub fn write<T>(
    session: &Session,
    work: impl FnOnce(&marsh_app::Write<'_>) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let done = session.write(work)?;
    done.pushed.unwrap();
    done.value
}
