//! What a command prints, within bounds: lines for the log and the observer, and text for the record.
//!
//! The executor bounds the bytes that arrive; this bounds what is made of them. A line longer than [`LONGEST_LINE`] is
//! handed on in pieces, and short lines without end are no longer shown once they would take [`SHOWN`] bytes of log. A
//! secret that lies across the border of two pieces, or across the place where the output was cut, is masked all the same
//! (`a_secret_across_a_border_is_masked`).

use marsh_process::{Ended, OutputStream};
use marsh_vault::{RedactedStream, Secrets};

/// Bytes of one line that are handed on at once.
const LONGEST_LINE: usize = 64 << 10;
/// Bytes of lines that are shown and logged, and what each line costs there beside its text.
const SHOWN: usize = 32 << 20;
const LINE_COST: usize = 64;

/// Receives the output of one command.
pub(crate) struct CommandOutput<'a> {
    secrets: &'a Secrets,
    line: &'a mut dyn FnMut(OutputStream, &str),
    shown: usize,
    hidden_lines: u64,
    stdout: Captured,
    stderr: Captured,
}

#[derive(Default)]
struct Captured {
    kept: Vec<u8>,
    /// The line that has no end yet, or the part of it that was not handed on.
    partial: Vec<u8>,
    /// Masks a line that is handed on in pieces.
    long: Option<RedactedStream>,
}

/// What a command printed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Printed {
    pub stdout: String,
    pub stderr: String,
    /// Lines that were neither shown nor logged.
    pub hidden_lines: u64,
}

impl<'a> CommandOutput<'a> {
    pub fn new(secrets: &'a Secrets, line: &'a mut dyn FnMut(OutputStream, &str)) -> CommandOutput<'a> {
        CommandOutput {
            secrets,
            line,
            shown: 0,
            hidden_lines: 0,
            stdout: Captured::default(),
            stderr: Captured::default(),
        }
    }

    fn captured(&mut self, stream: OutputStream) -> &mut Captured {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }

    /// Takes in a chunk, which may begin and end anywhere.
    pub fn push(&mut self, stream: OutputStream, bytes: &[u8]) {
        self.captured(stream).kept.extend_from_slice(bytes);
        for segment in bytes.split_inclusive(|byte| *byte == b'\n') {
            let secrets = self.secrets;
            let captured = self.captured(stream);
            captured.partial.extend_from_slice(segment);
            let is_complete = segment.ends_with(b"\n");
            if captured.long.is_none() && captured.partial.len() > LONGEST_LINE {
                captured.long = Some(secrets.stream());
            }
            let text = match &mut captured.long {
                Some(masked) => {
                    let mut text = masked.push(&std::mem::take(&mut captured.partial));
                    if is_complete {
                        text.extend(masked.finish());
                        captured.long = None;
                    }
                    text
                }
                None if is_complete => std::mem::take(&mut captured.partial),
                None => continue,
            };
            if is_complete || !text.is_empty() {
                self.show(stream, &text);
            }
        }
    }

    /// The end of the output.
    pub fn finish(mut self, ended: &Ended) -> Printed {
        let stdout = self.end(OutputStream::Stdout, ended.dropped_stdout > 0);
        let stderr = self.end(OutputStream::Stderr, ended.dropped_stderr > 0);
        Printed { stdout, stderr, hidden_lines: self.hidden_lines }
    }

    fn end(&mut self, stream: OutputStream, is_cut: bool) -> String {
        let secrets = self.secrets;
        let captured = self.captured(stream);
        let kept = std::mem::take(&mut captured.kept);
        let partial = std::mem::take(&mut captured.partial);
        let long = captured.long.take();
        let tail = match long {
            None if !is_cut => partial,
            long => {
                let mut masked = long.unwrap_or_else(|| secrets.stream());
                let mut text = masked.push(&partial);
                // What the stream holds back at a cut may be the beginning of a secret.
                if !is_cut {
                    text.extend(masked.finish());
                }
                text
            }
        };
        if !tail.is_empty() {
            self.show(stream, &tail);
        }
        let mut kept = if is_cut { secrets.stream().push(&kept) } else { kept };
        // The format holds lines, joined: what a command prints ends without a line break.
        if !is_cut && kept.ends_with(b"\n") {
            kept.pop();
        }
        String::from_utf8_lossy(&kept).into_owned()
    }

    fn show(&mut self, stream: OutputStream, text: &[u8]) {
        if self.shown >= SHOWN {
            self.hidden_lines += 1;
            return;
        }
        self.shown = self.shown.saturating_add(text.len() + LINE_COST);
        (self.line)(stream, String::from_utf8_lossy(text).trim_end_matches(['\n', '\r']));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use marsh_process::{Ended, Exit, OutputStream};
    use marsh_vault::{Secret, Secrets};

    use super::{CommandOutput, LONGEST_LINE, Printed, SHOWN};

    fn feed<'b>(
        secrets: &Secrets,
        chunks: impl IntoIterator<Item = &'b [u8]>,
        dropped_stdout: u64,
    ) -> (Vec<String>, Printed) {
        let mut lines = Vec::new();
        let mut line = |_: OutputStream, text: &str| lines.push(text.to_owned());
        let mut output = CommandOutput::new(secrets, &mut line);
        for chunk in chunks {
            output.push(OutputStream::Stdout, chunk);
        }
        let ended =
            Ended { exit: Exit::Code(0), duration: Duration::ZERO, dropped_stdout, dropped_stderr: 0 };
        let printed = output.finish(&ended);
        (lines, printed)
    }

    #[test]
    fn lines_are_whole_whatever_the_chunks_are() {
        let chunks = ["on", "e\r\ntw", "o\n\nrest"].map(str::as_bytes);
        let (lines, printed) = feed(&Secrets::new(), chunks, 0);
        assert_eq!(lines, ["one", "two", "", "rest"]);
        assert_eq!(printed.stdout, "one\r\ntwo\n\nrest");
    }

    #[test]
    fn a_line_without_end_arrives_in_pieces() {
        let chunk = [b'x'; 16 << 10];
        let (lines, printed) = feed(&Secrets::new(), std::iter::repeat_n(chunk.as_slice(), 64), 1);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= LONGEST_LINE + chunk.len()));
        assert_eq!(lines.concat(), printed.stdout);
        assert_eq!(printed.stdout.len(), 64 * chunk.len());
    }

    #[test]
    fn a_flood_of_short_lines_is_not_shown_beyond_the_limit() {
        let chunk = b"\n".repeat(16 << 10);
        let (lines, printed) = feed(&Secrets::new(), std::iter::repeat_n(chunk.as_slice(), 64), 0);
        assert!(lines.len() <= SHOWN / 64 + 1, "{}", lines.len());
        assert_eq!(lines.len() as u64 + printed.hidden_lines, 64 * (16 << 10));
        assert_eq!(printed.stdout.len(), 64 * (16 << 10) - 1);
    }

    #[test]
    fn a_secret_across_a_border_is_masked() {
        let secrets = Secrets::new();
        secrets.track(&Secret::new("correct-horse-battery"));
        // Across two pieces of a long line.
        let long = [vec![b'x'; LONGEST_LINE], b"correct-horse".to_vec()].concat();
        let (lines, _) = feed(&secrets, [long.as_slice(), b"-battery\nend\n"], 0);
        let shown = lines.concat();
        assert!(shown.contains("***") && !shown.contains("correct") && !shown.contains("battery"), "{shown}");
        assert_eq!(lines.last().map(String::as_str), Some("end"));
        // Across the cut.
        let (lines, printed) = feed(&secrets, [b"before correct-horse".as_slice()], 8);
        for text in [lines.concat(), printed.stdout] {
            assert!(!text.contains("correct"), "{text}");
        }
    }
}
