//! Requests that read and need no token.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use marsh_registry::directory::layout::{ExtensionRecord, VersionRecord, archive_path};
use marsh_registry::directory::search::MAX_PER_PAGE;
use marsh_registry::protocol::{Checksum, PageMeta, VersionsPage};
use marsh_registry::{RegistryError, SearchQuery, SearchSort};
use marsh_types::{CalVer, Channel, ExtensionName, KINDS};
use serde_json::{Value, json};

use crate::State;
use crate::answer::{Answer, Refusal, ok, reference, unknown_path};

/// The keys below which a version lists what it contains.
fn content_keys() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|row| row.registry_key).chain(["workflows", "skills"])
}

/// The parameters of a query, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(raw: Option<&str>) -> Query {
        Query(url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    fn all(&self, key: &str) -> Vec<String> {
        let matching = self.0.iter().filter(|(name, value)| name == key && !value.is_empty());
        matching.map(|(_, value)| value.clone()).collect()
    }

    fn one(&self, key: &str) -> Option<String> {
        self.all(key).into_iter().next()
    }

    fn number(&self, key: &str, otherwise: u32, most: u32) -> Result<u32, Refusal> {
        let Some(text) = self.one(key) else { return Ok(otherwise) };
        let number = text.parse::<u32>().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| Refusal::invalid(format!("invalid `{key}`: expected a number from 1 to {most}")))
    }

    fn channels(&self) -> Result<Vec<Channel>, Refusal> {
        let parse = |text: String| {
            text.parse().map_err(|_| Refusal::invalid("invalid `channel`: expected beta, rc or stable"))
        };
        self.all("channel").into_iter().map(parse).collect()
    }
}

pub(crate) async fn info(Extract(state): Extract<Arc<State>>, Path(text): Path<String>) -> Answer {
    let (name, version) = reference(&text)?;
    if version.is_some() {
        return Err(unknown_path().await);
    }
    ok(&state.blocking(move |state| Ok(state.directory.record(&name)?.info())).await?)
}

pub(crate) async fn about(
    Extract(state): Extract<Arc<State>>,
    Path((text, op)): Path<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let (name, version) = reference(&text)?;
    let query = Query::parse(raw.as_deref());
    match (op.as_str(), version) {
        ("latest", None) => latest(&state, name, &query).await,
        ("versions", None) => versions(&state, name, &query).await,
        // A version has one archive, whatever its channel.
        ("download", Some(version)) => download(&state, name, version, &headers).await,
        ("checksum", Some(version)) => checksum(&state, name, version).await,
        _ => Err(unknown_path().await),
    }
}

async fn latest(state: &Arc<State>, name: ExtensionName, query: &Query) -> Answer {
    let channel = query.channels()?.first().copied().unwrap_or_default();
    let asked = name.clone();
    let record = state.blocking(move |state| state.directory.record(&asked)).await?;
    let Some(version) = record.latest(channel) else {
        let message = format!("{name} has no version on channel {channel}");
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", message));
    };
    ok(&json!({ "latestVersion": version.version, "latestVersionDetail": detail(&record, version) }))
}

fn detail(record: &ExtensionRecord, version: &VersionRecord) -> Value {
    let mut detail = json!(record.version_info(version));
    for key in content_keys() {
        detail[key] =
            version.content_metadata.get(key).filter(|items| items.is_array()).cloned().unwrap_or(json!([]));
    }
    detail
}

async fn versions(state: &Arc<State>, name: ExtensionName, query: &Query) -> Answer {
    let channels = query.channels()?;
    let per_page = query.number("perPage", 20, MAX_PER_PAGE)?;
    let page = query.number("page", 1, u32::MAX)?;
    let mut versions =
        state.blocking(move |state| Ok(state.directory.record(&name)?.version_infos())).await?;
    versions.retain(|version| channels.is_empty() || channels.contains(&version.channel));
    let meta = PageMeta {
        total: versions.len() as u64,
        page: u64::from(page),
        per_page: u64::from(per_page),
        all_channels: channels.is_empty(),
    };
    let skip = (page as usize - 1).saturating_mul(per_page as usize);
    let versions = versions.into_iter().skip(skip).take(per_page as usize).collect();
    ok(&VersionsPage { versions, meta })
}

async fn download(state: &Arc<State>, name: ExtensionName, version: CalVer, headers: &HeaderMap) -> Answer {
    let found = state.blocking(move |state| state.directory.offered(&name, version)).await?;
    let url = state.url(headers, &archive_path(&found.checksum))?;
    Ok((StatusCode::FOUND, [(header::LOCATION, url)]).into_response())
}

async fn checksum(state: &Arc<State>, name: ExtensionName, version: CalVer) -> Answer {
    let checksum = state
        .blocking(move |state| {
            let record = state.directory.record(&name)?;
            record.version(version).map(|found| found.checksum).ok_or_else(|| RegistryError::NotFound {
                what: format!("{name}@{version}"),
                registry: state.directory.shown(),
            })
        })
        .await?;
    ok(&Checksum { checksum: Some(checksum) })
}

pub(crate) async fn search(Extract(state): Extract<Arc<State>>, RawQuery(raw): RawQuery) -> Answer {
    let query = Query::parse(raw.as_deref());
    let sort = match query.one("sort") {
        None => SearchSort::default(),
        Some(text) => SearchSort::ALL
            .into_iter()
            .find(|sort| sort.as_str() == text)
            .ok_or_else(|| Refusal::invalid("invalid `sort`: expected relevance, new, updated or name"))?,
    };
    let query = SearchQuery {
        text: query.one("q").unwrap_or_default(),
        collective: query.one("collective"),
        sort,
        per_page: query.number("perPage", 20, MAX_PER_PAGE)?,
        page: query.number("page", 1, u32::MAX)?,
        platforms: query.all("platform"),
        labels: query.all("label"),
        content_types: query.all("contentType"),
        channels: query.channels()?,
    };
    ok(&state.blocking(move |state| state.directory.search(&query)).await?)
}
