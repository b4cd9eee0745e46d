//! Limits on the shape of JSON from extension code, checked where the text leaves the host and before anything parses
//! it.

/// How deep JSON from extension code may be nested. Readers recurse once for each level.
pub const MAX_DEPTH: usize = 100;
/// How many values JSON from extension code may hold. A parsed value takes up to fifty times the bytes of its text.
pub const MAX_VALUES: usize = 500_000;

/// JSON that would cost its reader too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// More than [`MAX_DEPTH`] levels.
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// More than [`MAX_VALUES`] values.
    #[error("holds more than {MAX_VALUES} values")]
    Values,
}

/// Counts levels and values of a JSON text without parsing it.
///
/// # Errors
/// [`ShapeError`] when the text exceeds a limit.
pub fn check_shape(json: &str) -> Result<(), ShapeError> {
    let (mut depth, mut values, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                values += 1;
                if depth > MAX_DEPTH {
                    return Err(ShapeError::Depth);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if values > MAX_VALUES {
            return Err(ShapeError::Values);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, MAX_VALUES, ShapeError, check_shape};

    #[test]
    fn json_at_the_depth_limit_passes_and_one_level_more_fails() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(check_shape(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(check_shape(&nested(MAX_DEPTH + 1)), Err(ShapeError::Depth));
    }

    #[test]
    fn json_beyond_the_value_limit_fails_and_text_in_strings_does_not_count() {
        let zeros = format!("[0{}]", ",0".repeat(MAX_VALUES));
        assert_eq!(check_shape(&zeros), Err(ShapeError::Values));
        assert_eq!(check_shape(&serde_json::json!(zeros).to_string()), Ok(()));
    }
}
