//! `connprobe schema`.

use std::io::Write;

use crate::sink::schema;

/// Prints the JSON Schema of the records.
pub(super) fn run(out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{:#}", schema::document())?;
    Ok(())
}
