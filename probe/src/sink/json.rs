//! JSON lines: one object a line, fields as in the schema.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::Format;
use super::escape::is_active;
use crate::record::Record;

/// `--output json`.
#[derive(Debug, Default)]
pub struct Json;

impl Format for Json {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) {
        line(record, out);
    }
}

/// Appends a value as one line of JSON.
pub(super) fn line(value: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    // Neither a Vec nor a record with string keys can fail; if it ever does, no half line is left.
    match value.serialize(&mut Serializer::with_formatter(&mut *out, Safe(CompactFormatter))) {
        Ok(()) => out.push(b'\n'),
        Err(_) => out.truncate(start),
    }
}

/// The compact form, with what may act on a terminal escaped too: the same data for every JSON parser.
struct Safe(CompactFormatter);

impl Formatter for Safe {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(is_active) {
            let mut chars = rest[at..].chars();
            out.write_all(&rest.as_bytes()[..at])?;
            if let Some(c) = chars.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }
}
