//! A value that does not show itself.

use std::fmt;

use zeroize::Zeroizing;

/// Text that must not be seen. It has no `Display`, is not serialised, and its `Debug` says nothing:
///
/// ```compile_fail
/// let secret = marsh_vault::Secret::new("x");
/// println!("{secret}");
/// ```
///
/// ```compile_fail
/// let secret = marsh_vault::Secret::new("x");
/// serde_json::to_string(&secret);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(value.into()))
    }

    /// The value, for whoever needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debugging_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(***)");
    }
}
