//! Which redirects are followed, and who gets to see credentials.

use url::Url;

use crate::error::RegistryError;

pub(crate) const MAX_REDIRECTS: u32 = 5;

/// Where `location`, answered to a request of `current`, leads. From https only to https. Plain http is reached from
/// plain http alone, which only a registry that is itself plain http starts with.
pub(crate) fn next(current: &Url, location: &str) -> Result<Url, RegistryError> {
    let refuse = |reason: &str| {
        Err(RegistryError::UnsafeRedirect { url: printable(location), reason: reason.to_owned() })
    };
    let Ok(target) = current.join(location) else { return refuse("it is no URL") };
    if let Err(reason) = usable(current, &target) {
        return refuse(reason);
    }
    Ok(target)
}

/// Whether a URL that the registry at `base` names may be used: an upload's, or a redirect's.
pub(crate) fn usable(base: &Url, target: &Url) -> Result<(), &'static str> {
    match (base.scheme(), target.scheme()) {
        (_, "https") => {}
        ("http", "http") => {}
        ("https", "http") => return Err("it leaves https"),
        _ => return Err("it is neither http nor https"),
    }
    if target.host_str().is_none() {
        return Err("it names no host");
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err("it carries credentials");
    }
    Ok(())
}

/// Credentials go to scheme, host and port of the registry, and nowhere else.
pub(crate) fn may_see_credentials(base: &Url, target: &Url) -> bool {
    base.origin() == target.origin()
}

/// Text of a server, fit for a message.
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
    fn https_stays_https() {
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
    fn plain_http_may_stay_or_improve() {
        let current = Url::parse("http://127.0.0.1:8000/x").unwrap();
        assert!(next(&current, "http://127.0.0.1:9000/y").is_ok());
        assert!(next(&current, "https://example.org/y").is_ok());
        assert!(next(&current, "file:///y").is_err());
    }

    #[test]
    fn credentials_stay_with_the_origin() {
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
