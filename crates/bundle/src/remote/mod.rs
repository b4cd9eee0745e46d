//! Modules that are imported by address: `https:`, `http:` of this machine, and `jsr:` from jsr's own registry.
//!
//! * [`client`] fetches, follows redirects and keeps to limits; [`store`] keeps what came, with its digest; [`registry`]
//!   turns a `jsr:` requirement into addresses; [`graph`] follows the imports.
//! * The content of an address is decided once: by `deno.lock` where it knows the address, else by what the first fetch
//!   found, which the cache records. From then on other content is an error that names the address, and the network is
//!   not asked.
//! * A file of a jsr package has the digest that the manifest of its version states, and the manifest the digest that
//!   the lock states.
//!
//! Held by `tests/it/remote.rs` and `tests/it/jsr.rs`.

mod client;
mod graph;
mod registry;
mod store;

use std::collections::BTreeMap;

use rolldown_common::ModuleType;
use url::Url;

use crate::specifier::NpmRef;

pub(crate) use graph::fetch;

/// The modules that were fetched, by the address that they were found at in the end.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    pub modules: BTreeMap<String, RemoteModule>,
    /// npm packages that they import, each with the local import that led there.
    pub npm: Vec<(NpmRef, String)>,
    /// The jsr packages among them.
    pub packages: Vec<JsrPackage>,
    pub warnings: Vec<String>,
    /// From an address in a source to the address in the end.
    redirects: BTreeMap<String, String>,
    /// From a `jsr:` reference, as it is shown, to the address of the module.
    jsr: BTreeMap<String, String>,
}

/// A module with its content.
#[derive(Debug)]
pub(crate) struct RemoteModule {
    pub text: String,
    pub language: Language,
    /// Of the bytes that the server sent, 64 hex digits.
    pub sha256: String,
    /// Whether it is a file of a jsr package.
    pub in_package: bool,
}

/// A jsr package whose modules were fetched.
#[derive(Debug)]
pub(crate) struct JsrPackage {
    /// As npm's clients would call it: `@jsr/scope__name`.
    pub name: String,
    pub version: String,
    /// Of the version's manifest: `sha256-…`.
    pub integrity: String,
}

impl Remote {
    /// The address of a module that was fetched for `address`.
    pub(crate) fn find(&self, address: &str) -> Option<&str> {
        let end = self.redirects.get(address).map_or(address, String::as_str);
        self.modules.get_key_value(end).map(|(url, _)| url.as_str())
    }

    /// The address of a module that was fetched for a `jsr:` reference.
    pub(crate) fn of_jsr(&self, reference: &NpmRef) -> Option<&str> {
        self.find(self.jsr.get(&reference.to_string())?)
    }
}

/// How a module is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Js,
    Jsx,
    Ts,
    Tsx,
    Json,
}

impl Language {
    /// By the type that the server states, and by the path where that says nothing: as Deno does. `None` for what is not a
    /// module, such as the page of a login.
    fn of(content_type: Option<&str>, url: &Url) -> Option<Language> {
        let stated = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        let ending = url.path().rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
        let by_path = match ending {
            Some("ts" | "mts" | "cts") => Language::Ts,
            Some("tsx") => Language::Tsx,
            Some("jsx") => Language::Jsx,
            Some("json") => Language::Json,
            _ => Language::Js,
        };
        match stated.to_ascii_lowercase().as_str() {
            "application/typescript"
            | "text/typescript"
            | "application/x-typescript"
            | "video/mp2t"
            | "video/vnd.dlna.mpeg-tts" => {
                Some(if by_path == Language::Tsx { Language::Tsx } else { Language::Ts })
            }
            "application/javascript"
            | "text/javascript"
            | "application/ecmascript"
            | "text/ecmascript"
            | "application/x-javascript"
            | "application/node" => Some(if by_path == Language::Jsx { Language::Jsx } else { Language::Js }),
            "text/jsx" => Some(Language::Jsx),
            "text/tsx" => Some(Language::Tsx),
            "application/json" | "text/json" => Some(Language::Json),
            "" | "text/plain" | "application/octet-stream" => Some(by_path),
            _ => None,
        }
    }

    /// A file name that the parser takes for this language.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Language::Js => "module.js",
            Language::Jsx => "module.jsx",
            Language::Ts => "module.ts",
            Language::Tsx => "module.tsx",
            Language::Json => "module.json",
        }
    }

    pub(crate) fn module_type(self) -> ModuleType {
        match self {
            Language::Js => ModuleType::Js,
            Language::Jsx => ModuleType::Jsx,
            Language::Ts => ModuleType::Ts,
            Language::Tsx => ModuleType::Tsx,
            Language::Json => ModuleType::Json,
        }
    }
}

/// `text` as the address of a module: `https:`, or `http:` of this machine; without a fragment, which no server sees.
pub(crate) fn address(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !safe || url.host_str().is_none() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_fragment(None);
    Some(url)
}

/// Whether `text` looks like an address, be it one that marsh refuses.
pub(crate) fn is_web(text: &str) -> bool {
    text.starts_with("https:") || text.starts_with("http:")
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_or_of_this_machine() {
        for good in
            ["https://x.org/a.ts", "http://localhost:1/a.ts", "http://127.0.0.1/a", "http://[::1]:8/a.ts"]
        {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in [
            "http://x.org/a.ts",
            "https://me:secret@x.org/a.ts",
            "https:",
            "ftp://x.org/a.ts",
            "http://10.0.0.1/",
        ] {
            assert!(address(bad).is_none(), "{bad}");
        }
        assert_eq!(
            address("https://x.org/a.ts#part").map(String::from).as_deref(),
            Some("https://x.org/a.ts")
        );
    }

    #[test]
    fn the_language_is_what_the_server_states_or_the_path_suggests() {
        let of = |stated, path: &str| {
            Language::of(stated, &Url::parse("https://x.org").unwrap().join(path).unwrap())
        };
        assert_eq!(of(Some("application/typescript; charset=utf-8"), "mod"), Some(Language::Ts));
        assert_eq!(of(Some("text/javascript"), "mod.ts"), Some(Language::Js));
        assert_eq!(of(Some("text/plain"), "mod.ts?v=1"), Some(Language::Ts));
        assert_eq!(of(None, "data.json"), Some(Language::Json));
        assert_eq!(of(None, "react@18"), Some(Language::Js));
        assert_eq!(of(Some("text/html"), "mod.ts"), None);
    }
}
