//! The other end: for commands, and for tests that speak to the shipped binary.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use marsh_repo::Layout;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use marsh_types::ErrorCode;

use crate::error::ServeError;
use crate::protocol::{Message, raw};
use crate::socket;
use marsh_api::ErrorReport;

/// A connection on which one request is in flight at a time.
pub struct Client {
    reader: Box<dyn BufRead + Send>,
    writer: Box<dyn Write + Send>,
    next_id: u64,
}

/// What a request came to: its result, or why not.
pub type Answer = Result<Value, ErrorReport>;

impl Client {
    /// Connects to the server of a repository.
    pub fn find(layout: &Layout) -> Result<Client, ServeError> {
        let endpoint = socket::find(layout).ok_or(ServeError::NotServed)?;
        Client::connect(&endpoint.socket)
    }

    /// Connects to the server behind a socket.
    ///
    /// # Errors
    ///
    /// No server listens there.
    pub fn connect(socket: &Path) -> Result<Client, ServeError> {
        let stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
            // The record of a server that died.
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => ServeError::NotServed,
            _ => ServeError::Connection(error),
        })?;
        let writer = stream.try_clone().map_err(ServeError::Connection)?;
        Ok(Client::over(BufReader::with_capacity(1 << 16, stream), writer))
    }

    /// Over any two streams, such as those of `marsh serve --stdio`.
    pub fn over(reader: impl BufRead + Send + 'static, writer: impl Write + Send + 'static) -> Client {
        Client { reader: Box::new(reader), writer: Box::new(writer), next_id: 1 }
    }

    /// Asks and waits for the answer. Events that come before it go to `events`.
    pub fn ask(
        &mut self,
        method: &str,
        params: &impl Serialize,
        events: &mut dyn FnMut(Value),
    ) -> Result<Answer, ServeError> {
        let id = self.next_id;
        self.next_id += 1;
        let line = Message::request(id, method, raw(params))
            .to_line()
            .map_err(|error| ServeError::Connection(error.into()))?;
        self.writer.write_all(&line).and_then(|()| self.writer.flush()).map_err(ServeError::Connection)?;
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.reader.read_until(b'\n', &mut line).map_err(ServeError::Connection)? == 0 {
                return Err(ServeError::Ended);
            }
            let message: Message =
                serde_json::from_slice(&line).map_err(|error| ServeError::Connection(error.into()))?;
            let value = |raw: Option<Box<serde_json::value::RawValue>>| {
                raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or(Value::Null)
            };
            match (message.id, message.method.as_deref(), message.error) {
                (Some(answered), None, Some(error)) if answered == id => {
                    return Ok(Err(crate::error::from_rpc(error)));
                }
                (Some(answered), None, None) if answered == id => return Ok(Ok(value(message.result))),
                (None, Some("event"), _) => events(value(message.params)),
                (None, Some("error"), _) => {
                    let failure = serde_json::from_value(value(message.params));
                    let failure =
                        failure.unwrap_or_else(|_| ErrorReport::new(ErrorCode::BadRequest, "refused"));
                    return Err(ServeError::Refused(failure));
                }
                _ => {}
            }
        }
    }

    /// Returns when the server has closed the connection.
    pub fn wait_for_end(&mut self) {
        let mut rest = Vec::new();
        while self.reader.read_until(b'\n', &mut rest).is_ok_and(|count| count > 0) {
            rest.clear();
        }
    }

    /// [`Client::ask`] for requests that either work or are an error of the command.
    pub fn expect<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<T, ServeError> {
        let answer = self.ask(method, params, &mut |_| {})?.map_err(ServeError::Refused)?;
        serde_json::from_value(answer)
            .map_err(|source| ServeError::InvalidAnswer { request: method.to_owned(), source })
    }
}
