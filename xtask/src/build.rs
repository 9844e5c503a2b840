//! `cargo xtask build`: connprobe with its eBPF object.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{setup, workspace};

/// Builds connprobe with its eBPF programs and prints the path of the binary.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask build          optimised: target/release/connprobe\n  \
    cargo xtask build --dev    faster to compile: target/debug/connprobe")]
pub(crate) struct Args {
    #[command(flatten)]
    profile: Profile,
}

/// How much the user side is optimised. The kernel side always is.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Profile {
    /// Build without optimisation, for a short edit-and-try cycle
    #[arg(long)]
    dev: bool,
    /// Build optimised (the default)
    #[arg(long, conflicts_with = "dev")]
    release: bool,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let toolchain = setup::for_build()?;
    println!("{}", connprobe(args.profile, &toolchain)?.display());
    Ok(())
}

/// Builds connprobe with the eBPF object and returns the path of the binary.
///
/// Optimised by default: an unoptimised reader falls behind the kernel under load and loses events. It also
/// keeps apart what would undo each other, as plain `cargo test` and `clippy` build the other profile with
/// the stub object.
pub(crate) fn connprobe(profile: Profile, toolchain: &str) -> Result<PathBuf> {
    let mut command = workspace::cargo();
    command.args(["build", "--package", "probe", "--bin", "connprobe"]);
    command.arg("--message-format=json-render-diagnostics");
    if !profile.dev {
        command.arg("--release");
    }
    let built = command
        .env(workspace::EBPF_TOOLCHAIN, toolchain)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("failed to start cargo")?;
    if !built.status.success() {
        bail!("failed to build connprobe");
    }
    let messages: Vec<Value> = built
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    check_object(&messages)?;
    let binary =
        messages.iter().rev().find_map(executable).context("cargo built no binary named connprobe")?;
    Ok(binary)
}

fn executable(message: &Value) -> Option<PathBuf> {
    let is_connprobe = message["reason"] == "compiler-artifact" && message["target"]["name"] == "connprobe";
    message["executable"].as_str().filter(|_| is_connprobe).map(PathBuf::from)
}

/// Refuses a binary that carries the stub object.
fn check_object(messages: &[Value]) -> Result<()> {
    for message in messages.iter().filter(|message| message["reason"] == "build-script-executed") {
        let object = Path::new(message["out_dir"].as_str().unwrap_or_default()).join("probe-ebpf");
        if object.is_file() {
            let length = fs::metadata(&object)?.len();
            anyhow::ensure!(length > 0, "{} is empty: the eBPF build did not run", object.display());
            return Ok(());
        }
    }
    bail!("probe's build script left no eBPF object")
}
