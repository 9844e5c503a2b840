//! `connprobe replay FILE`: placeholder, overwritten at the merge.

use std::path::Path;

use crate::config::Config;

/// Replays a record file.
pub(super) fn run(_: &Path, _: &Config) -> anyhow::Result<()> {
    anyhow::bail!("`replay` is not wired yet")
}
