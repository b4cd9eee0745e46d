//! `--events`: each event as one line of JSON on standard output.

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

use marsh_api::event::EventSink;
use marsh_api::workflow::event::WorkflowEvent;

use crate::error::CliError;
use crate::harmless::harmless_json;

/// Writes events. The run goes on when one cannot be written; [`Lines::end`] says so afterwards.
#[derive(Default)]
pub struct Lines {
    failure: Mutex<Option<io::Error>>,
}

impl Lines {
    /// Fails if an event could not be written. A closed pipe is not a failure.
    pub fn end(self) -> Result<(), CliError> {
        let failure = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        match failure.filter(|error| error.kind() != ErrorKind::BrokenPipe) {
            None => Ok(()),
            Some(source) => Err(CliError::Write { what: "the events to standard output".into(), source }),
        }
    }

    fn write(&self, event: &WorkflowEvent, out: &mut impl Write) {
        let written = serde_json::to_string(event)
            .map(harmless_json)
            .map_err(io::Error::other)
            .and_then(|line| writeln!(out, "{line}"))
            .and_then(|()| out.flush());
        if let Err(error) = written {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

impl EventSink<WorkflowEvent> for Lines {
    fn event(&self, event: WorkflowEvent) {
        self.write(&event, &mut io::stdout().lock());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};

    use marsh_api::workflow::event::WorkflowEvent;

    use super::Lines;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn end_after(kind: ErrorKind) -> bool {
        let lines = Lines::default();
        lines.write(&WorkflowEvent::Suspended { run_id: "r".into() }, &mut Broken(kind));
        lines.end().is_ok()
    }

    #[test]
    fn event_that_cannot_be_written_fails_unless_the_pipe_is_closed() {
        assert!(end_after(ErrorKind::BrokenPipe));
        assert!(!end_after(ErrorKind::StorageFull));
    }
}
