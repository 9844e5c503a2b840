//! The record file of `trace --record FILE` and `replay FILE`: a versioned, compressed container of frames.
//!
//! ```text
//! offset  size
//!      0    10  magic "CONNPROBE\0"
//!     10     4  version of the container, u32 LE: 1
//!     14     4  version of the events' layout, u32 LE: probe_common::LAYOUT_VERSION
//!     18     1  byte order of the events: 1 little, 2 big
//!     19     5  zero
//!     24     …  one zstd stream of frames: tag u8, length u32 LE, payload; the last frame has tag 0
//! ```
//!
//! The container knows nothing of what a tag means. It is written as it grows, a block each second, so what a
//! killed process leaves can be read up to its last block; a file without the last frame was cut short.

mod reader;
mod writer;

use std::io;
use std::path::PathBuf;

pub use reader::{Frame, Reader};
pub use writer::Writer;

/// First bytes of a record file.
pub const MAGIC: &[u8; 10] = b"CONNPROBE\0";
/// Version of the container.
pub const VERSION: u32 = 1;
/// Largest payload of a frame, bytes.
pub const MAX_FRAME: usize = 64 << 20;
/// Tag of the last frame; not for payloads.
pub const END: u8 = 0;

const HEADER_LEN: usize = 24;
const BYTE_ORDER: u8 = if cfg!(target_endian = "little") { 1 } else { 2 };

/// A record file that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file to record to is there already.
    #[error("record file `{}` exists already: choose another name or remove it first", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("failed to create record file `{}`: {source}; choose a directory you may write to", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error(
        "failed to write record file `{}`: {source}; free some space or choose another disk, what was written \
         before can still be replayed", path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be opened.
    #[error("failed to open record file `{}`: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("failed to read record file `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else.
    #[error("`{}` is not a connprobe record file: give one made with `connprobe trace --record FILE`", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
    },
    /// The file is of another version.
    #[error(
        "record file `{}` has {what} version {found}, this connprobe reads {expected}: replay it with the \
         connprobe that recorded it", path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Version of what: `container` or `event`.
        what: &'static str,
        /// In the file.
        found: u32,
        /// What this program reads.
        expected: u32,
    },
    /// The file is from a machine of the other byte order.
    #[error(
        "record file `{}` is from a machine of another byte order: replay it on one of the same kind",
        path.display()
    )]
    ByteOrder {
        /// The file.
        path: PathBuf,
    },
    /// The file ends too early.
    #[error(
        "record file `{}` is cut short after {frames_read} whole frames: the recording was killed or the copy \
         is incomplete; all that is in it was read", path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Frames delivered before.
        frames_read: u64,
    },
    /// The file is damaged.
    #[error("record file `{}` is damaged after {frames_read} whole frames: {why}; copy it again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Frames delivered before.
        frames_read: u64,
        /// What is wrong.
        why: String,
    },
    /// A frame is larger than any that is written.
    #[error(
        "record file `{}` is damaged after {frames_read} whole frames: a frame of {len} bytes (at most \
         {MAX_FRAME} are allowed); copy it again", path.display()
    )]
    Oversized {
        /// The file.
        path: PathBuf,
        /// Frames delivered before.
        frames_read: u64,
        /// Length in the frame's header.
        len: usize,
    },
}

impl Error {
    /// Whether writing failed, not reading.
    pub fn is_output(&self) -> bool {
        matches!(self, Self::Exists { .. } | Self::Create { .. } | Self::Write { .. })
    }
}

#[cfg(test)]
mod tests;
