//! What a terminal shows while a method or a report runs.

use marsh_api::event::{EventSink, MethodEvent};

use crate::ui::{DIM, NAME, Ui};

/// Shows what happens while a method runs.
pub struct ConsoleObserver<'a> {
    pub ui: &'a Ui,
}

impl EventSink<MethodEvent> for ConsoleObserver<'_> {
    fn event(&self, event: MethodEvent) {
        let ui = self.ui;
        match event {
            MethodEvent::MethodOutput { line, .. } => ui.say(format_args!("{DIM}│{DIM:#} {line}")),
            MethodEvent::Warning { message, .. } => ui.warn(message),
            MethodEvent::DefinitionCreated { name } => {
                ui.say(format_args!("created the definition {NAME}{name}{NAME:#}"));
            }
            MethodEvent::GlobalArgumentsUpdated { name } => {
                ui.say(format_args!("updated the global arguments of {NAME}{name}{NAME:#}"));
            }
            MethodEvent::DefinitionUpgraded { name, to_version } => {
                ui.say(format_args!("upgraded {NAME}{name}{NAME:#} to {to_version}"));
            }
            MethodEvent::MethodExecuting { checks, .. } if !checks.is_empty() && ui.is_verbose() => {
                ui.say(format_args!("checks passed: {}", checks.join(", ")));
            }
            _ => {}
        }
    }
}
