//! `Intl.NumberFormat`: numbers, percentages, currencies and units in the patterns of the CLDR.

mod pattern;
mod range;
mod unit;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::data::{members, plural, section, supplement, text};
use crate::decimal::{Decimal, Digits, Kind, Rounded};
use crate::error::Result;
use crate::part::Part;
use crate::plural::Plurals;
use pattern::{Affix, Pattern, Token};

/// What the constructor resolved: every member as `resolvedOptions` names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberOptions {
    /// A locale that has data.
    pub locale: String,
    /// `latn`
    pub numbering_system: String,
    /// `decimal`, `percent`, `currency`, `unit`
    pub style: String,
    /// `EUR`
    #[serde(default)]
    pub currency: String,
    /// `symbol`, `narrowSymbol`, `code`, `name`
    #[serde(default)]
    pub currency_display: String,
    /// `standard`, `accounting`
    #[serde(default)]
    pub currency_sign: String,
    /// `kilometer-per-hour`
    #[serde(default)]
    pub unit: String,
    /// `long`, `short`, `narrow`
    #[serde(default)]
    pub unit_display: String,
    /// `standard`, `scientific`, `engineering`, `compact`
    pub notation: String,
    /// `short`, `long`
    #[serde(default)]
    pub compact_display: String,
    /// `auto`, `never`, `always`, `exceptZero`, `negative`
    pub sign_display: String,
    /// `auto`, `always`, `min2`, `never`
    pub use_grouping: String,
    /// How many digits.
    #[serde(flatten)]
    pub digits: Digits,
}

/// A number in its parts, from the inside out.
#[derive(Clone, Debug)]
struct Formatted {
    number: Vec<Part>,
    /// Signs, currency, percent, compact.
    middle: (Vec<Part>, Vec<Part>),
    /// The unit, or the currency by name.
    outer: (Vec<Part>, Vec<Part>),
    category: &'static str,
}

impl Formatted {
    fn parts(self) -> Vec<Part> {
        [self.outer.0, self.middle.0, self.number, self.middle.1, self.outer.1]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// A formatter.
#[derive(Debug)]
pub struct NumberFormat {
    options: NumberOptions,
    /// The section `numbers`, and the part of it for the digits.
    numbers: Arc<Value>,
    symbols: Value,
    system: String,
    digits: Vec<char>,
    pattern: Pattern,
    symbol: String,
    plurals: Plurals,
}

/// Whether the standard spacing of a currency treats a character as a symbol, beside which no space is needed.
fn is_symbol(character: char) -> bool {
    matches!(character, '$' | '¢'..='¥' | '֏' | '؋' | '߾' | '৲' | '৳' | '৻' | '૱' | '௹' | '฿' | '៛' | '\u{20a0}'..='\u{20cf}' | '﷼' | '＄' | '￥' | '￦')
        || matches!(character, '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' | '©' | '®' | '°')
}

impl NumberFormat {
    /// A formatter for resolved options.
    pub fn new(options: NumberOptions) -> Result<NumberFormat> {
        let numbers = section(&options.locale, "numbers")?;
        let digits = text(&supplement()?["digits"][&options.numbering_system]).chars().collect();
        let symbol = currency_symbol(&options)?;
        // Arabic digits come with signs of their own in every language.
        let signs = match options.numbering_system.as_str() {
            "arab" => section("ar", "numbers")?,
            "arabext" => section("fa", "numbers")?,
            _ => numbers.clone(),
        };
        let system = options.numbering_system.as_str();
        let own = [&numbers[system], &signs[system], &numbers["latn"]];
        let symbols = own.into_iter().map(|table| &table["symbols"]).find(|symbols| symbols.is_object());
        let symbols = symbols.cloned().unwrap_or_default();
        let system = if numbers[system].is_object() { system } else { "latn" }.to_owned();
        let mut format = NumberFormat {
            symbols,
            plurals: Plurals::of(&options.locale, false)?,
            options,
            numbers,
            system,
            digits,
            pattern: Pattern::default(),
            symbol,
        };
        format.pattern = Pattern::parse(format.pattern_text());
        Ok(format)
    }

    fn table(&self) -> &Value {
        &self.numbers[&self.system]
    }

    fn symbol_of(&self, name: &str) -> &str {
        let symbols = &self.symbols;
        let special = match name {
            "decimal" => &symbols["currencyDecimal"],
            "group" => &symbols["currencyGroup"],
            _ => &Value::Null,
        };
        let own = if self.options.style == "currency" { special.as_str() } else { None };
        own.unwrap_or_else(|| text(&symbols[name]))
    }

    /// A percentage as a unit is written with the sign, unless it is spelled out.
    fn is_percent_sign(&self) -> bool {
        self.options.style == "unit" && self.options.unit == "percent" && self.options.unit_display != "long"
    }

    fn by_name(&self) -> bool {
        self.options.style == "currency" && self.options.currency_display == "name"
    }

    fn pattern_text(&self) -> &str {
        let name = match self.options.style.as_str() {
            "percent" => "percent",
            "unit" if self.is_percent_sign() => "percent",
            "currency" if self.by_name() => "decimal",
            "currency" if self.options.currency_sign == "accounting" => "accounting",
            "currency" => "currency",
            _ => "decimal",
        };
        let own = text(&self.table()[name]);
        if own.is_empty() { text(&self.numbers["latn"][name]) } else { own }
    }

    /// The parts of a number: what `String` makes of it.
    pub fn parts(&self, value: &str) -> Result<Vec<Part>> {
        Ok(self.formatted(&Decimal::parse(value)?, false)?.parts())
    }

    fn formatted(&self, value: &Decimal, about: bool) -> Result<Formatted> {
        let percent = self.options.style == "percent";
        let value = if percent { value.clone().scaled(2) } else { value.clone() };
        let (exponent, rounded, shown) = match self.options.notation.as_str() {
            "compact" => self.compact(&value),
            "scientific" => self.scientific(&value, 1),
            "engineering" => self.scientific(&value, 3),
            _ => {
                let (rounded, shown) = value.round(&self.options.digits);
                (0, rounded, shown)
            }
        };
        let compact = self.options.notation == "compact";
        let category = match value.kind {
            Kind::Finite => self.plurals.category(&shown, if compact { exponent as u8 } else { 0 })?,
            _ => "other",
        };
        let number = match value.kind {
            Kind::NotANumber => vec![Part::new("nan", self.symbol_of("nan"))],
            Kind::Infinite => vec![Part::new("infinity", self.symbol_of("infinity"))],
            Kind::Finite => self.digit_parts(&shown, exponent),
        };
        // The form of the unit goes by the whole number, that of the word for thousands by what stands before it.
        let compact_pattern =
            if compact && exponent > 0 { self.compact_pattern(exponent, &shown)? } else { None };
        let pattern = compact_pattern.as_ref().unwrap_or(&self.pattern);
        let zero = value.kind == Kind::NotANumber || (rounded.kind == Kind::Finite && shown.is_zero());
        let sign = self.sign(&value, zero);
        let (mut prefix, suffix) =
            pattern.affixes(if about && sign.is_none() { Some(Token::About) } else { sign.clone() });
        if about && sign.is_some() {
            prefix.insert(0, Token::About);
        }
        let mut middle = (
            self.affix_parts(&prefix, compact_pattern.is_some()),
            self.affix_parts(&suffix, compact_pattern.is_some()),
        );
        self.space(&prefix, &suffix, &mut middle);
        let outer = self.outer(category)?;
        // "mille" and "two days" in one word: the text says the number.
        let silent = compact_pattern.as_ref().is_some_and(|pattern| pattern.zeros == 0);
        let number = if silent { Vec::new() } else { number };
        let word = self.options.style == "unit" && outer.2;
        let (number, middle) = if word { Default::default() } else { (number, middle) };
        Ok(Formatted { number, middle, outer: (outer.0, outer.1), category })
    }

    fn sign(&self, value: &Decimal, zero: bool) -> Option<Token> {
        let (minus, plus) = (Some(Token::Minus), Some(Token::Plus));
        match (self.options.sign_display.as_str(), value.negative) {
            ("never", _) => None,
            ("always", true) | ("auto", true) => minus,
            ("always", false) => plus,
            ("exceptZero", _) if zero => None,
            ("exceptZero", true) => minus,
            ("exceptZero", false) => plus,
            ("negative", true) if !zero => minus,
            _ => None,
        }
    }

    fn affix_parts(&self, affix: &Affix, compact: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        for token in affix {
            match token {
                Token::Minus => parts.extend(sign_parts("minusSign", self.symbol_of("minusSign"))),
                Token::Plus => parts.extend(sign_parts("plusSign", self.symbol_of("plusSign"))),
                Token::About => {
                    parts.push(Part::new("approximatelySign", self.symbol_of("approximatelySign")));
                }
                Token::Percent => {
                    let kind = if self.options.style == "unit" { "unit" } else { "percentSign" };
                    parts.extend(sign_parts(kind, self.symbol_of("percentSign")));
                }
                Token::Currency => parts.push(Part::new("currency", self.symbol.as_str())),
                Token::Literal(text) if compact => parts.extend(unit::split(text, "compact")),
                Token::Literal(text) => parts.push(Part::literal(text.as_str())),
            }
        }
        parts
    }

    /// A space between digits and a currency that is written in letters.
    fn space(&self, prefix: &Affix, suffix: &Affix, middle: &mut (Vec<Part>, Vec<Part>)) {
        let spacing = &self.table()["spacing"];
        let wants =
            |character: Option<char>| character.is_some_and(|one| !is_symbol(one) && !one.is_whitespace());
        if prefix.last() == Some(&Token::Currency) && wants(self.symbol.chars().next_back()) {
            middle.0.push(Part::literal(text(&spacing[1][2])));
        }
        if suffix.first() == Some(&Token::Currency) && wants(self.symbol.chars().next()) {
            middle.1.insert(0, Part::literal(text(&spacing[0][2])));
        }
    }

    // ---- compact and scientific ----

    /// The patterns by powers of ten: of the digits, else of the Latin ones; without one for the currency those of plain numbers.
    fn compact_table(&self) -> &Value {
        let currency = self.options.style == "currency" && !self.by_name();
        let names: &[&str] = match (self.options.compact_display.as_str(), currency) {
            (_, true) => &["currencyShort", "short"],
            ("long", _) => &["long", "short"],
            _ => &["short"],
        };
        let tables = names.iter().flat_map(|name| [&self.table()[*name], &self.numbers["latn"][*name]]);
        tables
            .into_iter()
            .find(|table| table.as_object().is_some_and(|all| !all.is_empty()))
            .unwrap_or(&Value::Null)
    }

    /// The row for the largest power of ten that is not above `magnitude`.
    fn compact_row(&self, magnitude: i32) -> Option<(i32, &Value)> {
        let table = self.compact_table();
        (3..=magnitude.min(20)).rev().find_map(|power| {
            let row = &table[format!("1{}", "0".repeat(power as usize))];
            row.is_object().then_some((power, row))
        })
    }

    fn compact_exponent(&self, magnitude: i32) -> i32 {
        let Some((power, row)) = self.compact_row(magnitude) else { return 0 };
        let pattern = text(&row["other"]);
        let zeros = Pattern::parse(pattern).zeros as i32;
        if zeros == 0 || pattern == "0" { 0 } else { power - zeros + 1 }
    }

    fn compact(&self, value: &Decimal) -> (i32, Decimal, Rounded) {
        let mut magnitude = value.magnitude();
        loop {
            let exponent = if value.kind == Kind::Finite { self.compact_exponent(magnitude) } else { 0 };
            let (rounded, shown) = value.clone().scaled(-exponent).round(&self.options.digits);
            // 999,999 becomes a million, for which the next row may be the right one.
            let carried = rounded.magnitude() + exponent;
            if rounded.is_zero() || carried <= magnitude || self.compact_exponent(carried) == exponent {
                return (exponent, rounded, shown);
            }
            magnitude = carried;
        }
    }

    fn compact_pattern(&self, exponent: i32, shown: &Rounded) -> Result<Option<Pattern>> {
        // Without digits in front: the row of the number itself.
        let magnitude = exponent + shown.integer.trim_start_matches('0').len().max(1) as i32 - 1;
        let Some((_, row)) = self.compact_row(magnitude) else { return Ok(None) };
        let exact = if shown.plain() == "1" { row["1"].as_str() } else { None };
        let category = self.plurals.category(shown, 0)?;
        Ok(exact.or_else(|| plural(row, category)).map(Pattern::parse))
    }

    fn scientific(&self, value: &Decimal, step: i32) -> (i32, Decimal, Rounded) {
        let exponent_of = |magnitude: i32| magnitude.div_euclid(step) * step;
        let exponent = exponent_of(value.magnitude());
        let (rounded, shown) = value.clone().scaled(-exponent).round(&self.options.digits);
        let again = exponent_of(rounded.magnitude() + exponent);
        if again == exponent || rounded.is_zero() {
            return (exponent, rounded, shown);
        }
        let (rounded, shown) = value.clone().scaled(-again).round(&self.options.digits);
        (again, rounded, shown)
    }

    // ---- digits ----

    fn native(&self, digits: &str) -> String {
        digits
            .bytes()
            .map(|digit| self.digits.get(usize::from(digit - b'0')).copied().unwrap_or(char::from(digit)))
            .collect()
    }

    fn digit_parts(&self, shown: &Rounded, exponent: i32) -> Vec<Part> {
        let mut parts = Vec::new();
        let groups = self.groups(shown.integer.len());
        for (at, group) in groups.iter().enumerate() {
            if at > 0 {
                parts.push(Part::new("group", self.symbol_of("group")));
            }
            parts.push(Part::new("integer", self.native(&shown.integer[group.clone()])));
        }
        if !shown.fraction.is_empty() {
            parts.push(Part::new("decimal", self.symbol_of("decimal")));
            parts.push(Part::new("fraction", self.native(&shown.fraction)));
        }
        if matches!(self.options.notation.as_str(), "scientific" | "engineering") {
            parts.push(Part::new("exponentSeparator", self.symbol_of("exponential")));
            if exponent < 0 {
                parts.push(Part::new("exponentMinusSign", self.symbol_of("minusSign")));
            }
            parts.push(Part::new("exponentInteger", self.native(&exponent.unsigned_abs().to_string())));
        }
        parts
    }

    /// The integer digits in groups.
    fn groups(&self, length: usize) -> Vec<std::ops::Range<usize>> {
        let (last, before) = self.pattern.groups;
        let usual = text(&self.numbers["minGroup"]).parse().unwrap_or(1);
        let least: usize = match self.options.use_grouping.as_str() {
            "always" => 1,
            "auto" => usual,
            "min2" => usual.max(2),
            _ => usize::MAX,
        };
        let scientific = matches!(self.options.notation.as_str(), "scientific" | "engineering");
        let grouped = last > 0 && !scientific && length >= last.saturating_add(least);
        let mut ends = vec![length];
        let mut at = if grouped { length - last } else { 0 };
        while at > 0 {
            ends.push(at);
            at = at.saturating_sub(before);
        }
        ends.push(0);
        ends.reverse();
        ends.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }
}

/// Marks of direction around a sign are literals.
fn sign_parts(kind: &'static str, sign: &str) -> Vec<Part> {
    const MARKS: [char; 3] = ['\u{61c}', '\u{200e}', '\u{200f}'];
    let body = sign.trim_matches(MARKS);
    let start = sign.len() - sign.trim_start_matches(MARKS).len();
    let literal = |marks: &str| (!marks.is_empty()).then(|| Part::literal(marks));
    let (before, after) = (&sign[..start], &sign[start + body.len()..]);
    literal(before).into_iter().chain([Part::new(kind, body)]).chain(literal(after)).collect()
}

fn currency_symbol(options: &NumberOptions) -> Result<String> {
    if options.style != "currency" {
        return Ok(String::new());
    }
    let currencies = section(&options.locale, "currencies")?;
    let names = &currencies[&options.currency];
    let symbol = match options.currency_display.as_str() {
        "narrowSymbol" => names["narrow"].as_str().or_else(|| names["symbol"].as_str()),
        "symbol" => names["symbol"].as_str(),
        _ => None,
    };
    Ok(symbol.unwrap_or(&options.currency).to_owned())
}

/// The digits after the decimal point that a currency usually has.
pub fn currency_digits(code: &str) -> Result<u32> {
    let digits = &supplement()?["currencyDigits"];
    let own = digits[code].as_str().or_else(|| digits["DEFAULT"].as_str());
    Ok(own.and_then(|digits| digits.parse().ok()).unwrap_or(2))
}

/// The currencies that have a name.
pub fn currencies() -> Result<Vec<String>> {
    let english = section("en", "currencies")?;
    let mut codes: Vec<String> = members(&english).map(|(code, _)| code.to_owned()).collect();
    codes.sort();
    Ok(codes)
}
