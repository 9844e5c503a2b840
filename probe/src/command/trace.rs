//! `connprobe trace`: placeholder, overwritten at the merge.

use crate::config::Config;

/// Traces this host.
pub(super) fn run(_: &Config) -> anyhow::Result<()> {
    anyhow::bail!("`trace` is not wired yet")
}
