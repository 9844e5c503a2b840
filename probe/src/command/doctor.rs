//! `connprobe doctor`: placeholder, overwritten at the merge.

use std::io::Write;

use crate::config::Config;

/// Says what works on this host.
pub(super) fn run(_: &Config, _: &mut impl Write) -> anyhow::Result<()> {
    anyhow::bail!("`doctor` is not wired yet")
}
