//! Redirects: which are followed, and which receive credentials.

use url::Url;

use crate::error::RegistryError;

pub(crate) const MAX_REDIRECTS: u32 = 5;

/// The URL that `location`, in the answer to a request to `current`, leads to. A redirect from https leads only to https. A
/// redirect leads to plain http only from plain http, so only a registry with a plain http URL can reach it.
pub(crate) fn next(current: &Url, location: &str) -> Result<Url, RegistryError> {
    let refuse = |reason: &str| {
        Err(RegistryError::UnsafeRedirect { url: printable(location), reason: reason.to_owned() })
    };
    let Ok(target) = current.join(location) else { return refuse("it is not a valid URL") };
    if let Err(reason) = usable(current, &target) {
        return refuse(reason);
    }
    Ok(target)
}

/// Checks a URL from the registry at `base`, for an upload or a redirect.
pub(crate) fn usable(base: &Url, target: &Url) -> Result<(), &'static str> {
    match (base.scheme(), target.scheme()) {
        (_, "https") => {}
        ("http", "http") => {}
        ("https", "http") => return Err("it leads from https to http"),
        _ => return Err("it is neither http nor https"),
    }
    if target.host_str().is_none() {
        return Err("it has no host");
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err("it contains credentials");
    }
    Ok(())
}

/// Whether credentials may be sent to `target`: only to the scheme, host and port of the registry.
pub(crate) fn may_see_credentials(base: &Url, target: &Url) -> bool {
    base.origin() == target.origin()
}

/// Text from a server for a message: one line of at most 500 characters.
pub(crate) fn printable(text: &str) -> String {
    let mut shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{may_see_credentials, next};

    #[test]
    fn redirect_from_https_to_another_scheme_is_refused() {
        let current = Url::parse("https://example.org/api/v1/x").unwrap();
        for (location, target) in [
            ("/archives/a", "https://example.org/archives/a"),
            ("https://cdn.example.net/a?sig=1", "https://cdn.example.net/a?sig=1"),
            ("//cdn.example.net/a", "https://cdn.example.net/a"),
        ] {
            assert_eq!(next(&current, location).unwrap().as_str(), target);
        }
        for location in [
            "http://example.org/a",
            "http://127.0.0.1/a",
            "file:///etc/passwd",
            "ftp://example.org/a",
            "https://me:secret@example.org/",
            "data:text/plain,x",
            "https://",
            "https://[::1",
        ] {
            assert!(next(&current, location).is_err(), "{location}");
        }
    }

    #[test]
    fn redirect_from_http_to_http_or_https_is_followed() {
        let current = Url::parse("http://127.0.0.1:8000/x").unwrap();
        assert!(next(&current, "http://127.0.0.1:9000/y").is_ok());
        assert!(next(&current, "https://example.org/y").is_ok());
        assert!(next(&current, "file:///y").is_err());
    }

    #[test]
    fn credentials_go_only_to_the_origin() {
        let base = Url::parse("https://example.org/base/").unwrap();
        for (target, sees) in [
            ("https://example.org/other", true),
            ("https://example.org:443/", true),
            ("https://example.org:444/", false),
            ("http://example.org/", false),
            ("https://cdn.example.org/", false),
        ] {
            assert_eq!(may_see_credentials(&base, &Url::parse(target).unwrap()), sees, "{target}");
        }
    }
}
