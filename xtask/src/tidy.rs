//! `cargo xtask tidy`: the project's own rules.

use clap::Args as ClapArgs;
/// Checks the project's own rules.
#[derive(ClapArgs)]
pub(crate) struct Args {}
pub(crate) fn main(_args: &Args) -> anyhow::Result<()> {
    check()
}
pub(crate) fn check() -> anyhow::Result<()> {
    let _ = crate::workspace::text_files(&crate::workspace::root())?;
    Ok(())
}
