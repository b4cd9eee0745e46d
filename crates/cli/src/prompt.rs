//! Asking for what must not be seen.

use std::io::Write as _;

use marsh_app::AppError;
use zeroize::Zeroizing;

use crate::error::CliError;

/// A line from the terminal that is standard input, not shown while it is typed. The terminal is put back whatever
/// happens: Ctrl-C is a character here, and ends the command like any other error.
pub fn hidden(question: &str) -> Result<Zeroizing<String>, CliError> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

    let failed = |error: std::io::Error| CliError::Read { what: "the terminal".into(), source: error };
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).map_err(|error| failed(error.into()))?;
    let mut quiet = before.clone();
    quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    drop(write!(std::io::stderr().lock(), "{question}: ").and_then(|()| std::io::stderr().flush()));
    // What was typed ahead is not part of the answer, and was shown.
    tcsetattr(&stdin, OptionalActions::Flush, &quiet).map_err(|error| failed(error.into()))?;
    let answer = line(&mut stdin.lock()).map_err(failed);
    tcsetattr(&stdin, OptionalActions::Now, &before).map_err(|error| failed(error.into()))?;
    drop(writeln!(std::io::stderr().lock()));
    answer?.ok_or_else(|| AppError::interrupted().into())
}

/// Reads up to the end of the line. `None`: interrupted.
fn line(source: &mut dyn std::io::Read) -> std::io::Result<Option<Zeroizing<String>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut byte = [0];
    while source.read(&mut byte)? == 1 {
        match byte[0] {
            b'\n' | b'\r' => break,
            // Ctrl-D at the beginning, and Ctrl-C anywhere.
            4 if bytes.is_empty() => return Ok(None),
            4 => break,
            3 => return Ok(None),
            8 | 127 => {
                // A character may be several bytes, all but the first of which say so.
                while bytes.pop().is_some_and(|last: u8| last & 0xC0 == 0x80) {}
            }
            // Ctrl-U
            21 => bytes.clear(),
            other => bytes.push(other),
        }
    }
    let text = String::from_utf8(bytes.to_vec());
    text.map(|text| Some(Zeroizing::new(text)))
        .map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer is not text"))
}

#[cfg(test)]
mod tests {
    use super::line;

    fn typed(keys: &[u8]) -> Option<String> {
        line(&mut &keys[..]).ok().flatten().map(|text| text.to_string())
    }

    #[test]
    fn keys_that_edit_a_line() {
        assert_eq!(typed(b"secret\n").as_deref(), Some("secret"));
        assert_eq!(typed(b"secretx\x7f\r").as_deref(), Some("secret"));
        assert_eq!(typed("ä☃\x7f\n".as_bytes()).as_deref(), Some("ä"));
        assert_eq!(typed(b"wrong\x15right\n").as_deref(), Some("right"));
        assert_eq!(typed(b"half\x04").as_deref(), Some("half"));
        assert_eq!(typed(b"half\x03"), None);
        assert_eq!(typed(b"\x04"), None);
    }
}
