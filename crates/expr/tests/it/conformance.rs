//! The dialect, a row for each rule: what an expression gives, or the code of its error.

use marsh_types::Explain;
use serde_json::{Value as Json, json};

use crate::support::{eval, json_of};

enum Expected {
    Gives(Json),
    Fails(&'static str),
}
use Expected::{Fails, Gives};

fn check(rows: &[(&str, Expected)]) {
    let mut wrong = Vec::new();
    for (expression, expected) in rows {
        let got = match json_of(expression) {
            Ok(evaluated) => evaluated.value.to_string(),
            Err(error) => format!("{}: {error}", error.code().as_str()),
        };
        let right = match expected {
            Gives(value) => {
                let wanted = value.to_string();
                got == wanted
            }
            Fails(code) => got.starts_with(&format!("{code}: ")),
        };
        if !right {
            wrong.push(format!("{expression}  gives  {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const TYPE: Expected = Fails("expression_type");
const NO_KEY: Expected = Fails("expression_no_such_key");
const SYNTAX: Expected = Fails("expression_syntax");
const ARITHMETIC: Expected = Fails("expression_arithmetic");
const ARGUMENT: Expected = Fails("expression_argument");
const UNKNOWN: Expected = Fails("expression_unknown_variable");
const NO_FUNCTION: Expected = Fails("expression_unknown_function");
const BOUNDS: Expected = Fails("expression_out_of_bounds");

#[test]
fn numbers() {
    check(&[
        ("inputs.n + 1", Gives(json!(4))),
        ("inputs.n / 2", Gives(json!(1.5))),
        ("7 / 2", Gives(json!(3))),
        ("7 % 3", Gives(json!(1))),
        ("-7 / 2", Gives(json!(-3))),
        ("-7 % 3", Gives(json!(-1))),
        ("1 + 1.5", Gives(json!(2.5))),
        ("7 % 2.5", Gives(json!(2))),
        ("inputs.n % 2", Gives(json!(1))),
        ("inputs.n % inputs.f", TYPE),
        ("1 / 0", ARITHMETIC),
        ("1 % 0", ARITHMETIC),
        ("9223372036854775807 + 1", ARITHMETIC),
        ("-9223372036854775808 - 1", ARITHMETIC),
        ("-9223372036854775808", Gives(json!(i64::MIN))),
        ("9223372036854775808", SYNTAX),
        ("0x1F", Gives(json!(31))),
        ("1e3", Gives(json!(1000))),
        ("1u + 2u", Gives(json!(3))),
        ("1u - 2u", ARITHMETIC),
        ("1 + 1u", TYPE),
        ("1u + inputs.n", TYPE),
        ("inputs.big", Gives(json!(9_007_199_254_740_993_i64))),
        ("inputs.big + 0", Gives(json!(9_007_199_254_740_992_i64))),
        ("1.0 / 0.0 > 1.0", Gives(json!(true))),
        ("1.0 / 0.0", Fails("expression_not_finite")),
        ("-inputs.n", Gives(json!(-3))),
        ("-inputs.s", TYPE),
        ("- - 2", Gives(json!(2))),
    ]);
    assert_eq!(eval("1.0 / 0.0").unwrap().to_text().unwrap(), "Infinity");
    assert_eq!(eval("-1.0 / 0.0").unwrap().to_text().unwrap(), "-Infinity");
}

#[test]
fn equality_and_order() {
    check(&[
        ("inputs.n == 3", Gives(json!(true))),
        ("3 in inputs.l", Gives(json!(true))),
        ("inputs.l == [1, 2, 3]", Gives(json!(true))),
        ("1 == 1.0", TYPE),
        ("1 == 1u", TYPE),
        ("dyn(1) == 1.0", Gives(json!(true))),
        ("dyn(1u) == 1", Gives(json!(true))),
        ("inputs.s == 1", Gives(json!(false))),
        ("\"x\" == null", TYPE),
        ("inputs.nul == null", Gives(json!(true))),
        ("inputs.n == null", Gives(json!(false))),
        ("inputs.n < \"4\"", TYPE),
        ("inputs.n < 4", Gives(json!(true))),
        ("1 < 1.5", Gives(json!(true))),
        ("1u < 2", Gives(json!(true))),
        ("9007199254740993 > 9007199254740992.0", Gives(json!(true))),
        ("\"a\" < \"b\"", Gives(json!(true))),
        ("false < true", Gives(json!(true))),
        ("[1] == [1.0]", TYPE),
        ("[1] == [dyn(1.0)]", Gives(json!(true))),
        ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", Gives(json!(true))),
        ("inputs.o == {'k': 'v', 'a-b': 1}", Gives(json!(true))),
        ("inputs.l != [1, 2]", Gives(json!(true))),
        ("b'a' == b'\\x61'", Gives(json!(true))),
        ("double('nan') == double('nan')", Gives(json!(false))),
        ("'k' in inputs.o", Gives(json!(true))),
        ("1 in {1: 2}", Gives(json!(true))),
        ("1 in {'a': 2}", TYPE),
        ("1 in ['a']", TYPE),
        ("'a' in 'abc'", TYPE),
    ]);
}

#[test]
fn strings_do_not_convert_by_themselves() {
    check(&[
        ("inputs.s + 1", TYPE),
        ("'a' + inputs.n", TYPE),
        ("'a' + string(inputs.n)", Gives(json!("a3"))),
        ("'a' + \"b\" + '''c'''", Gives(json!("abc"))),
        (r#"r"\d""#, Gives(json!("\\d"))),
        (r#""é\n""#, Gives(json!("é\n"))),
        ("1 // why\n + 1", Gives(json!(2))),
    ]);
}

#[test]
fn missing_values() {
    check(&[
        ("inputs.missing", NO_KEY),
        ("inputs.nul.x", NO_KEY),
        ("inputs.s.x", NO_KEY),
        ("inputs.l[5]", BOUNDS),
        ("inputs.l[-1]", BOUNDS),
        ("inputs.l[1.5]", BOUNDS),
        ("inputs.l['a']", NO_KEY),
        ("inputs.l[1.0]", Gives(json!(2))),
        ("[1, 2][1.0]", TYPE),
        ("'a'[0]", TYPE),
        ("nosuch", UNKNOWN),
        ("inputs.?missing.orValue(\"d\")", Gives(json!("d"))),
        ("inputs.?nul.?x", Gives(json!(null))),
        ("inputs.l[?5].orValue(9)", Gives(json!(9))),
        ("inputs.l[?0]", Gives(json!(1))),
        ("inputs.?o.k", Gives(json!("v"))),
        ("inputs.?o.zz", Gives(json!(null))),
        ("inputs.?o.k.hasValue()", Gives(json!(true))),
        ("inputs.?zz.value()", ARGUMENT),
        ("inputs.?zz.or(inputs.?n).value()", Gives(json!(3))),
        ("optional.of(1).orValue(2)", Gives(json!(1))),
        ("optional.none().orValue(2)", Gives(json!(2))),
        ("optional.of(1).orValue('a')", TYPE),
        ("inputs.s.orValue(1)", TYPE),
        ("has(inputs.missing)", Gives(json!(false))),
        ("has(inputs.nul)", Gives(json!(true))),
        ("has(inputs.missing.x)", NO_KEY),
        ("has(inputs.?missing.x)", Gives(json!(false))),
        ("has(data.latest('m', 'n').attributes.zz)", TYPE),
        ("has(inputs.l[0])", TYPE),
        ("has(inputs)", TYPE),
        ("inputs.o[\"a-b\"]", Gives(json!(1))),
        ("inputs.o.a-b", NO_KEY),
    ]);
}

#[test]
fn macros() {
    check(&[
        ("inputs.o.map(k, k)", Gives(json!(["k", "a-b"]))),
        ("inputs.o.exists(k, k == 'a-b')", Gives(json!(true))),
        ("inputs.objs.map(x, x.id > 1, x.t)", Gives(json!(["two"]))),
        ("inputs.l.map(x, x * 2)", Gives(json!([2, 4, 6]))),
        ("inputs.l.filter(x, x > 1)", Gives(json!([2, 3]))),
        ("inputs.l.all(x, x > 0)", Gives(json!(true))),
        ("inputs.l.exists_one(x, x > 2)", Gives(json!(true))),
        ("[].all(x, x)", Gives(json!(true))),
        ("[].exists(x, x)", Gives(json!(false))),
        ("[1, 2].all(x, x)", TYPE),
        ("inputs.l.all(x, x)", TYPE),
        ("inputs.l.exists(x, x / 0 > 1 || x == 3)", Gives(json!(true))),
        ("inputs.objs.exists(x, x.zz || x.id == 2)", Gives(json!(true))),
        ("inputs.objs.all(x, x.zz)", NO_KEY),
        ("inputs.objs.exists_one(x, x.zz)", NO_KEY),
        ("inputs.l.map(x, inputs.l.map(x, x + 1))[0]", Gives(json!([2, 3, 4]))),
        ("inputs.s.map(x, x)", TYPE),
        ("inputs.l.map(1, x)", SYNTAX),
        ("cel.bind(x, inputs.n + 1, x * x)", Gives(json!(16))),
        ("{1: 2}.map(k, k)", Gives(json!(["1"]))),
    ]);
}

#[test]
fn choices() {
    check(&[
        ("true ? 1 : \"a\"", TYPE),
        ("true ? null : 1", TYPE),
        ("inputs.b ? inputs.n : 0", Gives(json!(3))),
        ("inputs.b ? 'x' : dyn(1)", Gives(json!("x"))),
        ("inputs.n ? 1 : 2", TYPE),
        ("false && nosuch", Gives(json!(false))),
        ("true || nosuch", Gives(json!(true))),
        ("nosuch || true", Gives(json!(true))),
        ("nosuch && false", Gives(json!(false))),
        ("inputs.b && nosuch", UNKNOWN),
        ("nosuch || false", UNKNOWN),
        ("inputs.n && true", TYPE),
        ("inputs.n || true", Gives(json!(true))),
        ("1 && true", TYPE),
        ("!inputs.b", Gives(json!(false))),
        ("!inputs.n", TYPE),
        ("false ? nosuch : 1", Gives(json!(1))),
    ]);
}

#[test]
fn literals_of_lists_and_maps() {
    check(&[
        ("[1, \"a\", {\"k\": 1}]", Gives(json!([1, "a", {"k": 1}]))),
        ("{1: 2}", Gives(json!({"1": 2}))),
        ("{1.5: 'a', true: 'b'}", Gives(json!({"1.5": "a", "true": "b"}))),
        ("{[1]: 2}", TYPE),
        ("{'a': 1}.a", Gives(json!(1))),
        ("{'a': 1}.b", NO_KEY),
        ("[1, 2,]", Gives(json!([1, 2]))),
        ("inputs.l + [4]", Gives(json!([1, 2, 3, 4]))),
        ("[1] + ['a']", TYPE),
        ("[1] + [2.0]", TYPE),
        ("{'a': {'b': {}}}.a.b", Gives(json!({}))),
        ("[[]]", Gives(json!([[]]))),
        ("{'in': 1}['in']", Gives(json!(1))),
    ]);
}

#[test]
fn functions_of_text() {
    check(&[
        ("size('a😀')", Gives(json!(2))),
        ("'abc'.size()", Gives(json!(3))),
        ("size(inputs.l) + size(inputs.o)", Gives(json!(5))),
        ("size(inputs.nul)", TYPE),
        ("size(1)", TYPE),
        ("'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('b')", Gives(json!(true))),
        ("'aÄ'.lowerAscii() + 'aä'.upperAscii()", Gives(json!("aäAÄ"))),
        ("'\\u00a0 a\\n'.trim()", Gives(json!("a"))),
        ("'abcabc'.indexOf('c')", Gives(json!(2))),
        ("'abcabc'.indexOf('c', 3)", Gives(json!(5))),
        ("'abcabc'.lastIndexOf('c', 4)", Gives(json!(2))),
        ("'abcabc'.indexOf('x')", Gives(json!(-1))),
        ("'abc'.indexOf('a', 9)", ARGUMENT),
        ("inputs.emoji.indexOf('b')", Gives(json!(3))),
        ("'abc'.substring(1)", Gives(json!("bc"))),
        ("'abc'.substring(1, 2)", Gives(json!("b"))),
        ("'abc'.substring(2, 1)", ARGUMENT),
        ("inputs.emoji.substring(3)", Gives(json!("b"))),
        ("'abc'.substring(inputs.n)", TYPE),
        ("'v1.2'.matches('^v[0-9]+')", Gives(json!(true))),
        ("'a'.matches('(')", ARGUMENT),
        ("'a,b,,c'.split(',')", Gives(json!(["a", "b", "", "c"]))),
        ("'a,b,c'.split(',', 2)", Gives(json!(["a", "b,c"]))),
        ("'a,b'.split(',', 0)", Gives(json!([]))),
        ("'abc'.split('')", Gives(json!(["a", "b", "c"]))),
        ("''.split('')", Gives(json!([]))),
        ("''.split(',')", Gives(json!([""]))),
        ("['a', 'b'].join('-')", Gives(json!("a-b"))),
        ("['a', 'b'].join()", Gives(json!("ab"))),
        ("[].join(',')", Gives(json!(""))),
        ("[1].join(',')", TYPE),
        ("inputs.l.join(',')", Fails("expression_argument")),
        ("'a'.replace('a', 'b')", NO_FUNCTION),
        ("range(3)", NO_FUNCTION),
        ("inputs.n.nope()", NO_FUNCTION),
        ("inputs.n ?? 1", SYNTAX),
        ("math.ceil(1.5)", NO_FUNCTION),
    ]);
}

#[test]
fn conversions() {
    check(&[
        ("int(1.9)", Gives(json!(1))),
        ("int('12') + int(inputs.n)", Gives(json!(15))),
        ("int('1.5')", ARGUMENT),
        ("int('')", ARGUMENT),
        ("int(1e30)", ARITHMETIC),
        ("int(true)", TYPE),
        ("uint(3) + uint('4')", Gives(json!(7))),
        ("uint(-1)", ARITHMETIC),
        ("double('1.5') + double(1)", Gives(json!(2.5))),
        ("double('x')", ARGUMENT),
        ("string(1.0) + string(1.5) + string(true) + string(2u)", Gives(json!("11.5true2"))),
        ("string(1.0 / 0.0)", Gives(json!("+Inf"))),
        ("string(inputs.l)", TYPE),
        ("string(null)", TYPE),
        ("bool('true') && !bool('0')", Gives(json!(true))),
        ("bool('yes')", ARGUMENT),
        ("bytes('é').hex()", Gives(json!("c3a9"))),
        ("bytes('é')", Gives(json!("w6k="))),
        ("bytes('é').base64()", Gives(json!("w6k="))),
        ("string(b'\\x61') + b'b'.string()", Gives(json!("ab"))),
        ("bytes('{\"a\": [1]}').json().a[0] + 1", Gives(json!(2))),
        ("bytes('{').json()", ARGUMENT),
        ("b'ab'.at(1)", Gives(json!(98))),
        ("b'ab'.at(2)", ARGUMENT),
        ("size(b'a' + b'b')", Gives(json!(2))),
        ("type(inputs.n) == double && type(1) == int && type(null) == null_type", Gives(json!(true))),
        ("type([]) == list && type({}) == map && type(type(1)) == type", Gives(json!(true))),
        ("type(1)", Gives(json!("int"))),
        ("dyn(1) == 'a'", Gives(json!(false))),
    ]);
}

#[test]
fn times() {
    check(&[
        ("string(timestamp('2024-02-29T12:30:00Z'))", Gives(json!("2024-02-29T12:30:00.000Z"))),
        ("timestamp('2024-02-29T12:30:00Z')", Gives(json!("2024-02-29T12:30:00.000Z"))),
        ("timestamp(0).getFullYear()", Gives(json!(1970))),
        ("timestamp('nonsense')", ARGUMENT),
        ("timestamp('2024-02-29T12:30:00Z').getMonth()", Gives(json!(1))),
        ("timestamp('2024-02-29T12:30:00Z').getDate()", Gives(json!(29))),
        ("timestamp('2024-02-29T12:30:00Z').getDayOfMonth()", Gives(json!(28))),
        ("timestamp('2024-02-29T12:30:00Z').getDayOfWeek()", Gives(json!(4))),
        ("timestamp('2024-02-29T12:30:00Z').getDayOfYear()", Gives(json!(59))),
        ("timestamp('2024-02-29T12:30:00.250Z').getMilliseconds()", Gives(json!(250))),
        ("timestamp('2024-02-29T23:30:00Z').getHours('Europe/Berlin')", Gives(json!(0))),
        ("timestamp('2024-02-29T23:30:00Z').getHours('Nowhere/At_All')", ARGUMENT),
        (
            "timestamp('2024-03-01T00:00:00Z') - timestamp('2024-02-29T00:00:00Z') == duration('24h')",
            Gives(json!(true)),
        ),
        (
            "timestamp('2024-02-29T00:00:00Z') + duration('90m') > timestamp('2024-02-29T01:00:00Z')",
            Gives(json!(true)),
        ),
        ("(duration('1h') + timestamp('2024-02-29T00:00:00Z')).getHours()", Gives(json!(1))),
        ("duration('90s').getMinutes()", Gives(json!(1))),
        ("duration('1h') - duration('1.5h')", Gives(json!("-1800s"))),
        ("duration('soon')", ARGUMENT),
        ("timestamp(253402300799) + duration('1s')", ARITHMETIC),
        ("type(timestamp(0)) == google.protobuf.Timestamp", Gives(json!(true))),
    ]);
}

#[test]
fn sources() {
    check(&[
        ("data.latest('m', 'n').attributes.v + 1", Gives(json!(42))),
        ("data.latest('m', 'n', ['eu', 1]).attributes.name", Gives(json!("m/n-eu-1"))),
        ("data.latest('m', 'n', ['a/b'])", ARGUMENT),
        ("data.latest('m', 'n', [''])", ARGUMENT),
        ("data.latest('absent', 'n')", Gives(json!(null))),
        ("data.latest('absent', 'n').attributes", NO_KEY),
        ("data.latest('absent', 'n').?attributes.?v.orValue(7)", Gives(json!(7))),
        ("data.latest('broken', 'n')", Fails("data_unreadable")),
        ("data.version('m', 'n', 2).attributes.name", Gives(json!("m/n@2"))),
        ("data.version('m', 'n', ['eu'], inputs.n).attributes.name", Gives(json!("m/n-eu@3"))),
        ("data.version('m', 'n', 0)", ARGUMENT),
        ("data.listVersions('m', 'n')", Gives(json!([1, 2, 5]))),
        ("data.findBySpec('m', 's').map(r, r.attributes.name)", Gives(json!(["m:s"]))),
        ("data.findByTag('k', 'v')[0].attributes.name", Gives(json!("k=v"))),
        ("data.query('a == 1')[0]", Gives(json!("a == 1 -> row"))),
        ("data.query('a == 1', 'b')[0]", Gives(json!("a == 1 -> b"))),
        ("inputs.l.map(i, data.latest('m', string(i)).attributes.name)", Gives(json!(["m/1", "m/2", "m/3"]))),
        ("[data.latest('m', 'n')].all(r, r.attributes.v == 41)", Gives(json!(true))),
        ("inputs.b ? data.latest('m', 'n').attributes.v : 0", Gives(json!(41))),
        ("data.latest(1, 'n')", TYPE),
        ("data.latest('m')", TYPE),
        ("data.newest('m', 'n')", NO_FUNCTION),
        ("file.contents('m', 's')", Gives(json!("m:s"))),
        ("file.contents('absent', 's')", Gives(json!(null))),
        ("workers.connected()", Gives(json!(["w1"]))),
        ("model.method('m', 'run', {'a': 1})", Gives(json!("m.run({\"a\": 1})"))),
        ("model.my-vpc.input.name", Gives(json!("my-vpc"))),
        ("model['my-vpc'].input.name", Gives(json!("my-vpc"))),
        ("model.web.input.name + model.a-b-c.input.name", Gives(json!("weba-b-c"))),
        ("model.absent", NO_KEY),
        ("model.broken.input", Fails("invalid_definition")),
        ("model.map(m, m)", Gives(json!(["web", "my-vpc"]))),
        ("'web' in model && size(model) == 2", Gives(json!(true))),
        ("vault.get('v', 'k')", Gives(json!("s3cret-v-k"))),
        ("vault.get(my-vault, api-key)", Gives(json!("s3cret-my-vault-api-key"))),
        ("vault.get(`v`, \"k\") + inputs.s", Gives(json!("s3cret-v-kabc"))),
        ("['a', 'b'].map(k, vault.get(v, k))", Gives(json!(["s3cret-v-a", "s3cret-v-b"]))),
        ("vault.get(v, inputs.s)", Gives(json!("s3cret-v-abc"))),
        ("vault.get('missing', 'k')", Fails("vault_not_found")),
        ("env.HOME", Gives(json!("/root"))),
    ]);
}

#[test]
fn syntax() {
    for expression in [
        "", "1 +", "(1", "[1", "{1}", "a.", "a..b", "a b", "a ? b", "if", "1 = 1", "a.b(", "f(1", "a[", "'",
        "a.in", "#",
    ] {
        check(&[(expression, SYNTAX)]);
    }
}

#[test]
fn precedence() {
    check(&[
        ("1 + 2 * 3 - 4 / 2", Gives(json!(5))),
        ("-2 * 3", Gives(json!(-6))),
        ("10 - 3 - 2", Gives(json!(5))),
        ("true || false && false", Gives(json!(true))),
        ("1 < 2 == true", Gives(json!(true))),
        ("1 + 1 in [2]", Gives(json!(true))),
        ("true ? 1 : false ? 2 : 3", Gives(json!(1))),
        ("!true == false", Gives(json!(true))),
        ("(1 + 2) * 3", Gives(json!(9))),
    ]);
}
