//! Reads a record file. Total: any bytes give frames or an error, never a panic or a huge allocation.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use probe_common::LAYOUT_VERSION;

use super::{BYTE_ORDER, END, Error, HEADER_LEN, MAGIC, MAX_FRAME, VERSION};

/// Largest window the decoder may allocate, as a power of two: 16 MiB; the writer's is 2 MiB.
const WINDOW_LOG_MAX: u32 = 24;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the payload is.
    pub tag: u8,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// Reads the frames of a file.
pub struct Reader {
    path: PathBuf,
    stream: zstd::Decoder<'static, BufReader<File>>,
    frames_read: u64,
    ended: bool,
}

impl Reader {
    /// Opens a file and checks its header.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(source) => return Err(Error::Open { path, source }),
        };
        let mut header = [0; HEADER_LEN];
        let got = read_full(&mut file, &mut header);
        check(&path, &header, got.map_err(|source| Error::Read { path: path.clone(), source })?)?;
        let stream = zstd::Decoder::new(file).and_then(|mut stream| {
            stream.window_log_max(WINDOW_LOG_MAX)?;
            Ok(stream.single_frame())
        });
        match stream {
            Ok(stream) => Ok(Self { path, stream, frames_read: 0, ended: false }),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// The next frame, `None` after the last one. After an error there is nothing more to read.
    #[expect(clippy::should_implement_trait, reason = "an iterator's `Option<Result>` hides the error")]
    pub fn next(&mut self) -> Result<Option<Frame>, Error> {
        if self.ended {
            return Ok(None);
        }
        let frame = self.frame();
        match &frame {
            Ok(Some(_)) => self.frames_read += 1,
            Ok(None) | Err(_) => self.ended = true,
        }
        frame
    }

    /// Frames delivered so far.
    pub fn frames_read(&self) -> u64 {
        self.frames_read
    }

    fn frame(&mut self) -> Result<Option<Frame>, Error> {
        let mut head = [0; 5];
        self.fill(&mut head)?;
        let [tag, len @ ..] = head;
        let len = u32::from_le_bytes(len) as usize;
        if len > MAX_FRAME {
            return Err(Error::Oversized { path: self.path.clone(), frames_read: self.frames_read, len });
        }
        if tag == END {
            return self.end(len);
        }
        // A hostile length costs only what is really there: the vector grows as bytes come.
        let mut payload = Vec::with_capacity(len.min(64 << 10));
        let stream = &mut self.stream;
        match stream.take(len as u64).read_to_end(&mut payload) {
            Ok(got) if got == len => Ok(Some(Frame { tag, payload })),
            Ok(_) => Err(self.truncated()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Behind the last frame only the stream's checksum may follow.
    fn end(&mut self, len: usize) -> Result<Option<Frame>, Error> {
        match read_full(&mut self.stream, &mut [0]) {
            Ok(0) if len == 0 => Ok(None),
            Ok(_) => Err(self.corrupt("there is something behind the last frame".to_owned())),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        match read_full(&mut self.stream, buffer) {
            Ok(got) if got == buffer.len() => Ok(()),
            Ok(_) => Err(self.truncated()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: std::io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.truncated(),
            _ if error.raw_os_error().is_some() => Error::Read { path: self.path.clone(), source: error },
            _ => self.corrupt(error.to_string()),
        }
    }

    fn truncated(&self) -> Error {
        Error::Truncated { path: self.path.clone(), frames_read: self.frames_read }
    }

    fn corrupt(&self, why: String) -> Error {
        Error::Corrupt { path: self.path.clone(), frames_read: self.frames_read, why }
    }
}

fn check(path: &Path, header: &[u8; HEADER_LEN], got: usize) -> Result<(), Error> {
    let path = || path.to_owned();
    let start = got.min(MAGIC.len());
    if got == 0 || header[..start] != MAGIC[..start] {
        return Err(Error::NotARecord { path: path() });
    }
    if got < HEADER_LEN {
        return Err(Error::Truncated { path: path(), frames_read: 0 });
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    for (what, found, expected) in [("container", number(10), VERSION), ("event", number(14), LAYOUT_VERSION)]
    {
        if found != expected {
            return Err(Error::Version { path: path(), what, found, expected });
        }
    }
    match header[18] {
        BYTE_ORDER => Ok(()),
        _ => Err(Error::ByteOrder { path: path() }),
    }
}

/// Reads until the buffer is full or the end; the number of bytes read.
fn read_full(from: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match from.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
