//! Publishing in three steps: announce, upload, confirm.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt;
use marsh_registry::directory::StagedArchive;
use marsh_registry::protocol::PushTicket;
use marsh_registry::{Author, PushMetadata, RegistryError};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::State;
use crate::answer::{Answer, Refusal, ok, unknown_path};

const FORGOTTEN: Duration = Duration::from_secs(3600);
const MAX_PER_USER: usize = 100;
/// Archives that arrive at once. Each has a thread, and the threads are shared with everything else.
const MAX_UPLOADS: usize = 64;
const MAX_UPLOADS_PER_USER: usize = 16;
const MAX_UPLOAD_TIME: Duration = Duration::from_secs(600);
/// The largest size of an unpacked upload, in bytes.
const MAX_UNPACKED: u64 = 1 << 30;

/// Uploads that were announced and not confirmed. They and their files are dropped after an hour, and when the server stops.
#[derive(Default)]
pub(crate) struct Uploads {
    announced: Mutex<HashMap<String, Upload>>,
    /// The users of the uploads that arrive now.
    arriving: Mutex<Vec<String>>,
}

/// An upload that arrives.
struct Arriving<'a> {
    uploads: &'a Uploads,
    username: String,
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        let mut arriving = self.uploads.arriving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = arriving.iter().position(|username| *username == self.username) {
            arriving.swap_remove(at);
        }
    }
}

struct Upload {
    username: String,
    metadata: PushMetadata,
    since: Instant,
    staged: Option<StagedArchive>,
}

impl Uploads {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, Upload>) -> T) -> T {
        f(&mut self.announced.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn arrive(&self, username: String) -> Result<Arriving<'_>, Refusal> {
        let mut arriving = self.arriving.lock().unwrap_or_else(PoisonError::into_inner);
        let own = arriving.iter().filter(|other| **other == username).count();
        if arriving.len() >= MAX_UPLOADS || own >= MAX_UPLOADS_PER_USER {
            return Err(Refusal::busy("too many uploads arrive at once", 10));
        }
        arriving.push(username.clone());
        Ok(Arriving { uploads: self, username })
    }

    fn announce(&self, username: &str, metadata: PushMetadata) -> Result<String, Refusal> {
        self.with(|uploads| {
            uploads.retain(|_, upload| upload.since.elapsed() < FORGOTTEN);
            if uploads.values().filter(|upload| upload.username == username).count() >= MAX_PER_USER {
                return Err(Refusal::busy("too many uploads wait for confirmation", 30));
            }
            // The random id authorizes the upload.
            let id = uuid::Uuid::new_v4().simple().to_string();
            let username = username.to_owned();
            uploads.insert(id.clone(), Upload { username, metadata, since: Instant::now(), staged: None });
            Ok(id)
        })
    }

    /// Removes and returns the upload that a confirmation is for: the one with its key, else the last one of this version.
    fn take(&self, key: Option<&str>, username: &str, metadata: &PushMetadata) -> Option<(String, Upload)> {
        let is_meant = |upload: &Upload| {
            upload.username == username
                && upload.staged.is_some()
                && (&upload.metadata.name, upload.metadata.version, upload.metadata.channel)
                    == (&metadata.name, metadata.version, metadata.channel)
        };
        self.with(|uploads| {
            let id = match key {
                Some(key) => uploads.get(key).filter(|upload| is_meant(upload)).map(|_| key.to_owned()),
                None => {
                    let meant = uploads.iter().filter(|(_, upload)| is_meant(upload));
                    meant.max_by_key(|(_, upload)| upload.since).map(|(id, _)| id.clone())
                }
            }?;
            uploads.remove_entry(&id)
        })
    }
}

pub(crate) async fn push(Extract(state): Extract<Arc<State>>, headers: HeaderMap, body: Body) -> Answer {
    // Check the token before reading the body, so that a client without a token cannot make the server read much.
    state.token(&headers).await?;
    let metadata: PushMetadata = state.body(body).await?;
    let token = state.allowed(&headers, &metadata.name, "publish").await?;
    let asked = metadata.clone();
    let extension_id = state
        .blocking(move |state| {
            state.directory.check_push(&asked)?;
            let record = state.directory.record_if_any(&asked.name)?;
            Ok(record.map(|record| record.id).unwrap_or_default())
        })
        .await?;
    let id = state.uploads.announce(&token.username, metadata)?;
    let upload_url = state.url(&headers, &format!("uploads/{id}"))?;
    ok(&PushTicket { upload_url, s3_key: id, extension_id })
}

pub(crate) async fn upload(
    Extract(state): Extract<Arc<State>>,
    Path(id): Path<String>,
    body: Body,
) -> Answer {
    let username = state.uploads.with(|uploads| uploads.get(&id).map(|upload| upload.username.clone()));
    let Some(username) = username else {
        return Err(unknown_path().await);
    };
    let _arriving = state.uploads.arrive(username)?;
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(8);
    let writer = {
        let state = Arc::clone(&state);
        async move {
            state
                .blocking(move |state| {
                    let mut pieces = Pieces { receiver, current: Bytes::new() };
                    state.directory.stage(&mut pieces, state.options.max_archive_bytes)
                })
                .await
        }
    };
    let reader = async move {
        let mut stream = body.into_data_stream();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| io::Error::other(error.to_string()));
            let failed = piece.is_err();
            // The writer has stopped, for example at the size limit. Its result has the error.
            if sender.send(piece).await.is_err() || failed {
                break;
            }
        }
    };
    let both = async { tokio::join!(writer, reader).0 };
    let staged = tokio::time::timeout(MAX_UPLOAD_TIME, both).await.map_err(|_| {
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "registry_error", "the upload took too long")
    })??;
    let (size, checksum) = (staged.size, staged.digest);
    let kept = state.uploads.with(|uploads| match uploads.get_mut(&id) {
        Some(upload) => {
            upload.staged = Some(staged);
            true
        }
        None => false,
    });
    if !kept {
        return Err(unknown_path().await);
    }
    ok(&json!({ "size": size, "checksum": checksum }))
}

/// The pieces of a request body, for a reader that blocks. An interrupted body ends with an error.
struct Pieces {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Confirmation {
    #[serde(default)]
    content_metadata: Value,
    #[serde(default)]
    s3_key: Option<String>,
}

pub(crate) async fn confirm(Extract(state): Extract<Arc<State>>, headers: HeaderMap, body: Body) -> Answer {
    state.token(&headers).await?;
    let body: Value = state.body(body).await?;
    let unusable = |error: serde_json::Error| Refusal::invalid(format!("invalid request: {error}"));
    let metadata = PushMetadata::deserialize(&body).map_err(unusable)?;
    let rest = Confirmation::deserialize(&body).map_err(unusable)?;
    let token = state.allowed(&headers, &metadata.name, "publish").await?;
    let key = rest.s3_key.as_deref().filter(|key| !key.is_empty());
    let Some((_, upload)) = state.uploads.take(key, &token.username, &metadata) else {
        // Another publisher may have confirmed this version; that is the more helpful error.
        let asked = metadata.clone();
        state.blocking(move |state| state.directory.check_push(&asked)).await?;
        let message = format!(
            "missing upload of {}@{}: upload the archive before the confirmation",
            metadata.name, metadata.version
        );
        return Err(Refusal::invalid(message));
    };
    let published = state
        .blocking(move |state| {
            let Some(staged) = upload.staged else {
                return Err(RegistryError::ValidationFailed { message: "missing upload".to_owned() });
            };
            check_gzip(staged.path())?;
            // The digest in the announcement must match too.
            let announced = upload.metadata.checksum.filter(|announced| *announced != staged.digest);
            if let Some(expected) = announced {
                let what = format!("{}@{}", metadata.name, metadata.version);
                return Err(RegistryError::ChecksumMismatch { what, expected, found: staged.digest });
            }
            (state.options.validate)(staged.path(), &metadata)
                .map_err(|message| RegistryError::ValidationFailed { message })?;
            let author = Author { username: token.username, display_name: None };
            state.directory.publish_staged(&metadata, &rest.content_metadata, staged, Some(author))
        })
        .await?;
    ok(&published)
}

/// Checks that a file is one whole gzip stream.
fn check_gzip(path: &FilePath) -> Result<(), RegistryError> {
    let refuse = |reason: String| RegistryError::ValidationFailed { message: format!("the upload {reason}") };
    let file = std::fs::File::open(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let mut unpacked = flate2::read::MultiGzDecoder::new(io::BufReader::new(file)).take(MAX_UNPACKED + 1);
    match io::copy(&mut unpacked, &mut io::sink()) {
        Ok(count) if count > MAX_UNPACKED => {
            Err(refuse(format!("unpacks to more than {MAX_UNPACKED} bytes")))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(refuse(format!("is not a whole gzip stream: {error}"))),
    }
}
