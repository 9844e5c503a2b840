//! Writes a record file.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use probe_common::LAYOUT_VERSION;

use super::{BYTE_ORDER, END, Error, HEADER_LEN, MAGIC, MAX_FRAME, VERSION};

/// Longest time written frames wait before they are in the file, while frames are written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Writes frames to a new file.
pub struct Writer {
    path: PathBuf,
    stream: zstd::Encoder<'static, File>,
    flushed: Instant,
}

impl Writer {
    /// Makes the file, readable for its owner and group only (it holds command lines). An existing file is
    /// never touched.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let options = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path);
        let mut file = options.map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
            _ => Error::Create { path: path.to_owned(), source },
        })?;
        let open = |file: &mut File| -> io::Result<_> {
            file.write_all(&header())?;
            let mut stream = zstd::Encoder::new(file.try_clone()?, 3)?;
            stream.include_checksum(true)?;
            Ok(stream)
        };
        let stream = open(&mut file).map_err(|source| Error::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), stream, flushed: Instant::now() })
    }

    /// Writes one frame. `tag` is not [`END`] and `payload` not longer than [`MAX_FRAME`].
    pub fn write(&mut self, tag: u8, payload: &[u8]) -> Result<(), Error> {
        if tag == END || payload.len() > MAX_FRAME {
            let source = io::Error::new(ErrorKind::InvalidInput, "a frame with a reserved tag, or too large");
            return Err(Error::Write { path: self.path.clone(), source });
        }
        self.frame(tag, payload).map_err(|source| Error::Write { path: self.path.clone(), source })?;
        if self.flushed.elapsed() >= FLUSH_EVERY { self.flush() } else { Ok(()) }
    }

    /// Brings everything written so far into the file.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.flushed = Instant::now();
        self.stream.flush().map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Writes the last frame and closes the file.
    pub fn finish(mut self) -> Result<(), Error> {
        let ended =
            self.frame(END, &[]).and_then(|()| self.stream.finish()).and_then(|file| file.sync_data());
        ended.map_err(|source| Error::Write { path: self.path, source })
    }

    fn frame(&mut self, tag: u8, payload: &[u8]) -> io::Result<()> {
        let len = u32::try_from(payload.len()).map_err(io::Error::other)?.to_le_bytes();
        self.stream.write_all(&[tag, len[0], len[1], len[2], len[3]])?;
        self.stream.write_all(payload)
    }
}

fn header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..10].copy_from_slice(MAGIC);
    header[10..14].copy_from_slice(&VERSION.to_le_bytes());
    header[14..18].copy_from_slice(&LAYOUT_VERSION.to_le_bytes());
    header[18] = BYTE_ORDER;
    header
}
