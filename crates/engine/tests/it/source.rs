//! What the text of a module may hold.

use crate::common::{Fixture, call};
use serde_json::json;

#[test]
fn a_raw_nul_in_literals_and_comments_is_the_character() {
    let code = "// a comment with @ in it\n/* and @ another */\n
        export const run = () => [
            'a@1'.length, 'a\\@b' === 'a\\x00b', '\\\\@'.length, `a@${'@'.length}@`.length, /a@b/.test('a\\x00b'), /^[@-\\x1f]\\@$/v.test('\\x01\\x00'),
            new Function('return `@`.charCodeAt(0)')(), JSON.parse('\"\\\\u0000\"') === '@',
        ];"
        .replace('@', "\0");
    assert!(code.contains('\0'));
    let mut fixture = Fixture::new();
    fixture.cache = Some(fixture.path("cache"));
    for cached in [false, true] {
        let runtime = fixture.load(&code);
        let expected = json!([3, true, 2, 4, true, true, 0, true]);
        assert_eq!(call(&runtime, "run", json!({})).unwrap(), expected);
        assert_eq!(runtime.stats().bytecode_hit, cached);
        runtime.close();
    }
}

#[test]
fn a_raw_nul_between_tokens_is_a_syntax_error() {
    let fixture = Fixture::new();
    let runtime = fixture.start("export const run = () => 1;\0");
    let error = crate::common::loaded(&runtime).unwrap_err();
    assert_eq!(error.kind, marsh_engine::EngineErrorKind::Syntax, "{error}");
}
