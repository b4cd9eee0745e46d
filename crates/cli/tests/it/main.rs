//! The binary that users run, from the outside. One test binary, because each one costs a link; a module per subject.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]
#![expect(clippy::disallowed_methods, reason = "tests set scenes, and damage what marsh wrote, by hand")]

mod auth;
mod bad_code;
mod bad_input;
mod commands;
mod context;
mod context_services;
mod data;
mod data_changes;
mod datastores;
mod defects_changes;
mod defects_hostile;
mod defects_loading;
mod defects_sets;
mod direct;
mod doctor;
mod drivers;
mod engines;
mod freshness;
mod help;
mod inputs;
mod kinds_agree;
mod kinds_failures;
mod kinds_method_extensions;
mod kinds_plugins;
mod kinds_serving;
mod lifecycle;
mod lifecycle_e2e;
mod models;
mod nested_runs;
mod nesting;
mod persona;
mod processes;
mod publish;
mod repair;
mod schemas;
mod secrets;
mod shell;
mod shipped;
mod source;
mod source_maps;
mod sources;
mod stress;
mod support;
mod tracing;
mod trust;
mod types;
mod vault;
mod verified;
mod workflow_code;
mod workflow_commands;
mod workflow_expressions;
mod workflow_kill;
mod workflow_reports;
