//! `connprobe doctor`: what works on this host, and what does not.

use std::io::Write;

use crate::config::Config;
use crate::doctor::Report;
use crate::kernel::loader::{Request, Tracer};

/// Loads and attaches everything once and says what became of it. Fails if tracing does not work.
pub(super) fn run(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let request = Request { settings: config.filter().in_kernel(), buffer: 1 << 20, retransmits: true };
    let mut report = Report { tracer: Tracer::load(&request) };
    report.write(out)?;
    out.flush()?;
    report.tracer?;
    Ok(())
}
