//! The built-ins for which sources get Deno are those that the embedded engine lacks.

#[test]
fn builtins_that_need_deno_are_those_that_the_embedded_engine_only_names() {
    // A stale name would start a Deno for nothing; one that is missing fails by name, with the hint.
    let lacking = marsh_engine::missing_builtins();
    for name in marsh_bundle::MISSING_BUILTINS {
        assert!(lacking.contains(&name), "the embedded engine has {name}");
    }
}
