//! What is wrong with the syntax of a source.

use oxc_diagnostics::OxcDiagnostic;

use crate::diagnostic::{Diagnostic, DiagnosticCode};

#[derive(Debug, Clone)]
pub(crate) struct SyntaxError {
    pub code: DiagnosticCode,
    pub message: String,
    pub offset: Option<usize>,
    pub help: Option<String>,
}

impl SyntaxError {
    pub(crate) fn diagnostic(&self, file: String, source: &str) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.code, self.message.clone()).with_hint(self.help.clone());
        match self.offset {
            // "Unexpected end of file" is shown at the end of what was written, not on the empty line after it.
            Some(offset) => diagnostic.at(file, source, offset.min(source.trim_end().len())),
            None => diagnostic.in_file(file),
        }
    }
}

impl From<&OxcDiagnostic> for SyntaxError {
    fn from(error: &OxcDiagnostic) -> Self {
        Self {
            code: DiagnosticCode::SyntaxError,
            message: error.message.to_string(),
            offset: error.labels.first().map(|label| label.offset() as usize),
            help: error.help.as_ref().map(ToString::to_string),
        }
    }
}
