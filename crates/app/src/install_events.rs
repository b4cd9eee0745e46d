//! The events of the libraries, as those of the application.

use std::sync::Arc;

use marsh_api::event::{EventSink, InstallEvent};
use marsh_extension::lifecycle::{Event, Reporter};

/// Passes the events of an operation to its caller's sink.
pub(crate) struct Events<'a>(pub &'a dyn EventSink<InstallEvent>);

impl Events<'_> {
    pub(crate) fn warn(&self, message: impl ToString) {
        self.0.event(InstallEvent::Warning { message: message.to_string() });
    }
}

impl Reporter for Events<'_> {
    fn event(&self, event: Event<'_>) {
        self.0.event(install_event(&event));
    }
}

/// Passes events to the sink of a session, for as long as the session lives.
pub(crate) struct SharedEvents(pub Arc<dyn EventSink<InstallEvent> + Send + Sync>);

impl Reporter for SharedEvents {
    fn event(&self, event: Event<'_>) {
        self.0.event(install_event(&event));
    }
}

fn install_event(event: &Event<'_>) -> InstallEvent {
    match event {
        Event::Resolving { name } => InstallEvent::Resolving { name: name.to_string() },
        Event::Downloading { name, version, done, total } => InstallEvent::Downloading {
            name: name.to_string(),
            version: version.to_string(),
            done: *done,
            total: *total,
        },
        Event::Stored { name, version } => {
            InstallEvent::Stored { name: name.to_string(), version: version.to_string() }
        }
        Event::Waiting { holder } => InstallEvent::Waiting { holder: holder.to_string() },
        Event::Overwriting { name, files } => {
            InstallEvent::Overwriting { name: name.to_string(), files: files.to_vec() }
        }
        Event::Warning { message } => InstallEvent::Warning { message: (*message).to_owned() },
    }
}
