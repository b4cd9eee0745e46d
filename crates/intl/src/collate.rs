//! `Intl.Collator`: the order of texts, by ICU4X.

use std::cmp::Ordering;

use icu_collator::options::{AlternateHandling, CaseLevel, CollatorOptions, MaxVariable, Strength};
use icu_collator::{Collator, CollatorBorrowed, CollatorPreferences};
use icu_locale::Locale;
use serde::Deserialize;

use crate::error::{Result, data};

/// What the constructor resolved.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderOptions {
    /// A locale that has data.
    pub locale: String,
    /// `sort`, `search`
    pub usage: String,
    /// `base`, `accent`, `case`, `variant`
    pub sensitivity: String,
    /// `default`, `phonebk`, …
    pub collation: String,
    /// Digits by their value.
    pub numeric: bool,
    /// `upper`, `lower`, `false`
    pub case_first: String,
    /// Punctuation does not count.
    pub ignore_punctuation: bool,
}

/// An order.
pub struct Order(CollatorBorrowed<'static>);

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Order")
    }
}

impl Order {
    /// An order for resolved options.
    pub fn new(options: OrderOptions) -> Result<Order> {
        let mut tag = format!("{}-u", options.locale);
        match (options.usage.as_str(), options.collation.as_str()) {
            ("search", _) => tag.push_str("-co-search"),
            (_, "default") => {}
            (_, collation) => tag.push_str(&format!("-co-{collation}")),
        }
        tag.push_str(&format!("-kf-{}", options.case_first));
        if options.numeric {
            tag.push_str("-kn");
        }
        let locale = Locale::try_from_str(&tag).map_err(data)?;
        let preferences = CollatorPreferences::from(&locale);
        let mut own = CollatorOptions::default();
        let (strength, case_level) = match options.sensitivity.as_str() {
            "base" => (Strength::Primary, CaseLevel::Off),
            "accent" => (Strength::Secondary, CaseLevel::Off),
            "case" => (Strength::Primary, CaseLevel::On),
            _ => (Strength::Tertiary, CaseLevel::Off),
        };
        own.strength = Some(strength);
        own.case_level = Some(case_level);
        if options.ignore_punctuation {
            own.alternate_handling = Some(AlternateHandling::Shifted);
            own.max_variable = Some(MaxVariable::Punctuation);
        }
        Collator::try_new(preferences, own).map(Order).map_err(data)
    }

    /// Which of two texts comes first.
    pub fn compare(&self, one: &str, other: &str) -> Ordering {
        self.0.compare(one, other)
    }
}
