//! `cargo xtask run`: sets up, builds, and becomes connprobe, as root.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::{build, setup, workspace};

/// Sets up, builds and starts connprobe as root (through sudo when needed).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask run                                        trace until Ctrl-C\n  \
    cargo xtask run -- trace --duration 5s\n  \
    cargo xtask run -- trace --output json --failures | jq .\n  \
    cargo xtask run -- doctor")]
pub(crate) struct Args {
    #[command(flatten)]
    profile: build::Profile,
    /// Arguments for connprobe
    #[arg(last = true, value_name = "ARGS", default_value = "trace")]
    arguments: Vec<OsString>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let toolchain = setup::for_build()?;
    let binary = build::connprobe(args.profile, &toolchain)?;
    let mut command = if workspace::is_root() {
        Command::new(&binary)
    } else {
        let mut command = Command::new("sudo");
        command.arg(&binary);
        command
    };
    command.args(&args.arguments);
    // Only a failure returns. Signals, the terminal and the exit code are connprobe's own.
    let error = command.exec();
    Err(anyhow!(error).context(format!("failed to start {}", workspace::shown(&command))))
}
