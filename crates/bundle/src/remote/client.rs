//! One address to bytes: redirects step by step, each checked and noted; limits of size and time; no credentials.

use std::time::Duration;

use url::Url;

use super::{address, is_loopback};
use crate::diagnostic::DiagnosticCode;
use crate::npm;

/// Of one module.
const MAX_MODULE: u64 = 16 << 20;
const MAX_REDIRECTS: usize = 10;
const ATTEMPTS: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(200);

/// What an address gave.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The address after all redirects.
    pub url: Url,
    pub content_type: Option<String>,
    pub bytes: Vec<u8>,
}

/// Why an address gave nothing.
#[derive(Debug)]
pub(super) struct Failed {
    pub code: DiagnosticCode,
    pub reason: String,
}

enum Step {
    Answer(Option<String>, Vec<u8>),
    Redirect(String),
}

enum Failure {
    Final(Failed),
    Again(String),
}

pub(super) struct Client {
    agent: ureq::Agent,
}

impl Client {
    pub(super) fn new() -> Client {
        Client { agent: npm::agent(0) }
    }

    pub(super) fn get(&self, from: &Url) -> Result<Fetched, Failed> {
        let mut url = from.clone();
        for _ in 0..=MAX_REDIRECTS {
            match self.step(&url)? {
                Step::Answer(content_type, bytes) => return Ok(Fetched { url, content_type, bytes }),
                Step::Redirect(location) => {
                    let next = url.join(&location).ok().and_then(|next| address(next.as_str()));
                    // A server elsewhere has no business with the servers of this machine.
                    let next = next.filter(|next| is_loopback(&url) || !is_loopback(next));
                    url = next.ok_or_else(|| Failed {
                        code: DiagnosticCode::Network,
                        reason: format!("{url} redirects to {location:?}, which is not an address of https"),
                    })?;
                }
            }
        }
        let reason = format!("it redirects more than {MAX_REDIRECTS} times");
        Err(Failed { code: DiagnosticCode::Network, reason })
    }

    fn step(&self, url: &Url) -> Result<Step, Failed> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.once(url) {
                Ok(step) => return Ok(step),
                Err(Failure::Final(failed)) => return Err(failed),
                Err(Failure::Again(_)) if attempt < ATTEMPTS => {
                    std::thread::sleep(BACKOFF * 4u32.pow(attempt - 1));
                }
                Err(Failure::Again(reason)) => {
                    return Err(Failed { code: DiagnosticCode::Network, reason });
                }
            }
        }
    }

    fn once(&self, url: &Url) -> Result<Step, Failure> {
        // Servers send pages to those who accept pages.
        let request = self.agent.get(url.as_str()).header("accept", "*/*");
        let mut response = request.call().map_err(|error| Failure::Again(error.to_string()))?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let refused = |code, reason: String| Err(Failure::Final(Failed { code, reason }));
        let content_type = header("content-type");
        match response.status().as_u16() {
            200 => {}
            status @ (301 | 302 | 303 | 307 | 308) => {
                return match header("location") {
                    Some(location) => Ok(Step::Redirect(location)),
                    None => refused(
                        DiagnosticCode::Network,
                        format!("it answered {status} without saying where to"),
                    ),
                };
            }
            status @ (404 | 410) => {
                return refused(DiagnosticCode::MissingFile, format!("it answered {status}"));
            }
            status @ (408 | 429 | 500..) => return Err(Failure::Again(format!("it answered {status}"))),
            status => return refused(DiagnosticCode::Network, format!("it answered {status}")),
        }
        match response.body_mut().with_config().limit(MAX_MODULE).read_to_vec() {
            Ok(bytes) => Ok(Step::Answer(content_type, bytes)),
            Err(ureq::Error::BodyExceedsLimit(limit)) => {
                refused(DiagnosticCode::Network, format!("it is larger than {limit} bytes"))
            }
            Err(error) => Err(Failure::Again(error.to_string())),
        }
    }
}
