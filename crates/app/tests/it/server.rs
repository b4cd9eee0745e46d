//! A repository under a server: a session for each request, over one set of hosts.

use marsh_api::ErrorCode;
use marsh_app::{NewestCode, WorkflowSchedule};
use marsh_trigger::Webhook;
use marsh_types::{Kind, TypeName};

use crate::support::{Repository, code, put, resource};
use crate::workflow::{scene, with_approval};

#[test]
fn sessions_of_a_server_have_one_loader_and_secrets_of_their_own() {
    let repository = Repository::new();
    let server = repository.app().server().unwrap();
    let (one, other) = (server.session().unwrap(), server.session().unwrap());
    one.secrets().track(&marsh_vault::Secret::new("s3cr3t-text"));
    assert_eq!(one.mask("s3cr3t-text".into()), "***");
    assert_eq!(other.mask("s3cr3t-text".into()), "s3cr3t-text");
    one.canceller().cancel("enough");
    assert!(other.cancel().is_cancelled() && server.canceller().is_cancelled());
}

#[test]
fn server_works_on_data_in_another_directory() {
    let repository = Repository::new();
    let elsewhere = repository.path("../elsewhere").display().to_string();
    let variable = format!("filesystem:{elsewhere}");
    let server = repository.app_at(repository.root(), &[("SWAMP_DATASTORE", &variable)]).server().unwrap();
    let session = server.session().unwrap();
    put(&session, resource("said"), "{}");
    assert_eq!(session.read().datastore_status().unwrap().path, elsewhere);
    assert!(repository.path("../elsewhere/data").is_dir() && !repository.path(".swamp/data/@me").exists());
}

#[test]
fn server_reads_the_marker_again_for_every_request() {
    let repository = Repository::new();
    let server = repository.app().server().unwrap();
    let marker = repository.read(".swamp.yaml");
    repository.write(".swamp.yaml", format!("{marker}datastore: {{type: '@me/store'}}\n"));
    assert_eq!(code(server.session()), ErrorCode::Refused);
    repository.write(".swamp.yaml", marker);
    server.session().unwrap();
    repository.remove(".swamp.yaml");
    assert_eq!(code(server.session()), ErrorCode::NotARepository);
}

#[test]
fn server_refuses_data_in_the_datastore_of_an_extension() {
    let repository = Repository::new();
    let server = repository.app_at(repository.root(), &[("SWAMP_DATASTORE", "@me/store:{}")]).server();
    let error = server.err().unwrap();
    assert_eq!(error.to_string(), "the data of this repository are in the datastore `@me/store`");
}

#[test]
fn newest_code_tells_unknown_types_from_types_of_marsh() {
    let repository = Repository::new();
    let session = repository.app().server().unwrap().session().unwrap();
    let newest =
        |name: &str| session.read().newest_code(Kind::Model, &TypeName::parse(name).unwrap()).unwrap();
    assert!(matches!(newest("command/shell"), NewestCode::BuiltIn));
    assert!(matches!(newest("@me/nothing"), NewestCode::Unknown));
}

#[test]
fn stamp_of_workflow_files_changes_with_a_file() {
    let repository = with_approval();
    let session = repository.session();
    let config = repository.path(".swamp/serve.yaml");
    let stamp = || session.read().workflow_files_stamp([config.clone()]).unwrap();
    let before = stamp();
    assert_eq!(stamp(), before);
    repository.write(".swamp/serve.yaml", "schedule: false\n");
    let with_config = stamp();
    assert_ne!(with_config, before);
    repository.write("workflows/workflow-w.yaml", "name: other\n");
    assert_ne!(stamp(), with_config);
}

#[test]
fn schedules_are_listed_as_they_are_written() {
    let repository = scene(
        "trigger: {schedule: '0 25 * * *'}\njobs:\n- name: main\n  steps:\n  - name: s\n    task: {type: assert, expr: 'true', message: m}\n",
    );
    let schedules = repository.session().read().workflow_schedules().unwrap();
    let schedule = Some("0 25 * * *".to_owned());
    assert_eq!(schedules, [WorkflowSchedule { workflow: "w".into(), schedule }]);
}

#[test]
fn secret_of_a_webhook_comes_from_where_it_says() {
    let repository = Repository::new();
    repository.write("secret.txt", "from a file\n");
    repository.write("empty.txt", "\n");
    let session = repository.try_session(&[("HOOK_SECRET", "from a variable")]).unwrap();
    let secret = |text: &str| {
        let webhook = Webhook::parse(&format!("/r:w:{text}")).unwrap();
        session.read().webhook_with_secret(&webhook).map(|hook| hook.secret.expose().to_owned())
    };
    assert_eq!(secret("plain").unwrap(), "plain");
    assert_eq!(secret("@env=HOOK_SECRET").unwrap(), "from a variable");
    assert_eq!(secret("@file=secret.txt").unwrap(), "from a file");
    for (text, expected) in [
        ("@env=NO_SUCH", "the secret of webhook `/r`: the variable NO_SUCH is not set"),
        ("@file=empty.txt", "the secret of webhook `/r`: it is empty"),
    ] {
        let error = secret(text).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(code(Err::<(), _>(error)), ErrorCode::WebhookSecret);
    }
    assert_eq!(code(secret("@vault=main:key")), ErrorCode::WebhookSecret);
}
