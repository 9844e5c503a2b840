//! CSV (RFC 4180, but with `\n` line ends): a header line, then a line a record; every field of a record is a
//! column, nested ones are JSON text. Absent is empty.
//!
//! Data is kept as it is and quoted where needed; it is **not** changed to defuse formulas, so open files with
//! names chosen by others (`=…` as a command name) in a spreadsheet as text only. The one change: control
//! characters are written as escapes (`\u{1b}`), so that a record is always one line; JSON has them exactly.

use serde_json::Value;

use super::Format;
use super::escape::escape;
use crate::record::Record;

/// `--output csv`.
#[derive(Debug, Default)]
pub struct Csv;

/// Names of the columns.
pub fn columns() -> impl Iterator<Item = &'static str> {
    // The one field whose Rust name is not its wire name: `where` is a keyword.
    Record::FIELDS.iter().map(|name| if *name == "lost_where" { "where" } else { name })
}

impl Format for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) {
        row(columns(), out);
    }

    fn record(&mut self, record: &Record, out: &mut Vec<u8>) {
        let Ok(Value::Object(fields)) = serde_json::to_value(record) else { return };
        row(columns().map(|name| fields.get(name).map(cell).unwrap_or_default()), out);
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text).into_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            escape(&value.to_string()).into_owned()
        }
    }
}

fn row<T: AsRef<[u8]>>(cells: impl Iterator<Item = T>, out: &mut Vec<u8>) {
    let mut writer = csv::WriterBuilder::new().from_writer(&mut *out);
    // Writing to a Vec cannot fail, and one row cannot differ from itself in length.
    let _ = writer.write_record(cells);
}
