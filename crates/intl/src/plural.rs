//! Plural categories, by ICU4X.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use fixed_decimal::{CompactDecimal, Decimal};
use icu_locale::Locale;
use icu_plurals::{PluralCategory, PluralOperands, PluralRuleType, PluralRules};
use serde::Deserialize;

use crate::data;
use crate::decimal::{Decimal as Number, Digits, Kind, Rounded};
use crate::error::{Result, data as invalid};

/// The rules of one language.
#[derive(Debug, Clone)]
pub(crate) struct Plurals {
    rules: Arc<PluralRules>,
    language: String,
}

type Known = Mutex<HashMap<(String, bool), Plurals>>;
static KNOWN: LazyLock<Known> = LazyLock::new(Known::default);

fn name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

impl Plurals {
    pub(crate) fn of(locale: &str, ordinal: bool) -> Result<Plurals> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (locale.to_owned(), ordinal);
        if let Some(rules) = known.get(&key) {
            return Ok(rules.clone());
        }
        let parsed = Locale::try_from_str(locale).map_err(invalid)?;
        let kind = if ordinal { PluralRuleType::Ordinal } else { PluralRuleType::Cardinal };
        let rules = PluralRules::try_new((&parsed).into(), kind.into()).map_err(invalid)?;
        let plurals = Plurals { rules: Arc::new(rules), language: parsed.id.language.to_string() };
        known.insert(key, plurals.clone());
        Ok(plurals)
    }

    /// The category of a number as it is written, times ten to `exponent` where a compact form says so.
    pub(crate) fn category(&self, shown: &Rounded, exponent: u8) -> Result<&'static str> {
        let decimal: Decimal = shown.plain().parse().map_err(|error| invalid(format!("{error:?}")))?;
        let operands: PluralOperands = if exponent == 0 {
            (&decimal).into()
        } else {
            (&CompactDecimal::from_significand_and_exponent(decimal, exponent)).into()
        };
        Ok(name(self.rules.category_for(operands)))
    }

    /// The categories that the language has.
    pub(crate) fn categories(&self) -> Vec<&'static str> {
        self.rules.categories().map(name).collect()
    }

    /// The category of a range between two numbers.
    pub(crate) fn of_range(&self, start: &str, end: &str) -> Result<&'static str> {
        let ranges = &data::supplement()?["pluralRanges"][&self.language];
        Ok(ranges[format!("{start} {end}")].as_str().unwrap_or("other"))
    }
}

/// What the constructor of `Intl.PluralRules` resolved.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluralOptions {
    /// A locale that has data.
    pub locale: String,
    /// `cardinal`, `ordinal`
    #[serde(rename = "type")]
    pub kind: String,
    /// How many digits.
    #[serde(flatten)]
    pub digits: Digits,
}

/// `Intl.PluralRules`.
#[derive(Debug)]
pub struct PluralFormat {
    plurals: Plurals,
    digits: Digits,
}

impl PluralFormat {
    /// Rules for resolved options.
    pub fn new(options: PluralOptions) -> Result<PluralFormat> {
        Ok(PluralFormat {
            plurals: Plurals::of(&options.locale, options.kind == "ordinal")?,
            digits: options.digits,
        })
    }

    /// The category of a number.
    pub fn select(&self, value: &str) -> Result<&'static str> {
        let number = Number::parse(value)?;
        if number.kind != Kind::Finite {
            return Ok("other");
        }
        self.plurals.category(&number.round(&self.digits).1, 0)
    }

    /// The category of a range.
    pub fn select_range(&self, start: &str, end: &str) -> Result<&'static str> {
        self.plurals.of_range(self.select(start)?, self.select(end)?)
    }

    /// The categories that the language has.
    pub fn categories(&self) -> Vec<&'static str> {
        self.plurals.categories()
    }
}
