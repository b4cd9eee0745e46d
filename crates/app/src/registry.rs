//! Registries that this machine holds: directories, the server over them, and its tokens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use marsh_api::registry::{
    RegistryCreated, RegistryStarted, RemovedToken, TokenCreated, TokenList, TokenRemoved, TokenRow,
};
use marsh_api::vault::SecretText;
use marsh_archive::ArchiveLimits;
use marsh_registry::{Location, PushMetadata};
use marsh_registry_server::{SCOPES, ServerOptions};

use crate::error::AppError;

/// A token to create.
#[derive(Debug, Clone, Default)]
pub struct TokenAddRequest {
    /// The user of the token.
    pub username: String,
    /// The collectives that the token may change, without `@`; empty: the one of the user's name.
    pub collectives: Vec<String>,
    /// The scopes; empty: all.
    pub scopes: Vec<String>,
}

/// The directory of a registry.
#[derive(Debug, Clone)]
pub struct RegistryDirectory {
    path: PathBuf,
}

impl RegistryDirectory {
    /// A directory that is or becomes a registry. Opens nothing.
    pub fn new(path: impl Into<PathBuf>) -> RegistryDirectory {
        RegistryDirectory { path: path.into() }
    }

    /// Makes the directory a registry.
    ///
    /// # Errors
    ///
    /// When the path is a URL of a server, or the directory cannot be made a registry.
    pub fn create(&self, current_dir: &Path) -> Result<RegistryCreated, AppError> {
        let shown = self.path.to_string_lossy();
        let location =
            Location::parse(&shown, current_dir).map_err(|error| AppError::usage(error.to_string()))?;
        let Location::Directory(dir) = &location else {
            return Err(AppError::usage(format!("`{shown}` is not a directory")));
        };
        marsh_registry::init(dir)?;
        Ok(RegistryCreated { path: dir.display().to_string(), registry: location.to_string() })
    }

    /// Serves the registry over HTTP until the process is interrupted. `ready` gets the address in use; `on_fault` gets
    /// the details of internal errors, which clients do not get.
    ///
    /// # Errors
    ///
    /// When the directory is not a registry, or the server cannot listen or go on.
    pub fn serve(
        &self,
        listen: SocketAddr,
        on_fault: impl Fn(&str) + Send + Sync + 'static,
        ready: impl FnOnce(&RegistryStarted),
    ) -> Result<(), AppError> {
        let scratch = self.path.join("private").join("unpacked");
        let validate = move |archive: &Path, metadata: &PushMetadata| validate(archive, metadata, &scratch);
        let options =
            ServerOptions { on_fault: Arc::new(on_fault), ..ServerOptions::new(Arc::new(validate)) };
        let started = |address: SocketAddr| {
            ready(&RegistryStarted {
                url: format!("http://{address}"),
                path: self.path.display().to_string(),
            });
        };
        let interrupted = marsh_registry_server::interrupted();
        Ok(marsh_registry_server::serve(&self.path, listen, options, interrupted, started)?)
    }

    /// Creates a token of the served registry. The document alone holds its secret.
    ///
    /// # Errors
    ///
    /// When the directory is not a registry, a property is invalid, or the tokens cannot be changed.
    pub fn add_token(&self, request: &TokenAddRequest) -> Result<TokenCreated, AppError> {
        marsh_registry::directory::Directory::new(&self.path).check()?;
        let TokenAddRequest { username, collectives, scopes } = request.clone();
        let collectives = if collectives.is_empty() { vec![username.clone()] } else { collectives };
        let scopes = if scopes.is_empty() { SCOPES.map(str::to_owned).to_vec() } else { scopes };
        let secret = marsh_registry_server::add_token(&self.path, &username, &collectives, &scopes)?;
        Ok(TokenCreated { token: SecretText::new(&secret), username, collectives, scopes })
    }

    /// The tokens of the served registry, without their secrets.
    ///
    /// # Errors
    ///
    /// When the tokens cannot be read.
    pub fn tokens(&self) -> Result<TokenList, AppError> {
        let tokens = marsh_registry_server::list_tokens(&self.path)?;
        let rows = tokens.into_iter().map(|one| TokenRow {
            id: one.id,
            username: one.username,
            collectives: one.collectives,
            scopes: one.scopes,
            created_at: one.created_at,
        });
        Ok(TokenList { tokens: rows.collect() })
    }

    /// Removes a token, which stops working at once.
    ///
    /// # Errors
    ///
    /// When there is no such token, or the tokens cannot be changed.
    pub fn remove_token(&self, id: &str) -> Result<TokenRemoved, AppError> {
        let removed = marsh_registry_server::remove_token(&self.path, id)?;
        Ok(TokenRemoved { removed: RemovedToken { id: removed.id, username: removed.username } })
    }
}

/// Checks that the archive unpacks within the limits, and that its manifest names what its publisher names.
fn validate(archive: &Path, metadata: &PushMetadata, scratch: &Path) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    marsh_fs::create_dir_all(scratch).map_err(|error| text(&error))?;
    let staged = marsh_fs::StagedDir::new(scratch).map_err(|error| text(&error))?;
    let file = std::fs::File::open(archive).map_err(|error| text(&error))?;
    let target = staged.path().join("tree");
    let unpacked = marsh_archive::unpack(std::io::BufReader::new(file), &target, &ArchiveLimits::default())
        .map_err(|error| text(&error))?;
    let manifest = &unpacked.manifest;
    if manifest.name != metadata.name || manifest.version != metadata.version {
        return Err(format!(
            "the archive says that it is {}@{}, and is pushed as {}@{}",
            manifest.name, manifest.version, metadata.name, metadata.version
        ));
    }
    Ok(())
}
