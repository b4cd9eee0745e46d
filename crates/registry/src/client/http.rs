//! HTTP requests: headers, redirects, limits, and the errors that statuses mean.

use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use marsh_types::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{self, Method, Response, header};
use ureq::{Body, SendBody};
use url::Url;

use super::ClientOptions;
use super::redirect::{self, printable};
use super::retry::{FailedTry, Retries};
use crate::error::RegistryError;

const MAX_ANSWER: u64 = 16 << 20;
const MAX_ERROR: u64 = 64 << 10;

pub(crate) struct Http {
    /// The base URL, which ends in a slash.
    base: Url,
    shown: String,
    options: ClientOptions,
    agent: OnceLock<ureq::Agent>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Http({})", self.shown)
    }
}

/// A request. `what` is the thing that does not exist if the answer is 404.
pub(crate) struct Request {
    pub method: Method,
    pub url: Url,
    pub body: Option<Value>,
    pub what: String,
}

impl Request {
    pub(crate) fn get(url: Url, what: impl Into<String>) -> Request {
        Request { method: Method::GET, url, body: None, what: what.into() }
    }

    pub(crate) fn post(url: Url, body: Option<Value>, what: impl Into<String>) -> Request {
        Request { method: Method::POST, url, body, what: what.into() }
    }
}

/// The body of an error answer.
#[derive(Default, Deserialize)]
struct ErrorBody {
    error: Option<Value>,
    message: Option<Value>,
    checksum: Option<Digest>,
}

impl Http {
    pub(crate) fn new(url: &Url, options: &ClientOptions) -> Http {
        let shown = url.as_str().trim_end_matches('/').to_owned();
        let mut base = url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", url.path()));
        }
        Http { base, shown, options: options.clone(), agent: OnceLock::new() }
    }

    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// A URL below the base URL. `path` must be percent-encoded.
    pub(crate) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.base.join(path).map_err(|error| self.bad(format!("invalid URL {path}: {error}")))
    }

    pub(crate) fn bad(&self, reason: impl Into<String>) -> RegistryError {
        RegistryError::BadResponse { registry: self.shown.clone(), reason: reason.into() }
    }

    fn unreachable(&self, reason: impl std::fmt::Display) -> RegistryError {
        RegistryError::Unreachable { registry: self.shown.clone(), reason: printable(&reason.to_string()) }
    }

    /// Sends a request, with retries, and parses the answer.
    pub(crate) fn json<T: DeserializeOwned>(&self, ask: &Request) -> Result<T, RegistryError> {
        if self.options.offline {
            return Err(RegistryError::Offline { what: ask.what.clone() });
        }
        let idempotent = ask.method == Method::GET;
        Retries::new(self.options.retries).run(|| {
            let mut response = self.follow(ask, &[], self.options.timeout)?;
            if !response.status().is_success() {
                return Err(self.refused(ask, response));
            }
            let bytes = match response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec() {
                Ok(bytes) => bytes,
                Err(ureq::Error::BodyExceedsLimit(limit)) => {
                    return Err(self.bad(format!("expected at most {limit} bytes")).into());
                }
                Err(error) => return Err(self.failed(error, idempotent)),
            };
            serde_json::from_slice(&bytes).map_err(|error| {
                let what = if looks_like_html(&bytes) {
                    "expected JSON, found a web page".to_owned()
                } else {
                    error.to_string()
                };
                self.bad(printable(&what)).into()
            })
        })
    }

    /// The answer to a GET of bytes from `offset` on, with status 200, 206 or 416, in one try.
    pub(crate) fn bytes(&self, ask: &Request, offset: u64) -> Result<Response<Body>, FailedTry> {
        // No transfer encoding: the archive is compressed, and offsets count its own bytes.
        let mut headers = vec![(header::ACCEPT_ENCODING, "identity".to_owned())];
        if offset > 0 {
            headers.push((header::RANGE, format!("bytes={offset}-")));
        }
        let response = self.follow(ask, &headers, self.options.transfer_timeout)?;
        match response.status().as_u16() {
            200 | 206 | 416 => Ok(response),
            _ => Err(self.refused(ask, response)),
        }
    }

    /// Uploads a file without credentials.
    pub(crate) fn put_file(&self, url: &Url, path: &Path, what: &str) -> Result<(), RegistryError> {
        redirect::usable(&self.base, url).map_err(|reason| RegistryError::UnsafeRedirect {
            url: printable(url.as_str()),
            reason: reason.to_owned(),
        })?;
        let ask = Request { method: Method::PUT, url: url.clone(), body: None, what: what.to_owned() };
        Retries::new(self.options.retries).run(|| {
            let file = File::open(path).map_err(|error| RegistryError::read(path, error))?;
            let length = file.metadata().map_err(|error| RegistryError::read(path, error))?.len();
            let request = http::Request::builder()
                .method(Method::PUT)
                .uri(url.as_str())
                .header(header::CONTENT_TYPE, "application/gzip")
                .header(header::CONTENT_LENGTH, length)
                .body(SendBody::from_owned_reader(file))
                .map_err(|error| self.bad(error.to_string()))?;
            let response = self.send(request, self.options.transfer_timeout, true)?;
            if response.status().is_success() { Ok(()) } else { Err(self.refused(&ask, response)) }
        })
    }

    /// Sends a request and follows its redirects.
    fn follow(
        &self,
        ask: &Request,
        headers: &[(header::HeaderName, String)],
        timeout: Duration,
    ) -> Result<Response<Body>, FailedTry> {
        let mut url = ask.url.clone();
        for _ in 0..=redirect::MAX_REDIRECTS {
            let mut request = http::Request::builder().method(ask.method.clone()).uri(url.as_str());
            if let Some(key) = &self.options.api_key
                && redirect::may_see_credentials(&self.base, &url)
            {
                request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
                request = request.header("x-api-key", key);
            }
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let body = match &ask.body {
                Some(body) => {
                    request = request.header(header::CONTENT_TYPE, "application/json");
                    SendBody::from_owned_reader(std::io::Cursor::new(body.to_string().into_bytes()))
                }
                None => SendBody::none(),
            };
            if let Some(body) = &ask.body {
                request = request.header(header::CONTENT_LENGTH, body.to_string().len());
            } else if ask.method == Method::POST {
                request = request.header(header::CONTENT_LENGTH, 0);
            }
            let request = request.body(body).map_err(|error| self.bad(error.to_string()))?;
            let response = self.send(request, timeout, ask.method == Method::GET)?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let Some(location) = location else {
                return Err(self.bad("missing header Location in a redirect").into());
            };
            if ask.method != Method::GET {
                let reason = "marsh follows redirects of GET requests only".to_owned();
                return Err(RegistryError::UnsafeRedirect { url: printable(location), reason }.into());
            }
            url = redirect::next(&url, location)?;
        }
        let reason = format!("there are more than {} redirects", redirect::MAX_REDIRECTS);
        Err(RegistryError::UnsafeRedirect { url: printable(url.as_str()), reason }.into())
    }

    fn send(
        &self,
        request: http::Request<SendBody<'static>>,
        timeout: Duration,
        idempotent: bool,
    ) -> Result<Response<Body>, FailedTry> {
        let agent = self.agent();
        let request = agent.configure_request(request).timeout_global(Some(timeout)).build();
        agent.run(request).map_err(|error| self.failed(error, idempotent))
    }

    fn agent(&self) -> &ureq::Agent {
        self.agent.get_or_init(|| {
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .timeout_connect(Some(Duration::from_secs(10)))
                .user_agent(&self.options.user_agent)
                .build()
                .into()
        })
    }

    /// The error of a request without an answer. The server may have made a change before the connection broke, so a change
    /// is retried only if the request cannot have reached the server.
    fn failed(&self, error: ureq::Error, idempotent: bool) -> FailedTry {
        use ureq::{Error, Timeout};
        let unsent = match &error {
            Error::HostNotFound | Error::ConnectionFailed => true,
            Error::Timeout(which) => matches!(which, Timeout::Resolve | Timeout::Connect),
            Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            _ => false,
        };
        match &error {
            Error::BadUri(_) | Error::Http(_) | Error::Rustls(_) | Error::Tls(_) => {
                self.unreachable(&error).into()
            }
            Error::Protocol(_) => self.bad(printable(&error.to_string())).into(),
            _ if unsent || idempotent => FailedTry::again(self.unreachable(&error)),
            _ => self.unreachable(&error).into(),
        }
    }

    /// The error of an answer with an error status.
    fn refused(&self, ask: &Request, mut response: Response<Body>) -> FailedTry {
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(retry_after);
        let bytes = response.body_mut().with_config().limit(MAX_ERROR).read_to_vec().unwrap_or_default();
        let body: ErrorBody = serde_json::from_slice(&bytes).unwrap_or_default();
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let said = text(body.error).or(text(body.message));
        let message = printable(&said.clone().unwrap_or_else(|| plain(&bytes)));
        let registry = self.shown.clone();
        let error = match status {
            401 => RegistryError::Unauthorized { registry, message },
            403 => RegistryError::Forbidden { registry, message },
            404 => RegistryError::NotFound { what: ask.what.clone(), registry },
            409 => RegistryError::AlreadyExists { message, checksum: body.checksum },
            410 => {
                RegistryError::Yanked { what: ask.what.clone(), reason: said.map(|said| printable(&said)) }
            }
            413 => RegistryError::ValidationFailed { message },
            422 => RegistryError::ValidationFailed { message },
            429 => RegistryError::RateLimited { registry, retry_after },
            _ => {
                let mut url = ask.url.clone();
                url.set_query(None);
                RegistryError::Answered { status, message, url: url.to_string() }
            }
        };
        match status {
            // The server did not act on the request, so it can be retried even if it is a change.
            429 => retry_after.map_or_else(
                || {
                    FailedTry::again(RegistryError::RateLimited {
                        registry: self.shown.clone(),
                        retry_after: None,
                    })
                },
                |pause| {
                    let registry = self.shown.clone();
                    FailedTry::after(RegistryError::RateLimited { registry, retry_after: Some(pause) }, pause)
                },
            ),
            500 | 502..=599 if ask.method != Method::POST => match retry_after {
                Some(pause) => FailedTry::after(error, pause),
                None => FailedTry::again(error),
            },
            _ => error.into(),
        }
    }
}

/// Parses the header `Retry-After`: seconds or an HTTP date.
fn retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let seconds = at.as_second().saturating_sub(jiff::Timestamp::now().as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn looks_like_html(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'<')
}

fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.trim() {
        "" => "no reason given".to_owned(),
        _ if looks_like_html(bytes) => "the server sent a web page".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::retry_after;

    #[test]
    fn retry_after_is_parsed_as_seconds_or_a_date() {
        assert_eq!(retry_after("3"), Some(Duration::from_secs(3)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
    }
}
