//! Other spellings: `marsh model @type method run <method> <name>` is `marsh model method run @type <method> <name>`,
//! `marsh model @type create <name>` is `marsh model create @type <name>`, and `marsh workflow run search` is
//! `marsh workflow history search`.

use std::ffi::OsString;

/// Brings other spellings into the one that the command line is described in.
pub fn rewrite(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let at = |index: usize| arguments.get(index).and_then(|argument| argument.to_str());
    if let Some(workflow) = arguments.iter().position(|argument| argument == "workflow")
        && at(workflow + 1) == Some("run")
        && matches!(at(workflow + 2), Some("search" | "list"))
    {
        arguments[workflow + 1] = "history".into();
        return arguments;
    }
    type_first(arguments)
}

/// Moves a type that stands right after `model` behind `method run` or `create`.
fn type_first(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is = |index: usize, word: &str| arguments.get(index).is_some_and(|argument| argument == word);
    let Some(model) = arguments.iter().position(|argument| argument == "model") else { return arguments };
    let is_type = arguments
        .get(model + 1)
        .and_then(|argument| argument.to_str())
        .is_some_and(|text| text.starts_with('@'));
    let words = match () {
        () if is_type && is(model + 2, "create") => 1,
        () if is_type && is(model + 2, "method") && is(model + 3, "run") => 2,
        () => return arguments,
    };
    arguments[model + 1..=model + 1 + words].rotate_left(1);
    arguments
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    fn words(text: &str) -> Vec<std::ffi::OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn a_type_first_call_is_put_in_order() {
        assert_eq!(
            rewrite(words("marsh --json model @swamp/git method run status repo --input a=b")),
            words("marsh --json model method run @swamp/git status repo --input a=b")
        );
    }

    #[test]
    fn a_type_first_creation_is_put_in_order() {
        assert_eq!(
            rewrite(words("marsh model @swamp/git create repo --global-arg a=b")),
            words("marsh model create @swamp/git repo --global-arg a=b")
        );
    }

    #[test]
    fn runs_are_searched_under_both_names() {
        assert_eq!(
            rewrite(words("marsh workflow run search x --status failed")),
            words("marsh workflow history search x --status failed")
        );
    }

    #[test]
    fn everything_else_stays() {
        for line in
            ["marsh model get @me/x", "marsh model method run x y", "marsh workflow run w", "marsh model"]
        {
            assert_eq!(rewrite(words(line)), words(line));
        }
    }
}
