//! `--events`: what happens, as one JSON object a line, on standard output.

use std::io::Write as _;

use marsh_workflow::{WorkflowEvent, WorkflowObserver};

pub struct Lines;

impl WorkflowObserver for Lines {
    fn event(&self, event: &WorkflowEvent) {
        let mut out = std::io::stdout().lock();
        // A reader that went away has what it wanted.
        drop(
            writeln!(out, "{}", serde_json::to_string(event).unwrap_or_default()).and_then(|()| out.flush()),
        );
    }
}
