//! `connprobe trace`: this host, live.

use crate::config::Config;
use crate::pipeline::live;

/// Traces this host.
pub(super) fn run(config: &Config) -> anyhow::Result<()> {
    Ok(live::run(config)?)
}
