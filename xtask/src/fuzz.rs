//! `cargo xtask fuzz`: looks for bytes that the user side cannot take.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// The version this was tried with.
const VERSION: &str = "0.13.2";
/// Each is a file in `tests/fuzz/fuzz_targets`.
const TARGETS: [&str; 3] = ["decode", "pipeline", "record_file"];

/// Runs every fuzz target for a while. Needs a nightly toolchain; installs cargo-fuzz.
///
/// What was found before is kept in `target/fuzz/corpus`. Bytes that break something are left in
/// `tests/fuzz/artifacts`, and the exit code is 1. The short version of it runs with every `cargo test`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask fuzz                                  a minute for each target\n  \
    cargo xtask fuzz --target pipeline --seconds 3600")]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Run only this target
    #[arg(long, value_name = "NAME", value_parser = TARGETS)]
    target: Option<String>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    if workspace::output(Command::new("rustup").args(["run", "nightly", "rustc", "-V"])).is_err() {
        bail!("fuzzing needs a nightly toolchain, and none is here: run `rustup toolchain install nightly`");
    }
    install()?;
    let mut failed = Vec::new();
    for target in TARGETS.into_iter().filter(|name| args.target.as_deref().is_none_or(|only| only == *name)) {
        eprintln!("\nfuzz: {target}, {} s", args.seconds);
        if let Err(error) = run(target, args.seconds) {
            eprintln!("{error:#}");
            failed.push(target);
        }
    }
    if !failed.is_empty() {
        bail!("fuzzing failed: {}", failed.join(", "));
    }
    Ok(())
}

fn install() -> Result<()> {
    if workspace::output(workspace::cargo().args(["fuzz", "--version"])).is_ok() {
        return Ok(());
    }
    eprintln!("installing cargo-fuzz {VERSION} with cargo: about two minutes");
    let package = format!("cargo-fuzz@{VERSION}");
    workspace::install(workspace::cargo().args(["install", "--locked", &package]))
}

fn run(target: &str, seconds: u32) -> Result<()> {
    let folder = workspace::target_dir()?.join("fuzz");
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("failed to create {}", corpus.display()))?;
    // The toolchain that runs this program passes itself on to the cargo it starts.
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir", "tests/fuzz", "--target-dir"]);
    command.arg(folder).arg(target).arg(corpus).arg("--");
    command.args([
        &format!("-max_total_time={seconds}"),
        "-print_final_stats=1",
        "-max_len=4096",
        "-len_control=0",
    ]);
    workspace::status(command.current_dir(workspace::root()).env_remove("RUSTUP_TOOLCHAIN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_a_file() {
        let folder = workspace::root().join("tests/fuzz/fuzz_targets");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        assert_eq!(files, TARGETS);
    }
}
