//! Two numbers as a range. What both have around them is said once, unless it is a single character.

use super::NumberFormat;
use crate::data::text;
use crate::decimal::{Decimal, Kind};
use crate::error::{Error, Result};
use crate::part::{self, Part, Source, placeholders};

fn with(parts: Vec<Part>, source: Source) -> impl Iterator<Item = Part> {
    parts.into_iter().map(move |part| part.with(source))
}

fn length(middle: &(Vec<Part>, Vec<Part>)) -> usize {
    let count = |parts: &[Part]| part::text(parts).chars().count();
    count(&middle.0) + count(&middle.1)
}

impl NumberFormat {
    /// The parts of a range.
    pub fn range_parts(&self, start: &str, end: &str) -> Result<Vec<Part>> {
        let (start, end) = (Decimal::parse(start)?, Decimal::parse(end)?);
        if start.kind == Kind::NotANumber || end.kind == Kind::NotANumber {
            return Err(Error::Range("Invalid number value".to_owned()));
        }
        let (first, second) = (self.formatted(&start, false)?, self.formatted(&end, false)?);
        if part::text(&first.clone().parts()) == part::text(&second.clone().parts()) {
            return Ok(with(self.formatted(&start, true)?.parts(), Source::Shared).collect());
        }
        let category = self.plurals.of_range(first.category, second.category)?;
        let mut outer = self.outer(category)?;
        let collapsed = first.middle == second.middle && length(&first.middle) > 1;
        let repeated = !collapsed && (length(&first.middle) > 0 || length(&second.middle) > 0);
        let pattern = match text(&self.table()["range"]) {
            "" => "{0}–{1}",
            known => known,
        };
        let mut parts = Vec::new();
        parts.extend(with(std::mem::take(&mut outer.0), Source::Shared));
        if collapsed {
            parts.extend(with(first.middle.0.clone(), Source::Shared));
        }
        for piece in placeholders(pattern) {
            match piece {
                Err(literal) => {
                    let space = |spaced: bool| if repeated && !spaced { " " } else { "" };
                    let before = space(literal.starts_with(char::is_whitespace));
                    let after = space(literal.ends_with(char::is_whitespace));
                    parts.push(Part::literal(format!("{before}{literal}{after}")).with(Source::Shared));
                }
                Ok(number) => {
                    let (one, source) =
                        if number == 0 { (&first, Source::StartRange) } else { (&second, Source::EndRange) };
                    let middle = if collapsed { Default::default() } else { one.middle.clone() };
                    let whole = [middle.0, one.number.clone(), middle.1];
                    parts.extend(with(whole.into_iter().flatten().collect(), source));
                }
            }
        }
        if collapsed {
            parts.extend(with(first.middle.1, Source::Shared));
        }
        parts.extend(with(outer.1, Source::Shared));
        Ok(parts)
    }
}
