//! A repository in a process that keeps running: one set of hosts and loaded code under many sessions.

use std::sync::Arc;

use marsh_datastore::Choice;
use marsh_extension::{LoadError, LoadFailure, Loader, OnFailure};
use marsh_host_client::{ModuleRef, Retention};
use marsh_model::{Code, ModelError, Models};
use marsh_repo::Repo;
use marsh_types::{Kind, TypeName};

use crate::error::AppError;
use crate::session::{App, Canceller, Read, Session, Settings};

impl App {
    /// The repository, for a server: idle hosts are bounded, and the version that loaded last serves while its sources
    /// are broken. Starts no host.
    ///
    /// # Errors
    ///
    /// Those of [`App::session`], and when the data are in the datastore of an extension.
    pub fn server(&self) -> Result<Server, AppError> {
        let repo = self.repo()?;
        // The marker is read again for every request; a name that is relative must not mean another directory then.
        let root = repo.layout.root().to_path_buf();
        let app = App::new(Settings { current_dir: root, ..self.settings().clone() });
        let retention = Retention { weigh: true, ..Retention::default() };
        let loader = Arc::new(self.loader(&repo, retention, OnFailure::LastGood)?);
        let server = Server { app, loader };
        server.session()?;
        Ok(server)
    }
}

/// A repository that a server works on. Every request has a session of its own, with secrets and ephemeral data of its
/// own; hosts and loaded code belong to the server.
#[derive(Debug)]
pub struct Server {
    app: App,
    loader: Arc<Loader>,
}

impl Server {
    /// A session on the repository as it is now: its marker may have changed since the last request.
    ///
    /// # Errors
    ///
    /// When the repository is gone, or its marker or its datastore's configuration is invalid or names an extension.
    pub fn session(&self) -> Result<Session, AppError> {
        let environment = self.app.settings().environment.clone();
        let mut repo = self.repo()?;
        match Choice::of(&repo, &environment)? {
            Choice::Local => {}
            Choice::Directory { path, directories, .. } => repo.layout.move_state(path, directories),
            Choice::Extension { type_name, .. } => {
                return Err(AppError::Refused {
                    message: format!("the data of this repository are in the datastore `{type_name}`"),
                    hint: Some(
                        "`marsh serve` works on data in a directory; run single commands instead".into(),
                    ),
                });
            }
        }
        let models =
            Models::new(repo, environment, Arc::clone(&self.loader)).called(self.app.settings().name);
        Ok(Session { models, datastore: None })
    }

    /// The repository as it is now, without its data.
    ///
    /// # Errors
    ///
    /// When the repository is gone, or its marker is invalid.
    pub fn repo(&self) -> Result<Repo, AppError> {
        self.app.repo()
    }

    /// What all sessions load code with.
    pub fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// Stops what the server does, from any thread.
    pub fn canceller(&self) -> Canceller {
        Canceller::of(&self.loader)
    }

    /// What the interface passed in.
    pub fn settings(&self) -> &Settings {
        self.app.settings()
    }
}

/// The newest code of a type.
#[derive(Debug)]
pub enum NewestCode {
    /// No source declares the type.
    Unknown,
    /// The type is part of marsh.
    BuiltIn,
    /// The type is a module.
    Module {
        /// The host that loads it.
        host_key: String,
        /// The module.
        module: ModuleRef,
        /// Why it is older than its sources, if it is.
        failure: Option<Box<LoadFailure>>,
    },
}

impl Read<'_> {
    /// The newest code of a type, as its next call would find it: built and described, not loaded.
    ///
    /// # Errors
    ///
    /// When the code cannot be built or described, and no earlier version serves.
    pub fn newest_code(&self, kind: Kind, type_name: &TypeName) -> Result<NewestCode, AppError> {
        let loaded = if kind == Kind::Model {
            self.models().resolve_type(type_name).map(|resolved| match resolved.code {
                Code::Module(loaded) => Some((loaded.host_key, loaded.module, loaded.failure)),
                _ => None,
            })
        } else {
            let loaded = self.models().loader.resolve_kind(kind, type_name);
            loaded
                .map(|loaded| Some((loaded.host_key, loaded.module, loaded.failure)))
                .map_err(ModelError::from)
        };
        match loaded {
            Ok(Some((host_key, module, failure))) => {
                Ok(NewestCode::Module { host_key, module, failure: failure.map(Box::new) })
            }
            Ok(None) => Ok(NewestCode::BuiltIn),
            Err(ModelError::Load(LoadError::UnknownType { .. })) => Ok(NewestCode::Unknown),
            Err(error) => Err(error.into()),
        }
    }
}
