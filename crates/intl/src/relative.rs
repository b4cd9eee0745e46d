//! `Intl.RelativeTimeFormat`: `in 3 days`, `yesterday`.

use serde::Deserialize;

use crate::data::{plural, section};
use crate::decimal::{Decimal, Digits, RoundingMode, RoundingPriority};
use crate::error::{Result, data};
use crate::number::{NumberFormat, NumberOptions};
use crate::part::{Part, placeholders};
use crate::plural::Plurals;

/// What the constructor resolved.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RelativeOptions {
    /// A locale that has data.
    pub locale: String,
    /// `latn`
    pub numbering_system: String,
    /// `long`, `short`, `narrow`
    pub style: String,
    /// `always`, `auto`
    pub numeric: String,
}

/// A formatter.
#[derive(Debug)]
pub struct RelativeFormat {
    options: RelativeOptions,
    numbers: NumberFormat,
    plurals: Plurals,
    digits: Digits,
}

impl RelativeFormat {
    /// A formatter for resolved options.
    pub fn new(options: RelativeOptions) -> Result<RelativeFormat> {
        let digits = Digits {
            minimum_integer_digits: 1,
            minimum_fraction_digits: Some(0),
            maximum_fraction_digits: Some(3),
            minimum_significant_digits: None,
            maximum_significant_digits: None,
            rounding_increment: 1,
            rounding_mode: RoundingMode::HalfExpand,
            rounding_priority: RoundingPriority::Auto,
            trailing_zero_display: String::new(),
        };
        let numbers = NumberFormat::new(NumberOptions {
            locale: options.locale.clone(),
            numbering_system: options.numbering_system.clone(),
            style: "decimal".to_owned(),
            currency: String::new(),
            currency_display: String::new(),
            currency_sign: String::new(),
            unit: String::new(),
            unit_display: String::new(),
            notation: "standard".to_owned(),
            compact_display: String::new(),
            sign_display: "auto".to_owned(),
            use_grouping: "auto".to_owned(),
            digits: digits.clone(),
        })?;
        Ok(RelativeFormat { plurals: Plurals::of(&options.locale, false)?, numbers, options, digits })
    }

    /// The parts of a time that many units from now; negative for the past. The unit is in the singular.
    pub fn parts(&self, value: &str, unit: &'static str) -> Result<Vec<Part>> {
        let fields = section(&self.options.locale, "fields")?;
        let key = if self.options.style == "long" {
            unit.to_owned()
        } else {
            format!("{unit}-{}", self.options.style)
        };
        let names = &fields[key];
        let decimal = Decimal::parse(value)?;
        if self.options.numeric == "auto" {
            let key = if value == "-0" { "0" } else { value };
            if let Some(word) = names[key].as_str() {
                return Ok(vec![Part::literal(word)]);
            }
        }
        let past = decimal.negative;
        let (_, shown) = decimal.round(&self.digits);
        let category = self.plurals.category(&shown, 0)?;
        let tense = if past { "past" } else { "future" };
        let pattern = plural(&names[tense], category).ok_or_else(|| data(format!("no name of '{unit}'")))?;
        let mut parts = Vec::new();
        for piece in placeholders(pattern) {
            match piece {
                Err(literal) => parts.push(Part::literal(literal)),
                Ok(_) => {
                    let number = self.numbers.parts(value.trim_start_matches('-'))?;
                    parts.extend(number.into_iter().map(|part| Part { unit: Some(unit.into()), ..part }));
                }
            }
        }
        Ok(parts)
    }
}
