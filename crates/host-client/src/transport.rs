//! The channel between marsh and a host.
//!
//! A host beside marsh speaks over a socket pair: a socket cannot be opened again by a path such as `/dev/stdout` or
//! `/proc/self/fd/1`, so extension code cannot write into the protocol. A host behind another program, such as a
//! container's client, speaks over that program's standard input and output.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a host may not read while it is written to. Its main thread does nothing but read.
const STUCK: Duration = Duration::from_secs(10);
/// How often a writer looks whether its time is over.
const LOOK: Duration = Duration::from_millis(100);

/// Both ends of the protocol with one host.
pub struct Channel {
    /// Lines from the host.
    pub reader: Box<dyn Read + Send>,
    /// Lines to the host.
    pub writer: Box<dyn LineWriter>,
}

/// Sends lines to a host. The host ends when its writer is dropped.
pub trait LineWriter: Send {
    /// Writes one line with its end.
    ///
    /// # Errors
    /// The host is gone, or did not read until then ([`io::ErrorKind::TimedOut`]): part of the line may be written,
    /// so the channel is of no more use.
    fn write_line(&mut self, line: &[u8], until: Instant) -> io::Result<()>;
}

/// How a process that is about to start is connected.
pub trait Transport: std::fmt::Debug + Send + Sync {
    /// Starts the command, connected to the other end of the channel.
    ///
    /// # Errors
    /// What starting it fails with.
    fn start(&self, command: &mut Command) -> io::Result<(Child, Channel)>;
}

/// The standard input and output of the process.
#[derive(Debug, Clone, Copy)]
pub struct Pipes;

impl Transport for Pipes {
    fn start(&self, command: &mut Command) -> io::Result<(Child, Channel)> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || io::Error::other("the process has no standard streams");
        let reader = Box::new(child.stdout.take().ok_or_else(missing)?);
        let writer = Box::new(PipeWriter(child.stdin.take().ok_or_else(missing)?));
        Ok((child, Channel { reader, writer }))
    }
}

struct PipeWriter(ChildStdin);

impl LineWriter for PipeWriter {
    fn write_line(&mut self, line: &[u8], _until: Instant) -> io::Result<()> {
        self.0.write_all(line)
    }
}

/// A socket pair, whose other end is the standard input of the process.
#[derive(Debug, Clone, Copy)]
pub struct SocketPair;

impl Transport for SocketPair {
    fn start(&self, command: &mut Command) -> io::Result<(Child, Channel)> {
        use std::os::fd::OwnedFd;
        use std::os::unix::net::UnixStream;

        let (ours, theirs) = UnixStream::pair()?;
        let child = command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).spawn();
        // The command would hold the other end open, and the host's death would go unnoticed.
        command.stdin(Stdio::null());
        let child = child?;
        let reader = Box::new(ours.try_clone()?);
        ours.set_write_timeout(Some(LOOK))?;
        Ok((child, Channel { reader, writer: Box::new(SocketWriter(ours)) }))
    }
}

struct SocketWriter(std::os::unix::net::UnixStream);

impl LineWriter for SocketWriter {
    fn write_line(&mut self, mut line: &[u8], until: Instant) -> io::Result<()> {
        let mut progress: Option<Instant> = None;
        while !line.is_empty() {
            match self.0.write(line) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    line = &line[written..];
                    progress = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let now = Instant::now();
                    let since = *progress.get_or_insert(now);
                    if now >= until || now.duration_since(since) >= STUCK {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for SocketWriter {
    fn drop(&mut self) {
        // The reader holds the same socket, so the host sees the end of its input only by this. A host that is gone has
        // closed its end already, which is the aim.
        if let Err(error) = self.0.shutdown(std::net::Shutdown::Write) {
            debug_assert!(error.kind() == io::ErrorKind::NotConnected, "{error}");
        }
    }
}
