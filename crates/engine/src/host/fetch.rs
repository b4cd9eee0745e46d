//! HTTP: one exchange of request and response at a time. What the fetch standard says about redirects, bodies and
//! headers is in `js/fetch.js`; here are connections, their pool, proxies, and back-pressure in both directions.
//!
//! A runtime has clients of its own, so its connections die with it. Held by `tests/it/fetch.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, NoProxy, Proxy, RequestBuilder, Response};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use crate::gate::{
    Args, Completer, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NET, Operation, Val, plain,
    start,
};
use crate::host::net;
use crate::host::tls::{self, Trust};
use crate::lock::lock;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("fetch.open", NET, Determinism::ChangesWorld, Cost::Instant, open),
    start("fetch.send", NET, Determinism::ChangesWorld, Cost::Wait, send),
    start("fetch.read", NET, Determinism::ReadsWorld, Cost::Wait, read),
    start("fetch.write", NET, Determinism::ChangesWorld, Cost::Wait, write),
    plain("fetch.endBody", NET, Determinism::ChangesWorld, Cost::Instant, end_body),
    plain("fetch.cancel", NET, Determinism::ChangesWorld, Cost::Instant, cancel),
];

type Upload = mpsc::Sender<Result<Vec<u8>, std::io::Error>>;

pub(crate) struct Exchange {
    request: Mutex<Option<RequestBuilder>>,
    upload: Mutex<Option<Upload>>,
    response: Arc<tokio::sync::Mutex<Option<Response>>>,
    cancelled: watch::Sender<bool>,
}

#[derive(Default)]
pub(crate) struct Fetches {
    exchanges: Mutex<HashMap<u64, Arc<Exchange>>>,
    /// By what they are made of: the wishes of the extension and the environment's.
    clients: Mutex<HashMap<String, Client>>,
}

#[derive(Deserialize)]
struct Spec {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    /// The body comes in pieces, by `fetch.write`.
    #[serde(default)]
    stream: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClientSpec {
    #[serde(flatten)]
    trust: Trust,
    proxy: Option<ProxySpec>,
    http1: Option<bool>,
    http2: Option<bool>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxySpec {
    url: String,
    basic_auth: Option<BasicAuth>,
}

#[derive(Clone, Deserialize)]
struct BasicAuth {
    username: String,
    password: String,
}

const PROXIES: &[(&str, &str)] = &[
    ("http_proxy", "HTTP_PROXY"),
    ("https_proxy", "HTTPS_PROXY"),
    ("all_proxy", "ALL_PROXY"),
    ("no_proxy", "NO_PROXY"),
];

/// The client for these options and the present environment.
fn client(env: &Env, wanted: Option<&str>) -> Result<Client, HostError> {
    let (proxies, key) = {
        let vars = lock(&env.vars);
        let get = |name: &str| vars.get(name).filter(|value| !value.is_empty()).cloned();
        let proxies: Vec<Option<String>> =
            PROXIES.iter().map(|(lower, upper)| get(lower).or_else(|| get(upper))).collect();
        let files: Vec<Option<String>> = tls::FILES.iter().map(|name| get(name)).collect();
        let key = format!("{proxies:?} {files:?} {}", wanted.unwrap_or(""));
        (proxies, key)
    };
    if let Some(client) = lock(&env.fetches.clients).get(&key) {
        return Ok(client.clone());
    }
    let spec: ClientSpec = match wanted {
        None => ClientSpec::default(),
        Some(json) => serde_json::from_str(json).map_err(|error| HostError::type_error(error.to_string()))?,
    };
    let client = build(env, &spec, &proxies)?;
    lock(&env.fetches.clients).insert(key, client.clone());
    Ok(client)
}

fn build(env: &Env, spec: &ClientSpec, proxies: &[Option<String>]) -> Result<Client, HostError> {
    let failed = |error: reqwest::Error| HostError::type_error(chain(&error));
    let mut tls = tls::config(env, &spec.trust)?;
    let http2 = spec.http2.unwrap_or(true);
    let http1 = spec.http1.unwrap_or(true);
    tls.alpn_protocols = [(http2, "h2"), (http1, "http/1.1")]
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, name)| name.as_bytes().to_vec())
        .collect();
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        .http1_allow_obsolete_multiline_headers_in_responses(true);
    if !http2 {
        builder = builder.http1_only();
    }
    let [http, https, all, no] = proxies else { return Err(HostError::type_error("no proxies")) };
    let except = || no.as_deref().and_then(NoProxy::from_string);
    if let Some(proxy) = &spec.proxy {
        let mut made = Proxy::all(&proxy.url).map_err(failed)?;
        if let Some(auth) = &proxy.basic_auth {
            made = made.basic_auth(&auth.username, &auth.password);
        }
        builder = builder.proxy(made);
    } else {
        let given = |url: &str| if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        if let Some(url) = http.as_ref().or(all.as_ref()) {
            builder = builder.proxy(Proxy::http(given(url)).map_err(failed)?.no_proxy(except()));
        }
        if let Some(url) = https.as_ref().or(all.as_ref()) {
            builder = builder.proxy(Proxy::https(given(url)).map_err(failed)?.no_proxy(except()));
        }
    }
    builder.build().map_err(failed)
}

/// `(spec, body bytes or nothing, client as JSON or nothing)` to the number of the exchange.
fn open(env: &Env, args: &Args) -> HostResult {
    let spec: Spec = args.json(0)?;
    let client = client(env, args.opt_str(2))?;
    let method = Method::from_bytes(spec.method.as_bytes())
        .map_err(|_| HostError::type_error(format!("'{}' is not a valid HTTP method", spec.method)))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &spec.headers {
        let bad = || HostError::type_error(format!("Invalid header '{name}'"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.append(name, HeaderValue::from_bytes(&latin1(value).ok_or_else(bad)?).map_err(|_| bad())?);
    }
    let mut request = client.request(method, &spec.url).headers(headers);
    let mut upload = None;
    if spec.stream {
        let (sender, receiver) = mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        request = request.body(reqwest::Body::wrap_stream(pieces));
        upload = Some(sender);
    } else if !args.is_none(1) {
        request = request.body(args.bytes(1)?.to_vec());
    }
    let exchange = Exchange {
        request: Mutex::new(Some(request)),
        upload: Mutex::new(upload),
        response: Arc::default(),
        cancelled: watch::Sender::new(false),
    };
    let id = env.next_id();
    lock(&env.fetches.exchanges).insert(id, Arc::new(exchange));
    Ok(Val::Num(id as f64))
}

/// Header values are bytes; JavaScript sees each as the character of that number.
pub(crate) fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

pub(crate) fn from_latin1(bytes: &[u8]) -> Val {
    Val::Str(bytes.iter().map(|byte| char::from(*byte)).collect())
}

fn find(env: &Env, args: &Args) -> Result<Arc<Exchange>, HostError> {
    lock(&env.fetches.exchanges).get(&(args.num(0)? as u64)).cloned().ok_or_else(aborted)
}

fn aborted() -> HostError {
    HostError::new(ErrorClass::DomAbortError, "The request was aborted")
}

/// Run `work` until the exchange is cancelled.
fn exchange(
    env: &Arc<Env>,
    exchange: &Exchange,
    done: Completer,
    work: impl Future<Output = HostResult> + Send + 'static,
) -> Result<(), HostError> {
    let mut cancelled = exchange.cancelled.subscribe();
    net::run(env, done, async move {
        tokio::select! {
            biased;
            result = work => result,
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(aborted()),
        }
    })
}

/// `(exchange)` to `[status, status text, flat list of headers]`.
fn send(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let found = find(env, &args)?;
    let Some(request) = lock(&found.request).take() else { return Err(aborted()) };
    let slot = found.response.clone();
    exchange(env, &found, done, async move {
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let reason = response.extensions().get::<hyper::ext::ReasonPhrase>();
        let text = match reason {
            Some(reason) => from_latin1(reason.as_bytes()),
            None => Val::Str(status.canonical_reason().unwrap_or("").to_owned()),
        };
        let headers = response
            .headers()
            .iter()
            .flat_map(|(name, value)| [Val::Str(name.as_str().to_owned()), from_latin1(value.as_bytes())])
            .collect();
        let answer = Val::List(vec![Val::Num(status.as_u16().into()), text, Val::List(headers)]);
        *slot.lock().await = Some(response);
        Ok(answer)
    })
}

/// `(exchange)`: a chunk of the response's body, or nothing at its end.
fn read(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let found = find(env, &args)?;
    let slot = found.response.clone();
    exchange(env, &found, done, async move {
        let mut slot = slot.lock().await;
        let Some(response) = slot.as_mut() else { return Ok(Val::Null) };
        match response.chunk().await {
            Ok(Some(bytes)) => Ok(Val::Bytes(bytes.to_vec())),
            Ok(None) => {
                *slot = None;
                Ok(Val::Null)
            }
            Err(error) => {
                *slot = None;
                let mut failed = failed(&error);
                failed.message = format!("error reading a body from connection: {}", chain(&error));
                Err(failed)
            }
        }
    })
}

/// `(exchange, bytes)`: completes with whether the other side still wants more.
fn write(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let found = find(env, &args)?;
    let sender = lock(&found.upload).clone();
    let bytes = args.bytes(1)?.to_vec();
    exchange(env, &found, done, async move {
        let Some(sender) = sender else { return Ok(Val::Bool(false)) };
        Ok(Val::Bool(sender.send(Ok(bytes)).await.is_ok()))
    })
}

/// `(exchange, failed?)`: no more comes; a failed body must not look like a complete one.
fn end_body(env: &Env, args: &Args) -> HostResult {
    let found = find(env, args)?;
    let Some(sender) = lock(&found.upload).take() else { return Ok(Val::Undefined) };
    if args.bool(1) {
        crate::io::handle()?.spawn(async move {
            let broken = std::io::Error::other("the request body failed");
            let sent = sender.send(Err(broken)).await.map_err(|_| "the request has ended");
            marsh_types::ignore(sent, "a request that has ended takes no more of its body");
        });
    }
    Ok(Val::Undefined)
}

fn cancel(env: &Env, args: &Args) -> HostResult {
    let found = lock(&env.fetches.exchanges).remove(&(args.num(0)? as u64));
    if let Some(found) = found {
        found.cancelled.send_replace(true);
    }
    Ok(Val::Undefined)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(cause) = at {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        at = cause.source();
    }
    text
}

fn failed(error: &reqwest::Error) -> HostError {
    // The outermost layer says "error sending request for url", which `js/fetch.js` says itself.
    let text = std::error::Error::source(error).map_or_else(|| error.to_string(), chain);
    let mut code = error_code(error);
    if code.is_none() && text.contains("failed to lookup address") {
        code = Some("ENOTFOUND".to_owned());
    }
    HostError { class: ErrorClass::TypeError, message: text, code, data: None }
}

/// The code of the first error in the chain that has one.
pub(crate) fn error_code(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return tls::code(tls).map(str::to_owned);
    }
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        // The source of such an error is its content's source: the content itself has to be asked for.
        let inside = io.get_ref().and_then(|inner| error_code(inner));
        let known = inside.or_else(|| crate::errors::io(io, "").code);
        let cut = io.kind() == std::io::ErrorKind::UnexpectedEof;
        return known.or_else(|| cut.then(|| "ECONNRESET".to_owned()));
    }
    error.source().and_then(error_code)
}
