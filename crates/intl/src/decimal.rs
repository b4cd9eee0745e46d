//! Decimal numbers of any length, and their rounding as ECMA-402 asks for it (`FormatNumericToString`).

use serde::Deserialize;

use crate::error::{Error, Result};

/// A number as it is written: sign, digits, and where the decimal point is among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    pub(crate) kind: Kind,
    /// Without zeros at either end; empty for zero.
    digits: Vec<u8>,
    /// The value is `0.digits` times ten to this power.
    point: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Finite,
    Infinite,
    NotANumber,
}

/// In which direction digits are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RoundingMode {
    /// Towards positive infinity.
    Ceil,
    /// Towards negative infinity.
    Floor,
    /// Away from zero.
    Expand,
    /// Towards zero.
    Trunc,
    /// To the nearest, ties towards positive infinity.
    HalfCeil,
    /// To the nearest, ties towards negative infinity.
    HalfFloor,
    /// To the nearest, ties away from zero.
    HalfExpand,
    /// To the nearest, ties towards zero.
    HalfTrunc,
    /// To the nearest, ties to the even digit.
    HalfEven,
}

/// Which of two roundings counts when both are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RoundingPriority {
    /// Significant digits, if there are any.
    Auto,
    /// The one that keeps more.
    MorePrecision,
    /// The one that keeps less.
    LessPrecision,
}

/// How many digits a number gets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digits {
    /// Zeros fill up the integer part to this many digits.
    #[serde(default = "one")]
    pub minimum_integer_digits: usize,
    /// Zeros fill up the fraction to this many digits.
    pub minimum_fraction_digits: Option<usize>,
    /// The fraction is cut after this many digits.
    pub maximum_fraction_digits: Option<usize>,
    /// Zeros fill up the number to this many digits.
    pub minimum_significant_digits: Option<usize>,
    /// The number is cut after this many digits.
    pub maximum_significant_digits: Option<usize>,
    /// The last digit is a multiple of this.
    #[serde(default = "one")]
    pub rounding_increment: usize,
    /// The direction.
    pub rounding_mode: RoundingMode,
    /// Which rounding counts.
    pub rounding_priority: RoundingPriority,
    /// `stripIfInteger` takes a fraction of zeros away.
    #[serde(default)]
    pub trailing_zero_display: String,
}

fn one() -> usize {
    1
}

/// The digits that are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rounded {
    pub(crate) integer: String,
    pub(crate) fraction: String,
}

impl Rounded {
    pub(crate) fn is_zero(&self) -> bool {
        self.integer.bytes().chain(self.fraction.bytes()).all(|digit| digit == b'0')
    }

    pub(crate) fn plain(&self) -> String {
        if self.fraction.is_empty() {
            self.integer.clone()
        } else {
            format!("{}.{}", self.integer, self.fraction)
        }
    }
}

impl Decimal {
    /// What `String` makes of a number or a `BigInt`, or a text that the standard reads as a number.
    pub(crate) fn parse(text: &str) -> Result<Decimal> {
        let (negative, body) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let special = |kind| Decimal { negative, kind, digits: Vec::new(), point: 0 };
        match body {
            "NaN" => return Ok(Decimal { negative: false, ..special(Kind::NotANumber) }),
            "Infinity" => return Ok(special(Kind::Infinite)),
            _ => {}
        }
        let invalid = || Error::Range(format!("invalid number '{text}'"));
        let (mantissa, exponent) = body.split_once(['e', 'E']).unwrap_or((body, "0"));
        let exponent: i32 = exponent.parse().map_err(|_| invalid())?;
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = || integer.bytes().chain(fraction.bytes());
        if integer.len() + fraction.len() == 0 || !all().all(|digit| digit.is_ascii_digit()) {
            return Err(invalid());
        }
        let length = i32::try_from(integer.len()).map_err(|_| invalid())?;
        let digits = all().map(|digit| digit - b'0').collect();
        let point = exponent.checked_add(length).ok_or_else(invalid)?;
        Ok(Decimal { negative, kind: Kind::Finite, digits, point }.trimmed())
    }

    fn trimmed(mut self) -> Decimal {
        let leading = self.digits.iter().take_while(|digit| **digit == 0).count();
        self.digits.drain(..leading);
        self.point -= leading as i32;
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        if self.digits.is_empty() {
            self.point = 0;
        }
        self
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.kind == Kind::Finite && self.digits.is_empty()
    }

    /// The power of ten of the first digit; zero for zero.
    pub(crate) fn magnitude(&self) -> i32 {
        if self.digits.is_empty() { 0 } else { self.point - 1 }
    }

    /// Times ten to a power.
    pub(crate) fn scaled(mut self, power: i32) -> Decimal {
        if !self.digits.is_empty() {
            self.point += power;
        }
        self
    }

    /// Cut at the digit for ten to the power `at`, whose place holds a multiple of `increment` then.
    fn cut(&self, at: i32, increment: usize, mode: RoundingMode) -> Decimal {
        if self.kind != Kind::Finite {
            return self.clone();
        }
        let keep = self.point - at;
        let mut kept: Vec<u8> =
            (0..keep.max(0)).map(|n| self.digits.get(n as usize).copied().unwrap_or(0)).collect();
        let first = usize::try_from(keep).map_or_else(|_| 0, |keep| keep.min(self.digits.len()));
        let mut rest: Vec<u8> = vec![0; usize::try_from(-keep).unwrap_or(0).min(2)];
        rest.extend(&self.digits[first..]);
        let any = rest.iter().any(|digit| *digit != 0);
        // What is left of the number in units of the last place: more, less or as much as half of the increment.
        let remainder = if increment > 1 { modulo(&kept, increment) } else { 0 };
        if !any && remainder == 0 {
            return Decimal { digits: kept, point: self.point.max(at), ..self.clone() }.at(at);
        }
        let half = match (remainder * 2).cmp(&increment) {
            _ if increment == 1 => compare_half(&rest),
            std::cmp::Ordering::Equal => {
                if any {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            }
            std::cmp::Ordering::Less if remainder * 2 + 1 == increment => compare_half(&rest),
            other => other,
        };
        let odd = || {
            let last = kept.last().copied().unwrap_or(0) as usize;
            if increment > 1 { quotient_is_odd(&kept, increment) } else { last % 2 == 1 }
        };
        let up = match mode {
            RoundingMode::Ceil => !self.negative,
            RoundingMode::Floor => self.negative,
            RoundingMode::Expand => true,
            RoundingMode::Trunc => false,
            _ if half.is_gt() => true,
            _ if half.is_lt() => false,
            RoundingMode::HalfCeil => !self.negative,
            RoundingMode::HalfFloor => self.negative,
            RoundingMode::HalfExpand => true,
            RoundingMode::HalfTrunc => false,
            RoundingMode::HalfEven => odd(),
        };
        subtract(&mut kept, remainder);
        if up {
            add(&mut kept, increment);
        }
        Decimal { digits: kept, ..self.clone() }.at(at)
    }

    /// The digits are an integer times ten to the power `at`.
    fn at(mut self, at: i32) -> Decimal {
        self.point = self.digits.len() as i32 + at;
        self.trimmed()
    }

    fn show(&self, least_integer: usize, least_fraction: usize) -> Rounded {
        let digit = |at: i32| -> char {
            let index = self.point - 1 - at;
            let value =
                usize::try_from(index).ok().and_then(|index| self.digits.get(index)).copied().unwrap_or(0);
            char::from(b'0' + value)
        };
        let integer = (self.point.max(0) as usize).max(least_integer);
        let fraction = ((self.digits.len() as i32 - self.point).max(0) as usize).max(least_fraction);
        Rounded {
            integer: (0..integer as i32).rev().map(digit).collect(),
            fraction: (1..=fraction as i32).map(|at| digit(-at)).collect(),
        }
    }

    /// The number rounded, as a number and in digits.
    pub(crate) fn round(&self, digits: &Digits) -> (Decimal, Rounded) {
        let (mode, increment) = (digits.rounding_mode, digits.rounding_increment);
        let significant = digits.maximum_significant_digits.map(|most| {
            let at = self.magnitude() + 1 - most as i32;
            (self.cut(at, 1, mode), at)
        });
        let fraction = digits.maximum_fraction_digits.map(|most| {
            let at = -(most as i32);
            (self.cut(at, increment, mode), at)
        });
        let by_significant = match (&significant, &fraction, digits.rounding_priority) {
            (Some(_), None, _) | (Some(_), Some(_), RoundingPriority::Auto) => true,
            (None, _, _) => false,
            (Some((_, s)), Some((_, f)), RoundingPriority::MorePrecision) => s <= f,
            (Some((_, s)), Some((_, f)), RoundingPriority::LessPrecision) => s > f,
        };
        let (number, least_fraction) = match (significant, fraction) {
            (Some((number, _)), _) if by_significant => {
                let least = digits.minimum_significant_digits.unwrap_or(1) as i32;
                let fraction = (least - 1 - number.magnitude()).max(0) as usize;
                (number, fraction)
            }
            (_, Some((number, _))) => (number, digits.minimum_fraction_digits.unwrap_or(0)),
            _ => (self.clone(), 0),
        };
        let mut shown = number.show(digits.minimum_integer_digits.max(1), least_fraction);
        if digits.trailing_zero_display == "stripIfInteger"
            && shown.fraction.bytes().all(|digit| digit == b'0')
        {
            shown.fraction.clear();
        }
        (number, shown)
    }
}

fn compare_half(rest: &[u8]) -> std::cmp::Ordering {
    let (first, others) = rest.split_first().unwrap_or((&0, &[]));
    first.cmp(&5).then_with(|| others.iter().any(|digit| *digit != 0).cmp(&false))
}

fn modulo(digits: &[u8], by: usize) -> usize {
    digits.iter().fold(0, |rest, digit| (rest * 10 + usize::from(*digit)) % by)
}

fn quotient_is_odd(digits: &[u8], by: usize) -> bool {
    modulo(digits, by * 2) >= by
}

fn subtract(digits: &mut [u8], mut value: usize) {
    for digit in digits.iter_mut().rev() {
        if value == 0 {
            return;
        }
        let (low, borrow) = (value % 10, *digit < (value % 10) as u8);
        *digit = (*digit + if borrow { 10 } else { 0 }) - low as u8;
        value = value / 10 + usize::from(borrow);
    }
}

fn add(digits: &mut Vec<u8>, mut value: usize) {
    for digit in digits.iter_mut().rev() {
        let sum = usize::from(*digit) + value;
        *digit = (sum % 10) as u8;
        value = sum / 10;
    }
    while value > 0 {
        digits.insert(0, (value % 10) as u8);
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(fraction: usize, mode: RoundingMode) -> Digits {
        Digits {
            minimum_integer_digits: 1,
            minimum_fraction_digits: Some(0),
            maximum_fraction_digits: Some(fraction),
            minimum_significant_digits: None,
            maximum_significant_digits: None,
            rounding_increment: 1,
            rounding_mode: mode,
            rounding_priority: RoundingPriority::Auto,
            trailing_zero_display: String::new(),
        }
    }

    fn shown(text: &str, digits: &Digits) -> String {
        Decimal::parse(text).unwrap().round(digits).1.plain()
    }

    #[test]
    fn ties_go_where_the_mode_says() {
        use RoundingMode::*;
        let cases = [
            (HalfExpand, "3"),
            (HalfTrunc, "2"),
            (HalfEven, "2"),
            (Ceil, "3"),
            (Floor, "2"),
            (Trunc, "2"),
            (Expand, "3"),
        ];
        for (mode, expected) in cases {
            assert_eq!(shown("2.5", &digits(0, mode)), expected, "{mode:?}");
        }
        assert_eq!(shown("0.04", &digits(1, HalfExpand)), "0");
        assert_eq!(shown("0.05", &digits(1, HalfExpand)), "0.1");
        assert_eq!(shown("0.004", &digits(0, Expand)), "1");
    }

    #[test]
    fn a_carry_makes_the_number_longer() {
        assert_eq!(shown("999.9996", &digits(3, RoundingMode::HalfExpand)), "1000");
        assert_eq!(shown("1e21", &digits(0, RoundingMode::HalfExpand)), "1000000000000000000000");
    }

    #[test]
    fn an_increment_rounds_to_its_multiples() {
        let mut five = digits(2, RoundingMode::HalfExpand);
        five.rounding_increment = 5;
        assert_eq!(shown("1.225", &five), "1.25");
        assert_eq!(shown("1.22", &five), "1.2");
        assert_eq!(shown("1.23", &five), "1.25");
        five.rounding_increment = 10;
        assert_eq!(shown("1.25", &five), "1.3");
        assert_eq!(shown("1.249", &five), "1.2");
    }

    #[test]
    fn significant_digits_count_from_the_first_digit() {
        let mut two = digits(3, RoundingMode::HalfExpand);
        two.maximum_significant_digits = Some(2);
        two.minimum_significant_digits = Some(2);
        assert_eq!(shown("1234", &two), "1200");
        assert_eq!(shown("0.01", &two), "0.010");
        assert_eq!(shown("0.0996", &two), "0.10");
    }
}
