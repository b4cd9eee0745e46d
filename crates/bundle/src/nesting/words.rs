//! The bytes and words that the count depends on.

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

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
    is_operator(word) || is_contextual(word)
}
