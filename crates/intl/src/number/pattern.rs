//! Patterns of numbers: `#,##0.00 ¤;(#,##0.00 ¤)`.

/// A piece of what stands before or after the digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Literal(String),
    Minus,
    Plus,
    /// About: in place of a sign.
    About,
    Percent,
    Currency,
}

pub(super) type Affix = Vec<Token>;

#[derive(Clone, Debug, Default)]
pub(super) struct Pattern {
    pub(super) prefix: Affix,
    pub(super) suffix: Affix,
    pub(super) negative: Option<(Affix, Affix)>,
    /// Sizes of the last group and of those before it; zero without groups.
    pub(super) groups: (usize, usize),
    /// Zeros in the integer part: how many digits a compact number keeps.
    pub(super) zeros: usize,
}

fn side(pattern: &str) -> (Affix, String, Affix) {
    let (mut before, mut number, mut after) = (Affix::new(), String::new(), Affix::new());
    let mut quoted = false;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let affix = if number.is_empty() { &mut before } else { &mut after };
        let literal = |affix: &mut Affix, character: char| match affix.last_mut() {
            Some(Token::Literal(text)) => text.push(character),
            _ => affix.push(Token::Literal(character.to_string())),
        };
        match character {
            '\'' if characters.peek() == Some(&'\'') => {
                characters.next();
                literal(affix, '\'');
            }
            '\'' => quoted = !quoted,
            other if quoted => literal(affix, other),
            '#' | '0'..='9' | ',' | '.' | 'E' if !(character == 'E' && number.is_empty()) => {
                number.push(character)
            }
            '-' => affix.push(Token::Minus),
            '+' => affix.push(Token::Plus),
            '%' => affix.push(Token::Percent),
            '¤' => affix.push(Token::Currency),
            other => literal(affix, other),
        }
    }
    (before, number, after)
}

/// The positive and the negative half; a semicolon in quotes is text.
fn halves(pattern: &str) -> (&str, Option<&str>) {
    let mut quoted = false;
    for (at, character) in pattern.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            ';' if !quoted => return (&pattern[..at], Some(&pattern[at + 1..])),
            _ => {}
        }
    }
    (pattern, None)
}

impl Pattern {
    pub(super) fn parse(pattern: &str) -> Pattern {
        let (positive, negative) = halves(pattern);
        let (prefix, number, suffix) = side(positive);
        let integer = number.split(['.', 'E']).next().unwrap_or_default();
        let groups: Vec<usize> = integer.split(',').map(str::len).collect();
        let groups = match groups[..] {
            [.., second, last] if groups.len() > 2 => (last, second),
            [_, last] => (last, last),
            _ => (0, 0),
        };
        let zeros = integer.bytes().filter(|digit| *digit == b'0').count();
        let negative = negative.map(|negative| {
            let (prefix, _, suffix) = side(negative);
            (prefix, suffix)
        });
        Pattern { prefix, suffix, negative, groups, zeros }
    }

    /// What stands around a number that gets this sign; `None` for a number without one.
    pub(super) fn affixes(&self, sign: Option<Token>) -> (Affix, Affix) {
        let Some(sign) = sign else { return (self.prefix.clone(), self.suffix.clone()) };
        let other = sign != Token::Minus;
        if let Some((prefix, suffix)) = &self.negative {
            let has_minus = prefix.contains(&Token::Minus) || suffix.contains(&Token::Minus);
            if !other || has_minus {
                let turned = |affix: &Affix| {
                    affix
                        .iter()
                        .map(|token| if *token == Token::Minus { sign.clone() } else { token.clone() })
                        .collect()
                };
                return (turned(prefix), turned(suffix));
            }
        }
        let mut prefix = self.prefix.clone();
        prefix.insert(0, sign);
        (prefix, self.suffix.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_from_the_right() {
        assert_eq!(Pattern::parse("#,##0.###").groups, (3, 3));
        assert_eq!(Pattern::parse("#,##,##0.00").groups, (3, 2));
        assert_eq!(Pattern::parse("0.00").groups, (0, 0));
    }

    #[test]
    fn quotes_hold_text() {
        let pattern = Pattern::parse("00 Mio'.' ¤");
        assert_eq!(pattern.zeros, 2);
        assert_eq!(
            pattern.suffix,
            [Token::Literal("\u{a0}Mio.\u{a0}".replace('\u{a0}', " ")), Token::Currency]
        );
    }

    #[test]
    fn a_plus_takes_the_place_of_the_minus() {
        let swiss = Pattern::parse("¤ 0.00;¤-0.00");
        assert_eq!(swiss.affixes(Some(Token::Plus)).0, [Token::Currency, Token::Plus]);
        let books = Pattern::parse("¤0.00;(¤0.00)");
        assert_eq!(books.affixes(Some(Token::Plus)).0, [Token::Plus, Token::Currency]);
    }
}
