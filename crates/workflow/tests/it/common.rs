//! A repository in a scratch directory, with models of the built-in type only: no code is ever loaded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use marsh_api::event::EventSink;
use marsh_bundle::Worker;
use marsh_extension::{Loader, LoaderOptions};
use marsh_fs::Durability;
use marsh_host_client::{CancelToken, HostCommand, Hosts, Limits};
use marsh_model::{CheckSelection, Models};
use marsh_repo::Environment;
use marsh_workflow::schema::Severity;
use marsh_workflow::{WorkflowError, WorkflowEvent, WorkflowOutcome, WorkflowRunRequest, Workflows};
use serde_json::{Map, Value};

pub const ID: &str = "5f0c8b7e-1111-4222-8333-444455556666";

pub struct Scratch {
    pub dir: tempfile::TempDir,
    pub models: Models,
}

impl Scratch {
    pub fn new() -> Scratch {
        Scratch::with_env(&[])
    }

    pub fn with_env(env: &[(&str, &str)]) -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        marsh_repo::init(dir.path(), "test", false).unwrap();
        let models = open(dir.path(), env);
        Scratch { dir, models }
    }

    /// A definition of `command/shell` that runs a command line.
    pub fn shell(&self, name: &str, run: &str) -> &Scratch {
        let id = format!(
            "0a6d3c52-8f6e-4c0e-9d9f-{:012x}",
            name.bytes().fold(7_u64, |sum, b| sum * 31 % 99_999_999 + u64::from(b))
        );
        let text = format!(
            "type: command/shell\nid: {id}\nname: {name}\nmethods:\n  execute:\n    arguments:\n      run: {}\n",
            serde_json::to_string(run).unwrap()
        );
        let path = self.dir.path().join("models/command/shell").join(format!("{name}.yaml"));
        self.file(&path, &text);
        self
    }

    pub fn file(&self, path: &std::path::Path, text: &str) {
        marsh_fs::create_dir_all(path.parent().unwrap()).unwrap();
        marsh_fs::atomic_write(path, text.as_bytes(), Durability::Atomic).unwrap();
    }

    /// A workflow `w`; `rest` is what follows id and name.
    pub fn workflow(&self, rest: &str) -> &Scratch {
        let text = format!("id: {ID}\nname: w\n{rest}");
        self.file(&self.dir.path().join("workflows/workflow-w.yaml"), &text);
        self
    }

    pub fn workflows(&self) -> Workflows<'_> {
        Workflows::new(&self.models)
    }

    pub fn run(&self, inputs: Value) -> Result<WorkflowOutcome, WorkflowError> {
        self.run_with(inputs, &CancelToken::new(), &marsh_api::event::NoEvents)
    }

    pub fn run_with(
        &self,
        inputs: Value,
        cancel: &CancelToken,
        observer: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowOutcome, WorkflowError> {
        let request = request(inputs, cancel);
        self.workflows().run(&request, observer)
    }

    pub fn read(&self, relative: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(relative)).unwrap()
    }

    pub fn exists(&self, relative: &str) -> bool {
        self.dir.path().join(relative).exists()
    }
}

/// A repository that is there already, without an environment.
pub fn models_at(dir: &std::path::Path) -> Models {
    open(dir, &[])
}

fn open(dir: &std::path::Path, env: &[(&str, &str)]) -> Models {
    let none = Environment::from_pairs(std::iter::empty::<(&str, &str)>());
    let repo = marsh_repo::Repo::find(Some(dir), &none, dir).unwrap();
    let nowhere = PathBuf::from("/nonexistent/marsh");
    let hosts = Hosts::new(HostCommand {
        program: nowhere.clone(),
        args: Vec::new(),
        bytecode_cache: None,
        cwd: None,
    });
    let options = LoaderOptions {
        worker: Worker::new(nowhere, Vec::<String>::new()),
        cache_dir: dir.join("cache"),
        offline: true,
        limits: Limits::default(),
        engines: marsh_extension::engine::EnginePolicy::default(),
        cancel: CancelToken::new(),
        auto: None,
    };
    let loader = Loader::new(repo.clone(), options, Arc::new(hosts));
    Models::new(repo, Environment::from_pairs(env.iter().copied()), loader)
}

pub fn request(inputs: Value, cancel: &CancelToken) -> WorkflowRunRequest<'_> {
    WorkflowRunRequest {
        name_or_id: "w",
        run_id: None,
        last_evaluated: false,
        inputs: match inputs {
            Value::Object(map) => map,
            _ => Map::new(),
        },
        tags: vec![("run".into(), "test".into())],
        checks: CheckSelection::default(),
        deadline_per_step: Duration::from_secs(60),
        cancel,
        initiated_by: Some("user:me".into()),
        fail_on: Severity::Low,
        trigger_source: "manual",
        driver: marsh_model::Driver::Raw,
        reports: marsh_model::run::reports::ReportSelection::default(),
    }
}

/// One step that runs a definition.
pub fn step(name: &str, model: &str, rest: &str) -> String {
    format!(
        "  - name: {name}\n    task: {{type: model_method, modelIdOrName: {model}, methodName: execute}}\n{rest}"
    )
}

pub fn job(name: &str, rest: &str, steps: &[String]) -> String {
    format!("- name: {name}\n{rest}  steps:\n{}", steps.concat())
}

/// Calls a closure with every event.
pub struct On<F>(pub F);

impl<F: Fn(&WorkflowEvent) + Sync> EventSink<WorkflowEvent> for On<F> {
    fn event(&self, event: WorkflowEvent) {
        (self.0)(&event);
    }
}
