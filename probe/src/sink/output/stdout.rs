//! stdout for commands that print once.

use std::io::{self, Write};

use super::Error;

/// stdout whose errors say that they are stdout's, so that the exit code can be told ([`crate::exit::Code`]).
#[derive(Debug)]
pub struct Stdout(io::Stdout);

impl Default for Stdout {
    fn default() -> Self {
        Self(io::stdout())
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(stdout_error)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(stdout_error)
    }
}

/// An error of stdout, of the same kind.
pub(crate) fn stdout_error(source: io::Error) -> io::Error {
    if source.kind() == io::ErrorKind::Interrupted {
        return source;
    }
    io::Error::new(source.kind(), Error::Write { name: "stdout".to_owned(), source })
}
