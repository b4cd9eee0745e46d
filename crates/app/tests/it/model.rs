//! Operations on definitions.

use marsh_api::ErrorCode;
use marsh_api::model::{ModelValidateRequest, ModelValidationDocument};
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
