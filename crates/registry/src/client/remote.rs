//! A registry behind HTTP: the server's API, or static files in the layout of a directory registry.

use std::path::Path;
use std::sync::OnceLock;

use marsh_types::{CalVer, Channel, Digest, ExtensionName};
use serde_json::{Value, json};
use ureq::http::header;
use url::Url;

use super::ClientOptions;
use super::download::{ArchiveStream, Wanted};
use super::http::{Http, Request};
use super::retry::FailedTry;
use crate::digest::digest_of;
use crate::directory::layout::{self, ExtensionRecord, FORMAT, INDEX, MARKER, Marker, SearchIndex};
use crate::directory::{checked, named, offered, search};
use crate::error::RegistryError;
use crate::protocol::{
    Checksum, CreatedToken, ExtensionInfo, Identity, Latest, Message, Promoted, Published, PushMetadata,
    PushTicket, SearchPage, SearchQuery, VersionInfo, VersionsPage,
};

const PER_PAGE: u64 = 100;
/// Ten thousand versions of one extension; a server that sends more is faulty.
const MAX_PAGES: u64 = 100;

#[derive(Debug)]
pub(crate) struct Remote {
    http: Http,
    /// Determined once, at the first 404.
    is_static: OnceLock<bool>,
}

impl Remote {
    pub(crate) fn new(url: &Url, options: &ClientOptions) -> Remote {
        Remote { http: Http::new(url, options), is_static: OnceLock::new() }
    }

    fn api(&self, name: &ExtensionName, version: Option<CalVer>, op: &str) -> Result<Url, RegistryError> {
        let version = version.map(|version| format!("@{version}")).unwrap_or_default();
        self.http.url(&format!("api/v1/extensions/{}{version}{op}", encoded(name)))
    }

    /// Sends a request to the API. Returns `None` if the registry is a static host, which a 404 may mean.
    fn ask<T: serde::de::DeserializeOwned>(&self, request: &Request) -> Result<Option<T>, RegistryError> {
        if self.is_static.get() == Some(&true) {
            return Ok(None);
        }
        match self.http.json(request) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_not_found() && self.is_static()? => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_static(&self) -> Result<bool, RegistryError> {
        if let Some(known) = self.is_static.get() {
            return Ok(*known);
        }
        let ask = Request::get(self.http.url(MARKER)?, MARKER);
        let found = match self.http.json::<Marker>(&ask) {
            Ok(marker) if marker.format == FORMAT => true,
            Ok(marker) => {
                let reason = format!("expected format {FORMAT}, found {}", marker.format);
                return Err(self.http.bad(reason));
            }
            // The API answered 404, and this answer is not a marker, so the host is not a static registry.
            Err(RegistryError::NotFound { .. } | RegistryError::BadResponse { .. }) => false,
            Err(RegistryError::Forbidden { .. } | RegistryError::Unauthorized { .. }) => false,
            Err(error) => return Err(error),
        };
        Ok(*self.is_static.get_or_init(|| found))
    }

    fn record(&self, name: &ExtensionName) -> Result<ExtensionRecord, RegistryError> {
        let ask = Request::get(self.http.url(&layout::extension_path(name))?, name.to_string());
        checked(self.http.json(&ask)?, name).map_err(|reason| self.http.bad(reason))
    }

    fn not_found(&self, name: &ExtensionName, version: Option<CalVer>) -> RegistryError {
        RegistryError::NotFound { what: named(name, version), registry: self.http.shown().to_owned() }
    }

    pub(crate) fn info(&self, name: &ExtensionName) -> Result<ExtensionInfo, RegistryError> {
        let ask = Request::get(self.api(name, None, "")?, name.to_string());
        let Some(info) = self.ask::<ExtensionInfo>(&ask)? else { return Ok(self.record(name)?.info()) };
        if &info.name != name {
            return Err(self.http.bad(format!("expected {name}, found {}", info.name)));
        }
        Ok(info)
    }

    pub(crate) fn versions(&self, name: &ExtensionName) -> Result<Vec<VersionInfo>, RegistryError> {
        let Some((mut versions, complete)) = self.version_pages(name, None)? else {
            return Ok(self.record(name)?.version_infos());
        };
        // The protocol leaves open whether a request without a channel means all channels or stable.
        if !complete && versions.iter().all(|version| version.channel == Channel::Stable) {
            for channel in [Channel::Rc, Channel::Beta] {
                let more = self.version_pages(name, Some(channel))?;
                versions.extend(more.map(|(more, _)| more).unwrap_or_default());
            }
        }
        versions.sort_by_key(|version| std::cmp::Reverse(version.version));
        versions.dedup_by_key(|version| version.version);
        Ok(versions)
    }

    /// The versions, and whether the registry states that they are of all channels. `None`: the registry is a static host.
    fn version_pages(
        &self,
        name: &ExtensionName,
        channel: Option<Channel>,
    ) -> Result<Option<(Vec<VersionInfo>, bool)>, RegistryError> {
        let mut versions: Vec<VersionInfo> = Vec::new();
        let mut complete = false;
        for page in 1..=MAX_PAGES {
            let mut url = self.api(name, None, "/versions")?;
            {
                let mut query = url.query_pairs_mut();
                if let Some(channel) = channel {
                    query.append_pair("channel", channel.as_str());
                }
                query.append_pair("perPage", &PER_PAGE.to_string()).append_pair("page", &page.to_string());
            }
            let ask = Request::get(url, name.to_string());
            let Some(answer) = self.ask::<VersionsPage>(&ask)? else { return Ok(None) };
            complete |= answer.meta.all_channels;
            let count = answer.versions.len() as u64;
            versions.extend(answer.versions);
            if count == 0 || versions.len() as u64 >= answer.meta.total {
                return Ok(Some((versions, complete)));
            }
        }
        Err(self.http.bad(format!("{name} has more than {} pages of versions", MAX_PAGES)))
    }

    pub(crate) fn latest(
        &self,
        name: &ExtensionName,
        channel: Channel,
    ) -> Result<Option<VersionInfo>, RegistryError> {
        let url = with_channel(self.api(name, None, "/latest")?, channel);
        let answer = match self.ask::<Latest>(&Request::get(url, name.to_string())) {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                let record = self.record(name)?;
                return Ok(record.latest(channel).map(|version| record.version_info(version)));
            }
            // The channel has no version, or there is no such extension: `info` tells them apart.
            Err(RegistryError::NotFound { .. } | RegistryError::Yanked { .. }) => {
                return self.info(name).map(|_| None);
            }
            Err(error) => return Err(error),
        };
        Ok(answer.latest_version_detail.or_else(|| {
            answer.latest_version.map(|version| VersionInfo {
                version,
                channel,
                published_at: String::new(),
                yanked: false,
                checksum: None,
                size: None,
                dependencies: None,
            })
        }))
    }

    pub(crate) fn checksum(
        &self,
        name: &ExtensionName,
        version: CalVer,
        channel: Channel,
    ) -> Result<Option<Digest>, RegistryError> {
        let url = with_channel(self.api(name, Some(version), "/checksum")?, channel);
        match self.ask::<Checksum>(&Request::get(url, named(name, Some(version))))? {
            Some(answer) => Ok(answer.checksum),
            None => {
                let record = self.record(name)?;
                let found = record.version(version).ok_or_else(|| self.not_found(name, Some(version)))?;
                Ok(Some(found.checksum))
            }
        }
    }

    pub(crate) fn search(&self, query: &SearchQuery) -> Result<SearchPage, RegistryError> {
        let mut url = self.http.url("api/v1/extensions/search")?;
        {
            let mut pairs = url.query_pairs_mut();
            if !query.text.is_empty() {
                pairs.append_pair("q", &query.text);
            }
            if let Some(collective) = &query.collective {
                pairs.append_pair("collective", collective);
            }
            pairs.append_pair("sort", query.sort.as_str());
            pairs.append_pair("perPage", &query.per_page.to_string());
            pairs.append_pair("page", &query.page.to_string());
            for (key, values) in [
                ("platform", &query.platforms),
                ("label", &query.labels),
                ("contentType", &query.content_types),
            ] {
                for value in values {
                    pairs.append_pair(key, value);
                }
            }
            for channel in &query.channels {
                pairs.append_pair("channel", channel.as_str());
            }
        }
        if let Some(page) = self.ask(&Request::get(url, "search"))? {
            return Ok(page);
        }
        let index: SearchIndex = self.http.json(&Request::get(self.http.url(INDEX)?, INDEX))?;
        Ok(search::search(index.extensions, query))
    }

    /// The bytes of an archive from `offset` on, in one try.
    pub(crate) fn archive(&self, wanted: &Wanted<'_>, offset: u64) -> Result<ArchiveStream, FailedTry> {
        let what = named(wanted.name, Some(wanted.version));
        let api = || -> Result<Request, RegistryError> {
            let url = self.api(wanted.name, Some(wanted.version), "/download")?;
            Ok(Request::get(with_channel(url, wanted.channel), what.clone()))
        };
        let static_file = || -> Result<Request, RegistryError> {
            let record = self.record(wanted.name)?;
            let found = offered(&record, wanted.version)?
                .ok_or_else(|| self.not_found(wanted.name, Some(wanted.version)))?;
            if let Some(expected) = wanted.expected.filter(|expected| *expected != found.checksum) {
                let found = found.checksum;
                return Err(RegistryError::ChecksumMismatch { what: what.clone(), expected, found });
            }
            Ok(Request::get(self.http.url(&layout::archive_path(&found.checksum))?, what.clone()))
        };
        let response = if self.is_static.get() == Some(&true) {
            self.http.bytes(&static_file()?, offset)?
        } else {
            match self.http.bytes(&api()?, offset) {
                Err(failure) if failure.is_not_found() && self.is_static()? => {
                    self.http.bytes(&static_file()?, offset)?
                }
                other => other?,
            }
        };
        let number = |name| response.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
        let length = number(header::CONTENT_LENGTH);
        let (start, total) = match response.status().as_u16() {
            206 => {
                let range =
                    response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
                match range.and_then(content_range) {
                    Some((start, total)) if start == offset => (start, total),
                    _ => {
                        return Err(self
                            .http
                            .bad(format!("expected the archive from byte {offset}, found another range"))
                            .into());
                    }
                }
            }
            // The received bytes are not the start of the archive: download from the beginning.
            416 if offset > 0 => return self.archive(wanted, 0),
            416 => return Err(self.http.bad("the archive is empty").into()),
            _ => (0, length),
        };
        Ok(ArchiveStream { reader: Box::new(response.into_body().into_reader()), offset: start, total })
    }

    pub(crate) fn publish(
        &self,
        metadata: &PushMetadata,
        content: &Value,
        archive: &Path,
        limit: u64,
    ) -> Result<Published, RegistryError> {
        let what = named(&metadata.name, Some(metadata.version));
        let read = |error| RegistryError::read(archive, error);
        let size = std::fs::metadata(archive).map_err(read)?.len();
        if size > limit {
            return Err(RegistryError::TooLarge { what, limit });
        }
        let digest = digest_of(archive).map_err(read)?;
        if let Some(expected) = metadata.checksum.filter(|expected| *expected != digest) {
            return Err(RegistryError::ChecksumMismatch { what, expected, found: digest });
        }
        let metadata = PushMetadata { checksum: Some(digest), ..metadata.clone() };
        let mut body = serde_json::to_value(&metadata).map_err(|error| self.http.bad(error.to_string()))?;
        let url = self.http.url("api/v1/extensions/push")?;
        let ticket: PushTicket = self.http.json(&Request::post(url, Some(body.clone()), &what))?;
        let upload = self.http.url(&ticket.upload_url).map_err(|_| self.http.bad("invalid upload URL"))?;
        self.http.put_file(&upload, archive, &what)?;
        if let Value::Object(fields) = &mut body {
            fields.insert("contentMetadata".into(), content.clone());
            // The key selects one of several uploads of a version. It is not part of the protocol; servers ignore unknown
            // fields.
            fields.insert("s3Key".into(), json!(ticket.s3_key));
        }
        let url = self.http.url("api/v1/extensions/confirm")?;
        let published: Published = self.http.json(&Request::post(url, Some(body), &what))?;
        if (&published.name, published.version) != (&metadata.name, metadata.version) {
            let found = named(&published.name, Some(published.version));
            return Err(self.http.bad(format!("expected a confirmation of {what}, found one of {found}")));
        }
        Ok(Published { checksum: Some(digest), size: Some(size), ..published })
    }

    fn change(&self, url: Url, body: Option<Value>, what: String) -> Result<String, RegistryError> {
        let answer: Message = self.http.json(&Request::post(url, body, what))?;
        Ok(super::redirect::printable(&answer.message))
    }

    pub(crate) fn yank(
        &self,
        name: &ExtensionName,
        version: Option<CalVer>,
        channel: Option<Channel>,
        reason: &str,
    ) -> Result<String, RegistryError> {
        let mut body = json!({ "reason": reason });
        if let Some(channel) = channel {
            body["channel"] = json!(channel);
        }
        self.change(self.api(name, version, "/yank")?, Some(body), named(name, version))
    }

    pub(crate) fn unyank(
        &self,
        name: &ExtensionName,
        version: Option<CalVer>,
        channel: Option<Channel>,
        reason: Option<&str>,
    ) -> Result<String, RegistryError> {
        let mut body = serde_json::Map::new();
        body.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
        body.extend(channel.map(|channel| ("channel".to_owned(), json!(channel))));
        let body = (!body.is_empty()).then_some(Value::Object(body));
        self.change(self.api(name, version, "/unyank")?, body, named(name, version))
    }

    pub(crate) fn deprecate(
        &self,
        name: &ExtensionName,
        reason: &str,
        superseded_by: Option<&ExtensionName>,
    ) -> Result<String, RegistryError> {
        let mut body = json!({ "reason": reason });
        if let Some(by) = superseded_by {
            body["supersededBy"] = json!(by);
        }
        self.change(self.api(name, None, "/deprecate")?, Some(body), name.to_string())
    }

    pub(crate) fn undeprecate(&self, name: &ExtensionName) -> Result<String, RegistryError> {
        self.change(self.api(name, None, "/undeprecate")?, None, name.to_string())
    }

    pub(crate) fn promote(
        &self,
        name: &ExtensionName,
        version: CalVer,
        to: Channel,
    ) -> Result<Promoted, RegistryError> {
        let body = json!({ "version": version, "toChannel": to });
        let what = named(name, Some(version));
        let promoted: Promoted =
            self.http.json(&Request::post(self.api(name, None, "/promote")?, Some(body), what))?;
        Ok(Promoted { message: super::redirect::printable(&promoted.message), ..promoted })
    }

    pub(crate) fn create_token(
        &self,
        collective: &str,
        scopes: &[String],
        name: Option<&str>,
    ) -> Result<CreatedToken, RegistryError> {
        let mut url = self.http.url("api/v1/collectives")?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(collective).push("api-tokens");
        }
        let body = json!({ "scopes": scopes, "name": name });
        self.http.json(&Request::post(url, Some(body), format!("tokens of @{collective}")))
    }

    pub(crate) fn whoami(&self) -> Result<Identity, RegistryError> {
        self.http.json(&Request::get(self.http.url("api/whoami")?, "the identity endpoint"))
    }
}

/// The name as one component of a URL's path. Names contain no other characters that need encoding.
fn encoded(name: &ExtensionName) -> String {
    name.as_str().replace('@', "%40").replace('/', "%2F")
}

fn with_channel(mut url: Url, channel: Channel) -> Url {
    if let Some(channel) = channel.unless_stable() {
        url.query_pairs_mut().append_pair("channel", channel.as_str());
    }
    url
}

/// Parses the start and the total of `bytes 5-9/10`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.parse().ok()?;
    Some((start, total.parse().ok()))
}
