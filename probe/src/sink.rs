//! Where records go: a [`Format`] makes bytes of them, [`output::Output`] brings the bytes to a file, a pipe
//! or a terminal.

pub mod csv;
pub mod ecs;
pub mod escape;
pub mod json;
pub mod output;
pub mod schema;
pub mod text;
pub(crate) mod units;

pub use output::{Output, Policy, Status};

use crate::record::Record;

/// Makes bytes of records: for each record whole lines, without control characters in them.
pub trait Format: Send {
    /// What comes before the first record of an empty output.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// Appends one record.
    fn record(&mut self, record: &Record, out: &mut Vec<u8>);
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
