//! Lines with a limit.

use std::io::{self, BufRead};
use std::time::Duration;

/// Bytes of the payload of one request, notification or answer of a host. A host refuses to send more.
pub const MAX_PAYLOAD_BYTES: usize = 128 << 20;
/// Bytes of one line of the protocol: a payload and the envelope around it. A reader treats more as garbage.
pub const MAX_LINE_BYTES: usize = MAX_PAYLOAD_BYTES + (64 << 10);
/// How long a module may take to load, whatever deadline its first call has.
pub const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// What [`read_line`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineRead {
    /// A line, without its end.
    Line,
    /// The end of the input.
    End,
    /// More bytes than the limit allows, without the end of a line.
    TooLong,
}

/// Reads one line of at most `limit` bytes into `line`, which it clears first.
///
/// # Errors
/// What the reader fails with.
pub fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>, limit: usize) -> io::Result<LineRead> {
    line.clear();
    loop {
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(if line.is_empty() { LineRead::End } else { LineRead::Line });
        }
        let (length, ends) = match available.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end, true),
            None => (available.len(), false),
        };
        if line.len() + length > limit {
            return Ok(LineRead::TooLong);
        }
        line.extend_from_slice(&available[..length]);
        reader.consume(length + usize::from(ends));
        if ends {
            return Ok(LineRead::Line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LineRead, read_line};

    #[test]
    fn line_beyond_the_limit_is_reported_and_not_stored() {
        let mut line = Vec::new();
        let mut endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert_eq!(read_line(&mut endless, &mut line, 100_000).unwrap(), LineRead::TooLong);
        assert!(line.len() <= 100_000);
    }

    #[test]
    fn lines_within_the_limit_are_read_one_by_one() {
        let mut line = Vec::new();
        let mut input = &b"one\ntwo"[..];
        assert_eq!(read_line(&mut input, &mut line, 3).unwrap(), LineRead::Line);
        assert_eq!(line, b"one");
        assert_eq!(read_line(&mut input, &mut line, 3).unwrap(), LineRead::Line);
        assert_eq!(line, b"two");
        assert_eq!(read_line(&mut input, &mut line, 3).unwrap(), LineRead::End);
    }
}
