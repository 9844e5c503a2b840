//! What goes on while a report is made: one line on stderr where that is a terminal, nothing in a pipe.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Report;
use crate::pipeline::live::Destination;
use crate::record::Record;
use crate::report::source::Wanted;
use crate::sink::units::count;

/// The line is written anew this often, or after so many records.
const PACE: Duration = Duration::from_millis(200);
const RECORDS: u64 = 1_000;

/// One line that says how far it is.
pub struct Progress {
    bar: ProgressBar,
    next: Instant,
    seen: u64,
}

impl Progress {
    /// For a file; hidden when not wanted, and when stderr is no terminal.
    pub fn reading(show: bool) -> Self {
        Self::new(show, ProgressBar::no_length(), "{spinner} reading: {msg}")
    }

    /// For a trace of this length.
    pub fn watching(show: bool, length: Duration) -> Self {
        let bar = ProgressBar::new(length.as_secs());
        Self::new(show, bar, "{spinner} watching {elapsed} of {len} s: {msg}; Ctrl-C reports now")
    }

    fn new(show: bool, bar: ProgressBar, template: &str) -> Self {
        if !show {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self { bar: bar.with_style(style), next: Instant::now(), seen: 0 }
    }

    /// The report has taken another record.
    pub fn tick(&mut self, report: &Report) {
        self.seen += 1;
        if self.bar.is_hidden() || !self.seen.is_multiple_of(RECORDS) && Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PACE;
        let (records, failures) = report.progress();
        let (records, failures) = (count(records, "record"), count(failures, "failure"));
        self.bar.set_message(format!("{records}, {failures}"));
        self.bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Takes the records of a live trace.
pub struct Watch<'a> {
    /// What they add up to.
    pub report: &'a mut Report,
    /// Which ones.
    pub wanted: Wanted,
    /// Who waits meanwhile.
    pub progress: Progress,
}

impl Destination for Watch<'_> {
    fn send(&mut self, record: &Record) {
        if self.wanted.takes(record) {
            self.report.take(record);
        }
        self.progress.tick(self.report);
    }

    fn flush_batch(&mut self) {
        self.progress.tick(self.report);
    }
}
