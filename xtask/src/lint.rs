//! `cargo xtask lint`: everything a change is refused for. All failures are collected before it ends.

use anyhow::{Result, bail};

use crate::{setup, tidy, workspace};

/// Checks format, clippy, rustdoc, the project's own rules, licences and the lock file.
///
/// Every check runs; the ones that failed are listed at the end.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask lint\n  \
    cargo xtask tidy    only the project's own rules, in a moment")]
pub(crate) struct Args {}

type Check = fn() -> Result<()>;

const CHECKS: [(&str, Check); 7] = [
    ("lock file", lock_file),
    ("format", format),
    ("tidy", tidy::check),
    ("clippy", clippy),
    ("clippy of probe-ebpf", clippy_ebpf),
    ("rustdoc", rustdoc),
    ("deny", deny),
];

pub(crate) fn main(_args: &Args) -> Result<()> {
    let mut failed = Vec::new();
    // The checks whose tool is missing fail by themselves: the others still have something to say.
    if let Err(error) = setup::for_lint() {
        eprintln!("{error:#}");
        failed.push("setup");
    }
    for (name, check) in CHECKS {
        eprintln!("\nlint: {name}");
        if let Err(error) = check() {
            eprintln!("{error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    eprintln!("\nlint: all {} checks passed", CHECKS.len());
    Ok(())
}

/// Also fetches every locked crate, for the checks that must work offline.
fn lock_file() -> Result<()> {
    workspace::status(workspace::cargo().args(["fetch", "--locked", "--quiet"]))
}

fn format() -> Result<()> {
    workspace::status(workspace::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["clippy", "--workspace", "--exclude", "probe-ebpf", "--all-targets"]);
    workspace::status(command.args(["--", "-D", "warnings"]))
}

/// The kernel side is checked as a program for the host, which type-checks the same code: distributions'
/// packages of the eBPF compiler have no clippy. That it compiles for BPF is shown by every build.
///
/// It uses unstable features, so the stable compiler is told to accept them; in a target folder of its own,
/// as cargo would otherwise check everything again whenever that changes.
fn clippy_ebpf() -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["clippy", "--package", "probe-ebpf", "--bins", "--target-dir"]);
    command.arg(workspace::target_dir()?.join("clippy-ebpf"));
    workspace::status(command.args(["--", "-D", "warnings"]).env("RUSTC_BOOTSTRAP", "1"))
}

fn rustdoc() -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["doc", "--workspace", "--exclude", "probe-ebpf", "--no-deps", "--quiet"]);
    workspace::status(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Offline: the advisory database is not part of it, so that an old commit's verdict does not change.
fn deny() -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["deny", "--offline", "--workspace", "check", "licenses", "bans", "sources"]);
    workspace::status(&mut command)
}
