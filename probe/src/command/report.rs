//! `connprobe report`: what failed, by whom, to whom, why and since when.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::cli::ReportArgs;
use crate::config::{Config, Switch};
use crate::pipeline::live;
use crate::record::Timestamp;
use crate::report::output::{Target, render, width};
use crate::report::progress::{Progress, Watch};
use crate::report::source::{Source, Wanted};
use crate::report::{Report, Scope, window};
use crate::sink::output::use_color;

/// Reads or watches, and reports. A file that is cut short still gives a report of what is in it.
pub(super) fn run(
    args: &ReportArgs,
    config: &Config,
    show: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let target = Target::open(args.output_file.as_deref(), args.file.as_deref())?;
    let (report, ended) = match (&args.file, args.live) {
        (Some(file), _) => read(file, args, config, show)?,
        (None, length) => watch(length.unwrap_or_default(), args, config, show)?,
    };
    let is_terminal = target.is_none() && io::stdout().is_terminal();
    let color = use_color(config.color, is_terminal);
    let report = render(&report.finish(), args.output, color, width(is_terminal));
    match target {
        Some(target) => target.write(&report)?,
        None => out.write_all(report.as_bytes())?,
    }
    ended
}

type Made = (Report, anyhow::Result<()>);

fn read(file: &Path, args: &ReportArgs, config: &Config, show: bool) -> anyhow::Result<Made> {
    let source = Source::open(file)?;
    let needs_span = [args.since, args.until].iter().flatten().any(window::Moment::needs_span);
    let span = if needs_span { source.span(config)? } else { (Timestamp(0), Timestamp(0)) };
    let mut report = Report::new(scope(args, span)?);
    let mut progress = Progress::reading(show);
    match source.feed(config, &mut report, |report| progress.tick(report)) {
        Err(error) if !report.is_cut_short() => Err(error.into()),
        ended => Ok((report, ended.map_err(Into::into))),
    }
}

fn watch(length: Duration, args: &ReportArgs, config: &Config, show: bool) -> anyhow::Result<Made> {
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).map(Timestamp)?;
    let mut report = Report::new(scope(args, (now, now))?);
    let wanted = Wanted::new(config);
    if wanted.leaves_out_recoveries() {
        report.without_recoveries();
    }
    let progress = Progress::watching(show, length);
    let all = Config { failures: Switch(false), ..config.clone() };
    live::run_into(&all, Watch { report: &mut report, wanted, progress })?;
    Ok((report, Ok(())))
}

fn scope(args: &ReportArgs, span: (Timestamp, Timestamp)) -> anyhow::Result<Scope> {
    let (since, until) = window::resolve(args.since, args.until, span, &TimeZone::system())?;
    Ok(Scope { since, until, top: args.top })
}
