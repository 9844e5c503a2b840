//! `connprobe ls`: placeholder, overwritten at the merge.

use std::io::Write;

/// Flags of `ls`.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct LsArgs {}

/// Prints the sockets of this moment.
pub fn run(_: &LsArgs, _: &mut impl Write) -> anyhow::Result<()> {
    anyhow::bail!("`ls` is not wired yet")
}
