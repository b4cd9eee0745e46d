//! Whatever an expression makes of a secret is known to be secret, and no error says one.

use marsh_expr::{Cel, EvaluationLimits, Evaluator, Program, Value, check_expression};
use serde_json::json;

use crate::support::{eval, json_of, world};

#[test]
fn secrets_spread_to_what_is_made_of_them() {
    // Pointers of the secret parts of each result.
    for (expression, secrets) in [
        ("vault.get(v, k)", &[""][..]),
        ("'user:' + vault.get(v, k)", &[""]),
        ("['a', vault.get(v, k)]", &["/1"]),
        ("{'user': 'ada', 'pass': vault.get(v, k)}", &["/pass"]),
        ("{'a/b': [vault.get(v, k)]}", &["/a~1b/0"]),
        ("{vault.get(v, k): 1}", &[""]),
        ("[vault.get(v, k)] + ['a']", &["/0"]),
        ("['a', vault.get(v, k)].join('-')", &[""]),
        ("['a', vault.get(v, k)].map(x, x + '!')", &["/1"]),
        ("['a', 'b'].map(x, x + vault.get(v, k))", &["/0", "/1"]),
        ("['a', 'b'].filter(x, vault.get(v, k).contains(x))", &[""]),
        ("['a'].exists(x, x == vault.get(v, k))", &[""]),
        ("vault.get(v, k).substring(0, 1)", &[""]),
        ("vault.get(v, k).split('-')", &[""]),
        ("vault.get(v, k).split('-')[0]", &[""]),
        ("size(vault.get(v, k))", &[""]),
        ("vault.get(v, k) == 'x'", &[""]),
        ("vault.get(v, k) == 'x' ? 1 : 2", &[""]),
        ("inputs.b && vault.get(v, k) == 'x'", &[""]),
        // The right side decides, and yet that it was asked tells of the left.
        ("vault.get(v, k) == 'x' || inputs.b", &[""]),
        ("vault.get(v, k) in ['x']", &[""]),
        ("'x' in [vault.get(v, k)]", &[""]),
        ("[vault.get(v, k)] == ['x']", &[""]),
        ("bytes(vault.get(v, k)).base64()", &[""]),
        ("type(vault.get(v, k)) == string", &[""]),
        ("dyn(vault.get(v, k))", &[""]),
        ("optional.of(vault.get(v, k))", &[""]),
        ("{'a': vault.get(v, k)}.?a.orValue('b')", &[""]),
        ("cel.bind(s, vault.get(v, k), [s, 'a'])", &["/0"]),
        ("inputs.l[vault.get(v, k).indexOf('s3')]", &[""]),
        ("data.latest('m', vault.get(v, k)).attributes.v", &[""]),
        ("data.latest('safe', 'n').attributes", &["/pass"]),
        ("data.latest('safe', 'n').attributes.user", &[]),
        ("data.latest('safe', 'n').attributes.pass + '!'", &[""]),
        ("size(['a', vault.get(v, k)])", &[]),
        ("inputs.b ? 'a' : vault.get(v, k)", &[]),
    ] {
        let evaluated = json_of(expression).unwrap();
        assert_eq!(evaluated.secrets, secrets, "{expression}");
    }
}

#[test]
fn no_error_and_no_debug_text_says_a_secret() {
    for expression in [
        "int(vault.get(v, k))",
        "double(vault.get(v, k))",
        "bool(vault.get(v, k))",
        "uint(vault.get(v, k))",
        "timestamp(vault.get(v, k))",
        "duration(vault.get(v, k))",
        "inputs.o[vault.get(v, k)]",
        "{vault.get(v, k): 1}.zzz",
        "{vault.get(v, k): 1}['s3cret-v-j']",
        "[1][int(size(vault.get(v, k)))]",
        "'a'.matches('(' + vault.get(v, k))",
        "vault.get(v, k).nope()",
        "vault.get(v, k).x",
        "vault.get(v, k) + 1",
        "vault.get(v, k) < 1",
        "vault.get(v, k) && true",
        "[vault.get(v, k), 1].join()",
        "bytes(vault.get(v, k)).json()",
        "timestamp(0).getHours(vault.get(v, k))",
        "vault.get(v, k).substring(99)",
        "data.version('m', vault.get(v, k), 0)",
        "data.latest('m', 'n', [vault.get(v, k) + '/'])",
        "data.latest('safe', 'n').attributes.pass.x",
        "-vault.get(v, k)",
        "vault.get(v, k).map(x, x)",
        "vault.get(v, k).orValue(1)",
    ] {
        let error = Cel::default().evaluate(expression, &world()).unwrap_err();
        let hint = marsh_types::Explain::hint(&error);
        let details = marsh_types::Explain::details(&error);
        let said = format!("{error} {error:?} {hint:?} {details:?}");
        // The text of the expression itself is not secret.
        let said = said.replace("s3cret-v-j", "");
        assert!(!said.contains("s3cret"), "{expression}: {said}");
    }
    let value = eval("[vault.get(v, k), {'a': data.latest('safe', 'n')}]").unwrap();
    let evaluated = marsh_expr::Evaluated::of(&value).unwrap();
    assert!(!format!("{value:?} {evaluated:?}").contains("s3cret"));
    assert_eq!(evaluated.redacted("***")[0], "***");
    assert_eq!(evaluated.redacted("***")[1]["a"]["attributes"], json!({"user": "ada", "pass": "***"}));
}

#[test]
fn the_same_program_serves_public_and_secret_values() {
    let program = Program::parse("inputs.s + '!'").unwrap();
    let mut scope = crate::support::variables();
    assert!(!program.evaluate(&scope, &EvaluationLimits::default()).unwrap().has_secret());
    let inputs = Value::map([("s", Value::from("x").into_secret())]).unwrap();
    scope.set_value("inputs", inputs);
    assert!(program.evaluate(&scope, &EvaluationLimits::default()).unwrap().is_secret());
}

#[test]
fn nothing_is_asked_of_a_vault_before_it_is_needed() {
    assert!(eval("inputs.b ? 'a' : vault.get('missing', 'k')").is_ok());
    assert!(
        check_expression(
            "vault.get('missing', 'k')",
            &marsh_expr::Declared::new().with_functions_of("vault")
        )
        .is_empty()
    );
}
