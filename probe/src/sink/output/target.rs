//! The file, pipe or terminal itself.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Error;

/// An open output.
pub(super) struct Target {
    file: File,
    /// `None` is stdout.
    path: Option<PathBuf>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Regular,
    Pipe,
    Terminal,
    Other,
}

impl Target {
    /// Opens a file for appending, or stdout. A new file is readable for its owner and group only.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Error> {
        match path {
            Some(path) => {
                let file = append(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
                Ok(Self::new(file, Some(path.to_owned())))
            }
            None => {
                let stdout = io::stdout().as_fd().try_clone_to_owned();
                let source = |source| Error::Write { name: "stdout".to_owned(), source };
                Ok(Self::new(File::from(stdout.map_err(source)?), None))
            }
        }
    }

    pub(super) fn new(file: File, path: Option<PathBuf>) -> Self {
        let kind = match file.metadata() {
            Ok(meta) if meta.is_file() => Kind::Regular,
            Ok(meta) if meta.file_type().is_fifo() || meta.file_type().is_socket() => Kind::Pipe,
            _ if file.is_terminal() => Kind::Terminal,
            _ => Kind::Other,
        };
        Self { file, path, kind }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.kind == Kind::Terminal
    }

    /// Whether nothing is in it yet: a header belongs on top.
    pub(super) fn is_empty(&self) -> bool {
        self.kind != Kind::Regular || self.file.metadata().is_ok_and(|meta| meta.len() == 0)
    }

    /// Whether the file ends in the middle of a line, as a crash leaves it: the next line must not join it.
    pub(super) fn ends_inside_line(&self) -> bool {
        let last = || -> io::Result<u8> {
            // A file opened for appending cannot be read.
            let mut file = File::open(self.path.as_ref().ok_or(ErrorKind::NotFound)?)?;
            file.seek(io::SeekFrom::End(-1))?;
            let mut byte = [0];
            file.read_exact(&mut byte)?;
            Ok(byte[0])
        };
        self.kind == Kind::Regular && last().is_ok_and(|byte| byte != b'\n')
    }

    pub(super) fn name(&self) -> String {
        match &self.path {
            Some(path) => format!("output file `{}`", path.display()),
            None => "stdout".to_owned(),
        }
    }

    /// Writes whole lines. When that fails, a regular file is cut back to its last whole line.
    pub(super) fn write_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => return self.cut_back(&lines[..written], ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_writable()?,
                Err(error) => return self.cut_back(&lines[..written], error),
            }
        }
        Ok(())
    }

    /// Takes back the part of a line at the end of `written`, unless somebody else has appended to the file.
    fn cut_back(&mut self, written: &[u8], error: io::Error) -> io::Result<()> {
        let whole = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let partial = (written.len() - whole) as u64;
        if self.kind == Kind::Regular && partial > 0 {
            let (end, len) = (self.file.stream_position()?, self.file.metadata()?.len());
            if end == len && len >= partial {
                self.file.set_len(len - partial)?;
                self.file.seek(io::SeekFrom::Start(len - partial))?;
            }
        }
        Err(error)
    }

    /// A stdout shared with a program that made it non-blocking.
    fn wait_writable(&self) -> io::Result<()> {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether the other end of a pipe is closed, without writing to it.
    pub(super) fn reader_gone(&self) -> bool {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::empty())];
        self.kind == Kind::Pipe
            && poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
            && fds[0].revents().is_some_and(|got| got.intersects(PollFlags::POLLERR | PollFlags::POLLHUP))
    }

    /// Opens the path anew; whether the file is empty and needs a header.
    pub(super) fn reopen(&mut self) -> io::Result<bool> {
        let Some(path) = &self.path else { return Ok(false) };
        *self = Self::new(append(path)?, Some(path.clone()));
        Ok(self.kind == Kind::Regular && self.is_empty())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}
