//! Units, and currencies by name: what stands around the whole number.

use serde_json::Value;

use super::NumberFormat;
use crate::data::{plural, section, text};
use crate::error::{Error, Result};
use crate::part::{Part, fill};

/// Text in its words of one kind, with the space around them as literals.
pub(super) fn split(text: &str, kind: &'static str) -> Vec<Part> {
    let body = text.trim();
    if body.is_empty() {
        return if text.is_empty() { Vec::new() } else { vec![Part::literal(text)] };
    }
    let start = text.len() - text.trim_start().len();
    let (before, after) = (&text[..start], &text[start + body.len()..]);
    let literal = |space: &str| (!space.is_empty()).then(|| Part::literal(space));
    literal(before).into_iter().chain([Part::new(kind, body)]).chain(literal(after)).collect()
}

/// What stands before and after a number, and whether it takes the number's place.
pub(super) type Around = (Vec<Part>, Vec<Part>, bool);

fn around(pattern: &str, kind: &'static str) -> Around {
    match pattern.split_once("{0}") {
        Some((before, after)) => (split(before, kind), split(after, kind), false),
        None => (Vec::new(), split(pattern, kind), true),
    }
}

impl NumberFormat {
    pub(super) fn outer(&self, category: &str) -> Result<Around> {
        if self.options.style == "unit" && !self.is_percent_sign() {
            return Ok(around(&self.unit_pattern(category)?, "unit"));
        }
        if !self.by_name() {
            return Ok((Vec::new(), Vec::new(), false));
        }
        let currencies = section(&self.options.locale, "currencies")?;
        let names = &currencies[&self.options.currency];
        let name = plural(&names["counts"], category).or_else(|| names["name"].as_str());
        let name = name.unwrap_or(&self.options.currency);
        let pattern = plural(&self.table()["unitPattern"], category).unwrap_or("{0} {1}");
        Ok(around(&fill(pattern, &["{0}", name]), "currency"))
    }

    fn unit_pattern(&self, category: &str) -> Result<String> {
        let units = section(&self.options.locale, "units")?;
        let units = &units[&self.options.unit_display];
        let unknown = || Error::Unsupported(format!("the unit '{}'", self.options.unit));
        let of = |unit: &Value| plural(&unit["counts"], category).map(str::to_owned);
        if let Some(pattern) = of(&units[&self.options.unit]) {
            return Ok(pattern);
        }
        let (one, other) = self.options.unit.split_once("-per-").ok_or_else(unknown)?;
        let pattern = of(&units[one]).ok_or_else(unknown)?;
        if let Some(per) = units[other]["per"].as_str() {
            return Ok(fill(per, &[&pattern]));
        }
        let counts = &units[other]["counts"];
        let single = plural(counts, "one").ok_or_else(unknown)?;
        let bare = single.replace("{0}", "");
        Ok(fill(text(&units["per"]), &[&pattern, bare.trim()]))
    }
}
