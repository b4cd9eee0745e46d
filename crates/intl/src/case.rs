//! Upper and lower case as a language writes it, by ICU4X.

use icu_casemap::CaseMapper;
use icu_locale::LanguageIdentifier;

use crate::error::{Error, Result};

/// A text in upper or lower case.
pub fn change_case(language: &str, upper: bool, text: &str) -> Result<String> {
    let id: LanguageIdentifier = language
        .parse()
        .map_err(|_| Error::Range(format!("Incorrect locale information provided: '{language}'")))?;
    let mapper = CaseMapper::new();
    Ok(if upper { mapper.uppercase_to_string(text, &id) } else { mapper.lowercase_to_string(text, &id) }
        .into_owned())
}
