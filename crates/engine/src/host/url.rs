//! URLs, by the url crate; JavaScript keeps only the serialised parts.

use url::Url;
use url::quirks;

use crate::gate::{Args, Cost, Determinism, Env, HostError, HostResult, NONE, Operation, Val, plain};

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("url.parse", NONE, Determinism::Pure, Cost::Compute, parse),
    plain("url.set", NONE, Determinism::Pure, Cost::Compute, set),
    plain("url.query", NONE, Determinism::Pure, Cost::Compute, query),
    plain("url.encode", NONE, Determinism::Pure, Cost::Compute, encode),
    plain("url.toPath", NONE, Determinism::Pure, Cost::Compute, to_path),
    plain("url.fromPath", NONE, Determinism::Pure, Cost::Compute, from_path),
    plain("url.unescape", NONE, Determinism::Pure, Cost::Compute, unescape),
];

fn parts(url: &Url) -> Val {
    let text = |text: &str| Val::Str(text.to_owned());
    Val::Map(vec![
        ("href", text(quirks::href(url))),
        ("origin", Val::Str(quirks::origin(url))),
        ("protocol", text(quirks::protocol(url))),
        ("username", text(quirks::username(url))),
        ("password", text(quirks::password(url))),
        ("host", text(quirks::host(url))),
        ("hostname", text(quirks::hostname(url))),
        ("port", text(quirks::port(url))),
        ("pathname", text(quirks::pathname(url))),
        ("search", text(quirks::search(url))),
        ("hash", text(quirks::hash(url))),
    ])
}

/// `(url, base or nothing)`; nothing comes back for an invalid one.
fn parse(_env: &Env, args: &Args) -> HostResult {
    let base = match args.opt_str(1) {
        None => None,
        Some(base) => match Url::parse(base) {
            Ok(base) => Some(base),
            Err(_) => return Ok(Val::Null),
        },
    };
    let parsed = Url::options().base_url(base.as_ref()).parse(args.str(0)?);
    Ok(parsed.map_or(Val::Null, |url| parts(&url)))
}

/// `(href, part, value)`; a value that the part cannot take changes nothing, as the web says.
fn set(_env: &Env, args: &Args) -> HostResult {
    let invalid = |_| HostError::type_error("Invalid URL");
    let mut url = Url::parse(args.str(0)?).map_err(invalid)?;
    let value = args.str(2)?;
    let set = match args.str(1)? {
        "href" => {
            url = Url::parse(value).map_err(invalid)?;
            Ok(())
        }
        "protocol" => quirks::set_protocol(&mut url, value),
        "username" => quirks::set_username(&mut url, value),
        "password" => quirks::set_password(&mut url, value),
        "host" => quirks::set_host(&mut url, value),
        "hostname" => quirks::set_hostname(&mut url, value),
        "port" => quirks::set_port(&mut url, value),
        "pathname" => {
            quirks::set_pathname(&mut url, value);
            Ok(())
        }
        "search" => {
            quirks::set_search(&mut url, value);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(&mut url, value);
            Ok(())
        }
        other => return Err(HostError::type_error(format!("a URL has no '{other}'"))),
    };
    // Refused or not, what the URL is now is the answer.
    match set {
        Ok(()) | Err(()) => Ok(parts(&url)),
    }
}

/// `a=1&b=2` to a flat list.
fn query(_env: &Env, args: &Args) -> HostResult {
    let pairs = url::form_urlencoded::parse(args.str(0)?.as_bytes());
    Ok(Val::List(
        pairs.flat_map(|(name, value)| [Val::Str(name.into_owned()), Val::Str(value.into_owned())]).collect(),
    ))
}

/// A JSON list of pairs to `a=1&b=2`.
fn encode(_env: &Env, args: &Args) -> HostResult {
    let pairs: Vec<(String, String)> = args.json(0)?;
    Ok(Val::Str(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()))
}

fn to_path(_env: &Env, args: &Args) -> HostResult {
    let path = Url::parse(args.str(0)?).ok().and_then(|url| url.to_file_path().ok());
    let path = path.ok_or_else(|| HostError::type_error("Must be a file URL"))?;
    Ok(Val::Str(path.to_string_lossy().into_owned()))
}

fn from_path(env: &Env, args: &Args) -> HostResult {
    let url = Url::from_file_path(env.path(args.str(0)?));
    url.map(|url| Val::Str(url.into())).map_err(|()| HostError::type_error("Must be an absolute path"))
}

/// `%41` to `A`, as bytes.
fn unescape(_env: &Env, args: &Args) -> HostResult {
    let text = args.bytes(0)?;
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    Ok(Val::Bytes(out))
}
