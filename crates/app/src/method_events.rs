//! The events of a method run, as documents.

use marsh_api::event::{EventSink, MethodEvent};
use marsh_model::{Observer, RunEvent};

/// Passes a run's events to a sink, as documents.
pub(crate) struct SinkObserver<'a> {
    pub sink: &'a dyn EventSink<MethodEvent>,
}

impl Observer for SinkObserver<'_> {
    fn event(&self, event: &RunEvent) {
        self.sink.event(method_event(event));
    }
}

/// The document of an event.
pub(crate) fn method_event(event: &RunEvent) -> MethodEvent {
    match event {
        RunEvent::Resolved { model, type_name, method } => MethodEvent::ModelResolved {
            model_name: model.clone(),
            model_type: type_name.to_string(),
            method_name: method.clone(),
        },
        RunEvent::Executing { method, checks } => {
            MethodEvent::MethodExecuting { method_name: method.clone(), checks: checks.clone() }
        }
        RunEvent::Output { stream, line } => {
            MethodEvent::MethodOutput { stream: stream.clone(), line: line.clone() }
        }
        RunEvent::Saved { name, version } => {
            MethodEvent::DataArtifactSaved { name: name.clone(), version: *version }
        }
        RunEvent::Extension(event) => MethodEvent::MethodEvent { event: event.clone() },
        RunEvent::Warning { code, message } => {
            MethodEvent::Warning { code: (*code).to_string(), message: message.clone() }
        }
        RunEvent::DefinitionCreated { name, .. } => MethodEvent::DefinitionCreated { name: name.clone() },
        RunEvent::GlobalArgumentsUpdated { name } => {
            MethodEvent::GlobalArgumentsUpdated { name: name.clone() }
        }
        RunEvent::Upgraded { name, to_version } => {
            MethodEvent::DefinitionUpgraded { name: name.clone(), to_version: to_version.clone() }
        }
    }
}
