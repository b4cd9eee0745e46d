//! The host's end of the protocol.
//!
//! Beside its parent, a host is connected by a socket pair at descriptor 0; behind another program, by its standard input
//! and output. Both move to descriptors that children do not inherit, and sockets without another end take the places
//! of descriptors 0 and 1: what opens `/dev/stdout` gets an error, and what writes there does too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::fs::{FileType, fstat};
use rustix::io::fcntl_dupfd_cloexec;

/// The first descriptor that the protocol may take: beyond the standard streams.
const BEYOND_STANDARD: i32 = 3;

/// Lines from and to the parent.
pub struct Channel {
    pub reader: Box<dyn Read>,
    pub writer: Box<dyn Write + Send>,
}

/// Takes the protocol away from the standard streams.
pub fn open() -> io::Result<Channel> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let input = fcntl_dupfd_cloexec(&stdin, BEYOND_STANDARD)?;
    let is_socket = FileType::from_raw_mode(fstat(&input)?.st_mode) == FileType::Socket;
    let channel = if is_socket {
        let socket = UnixStream::from(input);
        Channel { reader: Box::new(socket.try_clone()?), writer: Box::new(socket) }
    } else {
        let output = fcntl_dupfd_cloexec(&stdout, BEYOND_STANDARD)?;
        Channel { reader: Box::new(File::from(input)), writer: Box::new(File::from(output)) }
    };
    let (closed, other) = UnixStream::pair()?;
    drop(other);
    rustix::stdio::dup2_stdin(&closed)?;
    rustix::stdio::dup2_stdout(&closed)?;
    Ok(channel)
}
