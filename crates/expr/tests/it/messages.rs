//! What an error says, where it points, and what it suggests; before anything runs, and when it did.

use marsh_expr::{Cel, Declared, Evaluator, Mode, SourceLocation, check_expression, expand};
use marsh_types::Explain;
use serde_json::json;

use crate::support::world;

/// Message, the part of the expression it points at, and hint, in one line.
fn said(expression: &str, error: &marsh_expr::ExprError) -> String {
    let at = error.span().map(|span| expression.get(span).unwrap_or("?"));
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{error} @ {}{hint}", at.unwrap_or("all"))
}

#[test]
fn errors_of_evaluation() {
    let rows = [
        (
            "input.name",
            "unknown variable `input`; known here: inputs, env, model @ input (did you mean `inputs`?)",
        ),
        ("1 + inputs.nmae", "`inputs` has no key `nmae` @ inputs.nmae (did you mean `n`?)"),
        ("inputs.o.kk", "`inputs.o` has no key `kk` @ inputs.o.kk (did you mean `k`?)"),
        ("inputs.objs[0].tt", "`inputs.objs[0]` has no key `tt` @ inputs.objs[0].tt (did you mean `t`?)"),
        ("inputs.l[7]", "`inputs.l` has 3 elements, so there is none at index 7 @ inputs.l[7]"),
        ("inputs.nul.x", "`inputs.nul` is null and has no `x` @ inputs.nul.x"),
        ("inputs['o'].k.x", "`inputs['o'].k` is a string and has no `x` @ inputs['o'].k.x"),
        ("1 + inputs.s", "there is no int + string @ 1 + inputs.s (convert the other side with string())"),
        ("1 == 1.0", "there is no int == double @ 1 == 1.0 (convert one with int(), uint() or double())"),
        ("inputs.n && true", "`&&` takes two bools, and this is double @ inputs.n"),
        (
            "true ? 1 : 'a'",
            "the branches have different types, int and string @ true ? 1 : 'a' (convert one of them, or use dyn() around it)",
        ),
        (
            "inputs.s.startWith('a')",
            "unknown function `startWith` @ inputs.s.startWith('a') (did you mean `startsWith`?)",
        ),
        ("szie(inputs.s)", "unknown function `szie` @ szie(inputs.s) (did you mean `size`?)"),
        (
            "inputs.s.substring('a')",
            "there is no string.substring(string) @ inputs.s.substring('a') (there is string.substring(int), string.substring(int, int))",
        ),
        (
            "data.latst('a', 'b')",
            "unknown function `data.latst` @ data.latst('a', 'b') (did you mean `data.latest`?)",
        ),
        (
            "data.latest('a')",
            "`data.latest` does not take (string) @ data.latest('a') (it is data.latest(string, string) or data.latest(string, string, list))",
        ),
        ("data.latest('broken', 'x')", "`broken` cannot be read @ data.latest('broken', 'x') (fix it)"),
        ("1 / 0", "division by zero @ 1 / 0"),
        ("int('1x')", "\"1x\" is not an int @ int('1x')"),
        ("'a' + ", "the expression ends where a value should be @ "),
        ("inputs.n ?? 1", "`?` stands where a value should be @ ?"),
        ("'abc", "the text has no end: a quote is missing @ 'abc"),
        ("[1, 2", "the expression ends where `]` should be @ "),
    ];
    let mut wrong = Vec::new();
    for (expression, expected) in rows {
        let error = Cel::default().evaluate(expression, &world()).unwrap_err();
        let said = said(expression, &error);
        if said != expected {
            wrong.push(said);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn checks_before_anything_runs() {
    let declared = Declared::new()
        .with_keys("inputs", ["name", "count"])
        .with("env")
        .with("run")
        .with_functions_of("data");
    for (expression, expected) in [
        ("inputs.name + string(inputs.count) + env.HOME + run.id", &[][..]),
        ("data.latest('a', inputs.name).attributes.x", &[]),
        ("inputs['name']", &[]),
        ("inputs.?maybe", &[]),
        ("[1].map(x, x + y)", &["unknown variable `y`; known here: env, inputs, run, data @ y"]),
        ("inputs.nmae", &["`inputs` has no key `nmae` @ nmae (did you mean `name`?)"]),
        (
            "input.name == rum.id",
            &[
                "unknown variable `input`; known here: env, inputs, run, data @ input (did you mean `inputs`?)",
                "unknown variable `rum`; known here: env, inputs, run, data @ rum (did you mean `run`?)",
            ],
        ),
        ("file.contents('a', 'b')", &["`file.contents()` is not available here @ file.contents('a', 'b')"]),
        ("vault.get(a, b)", &["`vault.get()` is not available here @ vault.get(a, b)"]),
        (
            "data",
            &[
                "`data` is not a value; it has data.latest(), data.version(), data.listVersions(), data.findBySpec(), data.findByTag(), data.query() @ data",
            ],
        ),
        (
            "size(1) + 1 == 1.0",
            &["there is no size(int) @ size(1) (there is size(string), size(bytes), size(list), size(map))"],
        ),
        ("1 +", &["the expression ends where a value should be @ "]),
        ("inputs.name.trimm()", &["unknown function `trimm` @ inputs.name.trimm() (did you mean `trim`?)"]),
    ] {
        let problems = check_expression(expression, &declared);
        let said: Vec<String> = problems.iter().map(|problem| said(expression, problem)).collect();
        assert_eq!(said, expected, "{expression}");
    }
}

#[test]
fn an_error_points_into_the_file() {
    let document = "jobs:\n  - name: a\n    run: \"x ${{ inputs.n + 1 }} ${{ inputs.o.kk }}\"\n";
    let value = json!("x ${{ inputs.n + 1 }} ${{ inputs.o.kk }}");
    let error = expand(&value, &Cel::default(), &world(), Mode::Strict, |_| false).unwrap_err();
    let place = SourceLocation::new("w.yaml", 3, 11).in_document(document.into());
    assert_eq!(
        error.report(&place),
        "w.yaml:3:37: `inputs.o` has no key `kk`\n    inputs.o.kk\n    ^^^^^^^^^^^\ndid you mean `k`?"
    );
    let value = json!("${{ input.n }}");
    let error = expand(&value, &Cel::default(), &world(), Mode::Strict, |_| false).unwrap_err();
    assert_eq!(
        error.report(&SourceLocation::new("w.yaml", 7, 9)),
        "w.yaml:7:9: unknown variable `input`; known here: inputs, env, model\n    input.n\n    ^^^^^\ndid you mean `inputs`?"
    );
}
