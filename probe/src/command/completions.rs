//! `connprobe completions SHELL`.

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};

/// Prints the script.
pub(super) fn run(args: &CompletionsArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "connprobe", &mut script);
    out.write_all(&script)?;
    Ok(())
}
