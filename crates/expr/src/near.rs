//! Suggestions for unknown names.

use marsh_types::near::nearest;

use crate::error::ExprErrorKind;

/// Longer names are not typed by hand, and comparing them takes long, in bytes.
const LONGEST: usize = 64;
/// With more candidates than this there is no suggestion.
pub(crate) const MOST: usize = 500;

pub(crate) fn near<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let candidates: Vec<&str> =
        candidates.into_iter().filter(|candidate| candidate.len() <= LONGEST).take(MOST + 1).collect();
    if candidates.len() > MOST {
        return None;
    }
    nearest(name, candidates).first().map(|near| (*near).to_owned())
}

/// The error of a function that no one of `known` is.
pub(crate) fn unknown_function(name: &str, known: &[&str]) -> ExprErrorKind {
    let near = near(name, known.iter().copied());
    ExprErrorKind::UnknownFunction { name: name.to_owned(), near }
}
