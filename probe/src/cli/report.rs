//! Flags of `report`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{FilterArgs, Global};
use crate::config::Layer;
use crate::report::output::Form;
use crate::report::window::Moment;

/// Flags of `report`.
#[derive(Args, Clone, Debug, Default)]
#[group(id = "input", required = true, multiple = false, args = ["file", "live"])]
pub struct ReportArgs {
    /// Record file, or JSON lines of `connprobe trace -o json`; `-` is JSON lines from stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Trace this host for this time instead: 30s, 10m
    #[arg(long, value_name = "TIME", value_parser = crate::config::duration)]
    pub live: Option<Duration>,
    /// Form of the report
    #[arg(long, short = 'o', value_enum, value_name = "FORM", default_value_t, help_heading = "Output")]
    pub output: Form,
    /// Write to FILE instead of stdout (`-`); what is in it is replaced
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub output_file: Option<PathBuf>,
    /// Rows of each table
    #[arg(
        long, value_name = "N", default_value_t = 10, help_heading = "Output",
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000)
    )]
    pub top: usize,
    /// Only what happened from then on: 2026-11-24T22:00:00Z, "2026-11-24 22:00" or 22:00 in local time, or
    /// 10m before the end
    #[arg(long, value_name = "WHEN", help_heading = "Period")]
    pub since: Option<Moment>,
    /// Only what happened until then
    #[arg(long, value_name = "WHEN", help_heading = "Period")]
    pub until: Option<Moment>,
    /// Which records are taken.
    #[command(flatten)]
    pub filter: FilterArgs,
}

impl ReportArgs {
    /// What the flags say. What a config file says of the output of `trace` does not count here: a report must not
    /// be appended to a log, nor end after some records.
    pub fn layer(&self, global: &Global) -> Layer {
        let none = Layer {
            output_file: Some(None),
            count: Some(None),
            record: Some(None),
            duration: Some(self.live),
            ..global.layer()
        };
        self.filter.over(none)
    }
}
