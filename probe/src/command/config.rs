//! `connprobe config`.

use std::io::Write;

use crate::cli::ConfigArgs;
use crate::config::{self, Config, Origins};

/// Prints the configuration in force, or a sample file.
pub(super) fn run(
    args: &ConfigArgs,
    config: &Config,
    origins: &Origins,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let text = if args.sample { config::sample() } else { config::effective(config, origins) };
    out.write_all(text.as_bytes())?;
    Ok(())
}
