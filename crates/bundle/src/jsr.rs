//! jsr packages in the form that the jsr registry serves to npm's clients: `jsr:@scope/name` is the npm package
//! `@jsr/scope__name`, from the registry that npm's own configuration names for the scope `@jsr`. Everything behind the
//! name (versions, integrity, cache, offline) is as for any npm package. Held by `tests/it/jsr.rs`.

/// The scope of all of them, as npm's configuration names it.
pub(crate) const SCOPE: &str = "jsr";

/// `jsr:@scope/name@1/sub` to `npm:@jsr/scope__name@1/sub`; `None` if it names no package.
pub(crate) fn as_npm(specifier: &str) -> Option<String> {
    let rest = specifier.strip_prefix("jsr:")?.trim_start_matches('/');
    let (scope, rest) = rest.strip_prefix('@')?.split_once('/')?;
    let end = rest.find(['@', '/']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let is_name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (is_name(scope) && is_name(name)).then(|| format!("npm:@{SCOPE}/{scope}__{name}{rest}"))
}

/// `@jsr/scope__name` to `@scope/name`.
pub(crate) fn original(npm_name: &str) -> Option<String> {
    let (scope, name) = npm_name.strip_prefix("@jsr/")?.split_once("__")?;
    Some(format!("@{scope}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_there_and_back() {
        let npm = |specifier| as_npm(specifier);
        assert_eq!(npm("jsr:@std/path@1").as_deref(), Some("npm:@jsr/std__path@1"));
        assert_eq!(
            npm("jsr:@std/path@^1.0/posix/join").as_deref(),
            Some("npm:@jsr/std__path@^1.0/posix/join")
        );
        assert_eq!(npm("jsr:/@std/path@1/posix").as_deref(), Some("npm:@jsr/std__path@1/posix"));
        assert_eq!(npm("jsr:@std/path/posix").as_deref(), Some("npm:@jsr/std__path/posix"));
        for bad in ["jsr:path", "jsr:@std", "jsr:@std/", "jsr:@/x", "jsr:@std/../x"] {
            assert_eq!(npm(bad), None, "{bad}");
        }
        assert_eq!(original("@jsr/std__path").as_deref(), Some("@std/path"));
        assert_eq!(original("@jsr/path"), None);
        assert_eq!(original("left-pad"), None);
    }
}
