//! A record file through the same pipeline. Needs no root and no kernel.

use std::path::Path;

use super::{Pipeline, frames};
use crate::capture::{Error, Reader};
use crate::config::Config;
use crate::record::Record;

/// Gives every record of the file to `emit` until it says that it wants no more. Of a file that is cut short,
/// everything that is in it comes before the error.
pub fn run(path: &Path, config: &Config, mut emit: impl FnMut(Record) -> bool) -> Result<(), Error> {
    let mut reader = Reader::open(path)?;
    let corrupt = |frames_read, why| Error::Corrupt { path: path.to_owned(), frames_read, why };
    let first = reader.next()?.ok_or_else(|| corrupt(0, "there is no frame in it".to_owned()))?;
    let header = frames::read_header(&first).map_err(|why| corrupt(0, why))?;
    let mut pipeline = Pipeline::new(header, config);
    let mut more = true;
    while more && let Some(frame) = reader.next()? {
        let input = frames::read(frame).map_err(|why| corrupt(reader.frames_read(), why))?;
        pipeline.handle(&input, &mut |record| more = more && emit(record));
    }
    Ok(())
}
