//! The form of a report, and the file it goes to.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::clock::Clock;
use super::findings::Findings;
use super::text::{self, Page};
use super::{html, json};
use crate::sink::output::Error;

/// Columns where nobody says how many there are.
const WIDTH: u16 = 80;

/// `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For a terminal: sentences, charts of blocks, tables.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One page that needs no other file and no script.
    Html,
}

/// The report in a form. `color` and `width` are for text.
pub fn render(findings: &Findings, form: Form, color: bool, width: usize) -> String {
    let clock = Clock::new(TimeZone::system(), &findings.origin);
    match form {
        Form::Text => text::write(findings, &Page { clock, color, width }),
        Form::Json => json::write(findings),
        Form::Html => html::write(findings, &clock),
    }
}

/// Columns of the terminal.
pub fn width(is_terminal: bool) -> usize {
    let columns = if is_terminal { comfy_table::Table::new().width() } else { None };
    columns.unwrap_or(WIDTH).into()
}

/// The file a report is written to: opened before anything is done, and replaced only when the report is there.
pub struct Target {
    path: PathBuf,
    file: File,
}

impl Target {
    /// Opens the file of `--output-file`; `None` is stdout, as is `-`.
    ///
    /// # Errors
    /// It cannot be opened, or it is what the report is made from.
    pub fn open(path: Option<&Path>, input: Option<&Path>) -> Result<Option<Self>, Error> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(None) };
        let error = |source| Error::Open { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o640).open(path).map_err(error)?;
        let this = file.metadata().map_err(error)?;
        let is_same = |other: std::fs::Metadata| (other.dev(), other.ino()) == (this.dev(), this.ino());
        if this.is_file() && input.and_then(|path| path.metadata().ok()).is_some_and(is_same) {
            let why = "the report would replace the file it is made from";
            return Err(error(io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        Ok(Some(Self { path: path.to_owned(), file }))
    }

    /// Replaces what is in the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(mut self, report: &str) -> Result<(), Error> {
        let written = self.replace(report);
        written
            .map_err(|source| Error::Write { name: format!("output file `{}`", self.path.display()), source })
    }

    fn replace(&mut self, report: &str) -> io::Result<()> {
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
            self.file.rewind()?;
        }
        self.file.write_all(report.as_bytes())?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_report_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        for report in ["a long one", "short"] {
            Target::open(Some(&path), None).unwrap().unwrap().write(report).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), report);
        }
    }

    #[test]
    fn the_input_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("night.cpr");
        std::fs::write(&path, "records").unwrap();
        let other = dir.path().join("../").join(dir.path().file_name().unwrap()).join("night.cpr");
        let error = Target::open(Some(&path), Some(&other)).err().unwrap();
        assert!(error.to_string().contains("made from"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "records");
    }
}
