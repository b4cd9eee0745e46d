//! The bytes and words that the count depends on.

pub(super) const fn is_word(byte: u8) -> bool {
    WORD[byte as usize]
}

const WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte: u8 = 0;
    while byte < 0x80 {
        word[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
        byte += 1;
    }
    word
};

/// Punctuation that may hold a construct open, or that makes a link of a chain.
pub(super) fn counts(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'~'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'&'
            | b'|'
            | b'^'
            | b'='
            | b'<'
            | b'>'
            | b'?'
            | b':'
            | b'.'
            | b'@'
            | b'#'
            | b'\\'
    )
}

/// Words after which a statement is expected, or the rest of a class: a comma does not end what they began.
pub(super) fn opens_statement(word: &[u8]) -> bool {
    matches!(word, b"class" | b"do" | b"else" | b"extends" | b"for" | b"if" | b"while" | b"with")
}

/// Words after which an operand is expected, unless they are the name of a property.
pub(super) fn is_operator(word: &[u8]) -> bool {
    matches!(
        word,
        b"case"
            | b"delete"
            | b"do"
            | b"else"
            | b"in"
            | b"instanceof"
            | b"new"
            | b"return"
            | b"throw"
            | b"typeof"
            | b"void"
    )
}

/// Every other word that the grammar gives a meaning somewhere.
pub(super) fn is_contextual(word: &[u8]) -> bool {
    matches!(
        word,
        b"abstract"
            | b"accessor"
            | b"any"
            | b"as"
            | b"assert"
            | b"asserts"
            | b"async"
            | b"await"
            | b"break"
            | b"catch"
            | b"class"
            | b"const"
            | b"continue"
            | b"debugger"
            | b"declare"
            | b"default"
            | b"defer"
            | b"enum"
            | b"export"
            | b"extends"
            | b"finally"
            | b"for"
            | b"from"
            | b"function"
            | b"get"
            | b"global"
            | b"if"
            | b"implements"
            | b"import"
            | b"infer"
            | b"interface"
            | b"intrinsic"
            | b"is"
            | b"keyof"
            | b"let"
            | b"meta"
            | b"module"
            | b"namespace"
            | b"of"
            | b"out"
            | b"override"
            | b"package"
            | b"private"
            | b"protected"
            | b"public"
            | b"readonly"
            | b"require"
            | b"satisfies"
            | b"set"
            | b"source"
            | b"static"
            | b"switch"
            | b"symbol"
            | b"try"
            | b"type"
            | b"unique"
            | b"using"
            | b"var"
            | b"while"
            | b"with"
            | b"yield"
    )
}

/// Words that go on with what stands before them, be it on the line before.
pub(super) fn continues(word: &[u8]) -> bool {
    matches!(
        word,
        b"abstract"
            | b"as"
            | b"assert"
            | b"asserts"
            | b"catch"
            | b"class"
            | b"else"
            | b"extends"
            | b"finally"
            | b"from"
            | b"implements"
            | b"in"
            | b"instanceof"
            | b"is"
            | b"of"
            | b"satisfies"
            | b"while"
            | b"with"
    )
}

pub(super) fn is_keyword(word: &[u8]) -> bool {
    // Most words are names, and most names differ from every keyword in these two.
    (2..=LONGEST).contains(&word.len())
        && word[0].is_ascii_lowercase()
        && (is_operator(word) || is_contextual(word))
}

/// Of `implements`, `instanceof`, and others.
const LONGEST: usize = 10;

#[cfg(test)]
mod tests {
    use super::{LONGEST, is_contextual, is_keyword, is_operator};

    /// The keywords of this file's text, so that a new one is looked at too.
    #[test]
    fn quick_look_at_a_word_refuses_no_keyword() {
        let words = include_str!("words.rs").split("b\"").skip(1).filter_map(|rest| rest.split('"').next());
        let mut seen = 0;
        for word in words.map(str::as_bytes).filter(|word| is_operator(word) || is_contextual(word)) {
            assert!(is_keyword(word), "{}", String::from_utf8_lossy(word));
            seen += 1;
        }
        assert!(seen > 60, "{seen}");
        assert!(is_keyword(b"instanceof") && LONGEST == "instanceof".len());
    }
}
