//! `.swamp/serve.yaml`, and webhooks as the command line has them.

use marsh_trigger::{Config, Scheme, SecretSource, Webhook};
use marsh_types::Explain as _;
use serde_json::json;

#[test]
fn the_file_says_schedules_and_webhooks() {
    let config = Config::parse(
        "port: 9090\nschedule: true\nauth: {mode: token}\nshcedule: x\ntriggers:\n  nightly:\n    schedule: '0 3 * * *'\n    inputs: {region: eu}\nwebhooks:\n  - {route: hooks/push, workflow: build, secret: '@env=HOOK', scheme: generic, header: X-Sig, prefix: 'v1:'}\n  - 'gh:build:@vault=main:gh'\n",
    )
    .unwrap();
    assert_eq!((config.port, config.schedule), (Some(9090), Some(true)));
    let nightly = &config.triggers["nightly"];
    assert_eq!(nightly.schedule.as_deref(), Some("0 3 * * *"));
    assert_eq!(nightly.inputs.as_ref().unwrap()["region"], json!("eu"));
    assert_eq!(config.webhooks[0].route, "/hooks/push");
    assert_eq!(config.webhooks[0].secret, SecretSource::Env("HOOK".into()));
    assert_eq!(config.webhooks[0].scheme, Scheme::Generic { header: "X-Sig".into(), prefix: "v1:".into() });
    assert_eq!(config.webhooks[1].secret, SecretSource::Vault { vault: "main".into(), key: "gh".into() });
    assert_eq!(config.warnings, ["serve.yaml: unknown key `shcedule` is ignored; did you mean `schedule`?"]);
    assert_eq!(Config::parse("").unwrap(), Config::default());
}

#[test]
fn webhooks_of_the_command_line() {
    let hook = |text: &str| Webhook::parse(text).unwrap();
    let plain = hook("/push:build:s3cret");
    assert_eq!(
        (plain.route.as_str(), plain.workflow.as_str(), &plain.scheme),
        ("/push", "build", &Scheme::Github)
    );
    assert_eq!(plain.secret, SecretSource::Literal("s3cret".into()));
    assert_eq!(hook("a:b:@vault=v:k:slack").scheme, Scheme::Slack);
    assert_eq!(hook("a:b:@file=/etc/key:stripe").secret, SecretSource::File("/etc/key".into()));
    assert_eq!(
        hook("a:b:c:generic:X-Sig:v1:").scheme,
        Scheme::Generic { header: "X-Sig".into(), prefix: "v1:".into() }
    );
}

#[test]
fn invalid_webhook_is_reported_without_its_secret() {
    for (text, words) in [
        ("a:b", "fewer than three parts"),
        ("a::s3cret", "names no workflow"),
        ("a b:c:s3cret", "cannot be a route"),
        ("health:c:s3cret", "cannot be a route"),
        ("a:b:", "its secret is empty"),
        ("a:b:@env=", "its secret is empty"),
        ("a:b:s3cret:gitub", "did you mean `github`?"),
        ("a:b:s3cret:generic", "needs the name of a header"),
        ("a:b:s3cret:slack:X-Sig", "has a header of its own"),
    ] {
        let error = Webhook::parse(text).unwrap_err();
        assert_eq!(error.code().as_str(), "invalid_webhook");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert!(!format!("{:?}", Webhook::parse("a:b:s3cret").unwrap()).contains("s3cret"));
    for (text, words) in [
        ("[1]", "it must be a map"),
        ("port: 99999", "port: it must be a port"),
        ("webhooks: [{route: a}]", "webhooks[0]: it needs `workflow`"),
        ("triggers: {w: daily}", "triggers.w: it must be a map"),
        ("a: [", "serve.yaml: the file: "),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
