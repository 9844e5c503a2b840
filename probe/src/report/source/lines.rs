//! JSON lines to records. Any bytes give records and bad lines, never a panic, and a line takes bounded room.

use std::io::{self, BufRead, Read};

use crate::record::{Record, SCHEMA_VERSION};

/// Longest line, bytes. The longest records have a few kilobytes.
pub(super) const LONGEST: usize = 1 << 20;
/// Longest explanation of a bad line, characters.
const WHY: usize = 120;

/// What a line is.
pub(super) enum Line {
    /// A record.
    Record(Box<Record>),
    /// Something else: its number, from 1, and what is wrong with it.
    Bad(u64, String),
}

/// Gives every line that is not empty.
pub(super) fn read(mut from: impl BufRead, mut take: impl FnMut(Line)) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let got = from.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
        if got == 0 {
            break;
        }
        if line.len() > LONGEST && line.last() != Some(&b'\n') {
            skip_line(&mut from)?;
            take(Line::Bad(number, format!("it is longer than {LONGEST} bytes")));
            continue;
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            take(
                parse(text)
                    .map_or_else(|why| Line::Bad(number, why), |record| Line::Record(Box::new(record))),
            );
        }
    }
    Ok(())
}

fn parse(text: &[u8]) -> Result<Record, String> {
    let record: Record = serde_json::from_slice(text).map_err(|error| {
        // It may quote what is in the line.
        let why: String = error.to_string().chars().take(WHY).collect();
        why.replace(" at line 1 column", " in column")
    })?;
    match record.v {
        SCHEMA_VERSION => Ok(record),
        other => Err(format!("it has version {other}, this connprobe reads {SCHEMA_VERSION}")),
    }
}

fn skip_line(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                from.consume(at + 1);
                return Ok(());
            }
            None => {
                let length = buffer.len();
                from.consume(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::samples;
    use crate::sink::{Format, json::Json};

    fn told(bytes: &[u8]) -> Vec<Result<Record, (u64, String)>> {
        let mut told = Vec::new();
        let all = |line| match line {
            Line::Record(record) => told.push(Ok(*record)),
            Line::Bad(number, why) => told.push(Err((number, why))),
        };
        read(bytes, all).unwrap();
        told
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut written = Vec::new();
        for record in samples::all() {
            Json.record(&record, &mut written);
        }
        let mut again = Vec::new();
        for record in told(&written) {
            Json.record(&record.unwrap(), &mut again);
        }
        assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(written).unwrap());
    }

    #[test]
    fn bad_lines_have_their_number_and_the_others_count() {
        let good =
            r#"{"v":1,"ts":"2026-11-20T14:28:00.000000001Z","event":"failed","seq":7,"new_field":[1]}"#;
        let long = format!("{{\"v\":1,\"comm\":\"{}\"}}", "x".repeat(LONGEST));
        let text = format!("{good}\nnonsense\n\n{{\"v\":2}}\n{long}\n{}\n{good}", good.replace(":1,", ":9,"));
        let told = told(text.as_bytes());
        let bad: Vec<_> = told.iter().filter_map(|line| line.as_ref().err()).map(|(at, _)| *at).collect();
        assert_eq!(bad, [2, 4, 5, 6]);
        assert_eq!(told.iter().filter(|line| line.is_ok()).count(), 2);
        assert!(told[4].as_ref().unwrap_err().1.contains("version 9"), "{told:?}");
    }

    #[test]
    fn an_error_name_of_another_version_is_left_out() {
        let line = |error| {
            format!(r#"{{"v":1,"ts":"2026-11-20T14:28:00Z","event":"failed","seq":1,"error":"{error}"}}"#)
        };
        let known = told(line("ECONNREFUSED").as_bytes()).remove(0).unwrap();
        let unknown = told(line("ENEW").as_bytes()).remove(0).unwrap();
        assert_eq!((known.error, unknown.error), (Some("ECONNREFUSED"), None));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(told(&bytes).iter().all(Result::is_err));
        }
    }
}
