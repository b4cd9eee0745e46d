//! Evaluation does not panic, overflow the stack or run forever, whatever the text and the values are.

use marsh_expr::{Cel, Declared, EvaluationLimits, Evaluator, Value, Variables, references};
use marsh_types::Explain;
use serde_json::{Value as Json, json};

/// Runs with as little stack as a thread may have here.
fn on_a_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap()
}

fn code(expression: &str) -> String {
    let scope = Variables::new().with("inputs", json!({"a": 1}));
    let limits = EvaluationLimits { steps: 300_000, ..EvaluationLimits::default() };
    match (Cel { limits }).evaluate(expression, &scope) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code().to_string(),
    }
}

#[test]
fn expressions_that_nest_without_end() {
    on_a_small_stack(|| {
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("{'a':", "}"),
            ("!", ""),
            ("-", ""),
            ("size([", "])"),
            ("[1].map(x,", ")"),
            ("true ? ", ": 1"),
            ("a ? a : ", ""),
            ("cel.bind(a, 1,", ")"),
            ("1 + (", ")"),
            ("a[", "]"),
            ("a || b && c == d < e + f * (", ")"),
        ] {
            for depth in [50, 98, 99, 100, 101, 1000, 5000] {
                let expression = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let code = code(&expression);
                if depth > 100 {
                    assert_eq!(code, "expression_too_large", "{open} {depth}");
                }
                references(&expression);
                Cel::default().check(&expression, &Declared::new());
            }
        }
        for (step, depth) in [(".a", 20_000), ("[0]", 20_000), (".trim()", 5000), (".?a", 5000)] {
            assert_eq!(code(&format!("a{}", step.repeat(depth))), "expression_too_large");
        }
    });
}

#[test]
fn chains_of_operators_may_be_long() {
    on_a_small_stack(|| {
        assert_eq!(code(&format!("1{}", " + 1".repeat(5000))), "ok");
        assert_eq!(code(&format!("'a'{}", " + 'a'".repeat(5000))), "ok");
        assert_eq!(code(&format!("true{}", " && true".repeat(5000))), "ok");
        assert_eq!(code(&format!("[1]{}", " + [1]".repeat(500))), "ok");
        references(&format!("a{}", " + a".repeat(5000)));
    });
}

#[test]
fn values_that_grow_without_end() {
    let doubling = |depth: usize, start: &str, step: &str| {
        let mut expression = "size(x)".to_owned();
        for _ in 0..depth {
            expression = format!("cel.bind(x, {step}, {expression})");
        }
        format!("cel.bind(x, {start}, {expression})")
    };
    assert_eq!(code(&doubling(100, "'a'", "x + x")), "expression_too_large");
    assert_eq!(code(&doubling(100, "[1]", "x + x")), "expression_too_large");
    assert_eq!(code(&doubling(100, "b'a'", "x + x")), "expression_too_large");
    // Shared, so small; but equality and JSON would walk all of it.
    let wide = doubling(60, "[1]", "[x, x]");
    assert_eq!(code(&wide), "ok");
    assert_eq!(code(&wide.replace("size(x)", "x == [x][0]")), "expression_too_large");
    on_a_small_stack(move || {
        let nests = doubling(100, "[1]", "[[[[[x]]]]]");
        assert_eq!(code(&nests), "expression_too_large");
    });
}

#[test]
fn a_result_that_is_shared_does_not_unfold_without_end() {
    let mut expression = "x".to_owned();
    for _ in 0..60 {
        expression = format!("cel.bind(x, [x, x], {expression})");
    }
    let value = Cel::default().evaluate(&format!("cel.bind(x, 1, {expression})"), &Variables::new());
    let error = value.and_then(|value| value.to_json()).unwrap_err();
    assert_eq!(error.code().as_str(), "expression_too_large");
}

#[test]
fn loops_that_do_not_end_in_time() {
    let many = format!("[{}]", vec!["1"; 1000].join(","));
    let nested = format!("cel.bind(l, {many}, l.all(a, l.all(b, l.all(c, l.all(d, a + b + c + d > 0)))))");
    assert_eq!(code(&nested), "expression_too_large");
    let swallowed = format!("cel.bind(l, {many}, l.exists(a, l.all(b, l.all(c, a + b + c > 0))) || true)");
    assert_eq!(code(&swallowed), "expression_too_large", "nothing makes up for a limit");
    let patterns = format!("cel.bind(l, {many}, l.all(a, 'aaa'.matches('(a{{1,50}}){{1,50}}' + string(a))))");
    assert_ne!(code(&patterns), "");
    assert_eq!(code(&format!("'{}'", "a".repeat(70_000))), "expression_too_large");
    let small = Cel { limits: EvaluationLimits { steps: 10, bytes: 1000 } };
    assert!(small.evaluate("[1, 2, 3].map(x, x + 1)", &Variables::new()).is_err());
    assert!(small.evaluate("1 + 1", &Variables::new()).is_ok());
}

#[test]
fn values_of_the_context_that_nest_without_end() {
    let mut json = Json::from(1);
    for _ in 0..250 {
        json = json!([json]);
    }
    assert!(Value::from_json(&json).is_err());
    let scope = Variables::new().with("inputs", json);
    let error = Cel::default().evaluate("inputs", &scope).unwrap_err();
    assert_eq!(error.code().as_str(), "expression_too_large");
    on_a_small_stack(|| {
        let mut json = json!({"a": [1]});
        for _ in 0..90 {
            json = json!([{ "a": json }]);
        }
        let scope = Variables::new().with("inputs", json);
        for expression in ["inputs", "inputs == [inputs[0]]", "[inputs].map(x, x)[0]", "inputs in [inputs]"] {
            let value = Cel::default().evaluate(expression, &scope).unwrap();
            assert!(value.to_json().is_ok());
            assert!(!format!("{value:?}").is_empty());
        }
    });
}
