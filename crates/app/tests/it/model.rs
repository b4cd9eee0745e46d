//! Operations on definitions.

use marsh_api::ErrorCode;
use marsh_api::model::{ModelEvaluationDocument, ModelValidateRequest, ModelValidationDocument};
use marsh_types::Explain as _;

use crate::support::{ID, MODEL, Repository};

fn definition(rest: &str) -> String {
    format!(
        "type: command/shell\nid: {ID}\nname: m\nmethods:\n  execute:\n    arguments:\n      run: {rest}\n"
    )
}

#[test]
fn validation_of_a_repository_without_models_fails() {
    let repository = Repository::new();
    repository.remove(MODEL);
    let error = repository.session().read().validate_models(&ModelValidateRequest::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(error.hint().unwrap().contains("marsh model create"));
    // An unreadable file does not make a repository empty.
    repository.write("models/command/shell/m.yaml", "name: [");
    let ModelValidationDocument::All(all) =
        repository.session().read().validate_models(&ModelValidateRequest::default()).unwrap()
    else {
        panic!("expected the validation of all models");
    };
    assert_eq!((all.total_failed, all.passed), (1, false));
}

#[test]
fn undeclared_input_is_a_warning_and_a_misspelled_one_an_error() {
    let repository = Repository::new();
    repository.remove(MODEL);
    let request = ModelValidateRequest { model: Some("m".into()), ..ModelValidateRequest::default() };
    let validated = |text: String| {
        repository.write("models/command/shell/m.yaml", text);
        match repository.session().read().validate_models(&request).unwrap() {
            ModelValidationDocument::One(one) => one,
            ModelValidationDocument::All(all) => panic!("{all:?}"),
        }
    };
    let undeclared = validated(definition("'echo ${{ inputs.who }}'"));
    assert!(undeclared.passed, "{undeclared:?}");
    assert!(undeclared.warnings[0].message.contains("a run must pass it"), "{undeclared:?}");
    let misspelled = definition("'echo ${{ inputs.wjo }}'") + "inputs: {who: {type: string}}\n";
    assert!(!validated(misspelled).passed);
    let invalid = definition("'echo ${{ inputs.who }}'") + "inputs: {who: {type: text}}\n";
    let invalid = validated(invalid);
    assert!(invalid.passed && invalid.warnings[0].message.contains("invalid schema"), "{invalid:?}");
}

#[test]
fn search_lists_own_definitions_and_with_all_every_other_one() {
    let repository = Repository::new();
    let text = repository.read(MODEL);
    let token = text.replace("@me/x", "swamp/token").replace("name: m", "name: token");
    repository
        .write("models/swamp/token/token.yaml", token.replace(ID, "21111111-2222-4333-8444-555555555555"));
    let made = text.replace("name: m", "name: made").replace(ID, "31111111-2222-4333-8444-555555555555");
    repository.write(".swamp/auto-definitions/@me/x/made.yaml", made);
    let names = |query: &str, all: bool| -> Vec<String> {
        let found = repository.session().read().search_models(query, all).0.results;
        found.into_iter().map(|row| row.name).collect()
    };
    assert_eq!(names("", false), ["m"]);
    assert_eq!(names("", true), ["m", "made", "token"]);
    assert_eq!(names("swamp/", true), ["token"]);
}

#[test]
fn evaluated_copy_has_values_and_keeps_what_is_secret_or_unknown() {
    let repository = Repository::new();
    repository.remove(MODEL);
    repository.write(
        "models/command/shell/m.yaml",
        definition("\"echo ${{ self.name + '!' }} ${{ inputs.who }}\"").replace(
            "methods:",
            "globalArguments:\n  name: \"${{ self.name }}\"\n  sum: \"${{ 1 + 2 }}\"\n  \
             token: \"${{ vault.get('none', 'token') }}\"\n  home: \"${{ env.HOME }}\"\n  \
             who: \"${{ inputs.who }}\"\nmethods:",
        ),
    );
    let session = repository.session();
    let evaluate = |name: Option<&str>| session.write(|write| write.evaluate_models(name)).unwrap().value;
    let ModelEvaluationDocument::One(one) = evaluate(Some("m")).unwrap() else {
        panic!("all were evaluated")
    };
    assert!(one.had_expressions);
    let globals = serde_json::Value::Object(one.global_arguments.unwrap());
    let expected = serde_json::json!({
        "name": "m", "sum": 3, "token": "${{ vault.get('none', 'token') }}", "home": "${{ env.HOME }}",
        "who": "${{ inputs.who }}",
    });
    assert_eq!(globals, expected);
    let copy = std::fs::read_to_string(&one.output_path).unwrap();
    assert!(copy.contains("sum: 3") && copy.contains("vault.get"), "{copy}");
    let ModelEvaluationDocument::All(all) = evaluate(None).unwrap() else { panic!("one was evaluated") };
    assert_eq!((all.total, all.evaluated, all.items.len()), (1, 1, 1));
    assert!(all.items[0].global_arguments.is_none());
    assert_eq!(evaluate(Some("none")).unwrap_err().code(), ErrorCode::ModelNotFound);
}
