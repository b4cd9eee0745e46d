//! A value that cannot be printed.

use std::fmt;

use zeroize::Zeroizing;

/// Text that must not be shown. It implements neither `Display` nor `Serialize`, and its `Debug` is a mask:
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
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(value.into()))
    }

    /// The value, for the code that needs it.
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
    fn debug_output_is_a_mask() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(***)");
    }
}
